"""The transform that finds evaluation texts inside the documents of units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.dedup.contain import ContainIndex, find_items
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.store import packed_runs


@dataclass
class FindContained(beam.PTransform):
    """Find the evaluation text that each document holds; write row-aligned files.

    Elements in: lists of `Unit`; elements out: indexes of the units. Units that have their file
    are skipped.

    Args:
        sketches: folder of the sketches.
        index: file of a `ContainIndex`.
        least: least share of an item's n-grams that a document must hold.
        folder: folder of the files, with columns `item` (int64, -1 for none) and `share` (float32).
    """

    sketches: str
    index: str
    least: float
    folder: str

    def expand(self, lanes: Any) -> Any:
        """Look through the units of each lane."""
        return lanes | PerUnit(_FindInUnit(self.sketches, self.index, self.least, self.folder))


@dataclass
class _FindInUnit:
    sketches: str
    index: str
    least: float
    folder: str

    def setup(self) -> None:
        self.texts = ContainIndex.load(self.index)

    def run(self, unit: Unit) -> int:
        path = unit_file(self.folder, unit.index, "parquet")
        if files.exists(path):
            return unit.index
        sketches = unit_file(self.sketches, unit.index, "parquet")
        words = packed_runs(files.read_table(sketches, ["words"]).column(0))
        item, share = find_items(self.texts, *words, self.least)
        files.write_table(path, pa.table({"item": item, "share": share}))
        return unit.index
