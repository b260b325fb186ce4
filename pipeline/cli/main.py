"""The command line, made from the configuration's models: no option is described twice."""

from __future__ import annotations

import atexit
import gc
import inspect
import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from outcross.pipeline.cli.options import flag, option
from outcross.pipeline.engine.engines import load_beam
from outcross.pipeline.terminal.streams import plain_streams, print_json
from outcross.pipeline.terminal.voice import OPTIONS, Voice, voice_options
from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import PLAN_KEYS, Config, parse
from outcross.schemas.sources import Fields
from outcross.schemas.user_input import ConfigError, load_yaml, readable
from outcross.transforms.inputs.magic import format_of

if TYPE_CHECKING:
    from outcross.pipeline.engine.progress import StageProgress
    from outcross.schemas.report import Verdict

RequestT = TypeVar("RequestT", bound=BaseModel)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed while running, 2 the request is wrong or can't be met, "
    "3 a gate says stop.",
)
reference = typer.Typer(no_args_is_help=True)
app.add_typer(reference, name="reference", help="Make the yardstick that figures are measured on.")

_ROLES = ("synthetic", "human", "exclude")
_BUDGET = PLAN_KEYS | {
    *("plan", "reference", "select", "rounds", "gates", "gate"),
    *("lineage", "archive", "archive_source"),
}
"""Keys that deduplication has no use for: options that did nothing would mislead."""
_QUOTE = (
    "files stand behind --synthetic or --human, each behind one of its own, and a glob in quotes "
    "('s*.jsonl'), or the shell makes several names of it"
)
_BEAM: list[str] = []  # what stands after `--`
_VOICES: list[Voice] = []  # of the command at work, once it has one


def _parameters(without: Collection[str], flags: Mapping[str, str]) -> list[inspect.Parameter]:
    """All options of the commands that work on a corpus, but for some keys; flags with help."""
    configuration = inspect.Parameter(
        "configuration",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[
            str | None,
            typer.Argument(metavar="CONFIG.yaml", help="a configuration; options override it"),
        ],
    )
    parameters = [configuration]
    for role in _ROLES:
        text = f"files of role {role}; may stand several times"
        told = typer.Option(f"--{role}", metavar="GLOB", help=text, show_default=False)
        parameters.append(
            inspect.Parameter(
                role,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[list[str] | None, told],
            )
        )
    parameters += [option(name, field) for name, field in Fields.model_fields.items()]
    for name, field in Config.model_fields.items():
        if name in without:
            continue
        if name == "max_copies":
            parameters += [
                option(f"max_copies_{role}", caps) for role, caps in MaxCopies.model_fields.items()
            ]
        elif name not in ("sources", "domains"):
            parameters.append(option(name, field))
    for name, text in flags.items():
        parameters.append(flag(name, f"--{name.removeprefix('as_').replace('_', '-')}", text))
    return parameters + voice_options()


def _config(options: dict[str, Any]) -> Config:
    """The configuration of YAML and options together; options win.

    Raises:
        ConfigError: naming the key, what was found and what would be right.
    """
    path = options.pop("configuration")
    if path is not None and format_of(path) is not None:
        raise ConfigError(f"{path}: holds data, and a CONFIG.yaml is expected here; {_QUOTE}")
    values: dict[str, Any] = {} if path is None else load_yaml(path)
    given = {name: value for name, value in options.items() if value is not None}
    fields = {name: given.pop(name) for name in Fields.model_fields if name in given}
    caps = {
        r: given.pop(f"max_copies_{r}")
        for r in ("synthetic", "human")
        if f"max_copies_{r}" in given
    }
    roles = {role: given.pop(role) for role in _ROLES if role in given}
    sources = values.setdefault("sources", [])
    if not isinstance(sources, list):
        raise ConfigError(f"sources: found {sources!r:.80}; a list of sources is expected")
    for role, globs in roles.items():
        sources.append({"name": role, "role": role, "files": globs})
    if not sources:
        raise ConfigError(
            "sources: none given; name a CONFIG.yaml that has some, or use --synthetic and --human"
        )
    for source in sources:
        if isinstance(source, dict):
            source.update(fields)
    if caps:
        before = values.get("max_copies") or {}
        if isinstance(before, int):
            before = dict.fromkeys(MaxCopies.model_fields, before)
        if not isinstance(before, dict):
            raise ConfigError(f"max_copies: found {before!r:.80}; a cap for each role is expected")
        values["max_copies"] = {**before, **caps}
    for one, other in (("human_tokens", "human_share"), ("human_share", "human_tokens")):
        if one in given:  # two ways to ask for one thing: the option's holds
            values.pop(other, None)
    values.update(given)
    if "out" not in values:
        raise ConfigError("out: missing; say with --out where the result shall go")
    return parse(values)


