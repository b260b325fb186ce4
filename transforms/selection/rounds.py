"""Steps of a selection: count the expected mix, score candidates, cut the cells, write the copies.

Each step is done unit by unit or by one worker on a small table, and waits for the step before it.
Units keep columns in scratch files between the steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from apache_beam.utils.shared import Shared
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.exchange import Keyed
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.candidates import (
    Documents,
    Layout,
    Round,
    are_candidates,
    part_name,
)
from outcross.transforms.selection.cuts import Rows, Windows
from outcross.transforms.selection.histogram import Histogram
from outcross.transforms.selection.residual import FIGURES, Moments, Scorer
from outcross.transforms.selection.scratch import write_columns
from outcross.transforms.selection.wants import (
    SCORED,
    USES,
    Standing,
    fill_by_hash,
    fill_round,
    first_wants,
    round_wants,
)
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams, merge_parts, pack_parts

CELL_PARTS = 64
"""Parts into which the histograms of cells are split."""


@dataclass
class CountMix:
    """Work that counts the n-grams of the mix that a round expects.

    Only what changed since the round before is counted. The first round also writes the scratch
    files of the candidates.

    Args:
        layout: files of the selection.
        number: number of the round, from 1.
    """

    layout: Layout
    number: int

    def setup(self) -> None:
        """Load the standing after the step before."""
        self.standing = self.layout.standing(self.number - 1)
        self.quotas = self.layout.quotas()
        self.thresholds = self.standing.thresholds(self.quotas.supply)
        if self.number == 1:
            _, self.coherence = self.layout.reference_tables()
        else:
            self.moments = self.layout.moments(self.number - 1)

    def start(self) -> Tables:
        """Return empty tables."""
        return Tables.empty()

    def add(self, unit: Unit, sums: Tables) -> None:
        """Count a unit's documents, and write the state of its candidates."""
        if self.number == 1:
            self._first(unit.index, sums)
            return
        before = Round(self.layout, self.number - 1, unit.index)
        chosen = before.chosen_after(self.standing, self.moments)
        expected = self._expected(before.documents, before.noise, chosen)
        change = expected.astype(np.int32) - before.expected
        if change.any():
            offsets, ids = before.ngrams()
            copies = np.zeros(len(offsets) - 1, np.int32)
            copies[before.place] = change
            count_ngrams(offsets, ids, copies, sums.unigrams, sums.bigrams)
        self._write_state(unit.index, chosen, expected)

    def _first(self, unit: int, sums: Tables) -> None:
        layout = self.layout
        documents = layout.documents(unit, range(len(USES)))
        if not len(documents.row):
            return
        copies = layout.copies_by_hash(documents, self.standing, None)
        may = are_candidates(documents, self.standing, self.quotas, layout.cells)
        rows = np.flatnonzero((copies > 0) | may)
        path = unit_file(layout.sketches, unit, "parquet")
        table = files.read_table(path, NGRAM_COLUMNS)
        if len(rows) < table.num_rows:
            table = table.take(pa.array(documents.row[rows]))
        offsets, ids = ngram_runs(table)
        copies = copies[rows]
        if (documents.cell >= SCORED * layout.cells).any():
            place = np.flatnonzero(may[rows])
            candidates = documents.take(rows[place])
            noise = layout.hash_keys(candidates)
            chosen = np.zeros(len(place), bool)
            expected = self._expected(candidates, noise, chosen)
            copies[place] += expected
            write_columns(
                layout.column_file("candidates", 0, unit),
                **{name: getattr(candidates, name) for name in candidates.__dataclass_fields__},
                noise=noise,
                place=place,
                coherence=self.coherence.score(offsets, ids, place),
            )
            write_columns(layout.column_file("offsets", 0, unit), offsets=offsets)
            write_columns(layout.column_file("ids", 0, unit), ids=ids)
            self._write_state(unit, chosen, expected)
        count_ngrams(offsets, ids, copies.astype(np.int32), sums.unigrams, sums.bigrams)

    def _expected(
        self, documents: Documents, noise: NDArray[np.uint64], chosen: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return the candidates in the mix if the rest were drawn at random: bool[n]."""
        return chosen | (noise < self.thresholds[documents.cell])

    def _write_state(
        self, unit: int, chosen: NDArray[np.bool_], expected: NDArray[np.bool_]
    ) -> None:
        write_columns(
            self.layout.column_file("state", self.number, unit),
            chosen=chosen.astype(np.uint8),
            expected=expected.astype(np.uint8),
        )

    def pack(self, sums: Tables) -> Iterator[tuple[str, bytes]]:
        """Yield the counts of each range of buckets."""
        for part, packed in enumerate(pack_parts(sums)):
            yield part_name(part), packed

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add the changes of a range of buckets to its counts in the round before."""
        packed = list(parts)
        if self.number > 1:
            folder = self.layout.folder("ngrams", self.number - 1)
            packed.append(files.read_bytes(files.join(folder, name)))
        return merge_parts(packed)


@dataclass
class ScoreRemaining:
    """Work that scores the remaining candidates of a round, and sums up the figures.

    Args:
        layout: files of the selection.
        number: number of the round, from 1.
    """

    layout: Layout
    number: int
    shared: Shared = field(default_factory=Shared)

    def setup(self) -> None:
        """Load the scorer, once for all threads of a process."""
        self.scorer = self.shared.acquire(self._scorer)

    def _scorer(self) -> Scorer:
        reference, _ = self.layout.reference_tables()
        return Scorer(reference, self.layout.tables(self.number))

    def start(self) -> list[Moments]:
        """Return empty moments."""
        return [Moments() for _ in FIGURES]

    def add(self, unit: Unit, sums: list[Moments]) -> None:
        """Write the figures of one unit."""
        state = Round(self.layout, self.number, unit.index)
        remaining = state.remaining
        scores = self.scorer.score(*state.ngrams(), state.place[remaining])
        figures = dict(zip(FIGURES, [*scores, state.coherence[remaining]], strict=True))
        write_columns(self.layout.column_file("figures", self.number, unit.index), **figures)
        for number, values in enumerate(figures.values()):
            sums[number] += Moments.of(values)
        count("documents", len(remaining))

    def pack(self, sums: list[Moments]) -> Iterator[tuple[str, bytes]]:
        """Yield the moments."""
        values = [[part.documents, part.total, part.squares] for part in sums]
        yield "moments", json.dumps(values).encode()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up moments."""
        every = [[Moments(*sums) for sums in json.loads(part)] for part in parts]
        total = [sum(column, start=Moments()) for column in zip(*every, strict=True)]
        return next(value for _, value in self.pack(total))


class KeySource(Protocol):
    """Source of the candidates of a step, with their keys."""

    @property
    def layout(self) -> Layout:
        """Files of the selection."""
        ...

    @property
    def step(self) -> int:
        """Number of the step, from 0; its standing is the result."""
        ...

    def load(self) -> None:
        """Load the data that all units of a worker need."""

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        ...

    def wanted(self) -> Any:
        """Return the tokens that each cell of each use wants: float64[U x C]."""
        ...

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Return the standing after the step."""
        ...


@dataclass
class HashKeys:
    """Candidates of all uses but the synthetic one, by hash; the first step.

    Args:
        layout: files of the selection.
    """

    layout: Layout
    step: int = 0

    def load(self) -> None:
        """Load the quotas."""
        quotas = self.layout.quotas()
        self._room = (first_wants(quotas)[0] < quotas.cap).ravel()

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        documents = self.layout.documents(unit, range(SCORED))
        documents = documents.take(np.flatnonzero(self._room[documents.cell]))
        return documents.rows(self.layout.hash_keys(documents))

    def wanted(self) -> Any:
        """Return the tokens that each cell of each use wants."""
        return first_wants(self.layout.quotas())[1].ravel()

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Fill the quotas that are filled by hash."""
        return fill_by_hash(self.layout.quotas(), rows, windows)


@dataclass
class RandomKeys:
    """Candidates of the synthetic quotas by hash, in one step.

    Args:
        layout: files of the selection.
    """

    layout: Layout
    step: int = 1

    def load(self) -> None:
        """Load the standing after the step before."""
        self._standing, self._quotas = self.layout.standing(0), self.layout.quotas()

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        layout = self.layout
        documents = layout.documents(unit, [SCORED])
        may = are_candidates(documents, self._standing, self._quotas, layout.cells)
        documents = documents.take(np.flatnonzero(may))
        return documents.rows(layout.hash_keys(documents))

    def wanted(self) -> Any:
        """Return the tokens that each cell of each use wants."""
        return _wanted(self.layout.standing(0), 1.0)

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Fill the synthetic quotas."""
        return fill_round(self.layout.standing(0), rows, 1.0, windows)


@dataclass
class ScoreKeys:
    """Remaining candidates of the synthetic quotas by score, in one round.

    Args:
        layout: files of the selection.
        step: number of the round, from 1.
        rounds: number of rounds.
    """

    layout: Layout
    step: int
    rounds: int

    def load(self) -> None:
        """Load the moments of the figures."""
        self._moments = self.layout.moments(self.step)

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        return Round(self.layout, self.step, unit).rows(self._moments)

    def wanted(self) -> Any:
        """Return the tokens that each cell of each use wants."""
        return _wanted(self.layout.standing(self.step - 1), self.step / self.rounds)

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Fill a part of the synthetic quotas."""
        before = self.layout.standing(self.step - 1)
        return fill_round(before, rows, self.step / self.rounds, windows)


def _wanted(standing: Standing, share: float) -> Any:
    wanted = np.zeros_like(standing.rest)
    wanted[SCORED], _ = round_wants(standing, share)
    return wanted.ravel()


@dataclass
class FindWindows:
    """Work that finds the keys among which the cuts of cells lie.

    Args:
        keys: candidates of the step.
    """

    keys: KeySource

    def setup(self) -> None:
        """Load the data that all units of a worker need."""
        self.keys.load()

    def start(self) -> list[Histogram]:
        """Return no histograms."""
        return []

    def add(self, unit: Unit, sums: list[Histogram]) -> None:
        """Count the candidates of a unit by cell and leading bits of the key."""
        rows = self.keys.rows(unit.index)
        bits = self.keys.layout.bits
        sums.append(Histogram.count(rows.cell, rows.key, rows.tokens, bits))
        if len(sums) > CELL_PARTS:
            sums[:] = [Histogram.merge(sums)]

    def pack(self, sums: list[Histogram]) -> Iterator[tuple[str, bytes]]:
        """Yield the histograms of each part of the cells."""
        total, bits = Histogram.merge(sums), self.keys.layout.bits
        for part in range(CELL_PARTS):
            yield f"cells-{part:02d}", total.of_cells(part, CELL_PARTS, bits).to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the histograms of a part of the cells, and find their windows."""
        total = Histogram.merge(map(Histogram.from_bytes, parts))
        bits = self.keys.layout.bits
        windows = total.windows(self.keys.wanted(), bits)
        cells = np.unique(total.code >> bits)
        columns = {field: getattr(windows, field)[cells] for field in windows.__dataclass_fields__}
        return files.pack_arrays({"cells": cells, **columns})


def read_windows(layout: Layout, step: int, cells: int) -> Windows:
    """Read the windows of a step: all keys, where none were looked for.

    Args:
        layout: files of the selection.
        step: number of the step.
        cells: number of cells of all uses.
    """
    windows = Windows.every(cells)
    for part in range(CELL_PARTS if layout.bits else 0):
        path = files.join(layout.folder("windows", step), f"cells-{part:02d}")
        columns = files.unpack_arrays(files.read_bytes(path))
        places = columns.pop("cells")
        for name, values in columns.items():
            getattr(windows, name)[places] = values
    return windows


@dataclass
class SendCandidates:
    """Work that sends the candidates at the cuts of their cells to one worker.

    Args:
        keys: candidates of the step.
    """

    keys: KeySource

    def setup(self) -> None:
        """Load the data that all units of a worker need."""
        self.keys.load()
        layout = self.keys.layout
        self.windows = read_windows(layout, self.keys.step, len(USES) * layout.cells)

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the candidates of a unit, or a table without rows."""
        rows = self.keys.rows(unit.index)
        if self.keys.layout.bits:
            rows = rows.take(np.flatnonzero(self.windows.hold(rows.cell, rows.key)))
        yield 0, pa.table({name: getattr(rows, name) for name in rows.__dataclass_fields__})


@dataclass
class CutCells:
    """Work of the worker that cuts all cells, and writes the standing after a step.

    Args:
        keys: candidates of the step.
    """

    keys: KeySource

    def collect(self, key: int, rows: pa.Table | None) -> Iterable[Any]:
        """Write the standing."""
        assert rows is not None
        layout = self.keys.layout
        windows = read_windows(layout, self.keys.step, len(USES) * layout.cells)
        candidates = Rows(*(rows[name].to_numpy() for name in Rows.__dataclass_fields__))
        standing = self.keys.fill(candidates, windows)
        files.write_bytes(layout.standing_file(self.keys.step), standing.to_bytes())
        return ()


@dataclass
class WriteCopies:
    """Work that writes the copies of each document, and sums up what is chosen.

    Args:
        layout: files of the selection.
        rounds: number of rounds by score; 0 where all quotas are filled by hash.
        steps: number of steps.
    """

    layout: Layout
    rounds: int
    steps: int

    def setup(self) -> None:
        """Load the standings."""
        layout = self.layout
        self.first = layout.standing(0)
        self.last = layout.standing(self.steps - 1)
        self.quotas = layout.quotas()
        self.moments = layout.moments(self.rounds) if self.rounds else []

    def start(self) -> Chosen:
        """Return empty sums."""
        return Chosen()

    def add(self, unit: Unit, sums: Chosen) -> None:
        """Write the copies of a unit's documents."""
        layout = self.layout
        documents = layout.documents(unit.index, range(len(USES)))
        scored_by_hash = self.last if not self.rounds and self.steps > 1 else None
        values = layout.copies_by_hash(documents, self.first, scored_by_hash)
        (use,) = load_unit(layout.uses, unit.index, ["use"])
        copies = np.zeros(len(use), np.int32)
        copies[documents.row] = values
        if self.rounds and (documents.cell >= SCORED * layout.cells).any():
            last = Round(layout, self.rounds, unit.index)
            chosen = last.chosen_after(self.last, self.moments)
            copies[last.documents.row] += chosen.astype(np.int32)
        path = unit_file(layout.selection, unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies}))
        sums.add(layout.sketches, unit.index, copies)

    def pack(self, sums: Chosen) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield "chosen", sums.to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the sums of all workers."""
        return Chosen.merge(parts)


@dataclass
class WriteKept:
    """Work that chooses all kept documents of sources that may be written, once each.

    Args:
        sketches: folder of the sketches.
        verdicts: folder of the column `partner`.
        selection: folder of the result, the column `copies`.
        writable: numbers of the sources that may be written.
    """

    sketches: str
    verdicts: str
    selection: str
    writable: Sequence[int]

    def setup(self) -> None:
        """Load nothing."""

    def start(self) -> Chosen:
        """Return empty sums."""
        return Chosen()

    def add(self, unit: Unit, sums: Chosen) -> None:
        """Write the copies of a unit's documents."""
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        copies = ((partner < 0) & (unit.source in self.writable)).astype(np.int32)
        path = unit_file(self.selection, unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies}))
        sums.add(self.sketches, unit.index, copies)

    def pack(self, sums: Chosen) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield "chosen", sums.to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the sums of all workers."""
        return Chosen.merge(parts)


@dataclass
class Chosen:
    """Sums over the chosen documents.

    Attributes:
        documents: number of the documents.
        copies: number of their copies.
        size: bytes of the documents, each once.
    """

    documents: int = 0
    copies: int = 0
    size: int = 0

    def add(self, sketches: str, unit: int, copies: Any) -> None:
        """Add the documents of a unit.

        Args:
            sketches: folder of the sketches.
            unit: index of the unit.
            copies: int32[n], copies of each document.
        """
        chosen = copies > 0
        if not chosen.any():
            return
        (size,) = load_unit(sketches, unit, ["size"])
        self.documents += int(chosen.sum())
        self.copies += int(copies.sum(dtype=np.int64))
        self.size += int(size[chosen].sum(dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Pack the sums."""
        return json.dumps(self.__dict__).encode()

    @classmethod
    def read(cls, path: str) -> Chosen:
        """Read sums from a file."""
        return cls(**json.loads(files.read_bytes(path)))

    @classmethod
    def merge(cls, parts: Iterable[bytes]) -> bytes:
        """Add up packed sums."""
        every = [cls(**json.loads(part)) for part in parts]
        names = cls.__dataclass_fields__
        return cls(*(sum(getattr(part, name) for part in every) for name in names)).to_bytes()
