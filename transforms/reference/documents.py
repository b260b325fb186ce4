"""Documents of a reference: the kept documents of some sources, split by hash into parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.second_codebook import BUCKETS, count_documents
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import packed_runs

FIT, THRESHOLDS, HELD_OUT = 0, 1, 2


def reference_part(hi: NDArray[np.uint64], lo: NDArray[np.uint64], seed: int) -> NDArray[np.int8]:
    """Split human text by hash: half to fit, a quarter for thresholds, a quarter held out.

    Args:
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves of the fingerprints.
        seed: seed of the run.

    Returns:
        int8[n], FIT, THRESHOLDS or HELD_OUT.
    """
    quarter = seeded_hash(hi, lo, seed, "reference part") >> np.uint64(62)
    return np.array([FIT, FIT, THRESHOLDS, HELD_OUT], np.int8)[quarter.astype(np.int64)]


@dataclass(frozen=True)
class ReferenceDocuments:
    """Documents that a reference is made of, as workers read them.

    Attributes:
        sketches: folder of the sketches.
        verdicts: folder of the row-aligned verdicts.
        sources: numbers of the sources whose kept documents are taken.
        seed: seed of the run.
    """

    sketches: str
    verdicts: str
    sources: frozenset[int]
    seed: int

    def rows(self, unit: Unit) -> NDArray[np.int64]:
        """Return the rows of a unit's documents in the reference, ascending."""
        if unit.source not in self.sources:
            return np.zeros(0, np.int64)
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        return np.flatnonzero(partner < 0)

    def part(self, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.int8]:
        """Return the part of each document: FIT, THRESHOLDS or HELD_OUT.

        Args:
            hi: uint64[n], upper halves of the fingerprints.
            lo: uint64[n], lower halves of the fingerprints.
        """
        return reference_part(hi, lo, self.seed)


PARTS, FREQUENCIES = "parts", "frequencies"
"""Names of the sums that `CountParts` makes."""

_COLUMNS = ["fingerprint_hi", "fingerprint_lo", "words"]


@dataclass
class CountParts:
    """Count the documents of each part, and those of each word, as work of a sum over units.

    Words are counted in the part FIT alone: to the others they are as new as to any corpus.

    Args:
        documents: documents of the reference.
    """

    documents: ReferenceDocuments

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> dict[str, NDArray[np.int64]]:
        """Return no documents of each part, int64[3], and of each word, int64[BUCKETS]."""
        return {PARTS: np.zeros(3, np.int64), FREQUENCIES: np.zeros(BUCKETS, np.int64)}

    def add(self, unit: Unit, sums: dict[str, NDArray[np.int64]]) -> None:
        """Count the documents of a unit."""
        rows = self.documents.rows(unit)
        if len(rows):
            path = unit_file(self.documents.sketches, unit.index, "parquet")
            table = files.read_table(path, _COLUMNS)
            hi, lo = (table[name].to_numpy()[rows] for name in _COLUMNS[:2])
            part = self.documents.part(hi, lo)
            sums[PARTS] += np.bincount(part, minlength=3)
            words = packed_runs(table["words"])
            count_documents(*words, rows[part == FIT], sums[FREQUENCIES])

    def pack(self, sums: dict[str, NDArray[np.int64]]) -> Iterator[tuple[str, bytes]]:
        """Yield the counts of a bundle."""
        for name, counts in sums.items():
            yield name, counts.tobytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add the counts of all bundles."""
        return np.sum([np.frombuffer(part, np.int64) for part in parts], axis=0).tobytes()


def read_parts(folder: str) -> NDArray[np.int64]:
    """Return the number of documents in each part, int64[3], from the folder of the sums."""
    return files.read_as(files.join(folder, PARTS), _integers)


def read_frequencies(folder: str) -> NDArray[np.int64]:
    """Return the documents of FIT with each word, int64[BUCKETS], from the folder of the sums."""
    return files.read_as(files.join(folder, FREQUENCIES), _integers)


def _integers(data: bytes) -> NDArray[np.int64]:
    return np.frombuffer(data, np.int64)
