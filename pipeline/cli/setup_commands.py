"""Commands for the time before the first run: `init`, `doctor` and `schema`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from outcross.pipeline.cli.options import AsJson
from outcross.pipeline.cli.session import Session

RoleFiles = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="files of this role; may be repeated", show_default=False),
]


def add_setup_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    for command in (init, doctor, schema):
        app.command()(command)


def init(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILES", help="files; an option before each names its role"),
    ] = None,
    synthetic: RoleFiles = None,
    human: RoleFiles = None,
    exclude: RoleFiles = None,
    out: Annotated[
        str, typer.Option(metavar="FILE", help="the configuration to write")
    ] = "config.yaml",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="format of all files; if absent, by their names", show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="replace the configuration if it exists")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration, guessed from the first rows of some files."""
    from outcross.schemas.user_input import ConfigError

    session: Session = ctx.obj
    roles = {"synthetic": synthetic, "human": human, "exclude": exclude}
    if paths or not any(roles.values()):
        raise ConfigError(_how_to_say_roles(paths or []))
    patterns = [pattern for globs in roles.values() for pattern in globs or ()]
    with session.loading(beam=any("://" in pattern for pattern in patterns)):
        from outcross.pipeline.cli.init_table import show_init
        from outcross.pipeline.commands.init import init as write_config
        from outcross.pipeline.commands.init import inputs_of

    show_init(write_config(inputs_of(roles), out, force, file_format), as_json)


def _how_to_say_roles(paths: list[str]) -> str:
    """Return what to do where files have no role."""
    example = "outcross init --synthetic model.jsonl --human people.jsonl"
    if not paths:
        return f"init: no files; name some with their roles, such as `{example}`"
    names = ", ".join(repr(path) for path in paths)
    return (
        f"init: {names} without a role; put --synthetic (written by a model), --human (by people) "
        "or --exclude (evaluation sets) before each file or glob, and quote a glob, such as "
        f"`{example}`"
    )


def doctor(
    ctx: typer.Context,
    flink_master: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="REST address of a Flink cluster to ask", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show versions, resources, and which engines can run; exit code 1 if the local one can't."""
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.cli.doctor_table import show_doctor
        from outcross.pipeline.commands.doctor import examine

    report = examine(flink_master)
    show_doctor(report, as_json)
    if not report.can_run:
        raise typer.Exit(1)


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="config|plan|report|gates|compare|lineage|requests|tokens",
            help="which schema",
        ),
    ],
) -> None:
    """Print the JSON Schema of a file that outcross reads or writes."""
    from outcross.pipeline.terminal.streams import print_json
    from outcross.schemas.comparison import Comparison
    from outcross.schemas.config import Config
    from outcross.schemas.export import Export
    from outcross.schemas.gates import Gates
    from outcross.schemas.lineage import Lineage
    from outcross.schemas.plan import Plan
    from outcross.schemas.report import Report
    from outcross.schemas.requests import RequestLine
    from outcross.schemas.user_input import ConfigError

    models: dict[str, Any] = {
        "config": Config,
        "plan": Plan,
        "report": Report,
        "gates": Gates,
        "compare": Comparison,
        "lineage": Lineage,
        "requests": RequestLine,
        "tokens": Export,
    }
    if name not in models:
        raise ConfigError(f"schema: there is no schema {name!r}; choose {', '.join(models)}")
    print_json(json.dumps(models[name].model_json_schema(), indent=2, ensure_ascii=False))
