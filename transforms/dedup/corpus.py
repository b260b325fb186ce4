"""Documents of a run, with those of earlier runs behind them, as workers read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.dedup.rules import Party, Rules
from outcross.transforms.inputs.places import Places
from outcross.transforms.sketches.identity import document_ids
from outcross.transforms.sketches.store import read_in_words


@dataclass(frozen=True)
class Named:
    """Names of the documents of one unit.

    Attributes:
        source: name of the source that the names contain.
        places: places of the rows; None where a name contains the number of the row alone.
        repeated: file of an earlier run's verdicts, with `repeated_id`; None for units of this run.
    """

    source: str
    places: Places | None = None
    repeated: str | None = None

    def names(
        self, table: pa.Table, rows: NDArray[np.int64], repeated: NDArray[np.bool_] | None
    ) -> pa.Array:
        """Return the ids of some documents, as data/ and removed/ have them: string[m].

        Args:
            table: columns `id` and `row` of the unit's sketches.
            rows: int64[m], places among its valid rows.
            repeated: bool[m], documents whose own id isn't unique; None for a unit of an earlier
                run, whose verdicts say it.
        """
        if self.repeated is not None:
            flags = files.read_table(self.repeated, ["repeated_id"]).column(0)
            repeated = flags.to_numpy()[rows]
        elif repeated is None:
            repeated = np.zeros(len(rows), bool)
        table = table.take(pa.array(rows))
        if self.places is None:
            places = pa.array([f"{self.source}#{row}" for row in rows.tolist()], pa.string())
        else:
            places = self.places.ids(table["row"].to_numpy(), self.source)
        return document_ids(table["id"].combine_chunks(), places, repeated)


@dataclass(frozen=True)
class Corpus:
    """Units of a run, and behind them those of earlier runs.

    Document `offsets[u] + i` is the i-th valid row of unit u.

    Attributes:
        parties: parties of the run and of earlier runs.
        paths: files of the units' sketches.
        party: int16[u], party of each unit.
        offsets: int64[u + 1], first document of each unit, and the number of all documents.
        named: names of each unit's documents.
        current: number of units of this run.
        by_prompt: True if answers to different prompts are not compared.
        written: files with `copies` of the units of earlier runs, by unit. Documents without a
            copy do not participate.
    """

    parties: Sequence[Party]
    paths: Sequence[str]
    party: NDArray[np.int16]
    offsets: NDArray[np.int64]
    named: Sequence[Named]
    current: int
    by_prompt: bool = False
    written: dict[int, str] = field(default_factory=dict)

    def party_of(self, unit: int) -> Party:
        """Return the party of a unit."""
        return self.parties[self.party[unit]]

    def has_ids(self, unit: int) -> bool:
        """Return whether a unit is of this run and its rows may have ids."""
        return unit < self.current and self.party_of(unit).source.id_field is not None

    def table(self, unit: int, columns: Sequence[str]) -> pa.Table:
        """Read columns of a unit's sketches; `tokens` are words."""
        return read_in_words(self.paths[unit], columns)

    def numbers(self, unit: int) -> NDArray[np.int64]:
        """Return the numbers of a unit's documents: int64[n]."""
        return np.arange(self.offsets[unit], self.offsets[unit + 1])

    def units_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the units of documents: int64[m].

        Args:
            numbers: int64[m], numbers of documents.
        """
        return np.searchsorted(self.offsets, numbers, side="right") - 1

    def parties_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the parties of documents: int16[m].

        Args:
            numbers: int64[m], numbers of documents.
        """
        return self.party[self.units_of(numbers)]

    def participates(self, unit: int) -> NDArray[np.bool_]:
        """Return bool[n]: documents of a unit that are compared."""
        path = self.written.get(unit)
        if path is None:
            return np.ones(int(self.offsets[unit + 1] - self.offsets[unit]), bool)
        return np.asarray(files.read_table(path, ["copies"]).column(0).to_numpy() > 0)

    def rules(self, numbers: NDArray[np.int64], prompt: NDArray[np.uint64] | None) -> Rules:
        """Return the rules of some documents.

        Args:
            numbers: int64[m], numbers of the documents.
            prompt: uint64[m], hashes of their prompts; None where prompts don't matter.
        """
        return Rules.of(self.parties_of(numbers), prompt, self.parties)

    @property
    def pooled(self) -> bool:
        """True if documents are in different pools; False if all may be compared."""
        return self.by_prompt or any(party.source.role == "reference" for party in self.parties)

    @property
    def order_columns(self) -> list[str]:
        """Columns of the sketches that decide about order and exact repeats."""
        names = ["fingerprint_hi", "fingerprint_lo", "row_hash", "length", "priority"]
        return [*names, "prompt"] if self.by_prompt else names

    def names(
        self, unit: int, rows: NDArray[np.int64], repeated: NDArray[np.bool_] | None
    ) -> pa.Array:
        """Return the ids of some documents of a unit, as data/ and removed/ have them.

        Args:
            unit: number of the unit.
            rows: int64[m], places among its valid rows.
            repeated: bool[m], documents whose own id isn't unique; None for a unit of an earlier
                run, whose verdicts say it.
        """
        return self.named[unit].names(self.table(unit, ["id", "row"]), rows, repeated)
