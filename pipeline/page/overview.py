"""The next steps, the request beside the result, and the flow of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from outcross.pipeline.page.advice import Code, Link, advice
from outcross.pipeline.page.gain import gain
from outcross.pipeline.page.glossary import key_of
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
from outcross.schemas.figures import OUTCOMES
from outcross.schemas.pieces import SourcePieces
from outcross.schemas.plan import Plan
from outcross.schemas.report import Achieved, Conservation, KnownWords, Report

SIGNS = {
    "done": "●",
    "go": "✓",
    "warn": "!",
    "stop": "✕",
    "noise": "≋",
    "too few": "…",
    "not judged": "∅",
    "shown": "·",
}


def outcome(word: str) -> Html:
    """Return an outcome as a sign and a word, so that it is never shown by colour alone."""
    sign = el("span", SIGNS.get(word, "·"), aria_hidden="true")
    return el(
        "span", sign, " ", OUTCOMES.get(word, word), class_=f"outcome {word.replace(' ', '-')}"
    )


def next_steps(report: Report, plan: Plan | None) -> list[Html]:
    """Return the advice about the verdict as markup."""
    return [join([_part(part) for part in step]) for step in advice(report, plan is not None)]


def _part(part: str | Code | Link) -> Html | str:
    if isinstance(part, Code):
        return code(part.text)
    return link(part.section, part.text) if isinstance(part, Link) else part


def code(text: str) -> Html:
    """Return words to type, such as a command."""
    return el("code", text)


def link(key: str, text: str) -> Html:
    """Return a link to a section of the page."""
    return el("a", text, href=f"#{key}")


def asked(report: Report, plan: Plan | None) -> Html | None:
    """Return the section that compares the request, the plan and the contents of data/."""
    wish, achieved = report.asked, report.achieved
    if wish is None or achieved is None:
        return None
    reached = plan.reached if plan else None
    wanted = "not given" if wish.tokens is None else number(wish.tokens, ",.0f")
    rows: list[list[Cell | str]] = [
        [
            "tokens",
            wanted,
            number(reached.tokens if reached else None, ",.0f"),
            number(achieved.tokens),
            _tolerance(
                achieved,
                achieved.tokens,
                achieved.planned_tokens if wish.tokens is None else wish.tokens,
            ),
        ],
        [
            "human tokens",
            number(wish.human_tokens, ",.0f"),
            number(achieved.planned_human_tokens, ",.0f"),
            number(achieved.human_tokens),
            _tolerance(
                achieved,
                achieved.human_tokens,
                achieved.planned_human_tokens if wish.human_tokens is None else wish.human_tokens,
            ),
        ],
        [
            "human share of the tokens",
            number(wish.human_share, ".1%"),
            number(reached.human_share if reached else None, ".1%"),
            number(achieved.human_share, ".1%"),
            _share_gap(achieved.human_share, wish.human_share),
        ],
        [
            term("figures-token_entropy", "entropy over clusters"),
            "" if wish.entropy_floor is None else f"≥ {number(wish.entropy_floor, '.4f', 'nats')}",
            number(achieved.planned_entropy, ".4f", "nats"),
            number(achieved.entropy, ".4f", "nats"),
            _entropy_gap(achieved),
        ],
        [
            term("figures-kl_to_reference", "KL to human"),
            "" if wish.max_kl is None else f"≤ {number(wish.max_kl, '.4f', 'nats')}",
            number(reached.kl if reached else None, ".4f", "nats"),
            number(achieved.kl, ".4f", "nats"),
            "",
        ],
        [
            term("alpha", "tempering α"),
            number(wish.alpha, ".2f"),
            number(reached.alpha if reached else None, ".3f"),
            "",
            "",
        ],
        [
            term("achieved-most_copies", "copies of one document"),
            f"≤ {wish.max_copies.synthetic} synthetic, ≤ {wish.max_copies.human} human"
            + (", as weights" if wish.copies == "weights" else ""),
            "",
            f"{achieved.most_copies} at most",
            "",
        ],
    ]
    columns = [
        Column("", numeric=False, heading=True),
        Column("asked", "asked"),
        Column("planned", "planned"),
        Column("achieved", "achieved"),
        Column("difference", numeric=False),
    ]
    body = table("The request, the plan and the contents of data/", columns, rows)
    brief = f"{number(achieved.human_share, '.1%')} human of {number(achieved.tokens)} tokens"
    return section("asked", "Asked and achieved", body, gain(report), brief=brief)


def _share_gap(written: float | None, asked: float | None) -> str:
    if written is None or asked is None:
        return ""
    return number(100 * (written - asked), "+.1f", "points")


def _tolerance(achieved: Achieved, written: int, wanted: float | None) -> str:
    """Return the difference to the tokens asked for, or planned where none were."""
    if wanted is None:
        return ""
    gap = written - wanted
    half = achieved.longest_document / 2
    return f"{number(gap, '+,.0f')} of ± {number(half, ',.1f')} tokens (half the longest document)"


def _entropy_gap(achieved: Achieved) -> str:
    if achieved.entropy is None or not achieved.planned_entropy:
        return ""
    gap = achieved.entropy / achieved.planned_entropy - 1
    return f"{number(gap, '+.2%')} of the plan's"


def flow(report: Report) -> Html:
    """Return the section that accounts for every row: bars by role and a table by source."""
    lines = report.conservation
    roles = sorted({line.role for line in lines}, key=lambda role: -_read(lines, role))
    ends = ("kept",) if report.kind == "audit" else ("written", "not selected")
    bars = [_bar(role, [line for line in lines if line.role == role], ends) for role in roles]
    fields = ["filtered", "read", "rejected", "removed", "kept", "written"]
    columns = [Column("source", numeric=False, heading=True), Column("role", numeric=False)]
    columns += [Column(field, _key(field)) for field in fields]
    columns += [Column("not selected", _key("not_selected"), numeric=False)]
    columns += [Column("copies", _key("copies")), Column("different texts", _key("distinct"))]
    if report.kind == "audit":
        fields.remove("written")
        absent = ("written", "not selected", "copies")
        columns = [column for column in columns if column.title not in absent]
    rows: list[list[Cell | str]] = []
    for line in lines:
        why = ", ".join(f"{count:,} {cut(reason)}" for reason, count in line.not_selected.items())
        row: list[Cell | str] = [name(line.source), line.role]
        row += [figure(getattr(line, field)) for field in fields]
        if report.kind != "audit":
            row += [why, figure(line.copies)]
        rows.append([*row, figure(line.distinct)])
    if report.provenance is not None:
        columns.insert(2, Column("provenance", _key("provenance"), numeric=False))
        for row, line in zip(rows, lines, strict=True):
            row.insert(2, line.provenance or "–")
    known = {words.source: words for words in report.known_words}
    if known:
        columns.append(Column("words known", key_of(KnownWords, "share")))
        for row, line in zip(rows, lines, strict=True):
            row.append(_known(known.get(line.source)))
    holds = all(line.holds() for line in lines)
    note = (
        "No row is lost: read = kept + removed + rejected, and kept = written + not selected."
        if holds
        else "Rows are missing: read ≠ kept + removed + rejected, or kept ≠ written + not selected."
    )
    return section(
        "flow",
        "Where the rows went",
        el("div", *bars, class_="flows"),
        el("p", note, class_="note" if holds else "alarm"),
        _embedder(report),
        table("Documents by source", columns, rows[:200]),
        more(len(rows), 200, "sources", "report.json"),
        _pieces(report),
        _too_long(report),
        brief=", ".join(
            f"{number(sum(getattr(line, field) for line in lines))} {field}"
            for field in ("read", "rejected", "removed", "kept")
        ),
    )


def _embedder(report: Report) -> Html | None:
    """Return a line on the embedder, and how much of the texts it read."""
    model = report.embedder
    if model is None:
        return None
    line = f"Embedder: {model.name}, {number(model.dims)} dimensions."
    if model.texts is not None:
        line += (
            f" It read the beginning of {number(model.cut_share, '.1%')} of the texts and all of "
            f"the others, {number(model.read_share, '.1%')} of the characters."
        )
    if model.texts_per_second is not None:
        line += f" It embedded {number(model.texts_per_second)} texts a second and thread."
    return el("p", line, class_="note")


def _pieces(report: Report) -> Html | None:
    """Return a table of the sources whose documents are chosen in pieces."""
    if not report.pieces:
        return None
    fields = ["documents", "pieces", "written_documents", "written_pieces"]
    columns = [Column("source", numeric=False, heading=True)]
    columns += [Column(field.replace("_", " "), key_of(SourcePieces, field)) for field in fields]
    rows: list[list[Cell | str]] = [
        [name(line.source), *(figure(getattr(line, field)) for field in fields)]
        for line in report.pieces
    ]
    return table("Documents that are chosen in pieces", columns, rows)


def _too_long(report: Report) -> Html | None:
    """Return a table of the longest documents that were left out for their length."""
    long = report.too_long
    if long is None:
        return None
    limits = f"{number(long.limits.synthetic)} synthetic or {number(long.limits.human)} human"
    title = f"The longest of {many(long.documents, 'document')} over the limit of {limits} tokens"
    columns = [
        Column("id", numeric=False, heading=True),
        Column("source", numeric=False),
        Column("tokens"),
    ]
    rows: list[list[Cell | str]] = [
        [cut(document.id), name(document.source), figure(document.tokens)]
        for document in long.longest
    ]
    return table(title, columns, rows)


def _known(known: KnownWords | None) -> str:
    if known is None:
        return "–"
    return number(known.share, ".0%") + ("" if known.enough else " (too few)")


def _read(lines: Sequence[Conservation], role: str) -> int:
    return sum(line.read for line in lines if line.role == role)


def _key(field: str) -> str:
    return key_of(Conservation, field)


def _bar(role: str, lines: Sequence[Conservation], ends: Sequence[str]) -> Html:
    """Return the fate of a role's rows as figures and as a bar that begins with `ends`."""
    sums = Counter[str]()
    for line in lines:
        for key in ("read", "rejected", "removed", "kept", "written"):
            sums[key] += getattr(line, key)
    sums["not selected"] = sums["kept"] - sums["written"]
    steps = dict.fromkeys(["read", "rejected", "removed", "kept", ends[0]])
    words = [el("span", el("b", number(sums[step])), " ", step) for step in steps]
    total = max(sums["read"], 1)
    parts, legend = [], []
    for word in (*ends, "removed", "rejected"):
        if sums[word]:
            kind, share = word.replace(" ", "-"), sums[word] / total
            parts.append(el("i", style=f"width:{100 * share:.3f}%", class_=kind))
            shown = f"{word} {number(share, '.1%')}"
            legend.append(el("span", el("i", class_=kind), shown))
    return el(
        "div",
        el("h3", role),
        el("p", join(words, " → "), class_="steps"),
        el("div", *parts, class_="stack", aria_hidden="true"),
        el("p", *legend, class_="legend"),
        class_="flow",
    )
