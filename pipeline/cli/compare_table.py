"""Tables of `outcross compare`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from outcross.pipeline.commands.compare import trend
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import PlainConsole, new_table, print_line, show_table
from outcross.schemas.comparison import Comparison
from outcross.schemas.figures import Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.schemas.report import Report
from outcross.transforms.base.visible import visible_name

_WIDE = 6  # most generations side by side; more of them are rows
_SURE = 3.0  # standard errors from which a slope has an arrow


def show_comparison(
    comparison: Comparison, reports: Sequence[tuple[str, Report]], as_json: bool
) -> None:
    """Print the measures of all generations, the tail after each stage, and the verdict.

    Args:
        comparison: the comparison.
        reports: path and content of each compared report, in the order of the generations.
        as_json: print JSON instead of tables.
    """
    if as_json:
        print_json(comparison.model_dump_json(indent=2))
        return
    console = PlainConsole()
    for table in _measure_tables(comparison):
        show_table(console, table)
    show_table(console, _tail_table(comparison, reports))
    verdict = comparison.verdict
    notes = [f"note: {warning}" for warning in verdict.warnings]
    for line in (verdict.sentence, *verdict.reasons, *notes):
        print_line(console, visible_name(line))


def _measure_tables(comparison: Comparison) -> list[Table]:
    """Return a table of ratios and one of differences, which have different scales."""
    generations = comparison.generations
    names = [generation.name for generation in generations]
    measures = [{measure.name: measure for measure in g.measures} for g in generations]
    outcomes: list[str | Text] = [*(generation.outcome for generation in generations), ""]
    tables = []
    for kind, heading in (
        ("ratio", "share of the figure of human text, 1 is as diverse as people"),
        ("difference", "less the figure of human text, 0 is like people"),
    ):
        lines = [("own verdict", outcomes)] if kind == "ratio" else []
        for name, info in MEASURES.items():
            figures = [by_name.get(name) for by_name in measures]
            if info.kind == kind and any(figures):
                form = ".3f" if kind == "ratio" else info.form
                cells = [_figure(figure, form) for figure in figures]
                lines.append((info.title, [*cells, _arrow(figures, form, info.better)]))
        if lines:
            title = (
                f"{heading} (± 95%; trend: change from one report to the next, with an arrow where "
                "it is sure)"
            )
            tables.append(_grid(title, names, lines, ["trend"]))
    return tables


def _figure(figure: Measure | None, form: str) -> str:
    if figure is None or figure.against is None:
        return "too few" if figure is not None and figure.outcome == "too few" else "–"
    sign = "" if form == ".3f" and MEASURES[figure.name].kind == "ratio" else "+"
    error = "?" if figure.error is None else f"{CONFIDENCE * figure.error:{form}}"
    return f"{figure.against:{sign}{form}} ± {error}"


def _arrow(figures: Sequence[Measure | None], form: str, better: str) -> str | Text:
    """Return the slope of a measure, red where it surely leads away from diversity."""
    line = trend(figures)
    if line is None:
        return "–"
    slope, error = line
    text = f"{slope:+{form}}"
    if abs(slope) <= _SURE * error:
        return text
    worse = slope < 0 if better == "high" else slope > 0
    arrow = "↓" if slope < 0 else "↑"
    return Text(f"{arrow} {text}", "red" if worse else "")


def _tail_table(comparison: Comparison, reports: Sequence[tuple[str, Report]]) -> Table:
    """Return the tail after each stage; sampling from a model is the step between reports."""
    stages = dict.fromkeys(stage.name for _, report in reports for stage in report.stages)
    cells: dict[str, list[str]] = {stage: [] for stage in stages}
    before: float | None = None
    for _, report in reports:
        shares = {
            stage.name: stage.roles["all"].tail_mass
            for stage in report.stages
            if "all" in stage.roles
        }
        for stage in stages:
            share = shares.get(stage)
            if share is None:
                cells[stage].append("–")
                continue
            change = "" if before is None else f" ({100 * (share - before):+.1f})"
            cells[stage].append(f"{share:.1%}{change}")
            before = share
    human = [
        "–"
        if report.reference is None or report.reference.tail_mass is None
        else f"{report.reference.tail_mass:.1%}"
        for _, report in reports
    ]
    title = (
        "tail: share of all documents after each stage (its change in points; of `read` against "
        "what the generation before has left)"
    )
    names = [generation.name for generation in comparison.generations]
    return _grid(title, names, [*cells.items(), ("human text", human)], [])


def _grid(
    title: str,
    names: Sequence[str],
    lines: Sequence[tuple[str, Sequence[str | Text]]],
    more: Sequence[str],
) -> Table:
    """Return a table with a column for each generation, or a row for each of many.

    Args:
        title: line above the table.
        names: names of the generations.
        lines: labels, each with a cell for each generation and for each of `more`.
        more: headings after those of the generations.
    """
    heads = [*(visible_name(name) for name in names), *more]
    if len(names) <= _WIDE:
        table = new_table(title, [""], heads)
        for label, cells in lines:
            table.add_row(label, *cells)
        return table
    table = new_table(title, ["generation"], [label.replace(" ", "\n") for label, _ in lines])
    for number, head in enumerate(heads):
        table.add_row(head, *(cells[number] for _, cells in lines))
    return table
