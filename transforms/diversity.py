"""What a report says of a set of documents, as accumulators that merge exactly.

A set is a stage's documents of one role, a shard's, a domain's, or those that the gates look at.
Counts and moments are integers, samples are those with the smallest hashes: however a set is cut
into units, lanes and shards, what comes out is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.documents import Unit
from transforms import files
from transforms.aligned import load_unit
from transforms.measures import ClusterCounts
from transforms.progress import count
from transforms.reference import Thresholds
from transforms.sample import Sample, sample_key
from transforms.shards import shard_of
from transforms.sketch import fixed_matrix
from transforms.units import unit_file
from transforms.vendi import DIMS, moments

_OCTAVE = 8  # bins of a length's histogram
_EDGES = np.ceil(2 ** (np.arange(1, 64 * _OCTAVE // 2) / _OCTAVE)).astype(np.int64)

Cells = Mapping[str, NDArray[Any]]


@dataclass
class Diversity:
    """A set of documents.

    Attributes:
        counts: documents and tokens by cluster and class.
        moments: int64[64, 64], sum of x xᵀ over the unit embeddings.
        lengths: int64[bins], documents by length.
        sample: what is looked at word by word, and compared with as much human text.
    """

    counts: ClusterCounts
    moments: NDArray[np.int64]
    lengths: NDArray[np.int64]
    sample: Sample

    @classmethod
    def empty(cls, clusters: int, audit_clusters: int) -> Diversity:
        return cls(
            ClusterCounts.empty(clusters, audit_clusters),
            np.zeros((DIMS, DIMS), np.int64),
            np.zeros(len(_EDGES) + 1, np.int64),
            Sample.empty(),
        )

    def add(
        self,
        cells: Cells,
        sketch: pa.Table,
        key: NDArray[np.uint64],
        limit: int,
        copies: int = 0,
        near_duplicates: int = 0,
    ) -> None:
        """Adds documents of one unit.

        Args:
            cells: `row` int64[n], rows in `sketch`, ascending, and `cluster`, `audit_cluster` and
                `class`, int[n].
            sketch: the unit's, with the columns `tokens`, `embedding` and `words`.
            key: uint64[n], from `sample_key`.
            limit: the set's largest key that its sample holds.
            copies: how many of the documents are further copies.
            near_duplicates: how many of them repeat another document.
        """
        row = cells["row"]
        tokens = sketch["tokens"].to_numpy()[row]
        self.counts.add(
            cells["cluster"],
            tokens,
            cells["class"],
            cells["audit_cluster"],
            copies,
            near_duplicates,
        )
        self.moments += moments(fixed_matrix(sketch["embedding"], np.int8)[row])
        bins = np.searchsorted(_EDGES, tokens, side="right")
        self.lengths += np.bincount(bins, minlength=len(self.lengths))
        near = np.flatnonzero(key <= np.uint64(limit))
        chosen = {name: column[near] for name, column in cells.items()}
        self.sample = self.sample.merge(Sample.of(key[near], chosen, sketch))

    def merge(self, other: Diversity) -> Diversity:
        """Both sets, as a new object."""
        return Diversity(
            self.counts.merge(other.counts),
            self.moments + other.moments,
            self.lengths + other.lengths,
            self.sample.merge(other.sample),
        )

    def length_quantile(self, share: float) -> int:
        """A length that so many of the documents don't reach, to within a tenth."""
        total = np.cumsum(self.lengths)
        place = int(np.searchsorted(total, share * total[-1], side="right"))
        return int(_EDGES[place - 1]) if place else 0

    def to_bytes(self) -> bytes:
        return files.pack_arrays(
            {
                "documents": self.counts.documents,
                "tokens": self.counts.tokens,
                "classes": self.counts.classes,
                "audit": self.counts.audit,
                "further": np.array([self.counts.copies, self.counts.near_duplicates]),
                "moments": self.moments,
                "lengths": self.lengths,
                "sample": np.frombuffer(self.sample.to_bytes(), np.uint8),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Diversity:
        """What `to_bytes` made."""
        arrays = files.unpack_arrays(data)
        copies, near_duplicates = arrays["further"].tolist()
        counts = ClusterCounts(
            arrays["documents"],
            arrays["tokens"],
            arrays["classes"],
            arrays["audit"],
            copies,
            near_duplicates,
        )
        sample = Sample.from_bytes(arrays["sample"].tobytes())
        return cls(counts, arrays["moments"], arrays["lengths"], sample)


def merged(parts: Iterable[Diversity], clusters: int, audit_clusters: int) -> Diversity:
    """All of some sets together; an empty one where there is none."""
    return reduce(Diversity.merge, parts, Diversity.empty(clusters, audit_clusters))


@dataclass(frozen=True)
class Grouping:
    """Which sets of documents are measured.

    Attributes:
        roles: of each source, None for one that is not measured.
        folder: of row-aligned columns: `kept` bool, whether deduplication kept the document;
            `copies` int32, how often it stands in a shard; `domain` int16, its number, -1 for
            none that is measured; `judged` bool, whether the gates look at it; and, where no hash
            deals copies out, `shard` int64, the number of its shard.
        dealt: whether a hash deals copies out.
        shards, seed: how many there are, and the run's seed, for the hash.
        apart: whether not all documents are judged, so that those that are make a set.
        together: whether a hash deals documents out, each with all of its copies.
    """

    roles: Sequence[str | None]
    folder: str
    dealt: bool
    shards: int
    seed: int
    apart: bool
    together: bool = False

    def sets(
        self, unit: Unit, hi: NDArray[np.uint64], lo: NDArray[np.uint64]
    ) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], int, int]]:
        """The sets that a unit's documents belong to.

        Args:
            unit: of the input.
            hi, lo: uint64[n], fingerprints of its documents.

        Yields:
            Name of a set, rows int64[m] (ascending), which appearance each is int64[m] (from 1),
            how many are further copies, and how many repeat another document.
        """
        role = self.roles[unit.source]
        if role is None:
            return
        kept, copies, domain, judged = load_unit(
            self.folder, unit.index, ["kept", "copies", "domain", "judged"]
        )
        every = np.arange(len(kept))
        yield f"read/{role}", every, np.ones_like(every), 0, int((~kept).sum())
        rows = np.flatnonzero(kept)
        yield f"deduplicate/{role}", rows, np.ones_like(rows), 0, 0
        rows = np.repeat(every, copies)
        copy = np.arange(len(rows)) - (np.cumsum(copies) - copies)[rows] + 1
        if not self.dealt:
            (shard,) = load_unit(self.folder, unit.index, ["shard"])
            shard = shard[rows]
        else:
            dealt = np.ones_like(copy) if self.together else copy
            shard = shard_of(hi[rows], lo[rows], dealt, self.seed, self.shards)
        numbers = {
            "shard/{}/" + role: shard,
            "domain/{}": domain[rows].astype(np.int64),
            "judged": judged[rows].astype(np.int64) - 1 if self.apart else np.full(len(rows), -1),
        }
        for name, of in numbers.items():
            for number in np.unique(of[of >= 0]):
                own = of == number
                further = int((copy[own] > 1).sum())
                yield name.format(number), rows[own], copy[own], further, further


