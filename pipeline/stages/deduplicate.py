"""Stage `deduplicate`: who repeats whom, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.earlier import Index, ReferencePool, earlier_runs
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.write import Output
from outcross.schemas.config import Config, band_threshold
from outcross.schemas.deduplication import Overlap, SourceOverlap
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.bands import partition_bits
from outcross.transforms.dedup.contain import ContainIndex, build_index
from outcross.transforms.dedup.decide import (
    CONTAINED,
    EXACT,
    NEAR,
    STAGES,
    Comparison,
    Containment,
    Settings,
    Verdicts,
    decide,
)
from outcross.transforms.dedup.find_contained import FindContained
from outcross.transforms.dedup.group_bands import GroupBands
from outcross.transforms.dedup.rules import Party
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import file_names
from outcross.transforms.sketches.aligned import load_aligned, load_unit, save_aligned
from outcross.transforms.sketches.identity import ids_of, repeated_ids
from outcross.transforms.sketches.joined import JoinedSketches
from outcross.transforms.text.minhash import lsh_parameters
from outcross.transforms.writing.layouts import RemovedLayout, removals
from outcross.transforms.writing.shards import count_shards, row_group


@dataclass
class Deduplicated:
    """After `deduplicate`: who is kept.

    Attributes:
        verdicts: of this run's documents; a partner beyond them is of an earlier run.
        removed_shards: how many shards removed/ has.
        found: what repeats evaluation sets and earlier runs.
        bands, rows: of the LSH.
    """

    artifact: Artifact
    verdicts: Verdicts
    removed_shards: int
    found: list[Overlap]
    bands: int
    rows: int

    @property
    def folder(self) -> str:
        """Of the row-aligned verdicts."""
        return self.artifact.path("verdicts")


def deduplicate(context: Context, sketched: Sketched, beside: Sequence[Index] = ()) -> Deduplicated:
    """Settles who repeats whom, and what removed/ will say of it.

    Args:
        context, sketched: of the run.
        beside: further texts whose repeats go, beside those of earlier runs.
    """
    config, sketches = context.config, sketched.sketches
    earlier = [*earlier_runs(config), *beside]
    bands, rows = lsh_parameters(band_threshold(config), config.num_perm)
    banded = artifact(
        config.out,
        "bands",
        sketch=sketched.artifact.key,
        sources=[[s.name, s.role, s.priority, s.removed_by] for s in config.sources],
        against=[run.identity for run in earlier],
        containment=[config.containment, config.containment_ngram],
        by_prompt=config.max_same_answers is not None,
        bands=[bands, rows],
    )
    done = artifact(
        config.out,
        "deduplicate",
        bands=banded.key,
        files=list(file_names(sketches.units).values()),  # they stand in ids
        threshold=config.near_threshold,
        verify=config.verify,
        boilerplate=config.boilerplate,
        max_same_answers=config.max_same_answers,
        shard_mb=config.shard_mb,
        seed=config.seed,
    )
    folder = done.subfolder("verdicts")
    if done.finished:
        context.progress.skipped("deduplicate")
    else:
        with context.progress.stage("deduplicate", documents=len(sketches)):
            work = _Deduplication(context, sketched, earlier, banded)
            verdicts = work.verdicts(bands, rows)
            n = len(sketches)
            columns: dict[str, NDArray[Any]] = {
                "partner": verdicts.partner[:n],
                "stage": verdicts.stage[:n],
                "similarity": verdicts.similarity[:n],
                "open": verdicts.open[:n],
                "rank": work.comparison.order.position[:n],
                "repeated_id": work.repeated,
            }
            save_aligned(folder, sketches, columns)
            shards = work.save_removals(done, verdicts)
            found = [line.model_dump() for line in work.found(verdicts)]
        done.finish({"counts": verdicts.counts, "removed_shards": shards, "found": found})
    partner, stage, similarity, still_open, repeated = load_aligned(
        folder, sketches, ["partner", "stage", "similarity", "open", "repeated_id"]
    )
    if repeated.any():
        context.warn(
            f"{int(repeated.sum()):,} documents have an id that another one of their source has "
            "too; their place in the file is added to it"
        )
    stats = done.stats()
    return Deduplicated(
        done,
        Verdicts(partner, stage, similarity, still_open, stats["counts"]),
        stats["removed_shards"],
        [Overlap(**line) for line in stats["found"]],
        bands,
        rows,
    )


class _Deduplication:
    """What is at hand while the stage works.

    Args:
        context, sketched: of the run.
        earlier: texts whose repeats go.
        banded: artifact of what every threshold shares.
    """

    def __init__(
        self, context: Context, sketched: Sketched, earlier: list[Index], banded: Artifact
    ) -> None:
        self.context, self.sketched, self.earlier = context, sketched, earlier
        self.config, self.banded = context.config, banded
        own = self.config.sources
        self.parties = [Party(source) for source in own]
        self.parties += [party for run in earlier for party in run.parties]
        self.sketches = JoinedSketches(
            [(sketched.sketches, len(own)), *((run.sketches, len(run.sources)) for run in earlier)]
        )
        everything = np.ones(len(sketched.sketches), bool)
        part = np.concatenate([everything, *(run.written() for run in earlier)])
        by_prompt = self.config.max_same_answers is not None
        self.comparison = Comparison.of(self.sketches, self.parties, by_prompt, part)
        self.repeated = repeated_ids(sketched.sketches, own)

    def verdicts(self, bands: int, rows: int) -> Verdicts:
        """Who repeats whom, over this run's and the earlier ones' documents."""
        config, folder = self.config, self.banded.subfolder("groups")
        if not self.banded.finished:
            self._find_contained()
            self._group(bands, rows, folder)
            self.banded.finish()
        settings = Settings(
            config.near_threshold,
            config.verify == "exact",
            config.ngram,
            config.num_perm,
            config.boilerplate,
            config.max_same_answers,
        )
        groups = files.list_files(files.join(folder, "part-*.npy"))
        verified = self.banded.path(f"verified-{config.verify}-{config.boilerplate or 0}.npy")
        return decide(self.comparison, self.contained, groups, settings, verified)

    @cached_property
    def items(self) -> NDArray[np.int64]:
        """The documents of evaluation sets that containment looks for, in the total order."""
        if self.config.containment == 0:
            return np.zeros(0, np.int64)
        excluded = [p.source.role == "exclude" and p.run is None for p in self.parties]
        comparison = self.comparison
        chosen = comparison.is_first & comparison.rules.of_parties(excluded)
        return np.asarray(comparison.order.document[np.sort(comparison.order.position[chosen])])

    def _find_contained(self) -> None:
        if len(self.items) == 0:
            return
        offsets, words = self.sketches.words(self.items)
        index = build_index(offsets, words, self.config.containment_ngram)
        path = self.banded.path("items.npz")
        index.save(path)
        units = self.sketched.units(*WRITABLE)
        folder = self.banded.subfolder("contained")
        least = self.config.containment
        self.context.over_units(
            units,
            lambda p: p | FindContained(self.sketched.sketches.folder, path, least, folder),
        )

    @cached_property
    def index(self) -> ContainIndex | None:
        """Of the evaluation texts, if there are any."""
        path = self.banded.path("items.npz")
        return ContainIndex.load(path) if files.exists(path) else None

    @cached_property
    def contained(self) -> Containment:
        """Which of this run's documents hold an evaluation text."""
        contained = Containment.nothing(len(self.sketches))
        if self.index is not None:
            folder = self.banded.path("contained")
            for unit in self.sketched.units(*WRITABLE):
                at = slice(*self.sketches.offsets[unit.index : unit.index + 2])
                item, share = load_unit(folder, unit.index, ["item", "share"])
                contained.item[at] = np.where(item >= 0, self.items[item], -1)
                contained.share[at] = share
        return contained

    def _group(self, bands: int, rows: int, groups: str) -> None:
        sketches, rank = self.sketches, self.comparison.order.position
        compared = self.comparison.is_first & (self.contained.item < 0)
        ranks = self.banded.subfolder("ranks")
        for unit, part in sketches.per_unit(np.where(compared, rank, -1)):
            files.write_array(unit_file(ranks, unit.index, "npy"), part)
        units = [unit for unit in sketches.units if sketches.reports[unit.index].rows]
        bits = partition_bits(int(compared.sum()), bands)
        with self.context.spill() as spill:
            self.context.over_units(
                units,
                lambda p: p | GroupBands(sketches.paths, ranks, groups, bands, rows, bits, spill),
            )

    def found(self, verdicts: Verdicts) -> list[Overlap]:
        """What repeats each evaluation set and each source of an earlier run."""
        party, lines = self.comparison.rules.party, []
        removed = np.flatnonzero(~verdicts.kept)
        partner = verdicts.partner[removed]
        for number, fixed in enumerate(self.parties):
            if not fixed.fixed:
                continue
            own = party[partner] == number
            counts = np.zeros((len(self.config.sources), 4), np.int64)
            np.add.at(counts, (party[removed[own]], verdicts.stage[removed[own]]), 1)
            unsought = 0
            if self.index is not None:
                unsought = int((party[self.items][self.index.unsought] == number).sum())
            lines.append(
                Overlap(
                    name=fixed.name,
                    kind=self._kind(fixed),
                    documents=int((self.comparison.participates & (party == number)).sum()),
                    found=len(np.unique(partner[own])),
                    whole_only=unsought,
                    removed=[
                        SourceOverlap(
                            source=source.name,
                            exact=int(stages[EXACT]),
                            near=int(stages[NEAR]),
                            contained=int(stages[CONTAINED]),
                        )
                        for source, stages in zip(self.config.sources, counts, strict=True)
                        if stages.any()
                    ],
                )
            )
        return lines

    @staticmethod
    def _kind(party: Party) -> Literal["exclude", "earlier run", "reference"]:
        if party.run is None:
            return "exclude"
        return "reference" if party.run == ReferencePool.name else "earlier run"

    def _ids(self, documents: NDArray[np.int64]) -> pa.Array:
        """Ids of ascending documents, of earlier runs too."""
        own = len(self.sketched.sketches)
        cuts = np.cumsum([own, *(len(run.sketches) for run in self.earlier)])
        parts = np.split(documents, np.searchsorted(documents, cuts[:-1]))
        ids = ids_of(self.sketched.sketches, self.config.sources, parts[0], self.repeated)
        chunks = ids.chunks
        for run, part, start in zip(self.earlier, parts[1:], cuts, strict=False):
            chunks += run.ids(part - start).chunks
        return pa.chunked_array(chunks, type=pa.string()).combine_chunks()

    def save_removals(self, done: Artifact, verdicts: Verdicts) -> int:
        """For each unit, what is written of its removed rows; returns the number of shards."""
        config, sketches = self.config, self.sketched.sketches
        folder = done.subfolder("removals")
        removed = np.flatnonzero(~verdicts.kept)
        size = sketches.numbers("size")
        shards = count_shards(int(size[removed].sum()), config.shard_mb, len(removed))
        if len(removed) == 0:
            return shards
        named = np.unique(np.concatenate([removed, verdicts.partner[removed]]))
        ids = self._ids(named)
        party = self.comparison.rules.party
        names = np.array([one.name for one in self.parties])
        rules = rule_names(config)
        hi, lo = self.sketched.fingerprints
        rank = self.comparison.order.position
        # With the rank, so that many repeats of one text don't all meet in one shard.
        mixed = lo[removed] + rank[removed].astype(np.uint64)
        hashed = seeded_hash(hi[removed], mixed, config.seed, "removed")
        for unit, rows, places in sketches.rows_of(removed):
            here = removed[places]
            partner = verdicts.partner[here]
            columns = removals(
                ids=ids.take(pa.array(np.searchsorted(named, here))),
                source=config.sources[sketches.units[unit].source].name,
                kept_ids=ids.take(pa.array(np.searchsorted(named, partner))),
                kept_sources=pa.array(names[party[partner]]),
                stage=[STAGES[int(stage)] for stage in verdicts.stage[here]],
                rule=[rules[int(stage)] for stage in verdicts.stage[here]],
                similarity=verdicts.similarity[here],
            )
            columns |= {
                "row": rows,
                "shard": (hashed[places] % np.uint64(shards)).astype(np.int64),
                "key": hashed[places],
                "rank": rank[here],
            }
            files.write_table(unit_file(folder, unit, "parquet"), pa.table(columns))
        return shards


def rule_names(config: Config) -> dict[int, str]:
    """Return what removed/ says of why a document went, by stage."""
    measure = "jaccard" if config.verify == "exact" else "minhash estimate"
    near = f"similar {config.ngram}-word sequences, by {measure}"
    if config.boilerplate is not None:
        near += ", also without boilerplate"
    return {
        EXACT: "same text but for line ends and trailing white space",
        NEAR: f"{near}; numbers, signs and negations agree (above 200 words in that proportion)",
        CONTAINED: f"holds {config.containment_ngram}-word sequences of an evaluation text",
    }


def removed_output(sketched: Sketched, done: Deduplicated) -> Output:
    """What removed/ is made of."""
    layout = RemovedLayout(sketched.removed_union, done.artifact.path("removals"))
    rows = row_group(sketched.sketches.numbers("size")[~done.verdicts.kept])
    return Output("removed", layout, done.removed_shards, rows, done.artifact)
