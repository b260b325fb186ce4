"""Counts of documents by class: removals of each class, and texts with a strange surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.estimators.richness import CLASSES
from outcross.transforms.text.surface import SURFACE

STAGES = 5
"""Number of verdicts of deduplication: kept, and the stages that remove."""
_NONE = np.uint64((1 << 64) - 1)


@dataclass
class ClassCounts:
    """Counts of documents by class; they merge exactly.

    Attributes:
        stages: int64[sources, classes, STAGES], documents by source, class and verdict.
        synthetic: int64[2], kept synthetic documents, and those that are off-support by their
            surface alone.
        outside: int64[measures], the latter by the measure that is outside of its band.
        example: uint64[measures, 4], of each measure the document with the smallest fingerprint:
            upper and lower half, unit and row in it.
    """

    stages: NDArray[np.int64]
    synthetic: NDArray[np.int64]
    outside: NDArray[np.int64]
    example: NDArray[np.uint64]

    @classmethod
    def empty(cls, sources: int) -> ClassCounts:
        """Return counts of no documents."""
        return cls(
            np.zeros((sources, len(CLASSES), STAGES), np.int64),
            np.zeros(2, np.int64),
            np.zeros(len(SURFACE), np.int64),
            np.full((len(SURFACE), 4), _NONE),
        )

    def add_verdicts(
        self, source: int, document_class: NDArray[np.int8], stage: NDArray[np.int8]
    ) -> None:
        """Add the documents of a unit.

        Args:
            source: number of the unit's source.
            document_class: int8[n], class of each document.
            stage: int8[n], stage of deduplication that removed each document, 0 for none.
        """
        cell = document_class.astype(np.int64) * STAGES + stage
        counts = np.bincount(cell, minlength=len(CLASSES) * STAGES)
        self.stages[source] += counts.reshape(len(CLASSES), STAGES)

    def add_surfaces(
        self,
        outside: NDArray[np.bool_],
        hi: NDArray[np.uint64],
        lo: NDArray[np.uint64],
        unit: int,
        rows: NDArray[np.int64],
    ) -> None:
        """Add kept synthetic documents of a unit.

        Args:
            outside: bool[n, measures], measures outside of their band, in documents that only
                their surface makes off-support.
            hi: uint64[n], upper halves of the fingerprints.
            lo: uint64[n], lower halves of the fingerprints.
            unit: number of the unit.
            rows: int64[n], rows of the documents in the unit.
        """
        self.synthetic += [len(rows), int(outside.any(axis=1).sum())]
        self.outside += outside.sum(axis=0)
        for m in np.flatnonzero(outside.any(axis=0)).tolist():
            places = np.flatnonzero(outside[:, m])
            first = places[np.lexsort((rows[places], lo[places], hi[places]))[0]]
            self._take(m, (hi[first], lo[first], np.uint64(unit), np.uint64(rows[first])))

    def _take(self, measure: int, example: Sequence[np.uint64]) -> None:
        """Replace an example by one with a smaller fingerprint."""
        if tuple(map(int, example)) < tuple(map(int, self.example[measure])):
            self.example[measure] = example

    def merge(self, other: ClassCounts) -> None:
        """Add other counts to these."""
        self.stages += other.stages
        self.synthetic += other.synthetic
        self.outside += other.outside
        for m, example in enumerate(other.example):
            self._take(m, example)

    def to_bytes(self) -> bytes:
        """Pack the counts."""
        return files.pack_arrays(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> ClassCounts:
        """Unpack counts that `to_bytes` packed."""
        return cls(**files.unpack_arrays(data))

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {name: array.tolist() for name, array in asdict(self).items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ClassCounts:
        """Read the result of `to_json`."""
        example = np.array(value["example"], np.uint64).reshape(-1, 4)
        stages, synthetic, outside = (
            np.array(value[name], np.int64) for name in ("stages", "synthetic", "outside")
        )
        # Work of an earlier version has no paraphrases, the last of the stages.
        stages = np.pad(stages, [(0, 0), (0, 0), (0, STAGES - stages.shape[2])])
        return cls(stages, synthetic, outside, example)
