"""Stage `rank`: choose the candidates of a run, the nearest synthetic sources first.

Without a lineage all documents are candidates, but for those that are too long.
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
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.schemas.lineage import Amount, RankedSource
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.distance import SAMPLE_TOKENS, distances, folded, take_nearest
from outcross.transforms.selection.score_candidates import CountNgrams, read_tables
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.text.ngrams import Tables


@dataclass(frozen=True)
class Ranking:
    """Documents that may be written; result of `rank`.

    Attributes:
        clustered: result of `cluster`.
        candidate: bool[n], kept synthetic documents that may be written.
        human: bool[n], kept human documents that may be written.
        too_long: kept documents of both roles that are left out for their length.
        new: synthetic tokens of the run's own sources, after deduplication.
        sources: synthetic sources, nearest first; empty without a lineage.
        ngrams: file of n-gram counts of each of the run's own sources, by its name.
    """

    clustered: Clustered
    candidate: NDArray[np.bool_]
    human: NDArray[np.bool_]
    too_long: TooLong
    new: int
    sources: Sequence[RankedSource]
    ngrams: dict[str, str]

    @property
    def deduplicated(self) -> Deduplicated:
        """Result of `deduplicate`."""
        return self.clustered.deduplicated

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.clustered.sketched

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.clustered.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.clustered.config

    @property
    def ledger(self) -> NDArray[np.bool_]:
        """Mask of the documents of the lineage's ledger, bool[n]; empty without a lineage."""
        lineage = self.context.lineage
        return self.sketched.of_sources(*(() if lineage is None else lineage.ledger))


def rank(clustered: Clustered) -> Ranking:
    """Rank the synthetic sources: the run's own and those of earlier generations."""
    context, config, sketched = clustered.context, clustered.config, clustered.sketched
    deduplicated, lineage, tokens = clustered.deduplicated, context.lineage, sketched.tokens
    current = sketched.of_sources(
        *(source.name for source in config.sources if lineage is None or lineage.is_new(source))
    )
    long = too_long(deduplicated, current)
    if long.warning is not None:
        context.warn(long.warning)
    human, kept = (
        deduplicated.kept & sketched.of_role(role) & ~long.rows for role in ("human", "synthetic")
    )
    if lineage is None:
        return Ranking(clustered, kept, human, long, int(tokens[kept].sum()), [], {})
    by_source = {
        source.name: kept & sketched.of_sources(source.name)
        for source in config.sources
        if source.role == "synthetic"
    }
    supply = {name: int(tokens[rows].sum()) for name, rows in by_source.items()}
    new_sources = {name: rows for name, rows in by_source.items() if name in lineage.run_sources}
    new = sum(supply[name] for name in new_sources)
    limits = None if long.limits is None else long.limits.model_dump()
    done = artifact(
        config.out, "rank", cluster=clustered.artifact.key, own=sorted(new_sources), limits=limits
    )
    ngrams = {name: done.path(f"{name}.ngrams") for name in new_sources}
    if done.finished:
        context.progress.skipped("rank")
    else:
        with context.progress.stage("rank", documents=int(kept.sum())):
            for name, rows in new_sources.items():
                sample = _even_sample(sketched, rows, SAMPLE_TOKENS)
                count_documents(sketched, done, sample, ngrams[name])
        done.finish()
    ledger = sketched.of_sources(*lineage.ledger)
    mix = expected_mix(
        lineage.asked,
        float(tokens[human & ~ledger].sum()),
        float(tokens[human & ledger].sum()),
        new,
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
    taken = [float(tokens) for tokens in supply.values()]
    if config.archive > 0:
        most = config.archive_source * mix.tokens
        nearest = take_nearest(far, taken, config.archive * mix.tokens, most)
        # A domain may occur in the new text alone, so with domains all new text stays.
        stays = [bool(config.domains) and name in new_sources for name in by_source]
        taken = list(np.where(stays, taken, nearest))
    for name, amount_taken in zip(by_source, taken, strict=True):
        if name in new_sources and amount_taken == 0 < supply[name]:
            context.warn(
                f"archive: none of {name!r} is chosen from, as earlier candidates are nearer to "
                "human text and enough; archive: 0 takes the new ones alone"
            )
    candidate = np.zeros_like(kept)
    ranked = []
    for name, distance, amount_taken in zip(by_source, far, taken, strict=True):
        rows = _even_sample(sketched, by_source[name], amount_taken)
        candidate |= rows
        ranked.append(
            RankedSource(
                name=name,
                distance=distance,
                held=amount(by_source[name], tokens),
                candidates=amount(rows, tokens),
            )
        )
    ranked.sort(key=lambda source: source.distance)
    return Ranking(clustered, candidate, human, long, new, ranked, ngrams)


def amount(rows: NDArray[np.bool_], tokens: NDArray[np.int64]) -> Amount:
    """Count documents and their tokens.

    Args:
        rows: bool[n], documents to count.
        tokens: int64[n], tokens of all documents.
    """
    return Amount(documents=int(rows.sum()), tokens=int(tokens[rows].sum()))


def count_documents(sketched: Sketched, done: Artifact, rows: NDArray[np.bool_], path: str) -> None:
    """Count the n-grams of some documents, in as few buckets as distances need.

    Args:
        sketched: result of `sketch`.
        done: artifact that holds the files in between.
        rows: bool[n], documents to count.
        path: path of the result.
    """
    weights, counted = done.subfolder("weights"), done.path("all.ngrams")
    save_aligned(weights, sketched.sketches, {"copies": rows})
    work = CountNgrams(sketched.sketches.folder, weights, counted)
    sketched.context.over_units(sketched.units("synthetic", "human"), lambda p: p | work)
    files.write_bytes(path, folded(read_tables(counted)).to_bytes())


def _even_sample(sketched: Sketched, rows: NDArray[np.bool_], tokens: float) -> NDArray[np.bool_]:
    """Draw a number of tokens from some documents by a seeded hash.

    Args:
        sketched: result of `sketch`.
        rows: bool[n], documents to draw from.
        tokens: tokens to draw.

    Returns:
        bool[n]; all of the documents if they have no more tokens.
    """
    places = np.flatnonzero(rows)
    if tokens >= float(sketched.tokens[places].sum()):  # with the documents without words
        return rows
    hi, lo = (half[places] for half in sketched.fingerprints)
    order = np.argsort(seeded_hash(hi, lo, sketched.config.seed, "archive"), kind="stable")
    reached = np.cumsum(sketched.tokens[places][order])
    drawn = np.zeros_like(rows)
    if tokens > 0:
        drawn[places[order[: np.searchsorted(reached, tokens) + 1]]] = True
    return drawn
