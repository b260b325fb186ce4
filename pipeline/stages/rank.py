"""Stage `rank`: which documents a run may choose from, the nearest synthetic sources first.

Without a lineage all of them are candidates, but for those that are too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.inputs.lineage import expected_mix
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.lengths import TooLong, too_long
from outcross.pipeline.stages.sketch import Sketched
from outcross.schemas.lineage import Amount, RankedSource
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.distance import SAMPLE_TOKENS, distances, folded, take_nearest
from outcross.transforms.selection.score_candidates import CountNgrams, read_tables
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.text.ngrams import Tables


@dataclass(frozen=True)
class Ranking:
    """Which documents there are to choose from.

    Attributes:
        candidate: bool[n], kept synthetic documents that may be written.
        human: bool[n], kept human documents that may be written.
        too_long: kept documents of both roles that are left out for their length.
        new: synthetic tokens, after deduplication, of the run's own sources.
        sources: nearest first; empty without a lineage.
        ngrams: by source of the run itself, the file of its n-gram counts.
    """

    candidate: NDArray[np.bool_]
    human: NDArray[np.bool_]
    too_long: TooLong
    new: int
    sources: Sequence[RankedSource]
    ngrams: dict[str, str]


def rank(
    context: Context, sketched: Sketched, deduplicated: Deduplicated, clustered: Clustered
) -> Ranking:
    """Ranks the synthetic sources, the run's own and those of earlier generations."""
    config, lineage, tokens = context.config, context.lineage, sketched.tokens
    current = sketched.of_sources(
        *(source.name for source in config.sources if lineage is None or lineage.is_new(source))
    )
    long = too_long(config, sketched, deduplicated, current)
    if long.warning is not None:
        context.warn(long.warning)
    human, kept = (
        deduplicated.verdicts.kept & sketched.of_role(role) & ~long.rows
        for role in ("human", "synthetic")
    )
    if lineage is None:
        return Ranking(kept, human, long, int(tokens[kept].sum()), [], {})
    by_source = {
        source.name: kept & sketched.of_sources(source.name)
        for source in config.sources
        if source.role == "synthetic"
    }
    held = {name: int(tokens[rows].sum()) for name, rows in by_source.items()}
    own = {name: rows for name, rows in by_source.items() if name in lineage.run_sources}
    new = sum(held[name] for name in own)
    limits = None if long.limits is None else long.limits.model_dump()
    done = artifact(
        config.out, "rank", cluster=clustered.artifact.key, own=sorted(own), limits=limits
    )
    ngrams = {name: done.path(f"{name}.ngrams") for name in own}
    if done.finished:
        context.progress.skipped("rank")
    else:
        with context.progress.stage("rank", documents=int(kept.sum())):
            for name, rows in own.items():
                sample = _evenly(context, sketched, rows, SAMPLE_TOKENS)
                count_documents(context, sketched, done, sample, ngrams[name])
        done.finish()
    old = sketched.of_sources(*lineage.ledger)
    mix = expected_mix(
        lineage.asked, float(tokens[human & ~old].sum()), float(tokens[human & old].sum()), new
    )
    assert mix is not None
    far = distances(
        [
            lineage.tables(lineage.archived[name].ngrams)
            if name in lineage.archived
            else Tables.from_bytes(files.read_bytes(ngrams[name]))
            for name in by_source
        ],
        lineage.bought(),
        folded(clustered.reference.ngrams),
        mix.human_share,
    )
    taken = [float(tokens) for tokens in held.values()]
    if config.archive > 0:
        most = config.archive_source * mix.tokens
        nearest = take_nearest(far, taken, config.archive * mix.tokens, most)
        # A domain may be there in the new text alone, so where there are some, all of it stays.
        stays = [bool(config.domains) and name in own for name in by_source]
        taken = list(np.where(stays, taken, nearest))
    for name, some in zip(by_source, taken, strict=True):
        if name in own and some == 0 < held[name]:
            context.warn(
                f"archive: none of {name!r} is chosen from, as earlier candidates are nearer to "
                "human text and enough; archive: 0 takes the new ones alone"
            )
    candidate = np.zeros_like(kept)
    ranked = []
    for name, distance, some in zip(by_source, far, taken, strict=True):
        rows = _evenly(context, sketched, by_source[name], some)
        candidate |= rows
        ranked.append(
            RankedSource(
                name=name,
                distance=distance,
                held=amount(by_source[name], tokens),
                candidates=amount(rows, tokens),
            )
        )
    ranked.sort(key=lambda one: one.distance)
    return Ranking(candidate, human, long, new, ranked, ngrams)


def amount(rows: NDArray[np.bool_], tokens: NDArray[np.int64]) -> Amount:
    """How much some documents are.

    Args:
        rows: bool[n], which.
        tokens: int64[n].
    """
    return Amount(documents=int(rows.sum()), tokens=int(tokens[rows].sum()))


def count_documents(
    context: Context, sketched: Sketched, done: Artifact, rows: NDArray[np.bool_], path: str
) -> None:
    """Counts the n-grams of some documents, in as few buckets as distances need.

    Args:
        context, sketched: of the run.
        done: artifact that has room for what lies between.
        rows: bool[n], which documents.
        path: of the file.
    """
    weights, whole = done.subfolder("weights"), done.path("all.ngrams")
    save_aligned(weights, sketched.sketches, {"copies": rows})
    context.over_units(
        sketched.units("synthetic", "human"),
        lambda p: p | CountNgrams(sketched.sketches.folder, weights, whole),
    )
    files.write_bytes(path, folded(read_tables(whole)).to_bytes())


def _evenly(
    context: Context, sketched: Sketched, rows: NDArray[np.bool_], tokens: float
) -> NDArray[np.bool_]:
    """So many tokens of some documents, by a seeded hash: all where there are no more."""
    places = np.flatnonzero(rows)
    if tokens >= float(sketched.tokens[places].sum()):  # with those that have no words at all
        return rows
    hi, lo = (half[places] for half in sketched.fingerprints)
    order = np.argsort(seeded_hash(hi, lo, context.config.seed, "archive"), kind="stable")
    reached = np.cumsum(sketched.tokens[places][order])
    drawn = np.zeros_like(rows)
    if tokens > 0:
        drawn[places[order[: np.searchsorted(reached, tokens) + 1]]] = True
    return drawn
