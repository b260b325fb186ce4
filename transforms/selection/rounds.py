"""Work of a round: count the mix that it expects, and score the remaining candidates.

Units keep columns in scratch files between the steps of a selection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from apache_beam.utils.shared import Shared
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.candidates import (
    Layout,
    Round,
    are_candidates,
    part_name,
)
from outcross.transforms.selection.residual import FIGURES, Moments, Scorer
from outcross.transforms.selection.scratch import write_columns
from outcross.transforms.selection.wants import USES
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams, merge_parts, pack_parts


@dataclass
class CountMix:
    """Work that counts the n-grams of the mix that a round expects.

    Only what changed since the round before is counted. The first round also writes the scratch
    files of the candidates.

    Args:
        layout: files of the selection.
        number: number of the round, from 1.
        rounds: number of rounds.
        reference: reference that the threads of a process share, the same in all rounds.
    """

    layout: Layout
    number: int
    rounds: int
    reference: Shared

    def setup(self) -> None:
        """Load the standing after the step before."""
        self.standing = self.layout.standing(self.number - 1)
        self.quotas = self.layout.quotas()
        self.threshold = self.standing.threshold(self.quotas, self.rounds)
        if self.number == 1:
            # While it is in memory, the scorers of all rounds find it there.
            self.human = self.reference.acquire(self.layout.load_reference)
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
        expected = chosen | (before.hash < self.threshold)
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
        copies = layout.copies_by_hash(unit, documents, self.standing, None)
        may = are_candidates(documents, self.standing, self.quotas, layout.cells)
        rows = np.flatnonzero((copies > 0) | may)
        offsets, ids = np.zeros(1, np.int64), np.zeros(0, np.uint32)
        if len(rows):
            path = unit_file(layout.sketches, unit, "parquet")
            table = files.read_table(path, NGRAM_COLUMNS)
            if len(rows) < table.num_rows:
                table = table.take(pa.array(documents.row[rows]))
            offsets, ids = ngram_runs(table)
        copies = copies[rows]
        place = np.flatnonzero(may[rows])
        candidates = documents.take(rows[place])
        hashes = layout.hash_keys(unit, candidates)
        expected = hashes < self.threshold
        copies[place] += expected
        count_ngrams(offsets, ids, copies.astype(np.int32), sums.unigrams, sums.bigrams)
        # Later steps open the files of every synthetic unit, also of one without a candidate.
        write_columns(
            layout.column_file("candidates", 0, unit),
            **{name: getattr(candidates, name) for name in candidates.__dataclass_fields__},
            hash=hashes,
            place=place,
            coherence=self.human.coherence.score(offsets, ids, place),
        )
        if len(place) == 0:
            offsets, ids = offsets[:1], ids[:0]
        write_columns(layout.column_file("offsets", 0, unit), offsets=offsets)
        write_columns(layout.column_file("ids", 0, unit), ids=ids)
        self._write_state(unit, np.zeros(len(place), bool), expected)

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
class _Scores:
    """Scorer and moments of a bundle.

    Attributes:
        scorer: scorer of the round.
        moments: sums of each figure.
    """

    scorer: Scorer
    moments: list[Moments] = field(default_factory=lambda: [Moments() for _ in FIGURES])


@dataclass
class ScoreRemaining:
    """Work that scores the remaining candidates of a round, and sums up the figures.

    Args:
        layout: files of the selection.
        number: number of the round, from 1.
        reference: reference that the threads of a process share, the same in all rounds.
    """

    layout: Layout
    number: int
    reference: Shared
    shared: Shared = field(default_factory=Shared)

    def setup(self) -> None:
        """Do nothing: a worker lives until the last round has ended, and its scorer shall not."""

    def _scorer(self) -> Scorer:
        reference = self.reference.acquire(self.layout.load_reference)
        return Scorer(reference.tables, self.layout.tables(self.number))

    def start(self) -> _Scores:
        """Load the scorer, once for all threads of a process, and return empty moments with it."""
        return _Scores(self.shared.acquire(self._scorer))

    def add(self, unit: Unit, sums: _Scores) -> None:
        """Write the figures of one unit."""
        state = Round(self.layout, self.number, unit.index)
        remaining = state.remaining
        scores = sums.scorer.score(*state.ngrams(), state.place[remaining])
        figures = dict(zip(FIGURES, [*scores, state.coherence[remaining]], strict=True))
        write_columns(self.layout.column_file("figures", self.number, unit.index), **figures)
        for number, values in enumerate(figures.values()):
            sums.moments[number] += Moments.of(values)
        count("documents", len(remaining))

    def pack(self, sums: _Scores) -> Iterator[tuple[str, bytes]]:
        """Yield the moments."""
        yield "moments", _as_bytes(sums.moments)

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up moments."""
        every = [[Moments(*sums) for sums in json.loads(part)] for part in parts]
        return _as_bytes([sum(column, start=Moments()) for column in zip(*every, strict=True)])


def _as_bytes(moments: list[Moments]) -> bytes:
    return json.dumps([[part.documents, part.total, part.squares] for part in moments]).encode()
