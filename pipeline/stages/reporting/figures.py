"""Figures of a report: stages, shards, domains, clusters and measures against human text."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.measure import AnyMeasured
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.figures import Domain, Figures, Measure, Shard, Stage
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import EmbedderReport, KnownWords, ReferenceSummary
from outcross.schemas.sources import WRITABLE
from outcross.transforms.encoders.load import load_model
from outcross.transforms.estimators.compression import zstd_ratio
from outcross.transforms.estimators.richness import TAIL, effective_number
from outcross.transforms.measuring.contrast import LEAST_DOCUMENTS, measure, too_few
from outcross.transforms.measuring.diversity import Diversity
from outcross.transforms.measuring.gate import foreign, judged, unread
from outcross.transforms.measuring.grouping import set_file
from outcross.transforms.measuring.repeats import repeated_share
from outcross.transforms.reference.reference import Reference
from outcross.transforms.text.embed import Reading
from outcross.transforms.text.known import Known

_OF_A_SHARD = ("effective_clusters", "js", "tail_mass", "distinct_3")
_OF_A_FILE = ("file", "read", "rows", "bytes")
_THREADS = 8  # at most; each holds a shard's sets

StageName = Literal["read", "deduplicate", "write"]
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def stages(measured: AnyMeasured, texts: Sequence[str]) -> list[Stage]:
    """Return the figures after each stage.

    A run reads, deduplicates and writes; an audit reads and deduplicates.

    Args:
        measured: result of `measure`.
        texts: sample of the texts after the last stage, whose compression is measured.
    """
    sets: dict[StageName, Mapping[str, Diversity]] = {"read": measured.read}
    if isinstance(measured.corpus, Audited):
        sets["deduplicate"] = measured.last
    else:
        sets |= {"deduplicate": measured.kept, "write": measured.last}
    shown = [  # a role without documents isn't
        (name, role, diversity)
        for name, roles in sets.items()
        for role, diversity in roles.items()
        if role == "all" or diversity.counts.documents.sum()
    ]
    figures_of_sets = _each(lambda part: measured.maker.figures(part[2]), shown)
    result = {name: Stage(name=name, roles={}) for name in sets}
    for (name, role, _), figures in zip(shown, figures_of_sets, strict=True):
        result[name].roles[role] = figures
    roles = list(result.values())[-1].roles
    roles["all"] = roles["all"].model_copy(update={"zstd_ratio": zstd_ratio(texts)})
    return list(result.values())


def _each(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> list[ResultT]:
    """Apply a function to each item, on several threads, as its kernels don't hold Python's lock.

    Only as many items are in work as there are threads.
    """
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as pool:
        return list(pool.map(function, items))


def human_share(roles: Mapping[str, Diversity]) -> float | None:
    """Return the human share of the tokens; None without tokens."""
    tokens = int(roles["all"].counts.tokens.sum())
    human = int(roles["human"].counts.tokens.sum()) if "human" in roles else 0
    return human / tokens if tokens else None


def shards(measured: AnyMeasured) -> list[Shard]:
    """Return the figures of each shard or audited file."""

    def shard(item: tuple[int, Mapping[str, Any]]) -> Shard:
        number, file = item
        roles = measured.roles(f"shard/{number}")
        figures = measured.maker.figures(roles["all"], _OF_A_SHARD)
        if read := file.get("read"):
            repeats = file["near_duplicates"]
            rate = {"near_duplicates": repeats, "near_duplicate_rate": repeats / read}
            figures = figures.model_copy(update=rate)
        return Shard(
            **{name: file[name] for name in _OF_A_FILE if name in file},
            human_share=human_share(roles),
            figures=figures,
        )

    return _each(shard, enumerate(measured.corpus.files))


def domains(measured: AnyMeasured) -> list[Domain]:
    """Return the figures of the largest domains, where documents have any."""

    def domain(number: int) -> Domain:
        name = measured.domains[number]
        return Domain(
            name=name,
            kind="converge" if measured.gates.converges(name) else "open",
            figures=measured.maker.figures(measured.load(f"domain/{number}")),
        )

    numbers = range(len(measured.domains))
    return _each(domain, [n for n in numbers if set_file(f"domain/{n}") in measured.files])


def near_duplicates(groups: NDArray[np.int64], reference: Reference) -> Measure:
    """Measure how much of a set repeats itself, against as many human documents.

    The set was read as a whole, so the error of its share is that of a draw of its size. Human
    text may repeat a few texts often, and its error says how much that varies.

    Args:
        groups: int64[m, 2], result of `group_sizes` for the set.
        reference: reference made of human text.
    """
    total, human = (int((part[:, 0] * part[:, 1]).sum()) for part in (groups, reference.repeats))
    if min(total, human) < LEAST_DOCUMENTS:
        return too_few("near_duplicates", min(total, human))
    share, _ = repeated_share(groups, total)
    human_repeats, deviation = repeated_share(reference.repeats, min(total, human))
    result = measure("near_duplicates", share, human_repeats, deviation, 1.0, total)
    error = math.hypot(deviation, math.sqrt(share * (1 - share) / total))
    return result.model_copy(update={"error": error})


def reference_facts(reference: Reference) -> ReferenceSummary:
    """Describe the reference that the figures are measured on."""
    held_out = int(reference.held_out.classes.sum())
    human = reference.human
    repeats = (reference.repeats[:, 0] - 1) * reference.repeats[:, 1]
    everything = int((reference.repeats[:, 0] * reference.repeats[:, 1]).sum())
    return ReferenceSummary(
        fingerprint=reference.fingerprint(),
        human=human,
        clusters=reference.codebook.size,
        documents=int(reference.counts.documents.sum()),
        effective_clusters=effective_number(reference.counts.documents),
        tail_mass=int(reference.held_out.classes[TAIL]) / held_out if held_out and human else None,
        near_duplicate_rate=int(repeats.sum()) / everything if everything and human else None,
        zstd_ratio=reference.zstd_ratio if human else None,
    )


def known_words(sketched: Sketched) -> list[KnownWords]:
    """Count the words that the embedder knows, by source that is written, measured or reference."""
    return [
        KnownWords(source=name, **known._asdict(), share=known.share, enough=known.enough)
        for name, known in sketched.known(*WRITABLE, "reference").items()
    ]


def embedder_facts(sketched: Sketched) -> EmbedderReport | None:
    """Describe the embedder, and how much of the texts it read; None for the packaged table."""
    if sketched.config.embedder is None:
        return None
    model = load_model(sketched.config.embedder)
    reports = sketched.sketches.reports
    reading = Reading.total(Reading(**report.reading) for report in reports)
    seconds = sum(report.embedding_seconds for report in reports)
    read = reading.texts > 0
    return EmbedderReport(
        name=model.name,
        dims=model.dims,
        texts=reading.texts if read else None,
        cut=reading.cut if read else None,
        cut_share=reading.cut / reading.texts if read else None,
        read_share=reading.read / max(reading.characters, 1) if read else None,
        tokens=reading.tokens if read else None,
        texts_per_second=round(reading.texts / seconds, 1) if read and seconds else None,
    )


def judge(measures: Sequence[Measure], measured: AnyMeasured) -> list[Measure]:
    """Judge measures by the gates, but for those that the embedder can't read well enough.

    Args:
        measures: measures without an outcome.
        measured: result of `measure`.
    """
    corpus = Known.total(measured.sketched.known(*WRITABLE).values())
    known = measured.clustered.reference.known
    doubts = unread([corpus, known])
    return judged(measures, measured.gates, doubts, foreign(corpus, known))


def with_measures(figures: Figures, measures: Sequence[Measure]) -> Figures:
    """Return figures with added or replaced measures, in the order of `MEASURES`."""
    by_name = {measure.name: measure for measure in (*figures.measures, *measures)}
    ordered = [by_name[name] for name in MEASURES if name in by_name]
    return figures.model_copy(update={"measures": ordered})
