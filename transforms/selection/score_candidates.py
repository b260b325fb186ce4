"""Count n-grams and score candidates, as transforms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.shared import Shared
from apache_beam.utils.windowed_value import WindowedValue

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.residual import FIGURES, Scorer
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams


@dataclass
class CountNgrams(beam.PTransform):
    """Counts hashed unigrams and bigrams of documents, each as often as it appears.

    Elements in: lists of `Unit`; out: the path of the file with the tables. Integers, so that
    they don't depend on who counted what.

    Args:
        sketches: folder of the sketches.
        weights: folder of a row-aligned column `copies`; less than 0 where they are taken away.
        path: where the tables go.
        counted: a file of tables that they come on top of.
    """

    sketches: str
    weights: str
    path: str
    counted: str | None = None

    def expand(self, lanes: Any) -> Any:
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
    """What `CountNgrams` has written."""
    return Tables.from_bytes(files.read_bytes(path))


class _CountUnits(beam.DoFn):
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


@dataclass
class ScoreCandidates(beam.PTransform):
    """Scores documents by what the mix lacks against the reference, in a row-aligned file.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sketches: folder of the sketches.
        reference, current: files of n-gram tables.
        remaining: folder of a row-aligned column `remaining`; other documents are not looked at.
        folder: where the columns `FIGURES` go.
    """

    sketches: str
    reference: str
    current: str
    remaining: str
    folder: str

    def expand(self, lanes: Any) -> Any:
        return lanes | PerUnit(
            _ScoreUnit(self.sketches, self.reference, self.current, self.remaining, self.folder)
        )


@dataclass
class _ScoreUnit:
    sketches: str
    reference: str
    current: str
    remaining: str
    folder: str
    shared: Shared = field(default_factory=Shared)  # one scorer for all threads of a process

    def setup(self) -> None:
        self.scorer = self.shared.acquire(self._load)

    def _load(self) -> Scorer:
        return Scorer(read_tables(self.reference), read_tables(self.current))

    def run(self, unit: Unit) -> int:
        path = unit_file(self.sketches, unit.index, "parquet")
        (remaining,) = load_unit(self.remaining, unit.index, ["remaining"])
        table = files.read_table(path, NGRAM_COLUMNS).filter(pa.array(remaining))
        figures = np.zeros((len(FIGURES), len(remaining)), np.int64)
        figures[:, remaining] = self.scorer.score(*ngram_runs(table))
        table = pa.table(dict(zip(FIGURES, figures, strict=True)))
        files.write_table(unit_file(self.folder, unit.index, "parquet"), table)
        count("documents", int(remaining.sum()))
        return unit.index
