"""Documents of a unit as candidates: their cells and keys, in every step of a selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.cuts import Rows
from outcross.transforms.selection.residual import FIGURES, Coherence, Moments, in_steps, keys
from outcross.transforms.selection.rotation import Rotation
from outcross.transforms.selection.scratch import read_columns
from outcross.transforms.selection.uses import LEDGER, WRITABLE
from outcross.transforms.selection.wants import SCORED, USES, Quotas, Standing
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.text.ngrams import PARTS, Tables, unpack_parts


@dataclass(frozen=True)
class Documents:
    """Documents of a unit that may be written, as columns of n rows.

    Attributes:
        row: int64[n], ascending rows in the unit.
        number: int64[n], numbers of the documents.
        cell: int64[n], place of the use in `USES` x cells + domain x clusters + cluster.
        tokens: int64[n], length of each document.
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves of the fingerprints.
        tie: uint64[n], hashes of the rows, by which equal texts are ordered.
    """

    row: NDArray[np.int64]
    number: NDArray[np.int64]
    cell: NDArray[np.int64]
    tokens: NDArray[np.int64]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    tie: NDArray[np.uint64]

    def take(self, rows: NDArray[Any]) -> Documents:
        """Take some rows."""
        return Documents(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def rows(self, key: NDArray[np.uint64]) -> Rows:
        """Return the documents with their keys."""
        return Rows(self.cell, key, self.tie, self.number, self.tokens)


@dataclass(frozen=True)
class Reference:
    """N-grams of human text.

    Attributes:
        tables: counts.
        coherence: coherence of documents by them.
    """

    tables: Tables
    coherence: Coherence


@dataclass(frozen=True)
class Layout:
    """Places of all files of a selection, and its settings.

    Attributes:
        sketches: folder of the sketches.
        uses: folder of the columns `use` and `domain`.
        assignments: folder of the column `cluster`.
        selection: folder of the result, the column `copies`.
        scratch: folder of the files in between.
        reference: file of the reference's n-gram tables.
        offsets: number of each unit's first document.
        clusters: number of clusters.
        cells: number of cells, domains x clusters.
        seed: seed of the run.
        salts: salts of the hashes by which the uses are filled, in the order of `USES`.
        rotation: order in which the ledger is drawn.
        bits: leading bits of keys that are counted first; 0 if all candidates fit one worker.
    """

    sketches: str
    uses: str
    assignments: str
    selection: str
    scratch: str
    reference: str
    offsets: Sequence[int]
    clusters: int
    cells: int
    seed: int
    salts: Sequence[str]
    rotation: Rotation
    bits: int = 0

    def folder(self, name: str, step: int) -> str:
        """Return the folder of a step's files."""
        return files.join(self.scratch, f"{name}-{step}")

    def column_file(self, name: str, step: int, unit: int) -> str:
        """Return the path of a unit's columns between the steps."""
        return unit_file(self.folder(name, step), unit, "arrow")

    @property
    def quotas_file(self) -> str:
        """Path of the quotas of the plan."""
        return files.join(self.scratch, "quotas")

    def quotas(self) -> Quotas:
        """Read the quotas of the plan."""
        return files.read_as(self.quotas_file, Quotas.from_bytes)

    def standing_file(self, step: int) -> str:
        """Return the path of the standing after a step."""
        return files.join(self.scratch, f"standing-{step}")

    def standing(self, step: int) -> Standing:
        """Read the standing after a step."""
        return files.read_as(self.standing_file(step), Standing.from_bytes)

    def tables(self, step: int) -> Tables:
        """Read the n-grams of the mix that a round expects."""
        folder = self.folder("ngrams", step)
        return unpack_parts(
            [files.read_bytes(files.join(folder, part_name(i))) for i in range(PARTS)]
        )

    def moments(self, step: int) -> list[Moments]:
        """Read the moments of a round's figures."""
        path = files.join(self.folder("moments", step), "moments")
        return [Moments(*sums) for sums in files.read_json(path)]

    def load_reference(self) -> Reference:
        """Read the reference's tables."""
        tables = files.read_as(self.reference, Tables.from_bytes)
        return Reference(tables, Coherence(tables))

    def documents(self, unit: int, places: Sequence[int]) -> Documents:
        """Read the documents of a unit that have certain uses.

        Args:
            unit: index of the unit.
            places: places of the uses in `USES`.
        """
        use, domain = load_unit(self.uses, unit, ["use", "domain"])
        place_of = np.full(max(*WRITABLE, int(use.max(initial=0))) + 1, -1, np.int64)
        for place in places:
            place_of[USES[place]] = place
        place = place_of[use]
        row = np.flatnonzero(place >= 0)
        if not len(row):
            none, no_hash = np.zeros(0, np.int64), np.zeros(0, np.uint64)
            return Documents(none, none, none, none, no_hash, no_hash, no_hash)
        (cluster,) = load_unit(self.assignments, unit, ["cluster"])
        names = ["tokens", "fingerprint_hi", "fingerprint_lo", "row_hash"]
        tokens, hi, lo, tie = (column[row] for column in load_unit(self.sketches, unit, names))
        cell = place[row] * self.cells + domain[row].astype(np.int64) * self.clusters + cluster[row]
        number = self.offsets[unit] + row
        return Documents(row, number, cell, tokens.astype(np.int64), hi, lo, tie)

    def hash_keys(self, unit: int, documents: Documents) -> NDArray[np.uint64]:
        """Return the keys of documents whose uses are filled by hash: uint64[n].

        Args:
            unit: index of the unit.
            documents: documents of the unit.
        """
        place = documents.cell // self.cells
        key = np.zeros(len(place), np.uint64)
        for number, salt in enumerate(self.salts):
            rows = np.flatnonzero(place == number)
            if len(rows):
                hashed = seeded_hash(documents.hi[rows], documents.lo[rows], self.seed, salt)
                if USES[number] == LEDGER:
                    hashed = self.rotation.keys(unit, documents.row[rows], hashed)
                key[rows] = hashed
        return key

    def copies_by_hash(
        self,
        unit: int,
        documents: Documents,
        standing: Standing,
        standing_of_scored: Standing | None,
    ) -> NDArray[np.int64]:
        """Return the copies of documents whose uses are filled by hash.

        Args:
            unit: index of the unit.
            documents: documents of the unit.
            standing: standing after the first step.
            standing_of_scored: standing after the step that filled the synthetic quotas by hash;
                None where they are filled by score, and only full copies are counted here.

        Returns:
            int64[n].
        """
        copies = standing.full.ravel()[documents.cell]
        key = self.hash_keys(unit, documents)
        columns = documents.cell, key, documents.tie, documents.number
        copies = copies + standing.cuts.take(*columns)
        if standing_of_scored is not None:
            copies = copies + standing_of_scored.cuts.take(*columns)
        return copies


