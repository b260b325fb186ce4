"""Show what to do next, what was asked and achieved, and where rows went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from outcross.pipeline.page.advice import Code, Link, advice
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
from outcross.schemas.plan import Plan
from outcross.schemas.report import OUTCOMES, Achieved, Conservation, KnownWords, Report

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
    """An outcome as a sign and a word: never a colour alone."""
    sign = el("span", SIGNS.get(word, "·"), aria_hidden="true")
    return el(
        "span", sign, " ", OUTCOMES.get(word, word), class_=f"outcome {word.replace(' ', '-')}"
    )


def next_steps(report: Report, plan: Plan | None) -> list[Html]:
    """What a person can do about the verdict."""
    return [join([_part(part) for part in step]) for step in advice(report, plan is not None)]


def _part(part: str | Code | Link) -> Html | str:
    if isinstance(part, Code):
        return code(part.text)
    return link(part.section, part.text) if isinstance(part, Link) else part


def code(text: str) -> Html:
    return el("code", text)


def link(key: str, text: str) -> Html:
    return el("a", text, href=f"#{key}")


def asked(report: Report, plan: Plan | None) -> Html | None:
    """What was asked beside what stands in data/."""
    wish, done = report.asked, report.achieved
    if wish is None or done is None:
        return None
    reached = plan.reached if plan else None
    wanted = "not given" if wish.tokens is None else number(wish.tokens, ",.0f")
    rows: list[list[Cell | str]] = [
        [
            "tokens",
            wanted,
            number(reached.tokens if reached else None, ",.0f"),
            number(done.tokens),
            _tolerance(done, done.tokens, done.planned_tokens),
        ],
        [
            "human tokens",
            number(wish.human_tokens, ",.0f"),
            number(done.planned_human_tokens, ",.0f"),
            number(done.human_tokens),
            _tolerance(done, done.human_tokens, done.planned_human_tokens),
        ],
        [
            "human share of the tokens",
            number(wish.human_share, ".1%"),
            number(reached.human_share if reached else None, ".1%"),
            number(done.human_share, ".1%"),
            "",
        ],
        [
            term("figures-token_entropy", "entropy over clusters"),
            "" if wish.entropy_floor is None else f"≥ {number(wish.entropy_floor, '.4f', 'nats')}",
            number(done.planned_entropy, ".4f", "nats"),
            number(done.entropy, ".4f", "nats"),
            _entropy_gap(done),
        ],
        [
            term("figures-kl_to_reference", "KL to human"),
            "" if wish.max_kl is None else f"≤ {number(wish.max_kl, '.4f', 'nats')}",
            number(reached.kl if reached else None, ".4f", "nats"),
            number(done.kl, ".4f", "nats"),
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
            f"{done.most_copies} at most",
            "",
        ],
    ]
    columns = [
        Column("", numeric=False, heading=True),
        Column("asked", "asked"),
        Column("planned", "planned"),
        Column("achieved", "achieved"),
        Column("how near", numeric=False),
    ]
    body = table("What was asked, what was planned and what stands in data/", columns, rows)
    brief = f"{number(done.human_share, '.1%')} human of {number(done.tokens)} tokens"
    return section("asked", "Asked and achieved", body, brief=brief)


def _tolerance(done: Achieved, written: int, planned: float | None) -> str:
    if planned is None:
        return ""
    gap = written - planned
    half = done.longest_document / 2
    return f"{number(gap, '+,.0f')} of ± {number(half, ',.1f')} tokens (half the longest document)"


def _entropy_gap(done: Achieved) -> str:
    if done.entropy is None or not done.planned_entropy:
        return ""
    gap = done.entropy / done.planned_entropy - 1
    return f"{number(gap, '+.2%')} of the plan's"


def flow(report: Report) -> Html:
    """Where every row went: bars by role, a table by source."""
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
        columns = [one for one in columns if one.title not in ("written", "not selected", "copies")]
    rows: list[list[Cell | str]] = []
    for line in lines:
        why = ", ".join(f"{count:,} {cut(reason)}" for reason, count in line.not_selected.items())
        row: list[Cell | str] = [name(line.source), line.role]
        row += [figure(getattr(line, field)) for field in fields]
        if report.kind != "audit":
            row += [why, figure(line.copies)]
        rows.append([*row, figure(line.distinct)])
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
        table("Documents by source", columns, rows[:200]),
        more(len(rows), 200, "sources", "report.json"),
        _too_long(report),
        brief=", ".join(
            f"{number(sum(getattr(line, field) for line in lines))} {field}"
            for field in ("read", "rejected", "removed", "kept")
        ),
    )


def _too_long(report: Report) -> Html | None:
    """Return the longest documents that are left out for their length."""
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
    """What became of the rows of a role, in figures and as a bar; `ends` are its first parts."""
    sums = Counter[str]()
    for line in lines:
        for key in ("read", "rejected", "removed", "kept", "written"):
            sums[key] += getattr(line, key)
    sums["not selected"] = sums["kept"] - sums["written"]
    steps = dict.fromkeys(["read", "rejected", "removed", "kept", ends[0]])
    words = [el("span", el("b", number(sums[step])), " ", step) for step in steps]
    whole = max(sums["read"], 1)
    parts, legend = [], []
    for word in (*ends, "removed", "rejected"):
        if sums[word]:
            kind, share = word.replace(" ", "-"), sums[word] / whole
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
