"""Stage `deduplicate`: decide which documents repeat others, and describe the removals."""

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
from outcross.pipeline.stages.sketched import Sketched
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
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.text.minhash import lsh_parameters
from outcross.transforms.writing.layouts import removals
from outcross.transforms.writing.shards import count_shards


@dataclass(frozen=True)
class Deduplicated:
    """Kept documents, and what the others repeat; result of `deduplicate`.

    Attributes:
        sketched: result of `sketch`.
        artifact: artifact of the stage.
        verdicts: verdicts on the run's n documents; a partner from n on is of an earlier run.
        repeated: bool[n], documents whose own id isn't unique in their source.
        removed_shards: number of shards of removed/.
        repeats: counts of the repeats of evaluation sets and of earlier runs.
        bands: number of bands.
        rows: rows of a band.
    """

    sketched: Sketched
    artifact: Artifact
    verdicts: Verdicts
    repeated: NDArray[np.bool_]
    removed_shards: int
    repeats: list[Overlap]
    bands: int
    rows: int

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.sketched.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.sketched.config

    @property
    def sketches(self) -> Sketches:
        """Store of the run's sketches."""
        return self.sketched.sketches

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Mask of the kept documents, bool[n]."""
        return self.verdicts.kept

    @property
    def folder(self) -> str:
        """Folder of the row-aligned verdicts."""
        return self.artifact.path("verdicts")

    def ids(self, documents: NDArray[np.int64]) -> list[str]:
        """Return the ids of documents.

        Args:
            documents: int64[m], ascending numbers of documents.
        """
        ids = ids_of(self.sketches, self.config.sources, documents, self.repeated)
        return list(ids.to_pylist())


def deduplicate(sketched: Sketched, indices: Sequence[Index] = ()) -> Deduplicated:
    """Decide which documents repeat others, and describe the removals for removed/.

    Args:
        sketched: result of `sketch`.
        indices: further texts whose repeats are removed, in addition to those of earlier runs.
    """
    context, config, sketches = sketched.context, sketched.config, sketched.sketches
    earlier = [*earlier_runs(config), *indices]
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
        files=list(file_names(sketches.units).values()),  # ids contain them
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
            work = _Deduplication(sketched, earlier, banded)
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
            repeats = [line.model_dump() for line in work.repeats(verdicts)]
        done.finish({"counts": verdicts.counts, "removed_shards": shards, "found": repeats})
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
        sketched,
        done,
        Verdicts(partner, stage, similarity, still_open, stats["counts"]),
        repeated,
        stats["removed_shards"],
        [Overlap(**line) for line in stats["found"]],
        bands,
        rows,
    )


class _Deduplication:
    """Work of the stage, over the documents of the run and of the indices.

    Args:
        sketched: result of `sketch`.
        earlier: indices of texts whose repeats are removed.
        banded: artifact of the bands, which all thresholds share.
    """

    def __init__(self, sketched: Sketched, earlier: list[Index], banded: Artifact) -> None:
        self.sketched, self.earlier = sketched, earlier
        self.config, self.banded = sketched.config, banded
        sources = self.config.sources
        self.parties = [Party(source) for source in sources]
        self.parties += [party for run in earlier for party in run.parties]
        current = sketched.sketches, len(sources)
        self.sketches = JoinedSketches(
            [current, *((run.sketches, len(run.sources)) for run in earlier)]
        )
        everything = np.ones(len(sketched.sketches), bool)
        participates = np.concatenate([everything, *(run.written() for run in earlier)])
        by_prompt = self.config.max_same_answers is not None
        self.comparison = Comparison.of(self.sketches, self.parties, by_prompt, participates)
        self.repeated = repeated_ids(sketched.sketches, sources)

    def verdicts(self, bands: int, rows: int) -> Verdicts:
        """Decide which documents repeat others.

        Args:
            bands: number of bands.
            rows: rows of a band.
        """
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
        """Array int64[m]: evaluation texts that containment looks for, in the total order."""
        if self.config.containment == 0:
            return np.zeros(0, np.int64)
        excluded = [p.source.role == "exclude" and p.run is None for p in self.parties]
        comparison = self.comparison
        chosen = comparison.is_first & comparison.rules.of_parties(excluded)
        return np.asarray(comparison.order.document[np.sort(comparison.order.position[chosen])])

    def _find_contained(self) -> None:
        """Search the documents that may be written for texts of evaluation sets."""
        if len(self.items) == 0:
            return
        offsets, words = self.sketches.words(self.items)
        index = build_index(offsets, words, self.config.containment_ngram)
        path = self.banded.path("items.npz")
        index.save(path)
        units = self.sketched.units(*WRITABLE)
        folder = self.banded.subfolder("contained")
        least = self.config.containment
        work = FindContained(self.sketched.sketches.folder, path, least, folder)
        self.sketched.context.over_units(units, lambda p: p | work)

    @cached_property
    def index(self) -> ContainIndex | None:
        """Index of the evaluation texts, if there are any."""
        path = self.banded.path("items.npz")
        return ContainIndex.load(path) if files.exists(path) else None

    @cached_property
    def contained(self) -> Containment:
        """Evaluation text that each of the run's documents holds, if it holds one."""
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
        """Group the documents with a band in common.

        Args:
            bands: number of bands.
            rows: rows of a band.
            groups: folder of the result.
        """
        sketches, rank = self.sketches, self.comparison.order.position
        compared = self.comparison.is_first & (self.contained.item < 0)
        ranks = self.banded.subfolder("ranks")
        for unit, part in sketches.per_unit(np.where(compared, rank, -1)):
            files.write_array(unit_file(ranks, unit.index, "npy"), part)
        units = [unit for unit in sketches.units if sketches.reports[unit.index].rows]
        bits = partition_bits(int(compared.sum()), bands)
        context = self.sketched.context
        with context.spill() as spill:
            context.over_units(
                units,
                lambda p: p | GroupBands(sketches.paths, ranks, groups, bands, rows, bits, spill),
            )

    def repeats(self, verdicts: Verdicts) -> list[Overlap]:
        """Count the repeats of each evaluation set and of each source of an earlier run."""
        party, lines = self.comparison.rules.party, []
        removed = np.flatnonzero(~verdicts.kept)
        partner = verdicts.partner[removed]
        for number, fixed in enumerate(self.parties):
            if not fixed.fixed:
                continue
            repeating = party[partner] == number
            stages = party[removed[repeating]], verdicts.stage[removed[repeating]]
            counts = np.zeros((len(self.config.sources), 4), np.int64)
            np.add.at(counts, stages, 1)
            unsought = 0
            if self.index is not None:
                unsought = int((party[self.items][self.index.unsought] == number).sum())
            lines.append(
                Overlap(
                    name=fixed.name,
                    kind=_kind(fixed),
                    documents=int((self.comparison.participates & (party == number)).sum()),
                    found=len(np.unique(partner[repeating])),
                    whole_only=unsought,
                    removed=[
                        SourceOverlap(
                            source=source.name,
                            exact=int(often[EXACT]),
                            near=int(often[NEAR]),
                            contained=int(often[CONTAINED]),
                        )
                        for source, often in zip(self.config.sources, counts, strict=True)
                        if often.any()
                    ],
                )
            )
        return lines

    def _ids(self, documents: NDArray[np.int64]) -> pa.Array:
        """Return the ids of documents of the run and of the indices.

        Args:
            documents: int64[m], ascending numbers of documents.
        """
        current = len(self.sketched.sketches)
        cuts = np.cumsum([current, *(len(run.sketches) for run in self.earlier)])
        parts = np.split(documents, np.searchsorted(documents, cuts[:-1]))
        ids = ids_of(self.sketched.sketches, self.config.sources, parts[0], self.repeated)
        chunks = ids.chunks
        for run, part, start in zip(self.earlier, parts[1:], cuts, strict=False):
            chunks += run.ids(part - start).chunks
        return pa.chunked_array(chunks, type=pa.string()).combine_chunks()

    def save_removals(self, done: Artifact, verdicts: Verdicts) -> int:
        """Save the columns of removed/ for each unit's removed rows.

        Args:
            done: artifact of the stage.
            verdicts: verdicts on the documents of the run and of the indices.

        Returns:
            The number of shards.
        """
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
        names = np.array([source.name for source in self.parties])
        rules = _rules(config)
        hi, lo = self.sketched.fingerprints
        rank = self.comparison.order.position
        # With the rank, so that many repeats of one text don't all meet in one shard.
        mixed = lo[removed] + rank[removed].astype(np.uint64)
        hashed = seeded_hash(hi[removed], mixed, config.seed, "removed")
        for unit, rows, places in sketches.rows_of(removed):
            documents = removed[places]
            partner = verdicts.partner[documents]
            columns = removals(
                ids=ids.take(pa.array(np.searchsorted(named, documents))),
                source=config.sources[sketches.units[unit].source].name,
                kept_ids=ids.take(pa.array(np.searchsorted(named, partner))),
                kept_sources=pa.array(names[party[partner]]),
                stage=[STAGES[int(stage)] for stage in verdicts.stage[documents]],
                rule=[rules[int(stage)] for stage in verdicts.stage[documents]],
                similarity=verdicts.similarity[documents],
            )
            columns |= {
                "row": rows,
                "shard": (hashed[places] % np.uint64(shards)).astype(np.int64),
                "key": hashed[places],
                "rank": rank[documents],
            }
            files.write_table(unit_file(folder, unit, "parquet"), pa.table(columns))
        return shards


def _kind(party: Party) -> Literal["exclude", "earlier run", "reference"]:
    if party.run is None:
        return "exclude"
    return "reference" if party.run == ReferencePool.name else "earlier run"


def _rules(config: Config) -> dict[int, str]:
    """Return the reasons for a removal that removed/ gives, by stage."""
    measure = "jaccard" if config.verify == "exact" else "minhash estimate"
    near = f"similar {config.ngram}-word sequences, by {measure}"
    if config.boilerplate is not None:
        near += ", also without boilerplate"
    return {
        EXACT: "same text but for line ends and trailing white space",
        NEAR: f"{near}; numbers, signs and negations agree (above 200 words in that proportion)",
        CONTAINED: f"holds {config.containment_ngram}-word sequences of an evaluation text",
    }