def part_name(part: int) -> str:
    """Return the name of a range of buckets."""
    return f"part-{part:02d}"


class Round:
    """Candidates of a unit in one round.

    Args:
        layout: files of the selection.
        number: number of the round, from 1.
        unit: index of the unit.
    """

    def __init__(self, layout: Layout, number: int, unit: int) -> None:
        self.layout, self.number, self.unit = layout, number, unit
        columns = read_columns(layout.column_file("candidates", 0, unit))
        self.coherence: NDArray[np.int64] = columns.pop("coherence")
        self.place: NDArray[np.int64] = columns.pop("place")
        self.hash: NDArray[np.uint64] = columns.pop("hash")
        self.documents = Documents(**columns)
        state = read_columns(layout.column_file("state", number, unit))
        self.chosen = state["chosen"].astype(bool)
        self.expected = state["expected"].astype(bool)

    @property
    def remaining(self) -> NDArray[np.int64]:
        """Places of the candidates that the round may choose, int64[m]."""
        return np.flatnonzero(~self.chosen)

    def ngrams(self) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Return n-grams as `count_ngrams` takes them; those of the candidates are at `place`."""
        offsets, ids = (
            read_columns(self.layout.column_file(name, 0, self.unit))[name]
            for name in ("offsets", "ids")
        )
        return offsets, ids

    def rows(self, moments: Sequence[Moments]) -> Rows:
        """Return the remaining candidates with the keys of the round.

        Args:
            moments: moments of the figures of all remaining candidates.
        """
        path = self.layout.column_file("figures", self.number, self.unit)
        columns = read_columns(path)
        figures = np.stack([columns[name] for name in FIGURES])
        documents = self.documents.take(self.remaining)
        scored = keys(figures, moments)
        return documents.rows(in_steps(scored))

    def chosen_after(self, standing: Standing, moments: Sequence[Moments]) -> NDArray[np.bool_]:
        """Return the candidates that are chosen after the round: bool[n].

        Args:
            standing: standing after the round.
            moments: moments of the figures of all remaining candidates.
        """
        rows = self.rows(moments)
        chosen = self.chosen.copy()
        taken = standing.cuts.take(rows.cell, rows.key, rows.tie, rows.number)
        chosen[self.remaining[taken]] = True
        return chosen


def are_candidates(
    documents: Documents, standing: Standing, quotas: Quotas, cells: int
) -> NDArray[np.bool_]:
    """Find the synthetic documents that a round may choose: bool[n]."""
    may = (standing.full < quotas.cap) & (standing.rest > 0)
    return may.ravel()[documents.cell] & (documents.cell >= SCORED * cells)
