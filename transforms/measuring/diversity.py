"""Accumulators of sets of documents that merge exactly, and the sets that a run measures.

A set is the documents of one role after a stage, in a shard, in a domain, or before the gates.
Counts and moments are integers, and samples have the smallest hashes. So the result is the same for
every division into units, lanes and shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.estimators.vendi import DIMS, moments
from outcross.transforms.reference.sample import Sample
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.writing.shards import shard_of

_OCTAVE = 8  # bins of the length histogram for a factor of two
_EDGES = np.ceil(2 ** (np.arange(1, 64 * _OCTAVE // 2) / _OCTAVE)).astype(np.int64)

Cells = Mapping[str, NDArray[Any]]


@dataclass
class Diversity:
    """Accumulators of one set of documents.

    Attributes:
        counts: documents and tokens by cluster and document class.
        moments: int64[64, 64], sum of x xᵀ over the unit embeddings.
        lengths: int64[bins], documents by length.
        sample: documents that are measured word by word and compared with human text.
    """

    counts: ClusterCounts
    moments: NDArray[np.int64]
    lengths: NDArray[np.int64]
    sample: Sample

    @classmethod
    def empty(cls, clusters: int, second_clusters: int) -> Diversity:
        """Make a set without documents, for codebooks of these sizes."""
        return cls(
            ClusterCounts.empty(clusters, second_clusters),
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
        """Add documents of one unit.

        Args:
            cells: `row` int64[n], rows in `sketch`, ascending, and `cluster`, `audit_cluster` and
                `class`, int[n].
            sketch: sketch of the unit, with the columns `tokens`, `embedding` and `words`.
            key: uint64[n], from `sample_key`.
            limit: largest key in the sample of the set.
            copies: number of documents that are further copies.
            near_duplicates: number of documents that repeat another document.
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
        small = np.flatnonzero(key <= np.uint64(limit))
        sampled = {name: column[small] for name, column in cells.items()}
        self.sample = self.sample.merge(Sample.of(key[small], sampled, sketch))

    def merge(self, other: Diversity) -> Diversity:
        """Join two sets into a new one."""
        return Diversity(
            self.counts.merge(other.counts),
            self.moments + other.moments,
            self.lengths + other.lengths,
            self.sample.merge(other.sample),
        )

    def length_quantile(self, share: float) -> int:
        """Return the length that a share of the documents doesn't reach, to within a tenth."""
        total = np.cumsum(self.lengths)
        place = int(np.searchsorted(total, share * total[-1], side="right"))
        return int(_EDGES[place - 1]) if place else 0

    def to_bytes(self) -> bytes:
        """Serialise the accumulators."""
        return files.pack_arrays(
            {
                "documents": self.counts.documents,
                "tokens": self.counts.tokens,
                "classes": self.counts.classes,
                "audit": self.counts.second,
                "further": np.array([self.counts.copies, self.counts.near_duplicates]),
                "moments": self.moments,
                "lengths": self.lengths,
                "sample": np.frombuffer(self.sample.to_bytes(), np.uint8),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Diversity:
        """Read the result of `to_bytes`."""
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


def merged(parts: Iterable[Diversity], clusters: int, second_clusters: int) -> Diversity:
    """Join any number of sets, for codebooks of these sizes."""
    return reduce(Diversity.merge, parts, Diversity.empty(clusters, second_clusters))


@dataclass(frozen=True)
class Grouping:
    """The sets of documents that a run measures.

    Attributes:
        roles: role of each source; None for a source that is not measured.
        folder: folder of row-aligned columns: `kept` bool, whether deduplication kept the document;
            `copies` int32, its appearances in shards; `domain` int16, number of its domain, -1
            where that is not measured; `judged` bool, whether the gates judge it; and, without
            `by_hash`, `shard` int64, number of its shard.
        by_hash: whether a hash deals copies to shards.
        shards: number of shards.
        seed: seed of the run, for the hash.
        partly_judged: whether only some documents are judged, so that these make a set.
        copies_together: whether the hash deals all copies of a document to one shard.
    """

    roles: Sequence[str | None]
    folder: str
    by_hash: bool
    shards: int
    seed: int
    partly_judged: bool
    copies_together: bool = False

    def sets(
        self, unit: Unit, hi: NDArray[np.uint64], lo: NDArray[np.uint64]
    ) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], int, int]]:
        """Split a unit's documents into sets.

        Args:
            unit: unit of the input.
            hi: uint64[n], upper halves of its documents' fingerprints.
            lo: uint64[n], lower halves of its documents' fingerprints.

        Yields:
            Name of a set; its rows, int64[m], ascending; the number of each row's appearance,
            int64[m], from 1; the number of further copies; the number of rows that repeat another
            document.
        """
        role = self.roles[unit.source]
        if role is None:
            return
        kept, copies, domain, judged = load_unit(
            self.folder, unit.index, ["kept", "copies", "domain", "judged"]
        )
        rows = np.arange(len(kept))
        yield f"read/{role}", rows, np.ones_like(rows), 0, int((~kept).sum())
        rows = np.flatnonzero(kept)
        yield f"deduplicate/{role}", rows, np.ones_like(rows), 0, 0
        rows = np.repeat(np.arange(len(kept)), copies)
        copy = np.arange(len(rows)) - (np.cumsum(copies) - copies)[rows] + 1
        if not self.by_hash:
            (shard,) = load_unit(self.folder, unit.index, ["shard"])
            shard = shard[rows]
        else:
            hashed_copy = np.ones_like(copy) if self.copies_together else copy
            shard = shard_of(hi[rows], lo[rows], hashed_copy, self.seed, self.shards)
        judged_set = judged[rows].astype(np.int64) - 1  # 0 for judged rows, -1 for the others
        numbers = {
            "shard/{}/" + role: shard,
            "domain/{}": domain[rows].astype(np.int64),
            "judged": judged_set if self.partly_judged else np.full(len(rows), -1),
        }
        for name, number_of_row in numbers.items():
            for number in np.unique(number_of_row[number_of_row >= 0]):
                members = number_of_row == number
                further = int((copy[members] > 1).sum())
                yield name.format(number), rows[members], copy[members], further, further


def set_file(folder: str, name: str) -> str:
    """Return the path of a set's accumulators."""
    return files.join(folder, name.replace("/", "-") + ".npz")
