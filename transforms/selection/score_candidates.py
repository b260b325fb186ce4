"""Transform that counts n-grams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.step import Step
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams


@dataclass
class CountNgrams(beam.PTransform):
    """Count hashed unigrams and bigrams of documents, each document times its copies.

    Elements in: lists of `Unit`; elements out: the path of the file with the tables. The counts
    are integers, so they don't depend on the division of the work.

    Args:
        sketches: folder of the sketches.
        weights: folder of a row-aligned column `copies`; negative where counts are taken away.
        path: file that gets the tables.
        counted: file of tables to add to.
    """

    sketches: str
    weights: str
    path: str
    counted: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Count unit by unit and write the sum."""
        return (
            lanes
            | beam.ParDo(_CountUnits(self.sketches, self.weights))
            | beam.GroupByKey()
            | beam.MapTuple(self._write)
        )

    def _write(self, _: int, packed: Any) -> str:
        before = [] if self.counted is None else [read_tables(self.counted)]
        total = reduce(Tables.merge, map(Tables.from_bytes, packed), *before)
        files.write_bytes(self.path, total.to_bytes())
        return self.path


def read_tables(path: str) -> Tables:
    """Read the tables that `CountNgrams` has written."""
    return files.read_as(path, Tables.from_bytes)


class _CountUnits(Step):
    def __init__(self, sketches: str, weights: str) -> None:
        self.sketches, self.weights = sketches, weights

    def start_bundle(self) -> None:
        self.tables = Tables.empty()

    def process(self, lane: Sequence[Unit]) -> None:
        for unit in lane:
            self._add(unit)

    def _add(self, unit: Unit) -> None:
        (copies,) = load_unit(self.weights, unit.index, ["copies"])
        if not copies.any():
            return
        path = unit_file(self.sketches, unit.index, "parquet")
        offsets, ids = ngram_runs(files.read_table(path, NGRAM_COLUMNS))
        count_ngrams(offsets, ids, copies, self.tables.unigrams, self.tables.bigrams)
        count("documents", len(copies))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        counted = (0, self.tables.to_bytes())
        yield WindowedValue(counted, GlobalWindow().max_timestamp(), [GlobalWindow()])
