"""Removed documents and the documents that they repeat, and prompts with collapsed answers."""

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
    folded,
    join,
    many,
    more,
    name,
    number,
    section,
    table,
    term,
)
from outcross.schemas.deduplication import Certificate, Deduplication, Removal
from outcross.schemas.prompts import Answers, Prompts
from outcross.schemas.report import Report

_PAIRS = 50
_COLLAPSED = 50
_OVERLAPS = 200
_GAINS = 200
_ALIKE = 0.5  # of the words of two beginnings, from which it helps to mark the others


def removed(report: Report) -> Html:
    """Return the section on removals: counts, overlaps, losses and the least similar pairs."""
    removal = report.deduplication
    total = removal.exact + removal.near + removal.contained + removal.semantic
    lead = (
        f"{many(total, 'document')} removed: {removal.exact:,} with the text of a kept one, "
        f"{removal.near:,} with nearly the same text, {removal.contained:,} that hold an "
        "evaluation text"
        + (f", {removal.semantic:,} that say the same in other words." if removal.semantic else ".")
        if total
        else "Nothing was removed: no document repeats another."
    )
    still = (
        join(
            [
                term("deduplication-open", f"{many(removal.open, 'document')} kept although"),
                " some documents that they might repeat were not compared.",
            ]
        )
        if removal.open
        else None
    )
    different = removal.counts.get("different_meaning", 0)
    meaning = (
        f"{many(different, 'pair')} shared as many words as repeats do, but differed in numbers, "
        "signs, negations or vowel signs: both documents were kept."
        if different
        else None
    )
    bands = f"{removal.bands} bands of {removal.rows} rows were compared."
    return section(
        "removed",
        "What was removed",
        el("p", lead, class_="lead"),
        el("p", still) if still else None,
        el("p", meaning) if meaning else None,
        _certificate(removal.certificate),
        _overlaps(removal),
        _losses(removal),
        _most_repeated(removal),
        _least_similar(removal.least_similar, "The least similar removals", "near_threshold"),
        _least_similar(
            removal.least_semantic, "The least similar paraphrases", "semantic_threshold"
        ),
        el("p", bands, class_="note"),
        brief=many(total, "document"),
    )


def _certificate(certificate: Certificate | None) -> Html | None:
    """Say how much was kept of what could be kept, and how surely pairs are compared."""
    if certificate is None:
        return None
    planted = any(point.planted is not None for point in certificate.recall)
    if certificate.components == 0 and not planted:
        return None
    groups = (
        f"all {certificate.checked:,}"
        if certificate.checked == certificate.components
        else f"{certificate.checked:,} of {certificate.components:,}"
    )
    share, sentence = "What could be kept isn't known", ""
    if None not in (certificate.kept, certificate.error, certificate.missed):
        share = f"{certificate.kept:.2%} ± {certificate.error:.2%} of what could be kept was kept"
        sentence = (
            f". To find this out, all pairs were compared in {groups} groups of similar documents. "
            f"{certificate.missed:.2%} of the kept documents repeat another one of their group."
        )
    if certificate.unchecked_documents:
        sentence += (
            f"{'' if sentence else '.'} {many(certificate.unchecked_documents, 'document')} in "
            "groups that are too large to compare all pairs were left out."
        )
    columns = [Column("similarity", numeric=False, heading=True), Column("chance to be compared")]
    rows: list[list[Cell | str]] = [
        [f"{point.similarity:.2f}", figure(point.chance, ".2%")] for point in certificate.recall
    ]
    if planted:
        columns += [Column("planted copies"), Column("compared"), Column("chance of the copies")]
        for row, point in zip(rows, certificate.recall, strict=True):
            shares = (point.together, point.expected)
            row += [f"{point.planted or 0:,}", *(figure(share, ".2%") for share in shares)]
    chances = table("Chance that two documents share a band", columns, rows)
    return join(
        [
            el("p", term("deduplication-certificate", share), sentence),
            folded("How surely similar documents are compared", chances),
        ]
    )


def _overlaps(removal: Deduplication) -> Html | None:
    if not removal.found:
        return None
    columns = [
        Column("set", numeric=False, heading=True),
        Column("kind", numeric=False),
        Column("its documents"),
        Column("repeated", "overlap-found"),
        Column("whole only", "overlap-whole_only"),
        Column("removed by source", numeric=False),
    ]
    rows: list[list[Cell | str]] = []
    for overlap in removal.found[:_OVERLAPS]:
        by_source = [
            f"{cut(part.source, 60)}: {part.exact:,} exact, {part.near:,} near, "
            f"{part.contained:,} contained"
            + (f", {part.semantic:,} semantic" if part.semantic else "")
            for part in overlap.removed
        ]
        rows.append(
            [
                name(overlap.name),
                overlap.kind,
                figure(overlap.documents),
                figure(overlap.found),
                figure(overlap.whole_only),
                join(el("div", line) for line in by_source) if by_source else "nothing",
            ]
        )
    shown = table(
        "Documents that repeat evaluation sets, earlier runs or the reference", columns, rows
    )
    return join([shown, more(len(removal.found), _OVERLAPS, "sets", "report.json")])


