"""Stage `rank`: decide the use of every document, and rank the synthetic sources of a lineage.

Without a lineage all documents may be written, but for those that are too long. With a lineage the
nearest synthetic sources come first, up to the limits of the archive, and the ledger is drawn in
the order in which its documents were last written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.inputs.lineage import RunLineage, expected_mix
from outcross.pipeline.stages.cluster import Clustered, reference_roles
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.lengths import TooLong, asked_limits, too_long
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.lineage import Amount, RankedSource
from outcross.transforms.base import files
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.selection.blind_mix import CountSlices, Slices
from outcross.transforms.selection.distance import (
    DISTANCE_BUCKETS,
    SAMPLE_TOKENS,
    distances,
    folded,
    take_nearest,
)
from outcross.transforms.selection.length_limits import LENGTHS, CountLengths, Limits
from outcross.transforms.selection.quantile import CUTS, CutByHash, SumBuckets
from outcross.transforms.selection.rotation import FindLastWritten, Rotation
from outcross.transforms.selection.sample_sources import HELD, CountSamples, SourceRows, SumSources
from outcross.transforms.selection.supply import SUPPLY, SumSupply, SupplySums
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.selection.uses import GENERATED
from outcross.transforms.text.ngrams import Tables

LAST_WRITTEN = "last-written"
"""Folder of the column `last` of the ledger's units."""
PARTITION = 1 << 21
"""Texts of the ledger, bought or reused, that one worker compares, about."""
SLICES = "slices"
"""Folder of the n-grams of even samples."""


@dataclass(frozen=True)
class Ranking:
    """Uses of the documents; result of `rank`.

    Attributes:
        clustered: result of `cluster`.
        artifact: artifact of the stage.
        columns: columns of the units that decide the uses.
        limits: limits of length.
        sources: synthetic sources, nearest first; empty without a lineage.
    """

    clustered: Clustered
    artifact: Artifact
    columns: UnitColumns
    limits: Limits
    sources: Sequence[RankedSource]

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
    def folder(self) -> str:
        """Folder of the row-aligned columns `use` and `domain`."""
        return self.artifact.path("uses")

    @property
    def rotation(self) -> Rotation:
        """Order in which the ledger is drawn."""
        return _rotation(self.context, self.artifact)

    @cached_property
    def sums(self) -> SupplySums:
        """Sums over the documents, by use."""
        return files.read_as(self.artifact.path(SUPPLY), SupplySums.from_bytes)

    @cached_property
    def too_long(self) -> TooLong:
        """Kept documents of both roles that are left out for their length."""
        return too_long(self.deduplicated, self.limits, self.sums)

    @property
    def new(self) -> int:
        """Synthetic tokens of the run's own sources after deduplication, in a lineage."""
        run_sources = _lineage(self.context).run_sources
        return sum(source.held.tokens for source in self.sources if source.name in run_sources)

    @property
    def slices(self) -> Slices | None:
        """N-grams of the documents that may be written, None without a human reference."""
        return Slices(self.artifact.path(SLICES)) if self.clustered.reference.human else None

    def ngrams(self, source: str) -> str:
        """Return the file of n-gram counts of one of the run's own synthetic sources."""
        return _ngrams(self.artifact, source)


