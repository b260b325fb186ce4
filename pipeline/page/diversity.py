"""How diverse the corpus is: against human text, after each stage, by domain, over generations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outcross.pipeline.page import strips
from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    cut,
    el,
    figure,
    join,
    many,
    more,
    name,
    number,
    section,
    table,
    term,
)
from outcross.pipeline.page.overview import outcome
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.schemas.report import OUTCOMES, Comparison, Figures, Measure, Report, Trend

STAGES = {
    "read": "read",
    "deduplicate": "deduplicated",
    "write": "written",
    "judged": "judged",
}
_KINDS = {
    "ratio": "As a ratio to human text: 1 is as diverse as human text",
    "difference": "As a difference from human text: 0 is as human text, scales differ",
}
_DOMAINS = 200


def human(report: Report) -> Html | None:
    """The measures against human text, before and after."""
    series = [(stage.name, stage.roles["all"]) for stage in report.stages if "all" in stage.roles]
    shown: list[tuple[str, Figures]] = [(key, found) for key, found in series if found.measures]
    judged = report.judged
    if judged and judged.measures:
        if shown and _values(judged) == _values(shown[-1][1]):
            shown[-1] = (shown[-1][0], judged)  # the same documents, with what the gates say
        else:
            shown.append(("judged", judged))
    if not shown:
        if report.kind == "dedup":
            return None
        why = "There is no human text to compare with, so no figure stands against it."
        return section("human", "Against human text", el("p", why))
    measures = [m for _, figures in shown for m in figures.measures if m.name in MEASURES]
    ratio = strips.extent([m for m in measures if MEASURES[m.name].kind == "ratio"], "ratio")
    rows: list[list[Cell | str]] = []
    groups: dict[int, str] = {}
    for kind, title in _KINDS.items():
        for key, info in MEASURES.items():
            found = [(stage, figures.measure(key)) for stage, figures in shown]
            present = [(stage, measure) for stage, measure in found if measure is not None]
            if info.kind != kind or not present:
                continue
            if not groups or (kind == "difference" and title not in groups.values()):
                groups[len(rows)] = title
            own = [measure for _, measure in present]
            scale = ratio if kind == "ratio" else strips.extent(own, kind)
            first = len(rows) in groups
            rows.append(_row(key, present, [m for _, m in found], scale, first))
    columns = [
        Column("measure", numeric=False, heading=True),
        Column("outcome", "outcome", numeric=False),
        Column("where it stands", "strip", numeric=False),
        Column("against human", "against"),
        Column("human", "measure-human"),
        *(Column(STAGES[stage], "stage-value") for stage, _ in shown),
        Column("n", "measure-n"),
    ]
    caption = "Before and after, beside human text of as many documents or words"
    return section(
        "human",
        "Against human text",
        strips.key_of_marks([s for s, _ in shown], [STAGES[s] for s, _ in shown]),
        table(caption, columns, rows, "measures", groups=groups),
        brief=_outcomes(shown[-1][1].measures),
    )


def _outcomes(measures: Sequence[Measure]) -> str:
    """Return how many measures the gates stop for, warn of, and let pass."""
    words = {"stop": "stop", "warn": "warn", "noise": "noise", "go": "pass", "too few": "too few"}
    often = Counter[str](measure.outcome for measure in measures)
    return ", ".join(f"{often[key]} {word}" for key, word in words.items() if often[key])


def _values(figures: Figures) -> list[tuple[str, float | None]]:
    return [(measure.name, measure.value) for measure in figures.measures]


def _row(
    key: str,
    present: Sequence[tuple[str, Measure]],
    found: Sequence[Measure | None],
    scale: tuple[float, float],
    first: bool,
) -> list[Cell | str]:
    info, last = MEASURES[key], present[-1][1]
    drawn = strips.strip(present, scale, _in_words(last))
    parts = [drawn]
    if info.kind == "difference":
        ends = (_against(key, scale[0]), "0", _against(key, scale[1]))
        written = (el("span", end.split("\u202f")[0]) for end in ends)
        parts.append(el("span", *written, class_="ends", aria_hidden="true"))
    elif first:
        parts = [strips.axis(scale), drawn]
    around = ""
    if last.low is not None and last.high is not None:
        low, high = (number(end, info.form) for end in (last.low, last.high))
        around = f"{low} to {high}"
    interval = ""
    if last.error is not None:
        interval = f"± {_against(key, CONFIDENCE * last.error).lstrip('+')}"
    of = "words" if info.per == "tokens" else "docs"
    return [
        term(key, info.title),
        outcome(last.outcome),
        Cell(join(parts), classes="drawn"),
        Cell(_two(_against(key, last.against), interval)),
        Cell(_two(number(last.human, info.form, info.unit), around)),
        *(figure(m.value if m else None, info.form) for m in found),
        Cell(_two(number(last.n), of)),
    ]


def _two(first: str, second: str) -> Html:
    return join([first, el("small", second) if second else None])


def _against(key: str, value: float | None) -> str:
    """Return a figure of `against`: a ratio, or a difference in the measure's own unit."""
    info = MEASURES[key]
    if info.kind == "ratio":
        return number(value, ".3f")
    if info.form.endswith("%") and value is not None:
        return number(100 * value, "+.2f", "points")
    return number(value, f"+{info.form}", info.unit)


