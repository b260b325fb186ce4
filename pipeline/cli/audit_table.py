"""Tables of an audit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from outcross.pipeline.cli.report_table import show_rows, show_verdict, stage_table
from outcross.pipeline.commands.audit import AuditResult
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import (
    PlainConsole,
    counted,
    new_table,
    number_or_dash,
    print_line,
    show_table,
)
from outcross.schemas.figures import OUTCOMES, Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.schemas.report import Report


def show_audit(result: AuditResult, as_json: bool) -> None:
    """Print the diversity of a corpus, and the verdict of the gates.

    Args:
        result: result of the audit.
        as_json: print JSON instead of tables.
    """
    report = result.report
    if as_json:
        print_json(report.model_dump_json(indent=2))
        return
    console = PlainConsole()
    show_rows(console, report)
    show_table(console, stage_table(report))
    if report.judged is not None:
        show_table(console, _measure_table(report.judged.measures))
    _show_answers(console, report)
    show_verdict(console, report)
    out = result.out.rstrip("/")
    print_line(console, f"all figures in {out}/report.html and {out}/report.json")


def _show_answers(console: Console, report: Report) -> None:
    """Print how different the answers to one prompt are."""
    for line in report.prompts:
        if line.sampling is not None:
            sampling = line.sampling
            print_line(
                console,
                f"{line.source}: of {sampling.k} answers to one prompt "
                f"{number_or_dash(sampling.distinct_at_k, '.1f')} are different ones; "
                f"{counted(sampling.collapsed_prompts, 'prompt')} of {sampling.prompts:,} "
                "collapsed",
            )


def _measure_table(measures: Sequence[Measure]) -> Table:
    table = new_table(
        "against as much human text",
        ["measure"],
        ["corpus", "human", "95% of human", "against", "± 95%", "n", "gate"],
    )
    for measure in measures:
        info = MEASURES[measure.name]
        band = "–"
        if measure.low is not None and measure.high is not None:
            band = f"{measure.low:{info.form}} – {measure.high:{info.form}}"
        form = ".0%" if info.kind == "ratio" else info.form
        error = None if measure.error is None else CONFIDENCE * measure.error
        table.add_row(
            info.title,
            number_or_dash(measure.value, info.form),
            number_or_dash(measure.human, info.form),
            band,
            number_or_dash(measure.against, form),
            number_or_dash(error, form.replace("0%", "1%")),
            f"{measure.n:,}",
            "" if measure.outcome == "shown" else OUTCOMES.get(measure.outcome, measure.outcome),
        )
    return table
