"""Estimate how many repeats the bands find, on planted copies of some of the run's texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.sources import WRITABLE, Source
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.dedup.planted import SIMILARITIES, Bands, count_together
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.passages import texts_of

SAMPLE = 500
"""Number of texts, on average, that copies are planted of."""
RECALL = "recall"
"""Name of the sum that `CheckRecall` makes."""

_COLUMNS = ["fingerprint_hi", "fingerprint_lo"]


@dataclass
class CheckRecall:
    """Plant copies of some kept documents, as work of a sum over units.

    A document is in the sample if its seeded hash is small enough, so no order matters.

    Args:
        sources: sources of the configuration.
        sketches: folder of the sketches.
        verdicts: folder of the row-aligned verdicts.
        kept: number of kept documents of the run.
        bands: numbers that decide what shares a band.
        seed: seed of the run.
    """

    sources: Sequence[Source]
    sketches: str
    verdicts: str
    kept: int
    bands: Bands
    seed: int

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> NDArray[np.int64]:
        """Return empty counts."""
        return np.zeros((len(SIMILARITIES), 3), np.int64)

    def add(self, unit: Unit, sums: NDArray[np.int64]) -> None:
        """Plant copies of a unit's documents in the sample, and count them."""
        source = self.sources[unit.source]
        if source.role not in WRITABLE:
            return
        path = unit_file(self.sketches, unit.index, "parquet")
        hi, lo = (column.to_numpy() for column in files.read_table(path, _COLUMNS).columns)
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        highest = min(2**64 - 1, SAMPLE * 2**64 // max(self.kept, 1))
        chosen = seeded_hash(hi, lo, self.seed, "recall") <= np.uint64(highest)
        rows = np.flatnonzero(chosen & (partner < 0))
        texts = texts_of(self.sketches, unit, source, rows, ("text",))["text"]
        sums += count_together(texts, self.bands, self.seed)

    def pack(self, sums: NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
        """Yield the counts of a bundle."""
        yield RECALL, sums.tobytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add the counts of all bundles."""
        return np.sum([np.frombuffer(part, np.int64) for part in parts], axis=0).tobytes()


def read_recall(folder: str) -> NDArray[np.int64]:
    """Return the counts from the folder of the sums; see `count_together` for the columns."""
    return files.read_as(
        files.join(folder, RECALL),
        lambda data: np.frombuffer(data, np.int64).reshape(len(SIMILARITIES), -1),
    )
