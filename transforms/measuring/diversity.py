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
                "audit": self.counts.second,
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


def set_file(folder: str, name: str) -> str:
    """Where a set's accumulators stand."""
    return files.join(folder, name.replace("/", "-") + ".npz")
