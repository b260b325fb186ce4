"""The first screen: the verdict, its reasons, the worst places and the next steps."""

from __future__ import annotations

from collections.abc import Sequence

from outcross.pipeline.page.glossary import key_of
from outcross.pipeline.page.markup import (
    Html,
    cut,
    el,
    escape,
    folded,
    join,
    many,
    number,
    term,
)
from outcross.pipeline.page.overview import SIGNS, outcome
from outcross.schemas.figures import Measure, Shard
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import MEASURED, Conservation, Report, Verdict
from outcross.transforms.measuring.wording import reason

_DECIDING = ("stop", "warn", "noise")
_MAIN = ("effective_clusters", "tail_coverage", "distinct_3", "near_duplicates")
_ROWS = 5  # gates that stand open
_STEPS = 3  # reasons in words or pieces of advice that stand open
_LINES = 100  # of reasons or warnings
_LINE = 2000  # characters of a line


def verdict(
    decision: Verdict,
    title: str,
    facts: Html,
    gates: Sequence[Measure],
    places: Html | None,
    advice: Sequence[Html],
) -> Html:
    """Return the first screen.

    Args:
        decision: verdict of the report or the comparison.
        title: kind of the report.
        facts: line of figures on the report.
        gates: measures that the verdict rests on.
        places: list of the worst places; None if there are none.
        advice: next steps, the most pressing first.
    """
    answers = [
        ("Why", _why(decision, gates)),
        ("Where it is worst", places),
        ("What to do next", _opened(advice, _STEPS, "further step", "ol") if advice else None),
    ]
    blocks = [el("div", el("h2", heading), body) for heading, body in answers if body is not None]
    return el(
        "section",
        el(
            "div",
            el("p", outcome(decision.outcome), class_="badge"),
            el("p", title, facts, class_="eyebrow"),
            class_="top",
        ),
        el("h1", cut(decision.sentence, _LINE), id="verdict-title"),
        el("div", *blocks, class_="answers"),
        _noticed(decision.warnings),
        id="verdict",
        class_=f"verdict {decision.outcome}",
        aria_labelledby="verdict-title",
    )


def facts(report: Report) -> Html:
    """Return the line with the documents read and written, and the human share."""
    lines = report.conservation
    read = sum(line.read for line in lines)
    counted = {
        "run": ("written", sum(line.written for line in lines)),
        "audit": ("measured", sum(line.not_selected.get(MEASURED, 0) for line in lines)),
        "dedup": ("kept", sum(line.kept for line in lines)),
    }
    verb, count = counted[report.kind]
    field = verb if verb == "measured" else term(key_of(Conservation, verb), verb)
    parts: list[Html] = [join([f"{number(count)} of {many(read, 'document')} ", field])]
    achieved = report.achieved
    if achieved is not None and achieved.human_share is not None:
        label = term(key_of(Shard, "human_share"), "human share")
        parts.append(join([label, f" {number(achieved.human_share, '.1%')}"]))
    return el("span", *(el("span", part) for part in parts), class_="facts")


def _why(decision: Verdict, gates: Sequence[Measure]) -> Html | None:
    """Return a row for each gate that decides, and the reasons that no gate gives."""
    known = [measure for measure in gates if measure.name in MEASURES]  # an old report has others
    deciding = [measure for measure in known if measure.outcome in _DECIDING]
    # The second codebook repeats the first one, so it comes last.
    deciding.sort(key=lambda m: (m.name.startswith("audit_"), _DECIDING.index(m.outcome)))
    in_rows = {reason(measure) for measure in deciding}
    lines = [line for line in decision.reasons if line not in in_rows]
    rest = _opened(_lines(lines), 0 if deciding else _STEPS, "more reason", "ul")
    shown = deciding or [measure for measure in known if measure.name in _MAIN]
    if not shown and not lines:
        return None
    hidden = shown[_ROWS:]
    return join(
        [
            None if deciding else rest,
            _rows(shown[:_ROWS]) if shown else None,
            folded(many(len(hidden), "more gate"), _rows(hidden)) if hidden else None,
            rest if deciding else None,
        ]
    )


def _rows(measures: Sequence[Measure]) -> Html:
    heads = (el("th", title, scope="col") for title in ("", "corpus", "human", "against"))
    body = []
    for measure in measures:
        info = MEASURES[measure.name]
        sign = el(
            "span",
            SIGNS[measure.outcome],
            class_=f"outcome {measure.outcome.replace(' ', '-')}",
            role="img",
            aria_label=measure.outcome,
        )
        numbers = (number(measure.value, info.form), number(measure.human, info.form))
        cells = (el("td", shown) for shown in (*numbers, _against(measure)))
        body.append(
            el("tr", el("th", sign, " ", term(measure.name, info.title), scope="row"), *cells)
        )
    return el("table", el("thead", el("tr", *heads)), el("tbody", *body), class_="gates")


def _against(measure: Measure) -> str:
    """Format a figure against human text with few digits, as a first look needs them."""
    info = MEASURES[measure.name]
    if info.kind == "ratio":
        return number(measure.against, ".0%")
    if info.form.endswith("%") and measure.against is not None:
        return number(100 * measure.against, "+.1f", "points")
    return number(measure.against, "+.2f", info.unit)


def _opened(lines: Sequence[Html], count: int, rest: str, tag: str) -> Html:
    """Return a list whose first lines stand open and whose other lines are folded."""
    items = [el("li", line) for line in lines]
    shown, hidden = items[:count], items[count:]
    fold = folded(many(len(hidden), rest), el(tag, *hidden)) if hidden else None
    return join([el(tag, *shown) if shown else None, fold])


def _noticed(warnings: Sequence[str]) -> Html | None:
    if not warnings:
        return None
    items = (el("li", line) for line in _lines(warnings))
    return folded(f"Warnings ({len(warnings):,})", el("ul", *items))


def _lines(lines: Sequence[str]) -> list[Html]:
    shown = [escape(cut(line, _LINE)) for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(escape(f"report.json lists {len(lines) - _LINES:,} more"))
    return shown