def _load(voice: Voice, works: bool = False) -> None:
    """Import what a command runs with.

    All of it stays, so the garbage collector is kept from looking through it, which would take a
    fifth of the start, and again at the end.

    Args:
        voice: says where the start takes longer than usual, and why.
        works: whether the command works on a corpus, for which all kernels are needed.
    """
    gc.disable()
    load_beam()
    from outcross.transforms.base.cache import TEMPORARY
    from outcross.transforms.base.kernels import announce
    from outcross.transforms.text.warm_up import compile_beside, compile_meanwhile

    if TEMPORARY is not None:
        voice.say(
            "note: neither the installation nor the home directory can be written; "
            f"compiled kernels are kept in {TEMPORARY} (NUMBA_CACHE_DIR names another folder)"
        )
    announce(
        lambda: voice.say(
            "note: kernels are compiled for this machine, once; that takes up to a minute"
        )
    )
    compiler = compile_beside() if works else None
    import outcross.pipeline.cli.console  # noqa: F401

    if compiler is not None:
        atexit.register(compiler.kill)
        compile_meanwhile()

    gc.freeze()
    gc.enable()


def _speak(options: dict[str, Any], quiet: bool = False) -> Voice:
    """Take the options of a voice out of a command's options.

    Args:
        options: of the command, by name.
        quiet: whether nothing but the result is wanted anyway.

    Raises:
        ConfigError: when both more and less are asked for, or the log can't be written.
    """
    given = {name: options.pop(name) for name in OPTIONS if name in options}
    if given.get("quiet") and given.get("verbose"):
        raise ConfigError("quiet: given together with verbose; leave one of them out")
    voice = Voice(**{**given, "quiet": quiet or given.get("quiet", False)})
    _VOICES.append(voice)
    return voice


def _progress() -> StageProgress:
    """Return what shows the stages of the command at work."""
    from outcross.pipeline.engine.progress import StageProgress

    voice = _VOICES[-1]
    return StageProgress(quiet=voice.quiet, verbose=voice.verbose, keep=voice.keep)


def _command(
    name: str,
    action: Callable[[Config, dict[str, bool]], None],
    text: str,
    without: Collection[str] = (),
    **further: str,
) -> None:
    """Registers a command whose options are the configuration's, but for some keys.

    Args:
        name: of the command.
        action: does what is asked; with the flags that are set.
        text: the help.
        without: keys that the command has no use for.
        further: flags of its own, with their help.
    """
    known = {"as_json": "print the result as JSON", **further}
    parameters = _parameters(without, known)

    def command(**options: Any) -> None:
        flags = {flag: options.pop(flag, False) for flag in known}
        voice = _speak(options, quiet=flags["as_json"])
        config = _config(options)
        _load(voice, works=True)  # seconds, so not before the request is known to make sense
        action(config, flags)

    command.__doc__ = text
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    app.command(name)(command)


def _end(verdict: Verdict) -> None:
    """Ends with the exit code of a verdict."""
    if verdict.outcome == "stop":
        raise typer.Exit(3)


def _run(config: Config, flags: dict[str, bool]) -> None:
    from outcross.pipeline.cli.console import dry_run, show_report
    from outcross.pipeline.commands.run import run

    if flags["dry_run"]:
        dry_run(config, _BEAM, flags["as_json"])
        return
    result = run(config, _BEAM, _progress())
    show_report(result.out, result.report, flags["as_json"])
    if config.gate:
        _end(result.report.verdict)


def _plan(config: Config, flags: dict[str, bool]) -> None:
    from outcross.pipeline.cli.console import show_estimate, show_plan
    from outcross.pipeline.commands.run import plan

    planned = plan(config, _BEAM, _progress())
    show_plan(planned, flags["as_json"], flags["shopping_list"])
    if not flags["as_json"]:
        show_estimate(config)


def _dedup(config: Config, flags: dict[str, bool]) -> None:
    from outcross.pipeline.cli.console import show_report
    from outcross.pipeline.commands.run import dedup

    result = dedup(config, _BEAM, _progress())
    show_report(result.out, result.report, flags["as_json"])


_command(
    "run",
    _run,
    "Curate a corpus: deduplicate, lift the tails, mix in human text, write shards.\n\n"
    "Beam's own options stand after `--`, such as `-- --runner FlinkRunner`.",
    dry_run="check the request, look at the first rows, and say what a run takes",
)
_command(
    "plan",
    _plan,
    "Show what a run would take, and what other human shares would reach.",
    without={"gates", "gate", "plan"},
    shopping_list="print which human text to gather: clusters by what a further token is worth",
)
_command("dedup", _dedup, "Deduplicate, and write what is kept, nothing else.", without=_BUDGET)


