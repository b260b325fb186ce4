"""Commands on the result of a run: `export`, `explain`, `requests`, `restore`, `clean` and more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from outcross.pipeline.cli.lazy import Function, add_lazy_command
from outcross.pipeline.cli.options import AsJson
from outcross.pipeline.cli.session import Session

if TYPE_CHECKING:
    from outcross.schemas.export import ExportRequest


def add_result_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    lineage = typer.Typer(no_args_is_help=True)
    app.add_typer(lineage, name="lineage", help=_lineage.__doc__)
    lineage.callback()(_lineage)
    lineage.command("show")(show_lineage)
    add_lazy_command(
        app,
        "export",
        "Write the rows of a run as files of tokens, for Megatron or np.memmap.\n\n"
        "Weights become repeats, the order is seeded, and an end of text stands behind each "
        "document.",
        _export_command,
    )
    for command in (explain, requests, restore, clean):
        app.command()(command)


def _export_command() -> Function:
    from outcross.pipeline.cli.model_commands import request_command
    from outcross.schemas.export import ExportRequest

    return request_command(ExportRequest, _export, argument="run")


def _export(request: ExportRequest, as_json: bool, session: Session) -> None:
    with session.loading(kernels=True):
        from outcross.pipeline.cli.export_table import show_export
        from outcross.pipeline.commands.export import export

    show_export(*export(request, session.beam_args, session.open_progress()), as_json)


def _lineage() -> None:
    """Show what the runs of a training loop share."""


def show_lineage(
    ctx: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="the folder given by --lineage")],
    as_json: AsJson = False,
) -> None:
    """Show what was bought, used and left, and how far each generation's candidates are away."""
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.cli.lineage_table import show_lineage
        from outcross.pipeline.commands.lineage import lineage_summary

    show_lineage(lineage_summary(folder), as_json)


def explain(
    ctx: typer.Context,
    out: Annotated[str, typer.Argument(help="output directory of a run")],
    document: Annotated[str | None, typer.Argument(metavar="ID", help="id of one document")] = None,
    least_similar: Annotated[
        int, typer.Option(min=1, help="how many of the least similar removals to show")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what was removed, in favour of what, and why."""
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.cli.explain_table import show_document, show_removals
        from outcross.pipeline.commands.explain import explain_document, explain_removals

    if document is None:
        show_removals(explain_removals(out, least_similar), as_json)
    else:
        show_document(explain_document(out, document), as_json)


def requests(
    ctx: typer.Context,
    out: Annotated[str, typer.Argument(help="output directory of a run or a plan")],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="file to write, or replace; - for stdout"
        ),
    ] = "requests.jsonl",
    tokens: Annotated[
        int | None,
        typer.Option(
            help="candidates to ask for in all, spread over the clusters as the target wants them; "
            "if absent, what clusters lack",
            show_default=False,
        ),
    ] = None,
    unasked: Annotated[
        int, typer.Option(help="with --tokens: tokens that the generator makes besides, unasked")
    ] = 0,
    seeds: Annotated[int, typer.Option(help="most human texts to show of a cluster")] = 3,
    characters: Annotated[int, typer.Option(help="most characters of each of them")] = 600,
    as_json: AsJson = False,
) -> None:
    """Write what to ask the generator for: clusters that lack text, prompts that have collapsed."""
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.cli.requests_table import show_requests, summary_line
        from outcross.pipeline.commands.requests import requests as requests_of
        from outcross.pipeline.commands.requests import write_requests
        from outcross.pipeline.terminal.streams import print_json
        from outcross.schemas.user_input import ConfigError

    if as_json and output == "-":
        raise ConfigError("json: stdout holds either the lines (-o -) or the summary; choose one")
    session.open_voice({}, quiet=as_json)
    result = requests_of(out, tokens, unasked, seeds, characters)
    for warning in result.warnings:
        session.voice.say(f"warning: {warning}")
    if output == "-":
        for line in result.lines():
            print_json(line)
        session.voice.say(summary_line(result))
        return
    write_requests(result.lines(), output)
    show_requests(result, output, as_json)


def restore(
    ctx: typer.Context,
    out: Annotated[str, typer.Argument(help="output directory of a run")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="file to write: .parquet or .jsonl"),
    ] = "restored.parquet",
    stage: Annotated[
        str | None,
        typer.Option(help="only what this stage removed: exact, near, contained or semantic"),
    ] = None,
    rule: Annotated[str | None, typer.Option(help="only what this rule removed")] = None,
    source: Annotated[str | None, typer.Option(help="only rows of this source")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the removed rows back as a file with their own columns and types."""
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.commands.restore import restore as restore_rows
        from outcross.pipeline.terminal.streams import print_json

    given = {"stage": stage, "rule": rule, "source": source}
    filters = {name: value for name, value in given.items() if value is not None}
    result = restore_rows(out, output, filters)
    if as_json:
        print_json(json.dumps({"file": result.file, "rows": result.rows}))
    elif result.file is None:
        print("no removed row matches the options, so nothing is written")
    else:
        print(f"{result.rows:,} removed rows in {result.file}")


def clean(
    ctx: typer.Context,
    out: Annotated[str, typer.Argument(help="output directory of a run, an audit or a reference")],
    everything: Annotated[
        bool,
        typer.Option("--all", help="also remove the work of a run that has not finished"),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list what would be removed, and remove nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove work that no result needs; data, reports, plan and reference stay."""
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.cli.clean_table import show_cleaning
        from outcross.pipeline.commands.clean import clean as clean_work

    show_cleaning(clean_work(out, everything, dry_run), as_json)