def _in_words(measure: Measure) -> str:
    info = MEASURES[measure.name]
    if measure.against is None:
        return f"{info.title}: {OUTCOMES.get(measure.outcome, measure.outcome)}"
    words = f"{info.title}: {_against(measure.name, measure.against)} against human text"
    ends = strips.band(measure)
    if ends:
        low, high = (_against(measure.name, end) for end in ends)
        words += f"; human against human {low} to {high}"
    return f"{words}; {measure.outcome}"


@dataclass(frozen=True)
class Property:
    """A figure of a set of documents, as a column of tables shows it."""

    key: str
    title: str
    form: str
    unit: str
    term: str

    def of(self, figures: Figures) -> float | None:
        value: Any = figures
        for part in self.key.split("."):
            value = getattr(value, part, None)
        return value if isinstance(value, int | float) else None


PROPERTIES = (
    Property("documents", "documents", ",", "", "figures-documents"),
    Property("tokens", "tokens", ",", "", "tokens"),
    Property("copies", "copies", ",", "", "figures-copies"),
    Property("effective_clusters", "effective clusters", ",.1f", "", "effective_clusters"),
    Property(
        "audit_effective_clusters",
        "second codebook",
        ",.1f",
        "",
        "audit_effective_clusters",
    ),
    Property("sample_coverage", "sample coverage", ".1%", "", "figures-sample_coverage"),
    Property("tail_mass", "tail", ".1%", "", "tail_mass"),
    Property("off_support", "unlike human", ".1%", "", "off_support"),
    Property(
        "near_duplicate_rate",
        "near duplicates",
        ".1%",
        "",
        "near_duplicate_rate",
    ),
    Property("kl_to_reference", "KL to human, nats", ".4f", "", "figures-kl_to_reference"),
    Property("token_entropy", "entropy, nats", ".3f", "", "figures-token_entropy"),
    Property("vendi", "Vendi score", ",.1f", "", "vendi"),
    Property("lexical.distinct_3", "distinct triples", ".1%", "", "lexical_distinct_3"),
    Property("zstd_ratio", "zstd ratio", ".2f", "", "figures-zstd_ratio"),
    Property("lengths.median", "median length, tokens", ",", "", "median_length"),
)
"""In the order in which they are shown."""


def properties(sets: Sequence[Figures]) -> list[Property]:
    """Those that any of the sets has."""
    return [found for found in PROPERTIES if any(found.of(one) is not None for one in sets)]


def stages(report: Report) -> Html | None:
    """Return a row a figure and a column a stage and role, and which stage cost which tail."""
    sets = [
        (f"{role}, {STAGES[stage.name]}", figures)
        for stage in report.stages
        for role, figures in sorted(stage.roles.items(), key=lambda item: item[0] != "all")
    ]
    if not sets:
        return None
    columns = [
        Column("figure", numeric=False, heading=True),
        *(Column(title) for title, _ in sets),
    ]
    rows: list[list[Cell | str]] = [
        [
            term(one.term, one.title),
            *(figure(one.of(figures), one.form, one.unit) for _, figures in sets),
        ]
        for one in properties([figures for _, figures in sets])
    ]
    return section(
        "stages",
        "Stage by stage",
        _cost(report),
        table(
            "All documents after each stage, by role; the measures against human text are of "
            "samples that compare",
            columns,
            rows,
            "by-stage",
        ),
        brief="what each stage changed",
    )


def _cost(report: Report) -> Html | None:
    """Which stage cost which tail, in a sentence a measure."""
    sentences = []
    for key in ("effective_clusters", "tail_mass", "tail_coverage"):
        steps = []
        info = MEASURES[key]
        for before, after in zip(report.stages, report.stages[1:], strict=False):
            ends = []
            for stage in (before, after):
                figures = stage.roles.get("all")
                measure = figures.measure(key) if figures else None
                ends.append(measure.against if measure else None)
            if ends[0] and ends[1] is not None:
                change = number(ends[1] / ends[0] - 1, "+.1%")
                steps.append(f"{STAGES[after.name]} {change}")
        if steps:
            sentences.append(join([term(key, info.title), f": {', '.join(steps)}"]))
    if not sentences:
        return None
    items = [el("li", sentence) for sentence in sentences]
    return join(
        [el("p", "What each stage changed, as a share of the figure before it:"), el("ul", *items)]
    )