def _request(
    model: type[RequestT],
    to: typer.Typer,
    name: str,
    action: Callable[[RequestT, bool], None],
    text: str,
    argument: str | None = None,
) -> None:
    """Registers a command whose options are a model's.

    Args:
        model: the request.
        to: the commands that it joins.
        name: of the command.
        action: does what is asked; with whether to print JSON.
        text: the help.
        argument: the key that stands without an option, if one does.
    """
    parameters = []
    if argument is not None:
        told = typer.Argument(metavar="PATH", help=model.model_fields[argument].description)
        parameters.append(
            inspect.Parameter(
                argument,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=Annotated[list[str], told],
            )
        )
    own = model.__annotations__  # before those that it inherits
    names = sorted(
        (name for name in model.model_fields if name != argument), key=lambda name: name not in own
    )
    parameters += [option(name, model.model_fields[name]) for name in names]
    parameters.append(flag("as_json", "--json", "print the result as JSON"))
    parameters += voice_options()

    def command(**options: Any) -> None:
        as_json = options.pop("as_json")
        voice = _speak(options, quiet=as_json)
        given = {name: value for name, value in options.items() if value is not None}
        try:
            request = model.model_validate(given)
        except ValidationError as error:
            raise ConfigError(readable(error, model=model)) from None
        _load(voice, works=True)
        action(request, as_json)

    command.__doc__ = text
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    to.command(name)(command)


def _audit(request: AuditRequest, as_json: bool) -> None:
    from outcross.pipeline.cli.console import show_audit
    from outcross.pipeline.commands.audit import audit

    result = audit(request, _BEAM, _progress())
    show_audit(result, as_json)
    _end(result.report.verdict)


def _build(request: ReferenceRequest, as_json: bool) -> None:
    from outcross.pipeline.commands.audit import build_reference

    made = build_reference(request, _BEAM, _progress())
    if as_json:
        print_json(json.dumps({"out": request.out, "fingerprint": made}))
    else:
        print(f"yardstick {made} in {request.out}; audits and runs take it by --reference")


_request(
    AuditRequest,
    app,
    "audit",
    _audit,
    "Measure a corpus against human text, and judge it: exit code 0 go, 3 stop.\n\n"
    "The corpus may be curated or not: files, globs, folders, or the output of a run.",
    argument="paths",
)
_request(
    ReferenceRequest,
    reference,
    "build",
    _build,
    "Make a yardstick of human text, so that audits and runs can be compared.",
)


@reference.callback()
def _reference() -> None:
    """Make the yardstick that figures are measured on."""


lineage = typer.Typer(no_args_is_help=True)
app.add_typer(lineage, name="lineage", help="What the runs of a training loop have in common.")


@lineage.callback()
def _lineage() -> None:
    """What the runs of a training loop have in common."""


@lineage.command("show")
def _show_lineage(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="the folder given by --lineage")],
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Show what was bought, used and left, and how far each generation's candidates are away."""
    _load(_speak({}))
    from outcross.pipeline.cli.lineage_table import show_lineage

    show_lineage(folder, as_json)