@dataclass
class MeasureDiversity(beam.PTransform):
    """Measures sets of documents, each into a file of its own.

    Elements in: lists of `Unit`; elements out: names of the sets.

    Args:
        sketches: folder of the sketches.
        assignments: folder of the row-aligned cells.
        thresholds: of the classes.
        clusters: sizes of the two codebooks.
        grouping: which sets there are.
        limits: file of the largest key that each set's sample holds, JSON by name.
        folder: where the sets' files go.
    """

    sketches: str
    assignments: str
    thresholds: Thresholds
    clusters: tuple[int, int]
    grouping: Grouping
    limits: str
    folder: str

    def expand(self, lanes: Any) -> Any:
        return (
            lanes
            | beam.ParDo(_MeasureLane(self))
            | beam.GroupByKey()
            | beam.ParDo(_SaveSet(self.folder, self.clusters))
        )


class _MeasureLane(beam.DoFn):
    def __init__(self, work: MeasureDiversity) -> None:
        self.work = work

    def setup(self) -> None:
        self.limits: dict[str, int] = files.read_json(self.work.limits)

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        sets: dict[str, Diversity] = {}
        for unit in lane:
            self._add(unit, sets)
        for name, found in sets.items():
            yield name, found.to_bytes()

    def _add(self, unit: Unit, sets: dict[str, Diversity]) -> None:
        work = self.work
        columns = ["fingerprint_hi", "fingerprint_lo", "tokens", "embedding", "surface", "words"]
        sketch = files.read_table(unit_file(work.sketches, unit.index, "parquet"), columns)
        sketch = sketch.combine_chunks()
        hi, lo = (sketch[name].to_numpy() for name in columns[:2])
        cluster, dot, density, audit = load_unit(
            work.assignments, unit.index, ["cluster", "dot", "density", "audit_cluster"]
        )
        surface = fixed_matrix(sketch["surface"], np.uint32)
        kind = work.thresholds.classify(dot, density, surface)
        for name, rows, copy, copies, near in work.grouping.sets(unit, hi, lo):
            if name not in sets:
                sets[name] = Diversity.empty(*work.clusters)
            cells = {
                "row": rows,
                "cluster": cluster[rows],
                "audit_cluster": audit[rows],
                "class": kind[rows],
            }
            key = sample_key(hi[rows], lo[rows], copy)
            sets[name].add(cells, sketch, key, self.limits[name], copies, near)
        count("documents", len(hi))


class _SaveSet(beam.DoFn):
    def __init__(self, folder: str, clusters: tuple[int, int]) -> None:
        self.folder, self.clusters = folder, clusters

    def process(self, item: tuple[str, Iterable[bytes]]) -> Iterator[str]:
        name, parts = item
        total = merged(map(Diversity.from_bytes, parts), *self.clusters)
        files.write_bytes(set_file(self.folder, name), total.to_bytes())
        yield name


def set_file(folder: str, name: str) -> str:
    """Where a set's accumulators stand."""
    return files.join(folder, name.replace("/", "-") + ".npz")
