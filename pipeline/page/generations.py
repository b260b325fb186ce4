"""Measures of the generations of a training loop, side by side."""

from __future__ import annotations

from outcross.pipeline.page import strips
from outcross.pipeline.page.diversity import against
from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    cut,
    el,
    join,
    many,
    name,
    number,
    section,
    table,
    term,
    two_lines,
)
from outcross.pipeline.page.overview import outcome
from outcross.schemas.comparison import Comparison, Trend
from outcross.schemas.figures import Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.schemas.report import Report


def generations(comparison: Comparison, latest: Report) -> Html:
    """Return the section that compares generations: measures, trends and alarms.

    Args:
        comparison: comparison of two generations or more.
        latest: report of the latest generation.
    """
    members = comparison.generations
    by_name = [{measure.name: measure for measure in generation.measures} for generation in members]
    trends = {trend.measure: trend for trend in comparison.trends}
    drawn, rows = [], list[list[Cell | str]]()
    for key, info in MEASURES.items():
        series = [measures.get(key) for measures in by_name]
        values = [m for m in series if m is not None and m.against is not None]
        if not values:
            continue
        falls = any(alarm.measure == key for alarm in comparison.alarms)
        title = join([term(key, info.title), outcome("stop") if falls else None], " ")
        kind = "÷ human" if info.kind == "ratio" else "− human"
        trend = trends.get(key)
        label = f"{info.title} {kind}: {', '.join(against(key, m.against) for m in values)}"
        slope, around = _slope(trend) if trend else ("–", "")
        slope_line = el("p", f"{slope} {around} a generation") if trend else None
        caption = el("figcaption", title, el("small", kind), slope_line)
        drawn.append(el("figure", caption, strips.trend(series, label)))
        cells = [_generation(key, m) for m in series]
        last = [Cell(two_lines(slope, around))] if trends else []
        rows.append([term(key, info.title), *cells, *last])
    columns = [Column("measure", numeric=False, heading=True)]
    titles = (cut(generation.name, 40) for generation in members)
    columns += [Column(f"{place} · {title}") for place, title in enumerate(titles, 1)]
    columns += [Column("trend, a generation", "trend")] if trends else []
    names = [
        el(
            "li",
            name(generation.name),
            " ",
            outcome(generation.outcome),
            " ",
            el("small", name(generation.report)),
        )
        for generation in members
    ]
    return section(
        "generations",
        "Over the generations",
        _alarms(comparison),
        el("ol", *names, class_="names"),
        el(
            "p",
            "The latest generation by itself: ",
            outcome(latest.verdict.outcome),
            " – ",
            cut(latest.verdict.sentence, 2000),
        ),
        el(
            "p",
            "Figures against human text, by generation. Lines show ± 1.96 standard errors; the "
            "shaded band is human text against human text. ",
            el("a", "Stage by stage", href="#stages"),
            " shows what each stage changed in the latest generation.",
            class_="note",
        ),
        el("div", *drawn, class_="multiples"),
        table("Figures against human text by generation", columns, rows),
        brief=many(len(members), "generation"),
    )


def _slope(trend: Trend) -> tuple[str, str]:
    """Format a trend and its interval; an arrow rises or falls only if the trend is certain."""
    interval = CONFIDENCE * trend.error
    sure = abs(trend.slope) > interval
    arrow = "→" if not sure else "↗" if trend.slope > 0 else "↘"
    slope = against(trend.measure, trend.slope)
    if MEASURES[trend.measure].kind == "ratio":
        slope = number(trend.slope, "+.3f")
    error = against(trend.measure, interval).lstrip("+")
    return f"{arrow} {slope}", f"± {error}"


def _generation(key: str, measure: Measure | None) -> Cell:
    if measure is None or measure.against is None:
        return Cell("–")
    error = CONFIDENCE * (measure.error or 0.0)
    interval = f"± {against(key, error).lstrip('+')}" if error else ""
    return Cell(two_lines(against(key, measure.against), interval))


def _alarms(comparison: Comparison) -> Html | None:
    if not comparison.alarms:
        return el("p", "No figure fell by more than its limit.")
    columns = [
        Column("measure", numeric=False, heading=True),
        Column("from", numeric=False),
        Column("to", numeric=False),
        Column("fall, or rise of repeats", "fall"),
        Column("limit"),
    ]
    rows: list[list[Cell | str]] = []
    for alarm in comparison.alarms:
        info = MEASURES.get(alarm.measure)
        interval = f"± {number(CONFIDENCE * alarm.error, '.1%')}"
        rows.append(
            [
                term(alarm.measure, info.title) if info else name(alarm.measure),
                name(alarm.before),
                name(alarm.after),
                Cell(two_lines(number(alarm.fall, ".1%"), interval)),
                number(alarm.limit, ".1%"),
            ]
        )
    return table("Falls beyond their limits", columns, rows)
