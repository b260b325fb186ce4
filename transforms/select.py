"""Which documents fill the quotas: rounds of scoring and filling, on copies a document.

Cells are the clusters of each domain, for each role. What scores is a worker's, unit by unit; what
chooses is a plain function over packed columns, so that it can't depend on workers.
"""

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
from numpy.typing import NDArray

from schemas.documents import Unit
from transforms import files
from transforms.aligned import load_unit
from transforms.fill import fill, top_up
from transforms.hashing import seeded_hash
from transforms.ngrams import Tables, count_ngrams
from transforms.progress import count
from transforms.residual import FIGURES, Scorer
from transforms.sketch import NGRAM_COLUMNS, ngram_runs
from transforms.units import PerUnit, unit_file

NEARLY_ALL = 0.95  # of the candidates' tokens: where so much is taken, choosing decides nothing


@dataclass(frozen=True)
class Candidates:
    """Documents that may fill quotas, as columns of n rows.

    Attributes:
        cell: int64[n], place in the quotas.
        tokens: int64[n].
        cap: int64[n], how often a document may appear.
        hi, lo: uint64[n], fingerprints.
    """

    cell: NDArray[np.int64]
    tokens: NDArray[np.int64]
    cap: NDArray[np.int64]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]

    def take(self, rows: NDArray[Any]) -> Candidates:
        return Candidates(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def hashes(self, seed: int, salt: str) -> NDArray[np.uint64]:
        """uint64[n] for a use of its own."""
        return seeded_hash(self.hi, self.lo, seed, salt)


class Filling:
    """Fills quotas over several rounds, without ever passing a document's cap.

    Where a cell's quota is larger than what it holds, all of its documents appear as often as goes
    in whole; what is left over is filled by key, in rounds.

    Args:
        candidates: that may be chosen.
        quota: float64[C], tokens a cell.
    """

    def __init__(self, candidates: Candidates, quota: NDArray[np.float64]) -> None:
        self.candidates = candidates
        self.quota = quota
        held = np.bincount(candidates.cell, candidates.tokens, len(quota))
        whole = np.where(held > 0, quota // np.maximum(held, 1), 0).astype(np.int64)
        self.copies = np.minimum(whole[candidates.cell], candidates.cap).astype(np.int64)
        self._by_key = np.zeros(len(candidates.cell), bool)
        self._wanted = np.maximum(quota - self._filled(), 0.0)

    @property
    def missing(self) -> float:
        """Tokens of the quotas that are not filled yet."""
        return float(self.quota.sum() - self._filled().sum())

    @property
    def remaining(self) -> NDArray[np.int64]:
        """Candidates that a further round may choose."""
        return np.flatnonzero(~self._by_key & (self.copies < self.candidates.cap))

    def sample(self, order: NDArray[np.uint64]) -> NDArray[np.int64]:
        """What would be there at the end, if the rest were drawn blindly: copies[n].

        Args:
            order: uint64[n], a seeded hash of each candidate.
        """
        copies = self.copies.copy()
        rest = self.remaining
        rest = rest[np.argsort(order[rest], kind="stable")]
        drawn = np.cumsum(self.candidates.tokens[rest])
        copies[rest[: np.searchsorted(drawn, self.missing)]] += 1
        return copies

    def choose(self, key: NDArray[Any], share: float) -> None:
        """One round.

        Args:
            key: of the remaining candidates, ascending.
            share: of the quotas that shall be filled after it, i/R; 1 in the last round.
        """
        rest = self.remaining
        wanted = self._wanted * share + (self.quota - self._wanted) - self._filled()
        want = _settled(wanted)
        chosen = self._fill(rest, key, want, np.ones(len(rest), np.int64))
        self.copies[rest] += chosen
        self._by_key[rest[chosen > 0]] = True
        if share == 1:
            self._place_residue()

    def top_up(self) -> None:
        """Take shorter documents where more than half of the longest that is taken is missing.

        It happens where the last document in line is longer than twice what is missing.
        """
        of = self.candidates
        if self.missing > of.tokens[self.copies > 0].max(initial=0) / 2:
            order = np.lexsort((of.cell, of.cap, of.tokens, of.hi, of.lo))
            top_up(order, of.tokens, of.cap, self.missing, self.copies)

    def _place_residue(self) -> None:
        """Where cells ran out of documents, what is missing goes wherever caps leave room."""
        room = np.flatnonzero(self.copies < self.candidates.cap)
        if len(room) == 0 or self.missing <= self.candidates.tokens.max() / 2:
            return
        want = np.zeros(len(self.quota))
        want[self.candidates.cell[room]] = 1.0
        want *= self.missing / want.sum()
        cap = (self.candidates.cap - self.copies)[room]
        self.copies[room] += self._fill(room, self.candidates.lo[room], want, cap)

    def _fill(
        self,
        rows: NDArray[np.int64],
        key: NDArray[Any],
        want: NDArray[np.float64],
        cap: NDArray[np.int64],
    ) -> NDArray[np.int32]:
        of = self.candidates
        return fill(of.cell[rows], key, of.lo[rows], of.tokens[rows], want, cap)

    def _filled(self) -> NDArray[np.float64]:
        tokens = self.copies * self.candidates.tokens
        filled = np.bincount(self.candidates.cell, tokens, len(self.quota))
        return filled.astype(np.float64)


def _settled(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """What cells shall get, none less than nothing, and together as much as is wanted together.

    A cell that an earlier round gave too much lowers what the next ones get, as it would have in
    that round: only capping it at nothing would give it twice.

    Args:
        wanted: float64[C], tokens; negative where a cell has too many.
    """
    reached = np.maximum.accumulate(np.concatenate([[0.0], np.cumsum(wanted)]))
    want = np.diff(reached)
    total = float(want.sum())
    if total == 0:
        return want
    return np.asarray(want * (max(float(wanted.sum()), 0.0) / total), np.float64)


def fill_by_hash(
    candidates: Candidates,
    quota: NDArray[np.float64],
    seed: int,
    salt: str,
    topped_up: bool = True,
) -> NDArray[np.int64]:
    """Copies of documents that are chosen by a seeded hash of their fingerprints.

    So human text is: choosing it by deficit or novelty was neutral or worse in the recursive loop.

    Args:
        candidates: documents of one use.
        quota: float64[C], tokens a cell.
        seed: the run's.
        salt: names the use.
        topped_up: whether shorter documents make up for one that is too long for what is missing.
    """
    filling = Filling(candidates, quota)
    filling.choose(candidates.hashes(seed, salt)[filling.remaining], 1)
    if topped_up:
        filling.top_up()
    return filling.copies


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