def rank(clustered: Clustered) -> Ranking:
    """Decide the use of every document, and rank the synthetic sources of a lineage."""
    context, config, lineage = clustered.context, clustered.config, clustered.context.lineage
    names = sorted({*config.domains, OTHERS})
    request = {"tokens", "human_share", "human_tokens", "effective_ratio", "max_copies"}
    keys: dict[str, Any] = {"domains": names, "human": "by source"}
    planned = asked_limits(config, "")
    if planned.lengths is None:
        keys["limits"] = None if planned.fixed is None else planned.fixed.model_dump()
    else:
        keys["request"] = config.model_dump(mode="json", include=request)
    if lineage is not None:
        asked = ["tokens", "human_share", "human_tokens", "fresh_human_tokens"]
        keys["lineage"] = [
            lineage.before.model_dump(mode="json"),
            {name: source.ngrams for name, source in lineage.archived.items()},
            sorted(lineage.run_sources),
            sorted(lineage.ledger),
            [getattr(lineage.asked, key) for key in asked],
            [config.archive, config.archive_source, config.seed],
        ]
    done = artifact(config.out, "rank", cluster=clustered.artifact.key, **keys)
    columns = _unit_columns(clustered, done, names)
    limits = asked_limits(config, done.path(LENGTHS))
    if done.finished:
        context.progress.skipped("rank")
    else:
        with context.progress.stage("rank", documents=clustered.sketched.sketches.offered_rows):
            stage = _Rank(clustered, done, columns, limits)
            sources = [] if lineage is None else stage.ranked(lineage)
            if lineage is None:
                stage.decide()
        done.finish({"sources": [source.model_dump(mode="json") for source in sources]})
    ranked = [RankedSource(**source) for source in done.stats()["sources"]]
    ranking = Ranking(clustered, done, columns, limits, ranked)
    if ranking.too_long.warning is not None:
        context.warn(ranking.too_long.warning)
    by_name = {source.name: source for source in ranked}
    for name in (source.name for source in config.sources if source.name in by_name):
        unused = by_name[name].candidates.tokens == 0 < by_name[name].held.tokens
        if unused and name in _lineage(context).run_sources:
            context.warn(
                f"archive: none of {name!r} is chosen from, as earlier candidates are "
                "nearer to human text and enough; archive: 0 takes the new ones alone"
            )
    return ranking


