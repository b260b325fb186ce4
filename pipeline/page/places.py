"""The places where a corpus is worst: a file, domain, source, prompt, topic and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from outcross.pipeline.page.budget import named
from outcross.pipeline.page.markup import Html, corpus, cut, el, folded, join, many, number
from outcross.pipeline.page.topics import EVEN, ratio
from outcross.schemas.figures import Figures
from outcross.schemas.measures import CONFIDENCE
from outcross.schemas.report import Report

_OPEN = 3  # places that stand open
_NAME = 48  # characters of a name or a text
_REPEATS = 0.01  # share of documents from which repeats are worth a line

Line = tuple[str, str, Html]
"""Kind of a place, section that holds more of them, and what is said of it."""


def places(report: Report) -> Html | None:
    """Return the worst place of each kind with its figure; None if nothing stands out."""
    lines = [
        *_prompts(report),
        *_files(report),
        *_domains(report),
        *_sources(report),
        *_topics(report),
        *_texts(report),
    ]
    if not lines:
        return None
    items = [
        el("div", el("dt", el("a", kind, href=f"#{key}")), el("dd", sentence))
        for kind, key, sentence in lines
    ]
    hidden = el("dl", *items[_OPEN:], class_="places")
    fold = folded(f"{len(items) - _OPEN:,} more", hidden)
    shown = el("dl", *items[:_OPEN], class_="places")
    return join([shown, fold if len(items) > _OPEN else None])


def _files(report: Report) -> Iterator[Line]:
    shards = [shard for shard in report.shards if shard.figures.documents]
    kind = "file" if report.kind == "audit" else "shard"
    if len(shards) < 2:
        return
    worst = max(shards, key=lambda shard: shard.figures.near_duplicate_rate or 0.0)
    rate = worst.figures.near_duplicate_rate or 0.0
    if report.kind == "audit" and rate >= _REPEATS:
        of = many(worst.read or worst.rows, "document")
        sentence = f": {number(rate, '.1%')} of its {of} repeat another of them"
        yield kind, "shards", join([_name(worst.file), sentence])
    place = _narrowest([shard.figures for shard in shards])
    if place is not None:
        yield kind, "shards", _narrow(shards[place].file, shards[place].figures)


def _domains(report: Report) -> Iterator[Line]:
    domains = [domain for domain in report.domains if domain.kind == "open"]
    place = _narrowest([domain.figures for domain in domains])
    if place is not None and len(domains) > 1:
        yield "domain", "domains", _narrow(domains[place].name or "none", domains[place].figures)


def _narrowest(sets: Sequence[Figures]) -> int | None:
    """Return the index of the set with the fewest topics against human text.

    Only sets that are certainly below human text count; None if there is none.
    """
    low = []
    for place, figures in enumerate(sets):
        measure = figures.measure("effective_clusters")
        if measure is None or measure.against is None or measure.error is None:
            continue
        if measure.against + CONFIDENCE * measure.error < 1:
            low.append((measure.against, place))
    return min(low)[1] if low else None


def _narrow(title: str, figures: Figures) -> Html:
    measure = figures.measure("effective_clusters")
    share = number(measure.against if measure else None, ".0%")
    return join([_name(title), f": {share} of the topics in as much human text"])


def _sources(report: Report) -> Iterator[Line]:
    lines = [line for line in report.conservation if line.role == "synthetic" and line.read]
    if len(lines) < 2:
        return
    worst = max(lines, key=lambda line: line.removed / line.read)
    share = worst.removed / worst.read
    if share >= _REPEATS:
        sentence = f": {number(share, '.1%')} of {many(worst.read, 'document')} removed"
        yield "source", "flow", join([_name(worst.source), sentence])


def _prompts(report: Report) -> Iterator[Line]:
    for source in report.prompts:
        sampling = source.sampling
        if sampling is None or not sampling.collapsed:
            continue
        worst = sampling.collapsed[0]
        count = f"{number(sampling.collapsed_prompts)} of {many(sampling.prompts, 'prompt')}"
        times = f": {worst.commonest:,} of {worst.answers:,} answers the same; {count} collapsed"
        yield "prompt", "prompts", join([_text(worst.prompt), times])


def _texts(report: Report) -> Iterator[Line]:
    often = report.deduplication.most_repeated
    if often and often[0].times > 1:
        yield "text", "removed", join([_text(often[0].text), f" occurs {often[0].times:,} times"])


def _topics(report: Report) -> Iterator[Line]:
    judged = report.judged.measure("effective_clusters") if report.judged else None
    if not report.clusters or (judged is not None and judged.outcome in ("not judged", "shown")):
        return
    ranked = sorted(report.clusters, key=lambda cluster: (cluster.excess, cluster.cluster))
    parts = []
    for cluster, mark in ((ranked[-1], "▲ too much"), (ranked[0], "▼ too little")):
        if 1 / EVEN < ratio(cluster) < EVEN:
            continue
        shares = f"{number(cluster.share, '.1%')}, human {number(cluster.human_share, '.1%')}"
        parts.append(join([f"{mark} ", named(cluster.words[:3]), f" ({shares})"]))
    if parts:
        yield "topics", "clusters", join(parts, "; ")


def _name(title: str) -> Html:
    return el("bdi", cut(title, _NAME))


def _text(text: str | None) -> Html:
    return corpus(None if text is None else cut(text, _NAME))
