"""What was removed and in favour of what, and prompts whose answers are all the same."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    corpus,
    cut,
    el,
    escape,
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
from outcross.schemas.report import Answers, Deduplication, Prompts, Removal, Report

_PAIRS = 50
_COLLAPSED = 50
_FOUND = 200
_GAINS = 200
_ALIKE = 0.5  # of the words of two beginnings, from which it helps to mark the others


def removed(report: Report) -> Html:
    """Counts, what repeats evaluation sets, what it cost, and the least similar pairs."""
    done = report.deduplication
    total = done.exact + done.near + done.contained
    lead = (
        f"{many(total, 'document')} removed: {done.exact:,} with the same text as a kept one, "
        f"{done.near:,} nearly so, {done.contained:,} that hold an evaluation text."
        if total
        else "Nothing was removed: no document repeats another."
    )
    still = (
        join(
            [
                term("deduplication-open", f"{many(done.open, 'document')} kept although"),
                " not everything that they might repeat was looked at.",
            ]
        )
        if done.open
        else None
    )
    different = done.counts.get("different_meaning", 0)
    meaning = (
        f"{many(different, 'pair')} shared as many words but differed in numbers, signs, negations "
        "or vowel signs: both stayed."
        if different
        else None
    )
    bands = f"{done.bands} bands of {done.rows} rows were compared."
    return section(
        "removed",
        "What was removed",
        el("p", lead, class_="lead"),
        el("p", still) if still else None,
        el("p", meaning) if meaning else None,
        _found(done),
        _losses(done),
        _most_repeated(done),
        _least_similar(done),
        el("p", bands, class_="note"),
        brief=many(total, "document"),
    )


def _found(done: Deduplication) -> Html | None:
    if not done.found:
        return None
    columns = [
        Column("repeated", numeric=False, heading=True),
        Column("kind", numeric=False),
        Column("its documents"),
        Column("found", "found-found"),
        Column("whole only", "found-whole_only"),
        Column("removed in its favour", numeric=False),
    ]
    rows: list[list[Cell | str]] = []
    for one in done.found[:_FOUND]:
        by_source = [
            f"{cut(part.source, 60)}: {part.exact:,} exact, {part.near:,} near, "
            f"{part.contained:,} contained"
            for part in one.removed
        ]
        rows.append(
            [
                name(one.name),
                one.kind,
                figure(one.documents),
                figure(one.found),
                figure(one.whole_only),
                join(el("div", line) for line in by_source) if by_source else "nothing",
            ]
        )
    shown = table("What repeats evaluation sets, earlier runs and the reference", columns, rows)
    return join([shown, more(len(done.found), _FOUND, "sets", "report.json")])


def _losses(done: Deduplication) -> Html | None:
    if not done.losses:
        return None
    columns = [
        Column("role", numeric=False, heading=True),
        Column("class", "loss-kind", numeric=False),
        Column("documents"),
        Column("exact", "foundin-exact"),
        Column("near", "foundin-near"),
        Column("contained", "foundin-contained"),
        Column("near share", "loss-near_share"),
    ]
    rows: list[list[Cell | str]] = [
        [
            loss.role,
            loss.kind,
            figure(loss.documents),
            figure(loss.exact),
            figure(loss.near),
            figure(loss.contained),
            figure(loss.near_share, ".2%"),
        ]
        for loss in done.losses
        if loss.documents
    ]
    return table(
        "What it took from common (head), rare (tail) and strange documents", columns, rows
    )


def _most_repeated(done: Deduplication) -> Html | None:
    if not done.most_repeated:
        return None
    columns = [
        Column("text", numeric=False, heading=True),
        Column("came", "repeated-times"),
        Column("word for word", "repeated-exact"),
        Column("kept", numeric=False),
        Column("source", numeric=False),
    ]
    rows: list[list[Cell | str]] = [
        [
            Cell(corpus(one.text), classes="text"),
            Cell(f"{one.times:,}×", one.times),
            Cell(f"{one.exact:,}×", one.exact),
            name(one.id),
            name(one.source),
        ]
        for one in done.most_repeated[:_PAIRS]
    ]
    return table("Texts that came most often", columns, rows, sortable=True)


def _least_similar(done: Deduplication) -> Html | None:
    if not done.least_similar:
        return None
    pairs = sorted(done.least_similar, key=lambda pair: (pair.similarity, pair.source, pair.id))
    return join(
        [
            el("h3", "The least similar removals"),
            el(
                "p",
                "If these are not the same in your eyes, raise near_threshold. Words that only "
                "one of the two has are marked.",
                class_="note",
            ),
            el("ol", *map(_pair, pairs[:_PAIRS]), class_="pairs"),
            more(len(pairs), _PAIRS, "pairs", "report.json"),
        ]
    )


def _pair(pair: Removal) -> Html:
    texts = _apart(pair.text, pair.kept_text)
    sides = [
        el(
            "div",
            el("h4", f"{what} ", name(own), " ", el("small", name(source))),
            text,
        )
        for what, own, source, text in (
            ("removed", pair.id, pair.source, texts[0]),
            ("kept", pair.kept_id, pair.kept_source, texts[1]),
        )
    ]
    similarity = el("b", number(pair.similarity, ".3f"))
    head = el(
        "p",
        term("removal-similarity", "similarity"),
        " ",
        similarity,
        f" · {cut(pair.stage, 40)} · {cut(pair.rule, 80)}",
    )
    return el("li", head, el("div", *sides, class_="sides"))


def _apart(first: str | None, second: str | None) -> tuple[Html, Html]:
    """Two texts, the words that only one has marked; none where the beginnings differ anyway."""
    if first is None or second is None:
        return corpus(first), corpus(second)
    words = [cut(text).split() for text in (first, second)]
    matcher = SequenceMatcher(None, words[0], words[1], autojunk=False)
    if matcher.ratio() < _ALIKE:
        return corpus(first), corpus(second)
    blocks = matcher.get_matching_blocks()
    shown = []
    for side in (0, 1):
        parts: list[Html] = []
        at = 0
        for block in blocks:
            start = (block.a, block.b)[side]
            if at < start:
                parts.append(el("mark", " ".join(words[side][at:start])))
            if block.size:
                parts.append(escape(" ".join(words[side][start : start + block.size])))
            at = start + block.size
        shown.append(el("p", join(parts, " "), class_="corpus", dir="auto"))
    return shown[0], shown[1]


def prompts(report: Report) -> Html | None:
    """Answers by prompt: how different they are, when sampling stops paying, what collapsed."""
    if not report.prompts:
        return None
    columns = [
        Column("source", numeric=False, heading=True),
        Column("prompts", "prompts-prompts"),
        Column("answers", "prompts-answers"),
        Column("different answers", "prompts-distinct_answers"),
        Column("kept answers", "prompts-kept_answers"),
        Column("different among k", "answers-distinct_at_k"),
        Column("effective answers", "answers-effective"),
        Column("chance that two are the same", "answers-same_chance"),
        Column("collapsed prompts", "answers-collapsed_prompts"),
    ]
    rows: list[list[Cell | str]] = []
    for source in report.prompts:
        found = source.sampling
        among = "one answer each"
        if found is not None:
            among = f"{number(found.distinct_at_k, '.2f')} of {found.k}"
        rows.append(
            [
                name(source.source),
                figure(source.prompts),
                figure(source.answers),
                figure(source.distinct_answers),
                figure(source.kept_answers),
                among,
                figure(found.effective if found else None, ".2f"),
                figure(found.same_chance if found else None, ".1%"),
                figure(found.collapsed_prompts if found else None),
            ]
        )
    parts = [
        part
        for source in report.prompts
        if source.sampling is not None
        for part in _sampling(source, source.sampling)
    ]
    curves = any(source.sampling and source.sampling.saturation.gains for source in report.prompts)
    chart = el(
        "div",
        class_="chart",
        id="saturation",
        role="img",
        aria_label="New answers that the k-th answer to a prompt brings; the table has the figures",
    )
    return section(
        "prompts",
        "Answers to the same prompt",
        table("Answers by source", columns, rows),
        chart if curves else None,
        *parts,
        brief=_collapsed(report.prompts),
    )


def _collapsed(sources: Sequence[Prompts]) -> str:
    """Return how many prompts have collapsed."""
    samplings = [source.sampling for source in sources if source.sampling is not None]
    if not samplings:
        return "one answer each"
    collapsed = sum(sampling.collapsed_prompts for sampling in samplings)
    prompts = sum(sampling.prompts for sampling in samplings)
    return f"{collapsed:,} of {many(prompts, 'prompt')} collapsed"


def _sampling(source: Prompts, found: Answers) -> list[Html]:
    parts = []
    gains = found.saturation.gains
    if gains:
        at = found.saturation.at
        pays = (
            f"from answer {at:,} on, another answer to a prompt brings less than a twentieth of "
            "what the first one brings: sampling more of the same no longer pays."
            if at is not None
            else f"up to answer {len(gains):,} each further answer still brings more than a "
            "twentieth of what the first one brings."
        )
        columns = [Column("answer k", heading=True), Column("new answers", "saturation-gains")]
        rows: list[list[Cell | str]] = [
            [number(k), number(gain, ".3f")] for k, gain in enumerate(gains[:_GAINS], 1)
        ]
        shown = table(f"What the k-th answer adds, {cut(source.source)}", columns, rows)
        parts.append(el("p", el("b", name(source.source)), ": ", pays))
        parts.append(el("details", el("summary", "The curve in figures"), shown))
    if found.collapsed:
        columns = [
            Column("prompt", numeric=False, heading=True),
            Column("answers"),
            Column("different"),
            Column("commonest came", "collapsed-commonest"),
            Column("chance that two are the same", "collapsed-same_chance"),
            Column("commonest answer", numeric=False),
        ]
        rows = [
            [
                Cell(corpus(one.prompt), classes="text"),
                figure(one.answers),
                figure(one.distinct),
                Cell(f"{one.commonest:,}×", one.commonest),
                figure(one.same_chance, ".1%"),
                Cell(corpus(one.text), classes="text"),
            ]
            for one in found.collapsed[:_COLLAPSED]
        ]
        title = f"Collapsed prompts of {cut(source.source)}"
        parts.append(table(title, columns, rows, sortable=True))
        shown_of = more(found.collapsed_prompts, len(rows), "collapsed prompts", "the source")
        parts.append(shown_of or escape(""))
    return parts


def saturation_data(report: Report) -> list[dict[str, Any]]:
    """What the chart of saturation is drawn from."""
    return [
        {
            "source": cut(source.source, 60),
            "gains": [float(f"{gain:.4g}") for gain in source.sampling.saturation.gains[:_GAINS]],
            "at": source.sampling.saturation.at,
        }
        for source in report.prompts
        if source.sampling is not None and source.sampling.saturation.gains
    ]