def _losses(removal: Deduplication) -> Html | None:
    if not removal.losses:
        return None
    columns = [
        Column("role", numeric=False, heading=True),
        Column("class", "loss-kind", numeric=False),
        Column("documents"),
        Column("exact", "sourceoverlap-exact"),
        Column("near", "sourceoverlap-near"),
        Column("contained", "sourceoverlap-contained"),
        Column("near share", "loss-near_share"),
    ]
    semantic = any(loss.semantic_share is not None for loss in removal.losses)
    if semantic:
        columns += [
            Column("semantic", "sourceoverlap-semantic"),
            Column("semantic share", "loss-semantic_share"),
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
            *((figure(loss.semantic), figure(loss.semantic_share, ".2%")) if semantic else ()),
        ]
        for loss in removal.losses
        if loss.documents
    ]
    return table(
        "Removals among common (head), rare (tail) and off-support documents", columns, rows
    )


def _most_repeated(removal: Deduplication) -> Html | None:
    if not removal.most_repeated:
        return None
    columns = [
        Column("text", numeric=False, heading=True),
        Column("occurs", "repeatedtext-times"),
        Column("word for word", "repeatedtext-exact"),
        Column("kept", numeric=False),
        Column("source", numeric=False),
    ]
    rows: list[list[Cell | str]] = [
        [
            Cell(corpus(repeated.text), classes="text"),
            Cell(f"{repeated.times:,}×", repeated.times),
            Cell(f"{repeated.exact:,}×", repeated.exact),
            name(repeated.id),
            name(repeated.source),
        ]
        for repeated in removal.most_repeated[:_PAIRS]
    ]
    return table("Texts that occur most often", columns, rows, sortable=True)


def _least_similar(removals: Sequence[Removal], title: str, key: str) -> Html | None:
    if not removals:
        return None
    pairs = sorted(removals, key=lambda pair: (pair.similarity, pair.source, pair.id))
    return join(
        [
            el("h3", title),
            el(
                "p",
                f"If you don't consider these pairs the same, raise {key}. Words that only "
                "one text of a pair has are marked.",
                class_="note",
            ),
            el("ol", *map(_pair, pairs[:_PAIRS]), class_="pairs"),
            more(len(pairs), _PAIRS, "pairs", "report.json"),
        ]
    )


def _pair(pair: Removal) -> Html:
    texts = _marked(pair.text, pair.kept_text)
    sides = [
        el(
            "div",
            el("h4", f"{verb} ", name(id_), " ", el("small", name(source))),
            text,
        )
        for verb, id_, source, text in (
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


def _marked(first: str | None, second: str | None) -> tuple[Html, Html]:
    """Return two texts in which the words that only one of them has are marked.

    Texts that differ in most of their words are returned without marks.
    """
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
    """Return the section on answers to the same prompt: variety, saturation and collapse."""
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
        sampling = source.sampling
        among = "one answer each"
        if sampling is not None:
            among = f"{number(sampling.distinct_at_k, '.2f')} of {sampling.k}"
        rows.append(
            [
                name(source.source),
                figure(source.prompts),
                figure(source.answers),
                figure(source.distinct_answers),
                figure(source.kept_answers),
                among,
                figure(sampling.effective if sampling else None, ".2f"),
                figure(sampling.same_chance if sampling else None, ".1%"),
                figure(sampling.collapsed_prompts if sampling else None),
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
    """Count the collapsed prompts, as words for the closed section."""
    samplings = [source.sampling for source in sources if source.sampling is not None]
    if not samplings:
        return "one answer each"
    collapsed = sum(sampling.collapsed_prompts for sampling in samplings)
    prompts = sum(sampling.prompts for sampling in samplings)
    return f"{collapsed:,} of {many(prompts, 'prompt')} collapsed"


def _sampling(source: Prompts, sampling: Answers) -> list[Html]:
    parts = []
    gains = sampling.saturation.gains
    if gains:
        at = sampling.saturation.at
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
        parts.append(folded("The curve in figures", shown))
    if sampling.collapsed:
        columns = [
            Column("prompt", numeric=False, heading=True),
            Column("answers"),
            Column("different"),
            Column("commonest occurs", "collapsedprompt-commonest"),
            Column("chance that two are the same", "collapsedprompt-same_chance"),
            Column("commonest answer", numeric=False),
        ]
        rows = [
            [
                Cell(corpus(prompt.prompt), classes="text"),
                figure(prompt.answers),
                figure(prompt.distinct),
                Cell(f"{prompt.commonest:,}×", prompt.commonest),
                figure(prompt.same_chance, ".1%"),
                Cell(corpus(prompt.text), classes="text"),
            ]
            for prompt in sampling.collapsed[:_COLLAPSED]
        ]
        title = f"Collapsed prompts of {cut(source.source)}"
        parts.append(table(title, columns, rows, sortable=True))
        shown_of = more(sampling.collapsed_prompts, len(rows), "collapsed prompts", "the source")
        parts.append(shown_of or escape(""))
    return parts


def saturation_data(report: Report) -> list[dict[str, Any]]:
    """Return the numbers from which the page's script draws the curves of saturation."""
    return [
        {
            "source": cut(source.source, 60),
            "gains": [float(f"{gain:.4g}") for gain in source.sampling.saturation.gains[:_GAINS]],
            "at": source.sampling.saturation.at,
        }
        for source in report.prompts
        if source.sampling is not None and source.sampling.saturation.gains
    ]
