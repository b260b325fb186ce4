"""Diversity of the corpus: against human text, after each stage, and by domain."""

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
    two_lines,
)
from outcross.pipeline.page.overview import outcome
from outcross.schemas.figures import OUTCOMES, Figures, Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.schemas.report import Report

STAGES = {
    "read": "read",
    "deduplicate": "deduplicated",
    "write": "written",
    "judged": "judged",
}
_KINDS = {
    "ratio": "Ratio to human text: 1 is as diverse as human text",
    "difference": "Difference from human text: 0 is like human text; scales differ",
}
_DOMAINS = 200


def human(report: Report) -> Html | None:
    """Return the section that compares the corpus with human text, before and after the run."""
    series = [(stage.name, stage.roles["all"]) for stage in report.stages if "all" in stage.roles]
    shown: list[tuple[str, Figures]] = [(key, stage) for key, stage in series if stage.measures]
    judged = report.judged
    if judged and judged.measures:
        if shown and _values(judged) == _values(shown[-1][1]):
            shown[-1] = (shown[-1][0], judged)  # the same documents, with what the gates say
        else:
            shown.append(("judged", judged))
    if not shown:
        if report.kind == "dedup":
            return None
        why = "There is no human text to compare with."
        return section("human", "Against human text", el("p", why))
    measures = [m for _, figures in shown for m in figures.measures if m.name in MEASURES]
    ratio = strips.extent([m for m in measures if MEASURES[m.name].kind == "ratio"], "ratio")
    rows: list[list[Cell | str]] = []
    groups: dict[int, str] = {}
    for kind, title in _KINDS.items():
        for key, info in MEASURES.items():
            by_stage = [(stage, figures.measure(key)) for stage, figures in shown]
            present = [(stage, measure) for stage, measure in by_stage if measure is not None]
            if info.kind != kind or not present:
                continue
            if not groups or (kind == "difference" and title not in groups.values()):
                groups[len(rows)] = title
            values = [measure for _, measure in present]
            scale = ratio if kind == "ratio" else strips.extent(values, kind)
            first = len(rows) in groups
            rows.append(_row(key, present, [m for _, m in by_stage], scale, first))
    columns = [
        Column("measure", numeric=False, heading=True),
        Column("outcome", "outcome", numeric=False),
        Column("position", "strip", numeric=False),
        Column("against human", "against"),
        Column("human", "measure-human"),
        *(Column(STAGES[stage], "stage-value") for stage, _ in shown),
        Column("n", "measure-n"),
    ]
    caption = "Before and after the run, against as many documents or words of human text"
    return section(
        "human",
        "Against human text",
        strips.key_of_marks([s for s, _ in shown], [STAGES[s] for s, _ in shown]),
        table(caption, columns, rows, "measures", groups=groups),
        brief=_outcomes(shown[-1][1].measures),
    )


def _outcomes(measures: Sequence[Measure]) -> str:
    """Count the measures by outcome, as words for the closed section."""
    words = {"stop": "stop", "warn": "warn", "noise": "noise", "go": "pass", "too few": "too few"}
    often = Counter[str](measure.outcome for measure in measures)
    return ", ".join(f"{often[key]} {word}" for key, word in words.items() if often[key])


def _values(figures: Figures) -> list[tuple[str, float | None]]:
    return [(measure.name, measure.value) for measure in figures.measures]


def _row(
    key: str,
    present: Sequence[tuple[str, Measure]],
    by_stage: Sequence[Measure | None],
    scale: tuple[float, float],
    first: bool,
) -> list[Cell | str]:
    info, last = MEASURES[key], present[-1][1]
    drawn = strips.strip(present, scale, _in_words(last))
    parts = [drawn]
    if info.kind == "difference":
        ends = (against(key, scale[0]), "0", against(key, scale[1]))
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
        interval = f"± {against(key, CONFIDENCE * last.error).lstrip('+')}"
    of = "words" if info.per == "tokens" else "docs"
    return [
        term(key, info.title),
        outcome(last.outcome),
        Cell(join(parts), classes="drawn"),
        Cell(two_lines(against(key, last.against), interval)),
        Cell(two_lines(number(last.human, info.form, info.unit), around)),
        *(figure(m.value if m else None, info.form) for m in by_stage),
        Cell(two_lines(number(last.n), of)),
    ]


def against(key: str, value: float | None) -> str:
    """Format a value on the scale of `against`: a ratio, or a difference in the measure's unit."""
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
    words = f"{info.title}: {against(measure.name, measure.against)} against human text"
    ends = strips.band(measure)
    if ends:
        low, high = (against(measure.name, end) for end in ends)
        words += f"; human against human {low} to {high}"
    return f"{words}; {measure.outcome}"


@dataclass(frozen=True)
class Property:
    """A figure that tables of documents show as a column or a row.

    Attributes:
        key: dotted path of the figure in `Figures`.
        title: heading of the column.
        form: Python format of the value.
        unit: unit of the value; empty if it has none.
        term: key of the glossary's term that explains it.
    """

    key: str
    title: str
    form: str
    unit: str
    term: str

    def of(self, figures: Figures) -> float | None:
        """Return the figure's value for a set of documents, or None if the set has none."""
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
    """Return the properties that at least one of the sets has."""
    return [prop for prop in PROPERTIES if any(prop.of(figures) is not None for figures in sets)]


def stages(report: Report) -> Html | None:
    """Return the section with one row per figure and one column per stage and role."""
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
            term(prop.term, prop.title),
            *(figure(prop.of(figures), prop.form, prop.unit) for _, figures in sets),
        ]
        for prop in properties([figures for _, figures in sets])
    ]
    return section(
        "stages",
        "Stage by stage",
        _cost(report),
        table(
            "All documents after each stage, by role; the measures against human text use samples "
            "of equal size",
            columns,
            rows,
            "by-stage",
        ),
        brief="what each stage changed",
    )


def _cost(report: Report) -> Html | None:
    """Describe how each stage changed the measures of spread and tail."""
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
    """Return the section with the figures of each domain, the largest domain first."""
    largest = sorted(report.domains, key=lambda domain: -domain.figures.documents)
    if not largest:
        return None
    shown = properties([domain.figures for domain in largest])
    columns = [Column("domain", numeric=False, heading=True), Column("kind", numeric=False)]
    columns += [Column(prop.title, prop.term) for prop in shown]
    rows: list[list[Cell | str]] = [
        [
            name(domain.name) if domain.name else el("span", "none", class_="none"),
            domain.kind,
            *(figure(prop.of(domain.figures), prop.form, prop.unit) for prop in shown),
        ]
        for domain in largest[:_DOMAINS]
    ]
    return section(
        "domains",
        "By domain",
        el(
            "p",
            "Open domains are judged. Domains whose answers should converge (maths, code, facts) "
            "are only shown.",
            class_="note",
        ),
        table("Figures by domain", columns, rows, "by-domain", sortable=True),
        more(len(largest), _DOMAINS, "domains", "report.json"),
        brief=many(len(largest), "domain"),
    )
