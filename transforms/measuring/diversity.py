"""Accumulators of sets of documents that merge exactly.

Counts and moments are integers, and samples have the smallest hashes. So the result is the same for
every division into units, lanes and shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.estimators.vendi import DIMS, moments
from outcross.transforms.reference.sample import DOCUMENTS, Sample
from outcross.transforms.sketches.store import fixed_matrix, word_counts

_OCTAVE = 8  # bins of the length histogram for a factor of two
_EDGES = np.ceil(2 ** (np.arange(1, 64 * _OCTAVE // 2) / _OCTAVE)).astype(np.int64)

Cells = Mapping[str, NDArray[Any]]


@dataclass
class Diversity:
    """Accumulators of one set of documents.

    Attributes:
        counts: documents and tokens by cluster and document class.
        moments: int64[64, 64], sum of x xᵀ over the unit embeddings.
        lengths: int64[bins], documents by their words.
        words: words of all documents.
        sample: documents that are measured word by word and compared with human text.
    """

    counts: ClusterCounts
    moments: NDArray[np.int64]
    lengths: NDArray[np.int64]
    sample: Sample
    words: int = 0

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
        copies: int = 0,
        near_duplicates: int = 0,
    ) -> None:
        """Add documents of one unit.

        Args:
            cells: `row` int64[n], rows in `sketch`, ascending, and `cluster`, `audit_cluster` and
                `class`, int[n].
            sketch: sketch of the unit, with the columns `tokens`, `embedding` and `words`.
            key: uint64[n], from `sample_key`.
            copies: number of documents that are further copies.
            near_duplicates: number of documents that repeat another document.
        """
        row = cells["row"]
        tokens = sketch["tokens"].to_numpy()[row]
        self._count(cells, tokens, word_counts(sketch)[row], copies, near_duplicates)
        self.moments += moments(fixed_matrix(sketch["embedding"], np.int8)[row])
        if len(self.sample) == DOCUMENTS:  # then larger keys are no longer of the sample
            small = np.flatnonzero(key <= self.sample.column("key")[-1])
            key, cells = key[small], {name: column[small] for name, column in cells.items()}
        self.sample = self.sample.merge(Sample.of(key, dict(cells), sketch))

    def add_rows(
        self,
        rows: Sample,
        tokens: NDArray[np.int64],
        copies: int = 0,
        near_duplicates: int = 0,
    ) -> None:
        """Add documents in the form of a sample that holds all of them.

        Args:
            rows: the n documents, with the words of at least those that enter the set's sample.
            tokens: int64[n], their tokens.
            copies: number of documents that are further copies.
            near_duplicates: number of documents that repeat another document.
        """
        names = ("cluster", "audit_cluster", "class")
        cells = {name: rows.column(name) for name in names}
        self._count(cells, tokens, rows.column("tokens"), copies, near_duplicates)
        self.moments += moments(rows.embeddings)
        self.sample = self.sample.merge(replace(rows, documents=DOCUMENTS))

    def _count(
        self,
        cells: Cells,
        tokens: NDArray[np.int64],
        words: NDArray[np.int64],
        copies: int,
        near_duplicates: int,
    ) -> None:
        cluster, second = cells["cluster"], cells["audit_cluster"]
        self.counts.add(cluster, tokens, cells["class"], second, copies, near_duplicates)
        bins = np.searchsorted(_EDGES, words, side="right")
        self.lengths += np.bincount(bins, minlength=len(self.lengths))
        self.words += int(words.sum())

    def merge(self, other: Diversity) -> Diversity:
        """Join two sets into a new one."""
        return Diversity(
            self.counts.merge(other.counts),
            self.moments + other.moments,
            self.lengths + other.lengths,
            self.sample.merge(other.sample),
            self.words + other.words,
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
                "words": np.array(self.words),
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
        words = int(arrays.get("words", arrays["tokens"].sum()))
        return cls(counts, arrays["moments"], arrays["lengths"], sample, words)


def merged(parts: Iterable[Diversity], clusters: int, second_clusters: int) -> Diversity:
    """Join any number of sets, for codebooks of these sizes."""
    return reduce(Diversity.merge, parts, Diversity.empty(clusters, second_clusters))