class _Rank:
    """Pipelines of the stage.

    Args:
        clustered: result of `cluster`.
        done: artifact of the stage.
        columns: columns of the units.
        limits: limits of length.
    """

    def __init__(
        self, clustered: Clustered, done: Artifact, columns: UnitColumns, limits: Limits
    ) -> None:
        self.clustered, self.done, self.columns, self.limits = clustered, done, columns, limits
        self.context, self.config = clustered.context, clustered.config
        self.sketches, self.sources = clustered.sketched.sketches, clustered.config.sources

    def decide(self, cuts: str | None = None, parts: Mapping[int, int] | None = None) -> None:
        """Write the uses of all documents, and sum up the supply.

        Args:
            cuts: file of the last hashes of synthetic sources that are taken in part.
            parts: numbers of these sources, with their places in the file.
        """

        def wire(lanes: Any) -> None:
            self._sum_supply(lanes, self._supply(cuts, parts or {}), self._lengths(lanes))

        self.context.over_units(self.sketches.offered, wire)

    def ranked(self, lineage: RunLineage) -> list[RankedSource]:
        """Rank the synthetic sources, and decide with the amounts that are taken of each.

        Args:
            lineage: lineage of the run.

        Returns:
            The synthetic sources, nearest first.
        """
        numbers = [n for n, source in enumerate(self.sources) if source.role == "synthetic"]
        names = [self.sources[number].name for number in numbers]
        documents = SourceRows(self.columns, self.limits, self.config.seed, numbers)
        sums = self._sum_sources(lineage, documents)
        far = self._distances(lineage, names, sums)
        supply = [float(sums[number, 1]) for number in numbers]
        taken = supply
        if self.config.archive > 0:
            mix = self._mix(lineage, sums)
            most = self.config.archive_source * mix.tokens
            nearest = take_nearest(far, supply, self.config.archive * mix.tokens, most)
            # A domain may occur in the new text alone, so with domains all new text stays.
            stays = [bool(self.config.domains) and name in lineage.run_sources for name in names]
            taken = list(np.where(stays, supply, nearest))
        self._decide_in_part(documents, supply, taken)
        amounts = files.read_as(self.done.path(SUPPLY), SupplySums.from_bytes).amounts
        ranked = [
            RankedSource(
                name=name,
                distance=distance,
                held=_amount(sums[number]),
                candidates=_amount(amounts[number, list(GENERATED)].sum(axis=0)),
            )
            for name, number, distance in zip(names, numbers, far, strict=True)
        ]
        return sorted(ranked, key=lambda source: source.distance)

    def _lengths(self, lanes: Any) -> Any:
        """Count lengths, unless the limits don't need them."""
        if self.limits.lengths is None or files.exists(self.limits.lengths):
            return None
        lineage = self.context.lineage
        new = frozenset(
            number
            for number, source in enumerate(self.sources)
            if source.role == "synthetic" and (lineage is None or lineage.is_new(source))
        )
        work = CountLengths(self.columns, new)
        return lanes | "Lengths" >> SumUnits(work, self.done.folder)

    def _sum_supply(self, lanes: Any, work: SumSupply, after: Any) -> None:
        """Sum up the supply, and count it in slices where there is human text to compare with."""
        supply = lanes | "Supply" >> SumUnits(work, self.done.folder, after)
        if self.clustered.reference.human:
            folder, seed = self.done.folder, self.config.seed
            slices = CountSlices(self.columns, folder, work.uses, seed)
            lanes | "Slices" >> SumUnits(slices, self.done.subfolder(SLICES), supply)

    def _supply(self, cuts: str | None, parts: Mapping[int, int]) -> SumSupply:
        reference: frozenset[int] = frozenset()
        if self.config.reference is None:
            roles = reference_roles(self.clustered.sketched)
            reference = frozenset(n for n, s in enumerate(self.sources) if s.role in roles)
        return SumSupply(
            self.columns,
            self.limits,
            self.sketches.offsets,
            self.clustered.reference.codebook.size,
            reference,
            self.done.subfolder("uses"),
            self.config.seed,
            cuts,
            parts,
        )

    def _sum_sources(self, lineage: RunLineage, documents: SourceRows) -> NDArray[np.int64]:
        """Sum up the sources, and count the n-grams of an even sample of each new one.

        The same pipeline finds the generations that last wrote the documents of the ledger.

        Args:
            lineage: lineage of the run.
            documents: documents of the synthetic sources.

        Returns:
            int64[S, 2], documents and tokens of each source that may be written.
        """
        names = [self.sources[number].name for number in documents.sources]
        wanted = [float(SAMPLE_TOKENS * (name in lineage.run_sources)) for name in names]
        folder = self.done.subfolder("sources")
        cut = CutByHash(documents, folder, wanted)
        sample = CountSamples(
            documents, files.join(folder, CUTS), [f"{name}.ngrams" for name in names]
        )

        def wire(lanes: Any) -> None:
            lengths = self._lengths(lanes)
            buckets = SumBuckets(documents, len(names))
            summed = lanes | "Buckets" >> SumUnits(buckets, folder, lengths)
            lanes | "Sources" >> SumUnits(SumSources(documents), folder, lengths)
            cuts = lanes | "Cuts" >> SumUnits(cut, folder, summed)
            lanes | "Samples" >> SumUnits(sample, folder, cuts)
            if self.columns.ledger and _rotation(self.context, self.done).differs:
                last = self._last_written(lineage)
                sent = lanes | "SendTexts" >> Send(last, spill)
                sent | "LastWritten" >> Regroup(last, spill) | "WriteLast" >> Collect(last)

        with self.context.spill() as spill:
            self.context.over_units(self.sketches.offered, wire)
        return files.read_as(files.join(folder, HELD), files.unpack_arrays)["held"]

    def _last_written(self, lineage: RunLineage) -> FindLastWritten:
        """Return the work that finds the generations that last wrote the ledger's documents."""
        before = lineage.before
        texts = before.ledger.documents + sum(g.reused.documents for g in before.generations)
        return FindLastWritten(
            self.columns,
            [generation.name for generation in before.generations],
            [g.used and lineage.path(g.used) for g in before.generations],
            -(-texts // PARTITION),
            self.done.subfolder(LAST_WRITTEN),
        )

    def _mix(self, lineage: RunLineage, sums: NDArray[np.int64]) -> Any:
        """Return the tokens that the run is expected to write.

        Args:
            lineage: lineage of the run.
            sums: int64[S, 2], documents and tokens of each source.
        """
        fresh = ledger = new = 0
        for source, tokens in zip(self.sources, sums[:, 1].tolist(), strict=True):
            if source.role == "human":
                ledger += tokens * (source.name in lineage.ledger)
                fresh += tokens * (source.name not in lineage.ledger)
            elif lineage.is_new(source):
                new += tokens
        mix = expected_mix(lineage.asked, float(fresh), float(ledger), new)
        assert mix is not None
        return mix

    def _distances(
        self, lineage: RunLineage, names: Sequence[str], sums: NDArray[np.int64]
    ) -> list[float]:
        """Return the distance of each synthetic source from human text.

        Args:
            lineage: lineage of the run.
            names: names of the sources.
            sums: int64[S, 2], documents and tokens of each source.
        """
        tables = [
            lineage.tables(lineage.archived[name].ngrams)
            if name in lineage.archived
            else _tables(_ngrams(self.done, name))
            for name in names
        ]
        reference = folded(self.clustered.reference.ngrams)
        share = self._mix(lineage, sums).human_share
        return distances(tables, lineage.bought(), reference, share)

    def _decide_in_part(
        self, documents: SourceRows, supply: Sequence[float], taken: Sequence[float]
    ) -> None:
        """Decide the uses, with a part of some synthetic sources.

        Args:
            documents: documents of the synthetic sources.
            supply: tokens of each source.
            taken: tokens to take of each source.
        """
        parts = {
            number: place
            for place, number in enumerate(documents.sources)
            if taken[place] < supply[place]
        }
        if not parts:
            self.decide()
            return
        folder = self.done.subfolder("parts")
        cut = CutByHash(documents, self.done.path("sources"), [float(t) for t in taken])

        def wire(lanes: Any) -> None:
            cuts = lanes | "Cuts" >> SumUnits(cut, folder)
            work = self._supply(files.join(folder, CUTS), parts)
            self._sum_supply(lanes, work, cuts)

        self.context.over_units(self.sketches.offered, wire)


def _unit_columns(clustered: Clustered, done: Artifact, domains: Sequence[str]) -> UnitColumns:
    """Return the columns of the units that decide the uses.

    Args:
        clustered: result of `cluster`.
        done: artifact of the stage.
        domains: names of the domains, with '*'.
    """
    config, sketches, lineage = clustered.config, clustered.sketched.sketches, clustered.context
    ledger = frozenset[str]() if lineage.lineage is None else lineage.lineage.ledger
    return UnitColumns(
        sketches=sketches.folder,
        verdicts=clustered.deduplicated.folder,
        assignments=clustered.folder,
        classes=clustered.classes_folder,
        roles=[source.role for source in config.sources],
        ledger=frozenset(n for n, source in enumerate(config.sources) if source.name in ledger),
        domains=domains,
    )


def _rotation(context: Context, done: Artifact) -> Rotation:
    lineage = context.lineage
    generations = 0 if lineage is None else len(lineage.before.generations)
    return Rotation(done.path(LAST_WRITTEN), generations)


def _lineage(context: Context) -> RunLineage:
    assert context.lineage is not None
    return context.lineage


def _ngrams(done: Artifact, source: str) -> str:
    return done.path("sources", f"{source}.ngrams")


def _tables(path: str) -> Tables:
    """Return n-gram counts; none where no document was counted."""
    if not files.exists(path):
        return Tables.empty(DISTANCE_BUCKETS)
    return files.read_as(path, Tables.from_bytes)


def _amount(sums: NDArray[np.int64]) -> Amount:
    return Amount(documents=int(sums[0]), tokens=int(sums[1]))