@app.command()
def compare(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT...",
            help="report.json files or their folders, oldest first, or one folder of such folders",
        ),
    ],
    out: Annotated[
        str | None, typer.Option(help="directory for compare.json and report.html")
    ] = None,
    gates: Annotated[
        str | None, typer.Option(help="YAML file with the limits of the verdict")
    ] = None,
    texts: Annotated[
        bool,
        typer.Option(
            "--texts/--no-texts",
            help="quote the corpus in the report: words, beginnings of texts and of prompts",
            show_default=False,
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Set generations side by side; exit code 3 where a later one has lost too much."""
    from outcross.schemas.gates import load_gates
    from outcross.schemas.quotes import without_quotes

    limits = load_gates(gates)
    _load(_speak({}))
    from outcross.pipeline.cli.compare_table import show_comparison
    from outcross.pipeline.commands.compare import compare as compare_reports
    from outcross.pipeline.commands.compare import write_comparison
    from outcross.pipeline.inputs.reports import read_reports

    reports = read_reports(paths)
    if not texts:
        reports = [(path, without_quotes(report)) for path, report in reports]
    found = compare_reports(reports, limits)
    if out is not None:
        write_comparison(out, found, reports[-1][1])
    show_comparison(found, reports, as_json)
    _end(found.verdict)


def _version(asked: bool) -> None:
    if asked:
        print(version("outcross"))
        raise typer.Exit


@app.callback()
def _common(
    show: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Keeps a training loop that feeds on its own output from narrowing."""


@app.command()
def explain(
    out: Annotated[str, typer.Argument(help="output directory of a run")],
    document: Annotated[str | None, typer.Argument(metavar="ID", help="id of one document")] = None,
    least_similar: Annotated[
        int, typer.Option(min=1, help="how many of the least similar removals to show")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Show what was removed, in favour of what, and why."""
    _load(_speak({}))
    from outcross.pipeline.commands.explain import explain_document, explain_removals

    if document is None:
        explain_removals(out, least_similar, as_json)
    else:
        explain_document(out, document, as_json)


@app.command()
def restore(
    out: Annotated[str, typer.Argument(help="output directory of a run")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="file to write: .parquet or .jsonl"),
    ] = "restored.parquet",
    stage: Annotated[
        str | None, typer.Option(help="only what this stage removed: exact, near or contained")
    ] = None,
    rule: Annotated[str | None, typer.Option(help="only what this rule removed")] = None,
    source: Annotated[str | None, typer.Option(help="only rows of this source")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Write the removed rows back as a file with their own columns and types."""
    _load(_speak({}))
    from outcross.pipeline.commands.restore import restore as restore_rows

    asked = {"stage": stage, "rule": rule, "source": source}
    filters = {name: value for name, value in asked.items() if value is not None}
    result = restore_rows(out, output, filters)
    if as_json:
        print_json(json.dumps({"file": result.file, "rows": result.rows}))
    elif result.file is None:
        print("no removed row is asked for: nothing is written")
    else:
        print(f"{result.rows:,} removed rows in {result.file}")


@app.command()
def clean(
    out: Annotated[str, typer.Argument(help="output directory of a run, an audit or a reference")],
    everything: Annotated[
        bool,
        typer.Option("--all", help="also remove the work of a run that has not finished"),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list what would be removed, and remove nothing")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Remove work that no result needs; data, reports, plan and reference stay."""
    _load(_speak({}))
    from outcross.pipeline.commands.clean import clean, show_cleaning

    show_cleaning(clean(out, everything, dry_run), as_json)


@app.command()
def schema(
    what: Annotated[
        str,
        typer.Argument(metavar="config|plan|report|gates|compare|lineage", help="which schema"),
    ],
) -> None:
    """Print the JSON Schema of a file that outcross reads or writes."""
    from outcross.schemas.comparison import Comparison
    from outcross.schemas.gates import Gates
    from outcross.schemas.lineage import Lineage
    from outcross.schemas.plan import Plan
    from outcross.schemas.report import Report

    models: dict[str, Any] = {
        "config": Config,
        "plan": Plan,
        "report": Report,
        "gates": Gates,
        "compare": Comparison,
        "lineage": Lineage,
    }
    if what not in models:
        raise ConfigError(f"schema: there is none called {what!r}; say {', '.join(models)}")
    print_json(json.dumps(models[what].model_json_schema(), indent=2, ensure_ascii=False))


def command() -> None:
    """The console script `outcross`: `main`, and an end without taking Python down.

    A thread of Arrow's may still be reading a broken file through Python. Where Python is taken
    down meanwhile, that thread ends the process with a signal in place of the exit code.
    """
    try:
        main()
    except SystemExit as end:
        code = 0 if end.code is None else end.code
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # whoever read it has gone
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Run the command that `sys.argv` says."""
    plain_streams()
    _VOICES.clear()
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    arguments, _BEAM[:] = arguments[:cut], arguments[cut + 1 :]
    try:
        code = app(arguments, standalone_mode=False)  # 130 after Ctrl-C
    except typer.Abort:  # the same of older releases
        code = 130
    except Exception as error:  # the last place where an error can be made readable
        code = _say(error)
    if code == 130:
        print("outcross: stopped; the same command goes on from here", file=sys.stderr)
    for voice in _VOICES:
        voice.close()
    sys.exit(code)


def _say(error: Exception) -> int:
    if hasattr(error, "show"):  # a usage error; typer brings its own click along
        error.show()
        if "unexpected extra argument" in str(error):
            print(f"outcross: {_QUOTE}", file=sys.stderr)
        return 2
    voice = _VOICES[-1] if _VOICES else Voice()
    voice.fail(error)
    if isinstance(error, ConfigError):
        return 2
    from outcross.pipeline.engine.engines import PipelineError
    from outcross.pipeline.stages.context import RunError
    from outcross.transforms.inputs.seals import ChangedError

    if not isinstance(error, (RunError, PipelineError, ChangedError, OSError)):
        raise error
    return 1
