"""Work that counts the n-grams of a sample of the documents that are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.gap import Counts
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import (
    Tables,
    count_ngrams,
    merge_parts,
    pack_parts,
    unpack_parts,
)

NGRAMS = "ngrams"
"""File of the counts."""


@dataclass
class CountWritten:
    """Work of a sum over units: n-grams of a sample of the written documents, copies included.

    Args:
        sketches: folder of the sketches.
        selection: folder of the column `copies`.
        share: share of the documents in the sample, above 0 to 1.
        seed: seed of the run.
    """

    sketches: str
    selection: str
    share: float
    seed: int

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> Tables:
        """Return empty counts."""
        return Tables.empty(DISTANCE_BUCKETS)

    def add(self, unit: Unit, sums: Tables) -> None:
        """Count the documents of a unit."""
        (copies,) = load_unit(self.selection, unit.index, ["copies"])
        hi, lo = load_unit(self.sketches, unit.index, ["fingerprint_hi", "fingerprint_lo"])
        last = np.uint64(int(self.share * 2.0**64) - 1)
        rows = np.flatnonzero((copies > 0) & (seeded_hash(hi, lo, self.seed, "written") <= last))
        if len(rows):
            table = files.read_table(unit_file(self.sketches, unit.index, "parquet"), NGRAM_COLUMNS)
            runs = ngram_runs(table.take(pa.array(rows)))
            count_ngrams(*runs, copies[rows], sums.unigrams, sums.bigrams)

    def pack(self, sums: Tables) -> Iterator[tuple[str, bytes]]:
        """Yield the counts."""
        yield NGRAMS, pack_parts(sums, 1)[0]

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up counts."""
        return merge_parts(parts)


def written_counts(folder: str) -> Counts:
    """Read the counts that `CountWritten` has summed up in a folder."""
    tables = files.read_as(files.join(folder, NGRAMS), lambda data: unpack_parts([data]))
    return Counts(tables.unigrams, tables.bigrams)