def domains(report: Report) -> Html | None:
    """Figures by domain, the largest first."""
    found = sorted(report.domains, key=lambda domain: -domain.figures.documents)
    if not found:
        return None
    shown = properties([domain.figures for domain in found])
    columns = [Column("domain", numeric=False, heading=True), Column("kind", numeric=False)]
    columns += [Column(one.title, one.term) for one in shown]
    rows: list[list[Cell | str]] = [
        [
            name(domain.name) if domain.name else el("span", "none", class_="none"),
            domain.kind,
            *(figure(one.of(domain.figures), one.form, one.unit) for one in shown),
        ]
        for domain in found[:_DOMAINS]
    ]
    return section(
        "domains",
        "By domain",
        el(
            "p",
            "Open domains are judged; where answers should converge (maths, code, facts) figures "
            "are shown and judge nothing.",
            class_="note",
        ),
        table("Figures by domain", columns, rows, "by-domain", sortable=True),
        more(len(found), _DOMAINS, "domains", "report.json"),
        brief=many(len(found), "domain"),
    )


def generations(comparison: Comparison, latest: Report) -> Html:
    """Measures over generations, falls beyond the limits, and what the latest says by itself."""
    found = comparison.generations
    by_name = [{measure.name: measure for measure in one.measures} for one in found]
    trends = {trend.measure: trend for trend in comparison.trends}
    drawn, rows = [], list[list[Cell | str]]()
    for key, info in MEASURES.items():
        own = [measures.get(key) for measures in by_name]
        values = [m for m in own if m is not None and m.against is not None]
        if not values:
            continue
        falls = any(alarm.measure == key for alarm in comparison.alarms)
        title = join([term(key, info.title), outcome("stop") if falls else None], " ")
        kind = "÷ human" if info.kind == "ratio" else "− human"
        trend = trends.get(key)
        label = f"{info.title} {kind}: {', '.join(_against(key, m.against) for m in values)}"
        slope, around = _slope(trend) if trend else ("–", "")
        said = el("p", f"{slope} {around} a generation") if trend else None
        caption = el("figcaption", title, el("small", kind), said)
        drawn.append(el("figure", caption, strips.trend(own, label)))
        cells = [_generation(key, m) for m in own]
        last = [Cell(_two(slope, around))] if trends else []
        rows.append([term(key, info.title), *cells, *last])
    columns = [Column("measure", numeric=False, heading=True)]
    columns += [Column(f"{place} · {cut(one.name, 40)}") for place, one in enumerate(found, 1)]
    columns += [Column("trend, a generation", "trend")] if trends else []
    names = [
        el("li", name(one.name), " ", outcome(one.outcome), " ", el("small", name(one.report)))
        for one in found
    ]
    return section(
        "generations",
        "Over the generations",
        _alarms(comparison),
        el("ol", *names, class_="names"),
        el(
            "p",
            "The latest by itself: ",
            outcome(latest.verdict.outcome),
            " – ",
            cut(latest.verdict.sentence, 2000),
        ),
        el(
            "p",
            "Against human text, by generation; lines are ± 1.96 standard errors, the shaded band "
            "is human text against human text. ",
            el("a", "Stage by stage", href="#stages"),
            " says which stage cost which tail in the latest one.",
            class_="note",
        ),
        el("div", *drawn, class_="multiples"),
        table("Figures against human text by generation", columns, rows),
        brief=many(len(found), "generation"),
    )


def _slope(trend: Trend) -> tuple[str, str]:
    """A trend a generation, and its interval; arrows only where it surely goes somewhere."""
    interval = CONFIDENCE * trend.error
    sure = abs(trend.slope) > interval
    arrow = "→" if not sure else "↗" if trend.slope > 0 else "↘"
    slope = _against(trend.measure, trend.slope)
    if MEASURES[trend.measure].kind == "ratio":
        slope = number(trend.slope, "+.3f")
    error = _against(trend.measure, interval).lstrip("+")
    return f"{arrow} {slope}", f"± {error}"


def _generation(key: str, measure: Measure | None) -> Cell:
    if measure is None or measure.against is None:
        return Cell("–")
    error = CONFIDENCE * (measure.error or 0.0)
    interval = f"± {_against(key, error).lstrip('+')}" if error else ""
    return Cell(_two(_against(key, measure.against), interval))


def _alarms(comparison: Comparison) -> Html | None:
    if not comparison.alarms:
        return el("p", "No figure has fallen beyond its limit.")
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
                Cell(_two(number(alarm.fall, ".1%"), interval)),
                number(alarm.limit, ".1%"),
            ]
        )
    return table("Falls beyond their limits", columns, rows)
