"""The first screen: the verdict, why, where it is worst, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from outcross.pipeline.page.glossary import key_of
from outcross.pipeline.page.markup import Html, cut, el, escape, join, many, number, term
from outcross.pipeline.page.overview import SIGNS, outcome
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import MEASURED, Conservation, Measure, Report, Shard, Verdict
from outcross.transforms.measuring.wording import reason

_DECIDING = ("stop", "warn", "noise")
_MAIN = ("effective_clusters", "tail_coverage", "distinct_3", "near_duplicates")
_ROWS = 5  # gates that stand open
_STEPS = 3  # reasons in words or pieces of advice that stand open
_LINES = 100  # of reasons or warnings
_LINE = 2000  # characters of a line


def verdict(
    said: Verdict,
    title: str,
    facts: Html,
    gates: Sequence[Measure],
    places: Html | None,
    advice: Sequence[Html],
) -> Html:
    """Return the first screen.

    Args:
        said: the verdict.
        title: what kind of report it is.
        facts: what it is of.
        gates: the measures that it rests on.
        places: where it is worst.
        advice: what to do, the first thing first.
    """
    answers = [
        ("Why", _why(said, gates)),
        ("Where it is worst", places),
        ("What to do next", _opened(advice, _STEPS, "further step", "ol") if advice else None),
    ]
    blocks = [el("div", el("h2", heading), body) for heading, body in answers if body is not None]
    return el(
        "section",
        el(
            "div",
            el("p", outcome(said.outcome), class_="badge"),
            el("p", title, facts, class_="eyebrow"),
            class_="top",
        ),
        el("h1", cut(said.sentence, _LINE), id="verdict-title"),
        el("div", *blocks, class_="answers"),
        _noticed(said.warnings),
        id="verdict",
        class_=f"verdict {said.outcome}",
        aria_labelledby="verdict-title",
    )


def facts(report: Report) -> Html:
    """Return how much was looked at, and the human share where there is one."""
    lines = report.conservation
    read = sum(line.read for line in lines)
    counted = {
        "run": ("written", sum(line.written for line in lines)),
        "audit": ("measured", sum(line.not_selected.get(MEASURED, 0) for line in lines)),
        "dedup": ("kept", sum(line.kept for line in lines)),
    }
    what, count = counted[report.kind]
    field = what if what == "measured" else term(key_of(Conservation, what), what)
    parts: list[Html] = [join([f"{number(count)} of {many(read, 'document')} ", field])]
    done = report.achieved
    if done is not None and done.human_share is not None:
        label = term(key_of(Shard, "human_share"), "human share")
        parts.append(join([label, f" {number(done.human_share, '.1%')}"]))
    return el("span", *(el("span", part) for part in parts), class_="facts")


def _why(said: Verdict, gates: Sequence[Measure]) -> Html | None:
    """Return the gates that decide, one a row, and the reasons that are no gate's."""
    known = [measure for measure in gates if measure.name in MEASURES]  # an old report has others
    deciding = [measure for measure in known if measure.outcome in _DECIDING]
    # The second codebook repeats the first one, so it comes last.
    deciding.sort(key=lambda m: (m.name.startswith("audit_"), _DECIDING.index(m.outcome)))
    in_rows = {reason(measure) for measure in deciding}
    lines = [line for line in said.reasons if line not in in_rows]
    others = _opened(_lines(lines), 0 if deciding else _STEPS, "more reason", "ul")
    shown = deciding or [measure for measure in known if measure.name in _MAIN]
    if not shown and not lines:
        return None
    hidden = shown[_ROWS:]
    return join(
        [
            None if deciding else others,
            _rows(shown[:_ROWS]) if shown else None,
            _folded(many(len(hidden), "more gate"), _rows(hidden)) if hidden else None,
            others if deciding else None,
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
    """Return a figure against human text with the digits that a first look needs."""
    info = MEASURES[measure.name]
    if info.kind == "ratio":
        return number(measure.against, ".0%")
    if info.form.endswith("%") and measure.against is not None:
        return number(100 * measure.against, "+.1f", "points")
    return number(measure.against, "+.2f", info.unit)


def _opened(lines: Sequence[Html], count: int, rest: str, tag: str) -> Html:
    """Return a list whose first lines stand open."""
    items = [el("li", line) for line in lines]
    shown, hidden = items[:count], items[count:]
    fold = _folded(many(len(hidden), rest), el(tag, *hidden)) if hidden else None
    return join([el(tag, *shown) if shown else None, fold])


def _folded(title: str, content: Html) -> Html:
    return el("details", el("summary", title), content)


def _noticed(warnings: Sequence[str]) -> Html | None:
    if not warnings:
        return None
    items = (el("li", line) for line in _lines(warnings))
    return _folded(f"Noticed on the way ({len(warnings):,})", el("ul", *items))


def _lines(lines: Sequence[str]) -> list[Html]:
    shown = [escape(cut(line, _LINE)) for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(escape(f"{len(lines) - _LINES:,} more stand in report.json"))
    return shown
