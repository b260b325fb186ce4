"""Commands that measure: `audit`, `reference build` and `compare`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from outcross.pipeline.cli.lazy import Function, add_lazy_command
from outcross.pipeline.cli.options import AsJson
from outcross.pipeline.cli.session import Session

if TYPE_CHECKING:
    from outcross.schemas.audit import AuditRequest, ReferenceRequest


def add_audit_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    reference = typer.Typer(no_args_is_help=True)
    app.add_typer(reference, name="reference", help=_reference.__doc__)
    reference.callback()(_reference)
    add_lazy_command(
        app,
        "audit",
        "Measure a corpus against human text, and judge it: exit code 0 go, 3 stop.\n\n"
        "The corpus may be curated or not: files, globs, folders, or the output of a run.",
        _audit_command,
    )
    add_lazy_command(
        reference,
        "build",
        "Make a reference of human text, so that audits and runs can be compared.",
        _build_command,
    )
    app.command()(compare)


def _reference() -> None:
    """Make the human reference that corpora are measured against."""


def _audit_command() -> Function:
    from outcross.pipeline.cli.model_commands import request_command
    from outcross.schemas.audit import AuditRequest

    return request_command(AuditRequest, _audit, argument="paths")


def _audit(request: AuditRequest, as_json: bool, session: Session) -> None:
    with session.loading(kernels=True):
        from outcross.pipeline.cli.audit_table import show_audit
        from outcross.pipeline.commands.audit import audit

    result = audit(request, session.beam_args, session.open_progress())
    show_audit(result, as_json)
    if result.report.verdict.outcome == "stop":
        raise typer.Exit(3)


def _build_command() -> Function:
    from outcross.pipeline.cli.model_commands import request_command
    from outcross.schemas.audit import ReferenceRequest

    return request_command(ReferenceRequest, _build)


def _build(request: ReferenceRequest, as_json: bool, session: Session) -> None:
    with session.loading(kernels=True):
        from outcross.pipeline.commands.audit import build_reference
        from outcross.pipeline.terminal.streams import print_json

    fingerprint = build_reference(request, session.beam_args, session.open_progress())
    if as_json:
        print_json(json.dumps({"out": request.out, "fingerprint": fingerprint}))
    else:
        print(f"reference {fingerprint} in {request.out}; audits and runs take it by --reference")


def compare(
    ctx: typer.Context,
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
    as_json: AsJson = False,
) -> None:
    """Compare generations side by side; exit code 3 where a later one has lost too much."""
    from outcross.schemas.gates import load_gates
    from outcross.schemas.quotes import without_quotes

    limits = load_gates(gates)
    session: Session = ctx.obj
    with session.loading():
        from outcross.pipeline.cli.compare_table import show_comparison
        from outcross.pipeline.commands.compare import compare as compare_reports
        from outcross.pipeline.commands.compare import write_comparison
        from outcross.pipeline.inputs.reports import read_reports

    reports = read_reports(paths)
    if not texts:
        reports = [(path, without_quotes(report)) for path, report in reports]
    comparison = compare_reports(reports, limits)
    if out is not None:
        write_comparison(out, comparison, reports[-1][1])
    show_comparison(comparison, reports, as_json)
    if comparison.verdict.outcome == "stop":
        raise typer.Exit(3)
