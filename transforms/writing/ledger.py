"""Ledger of a lineage: the bought rows with their notes, and the list of rows that were reused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.columns import LEDGER_COLUMN, conform
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.exchange.deal import part_of
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places
from outcross.transforms.reading.read import read_unit
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.sample_sources import add_ngrams, merge_tables
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.selection.uses import FRESH, LEDGER
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.identity import document_ids
from outcross.transforms.text.ngrams import Tables

NOTES = pa.struct(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("generation", pa.string(), nullable=False),
        pa.field("fingerprint_hi", pa.uint64(), nullable=False),
        pa.field("fingerprint_lo", pa.uint64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)
"""Type of the notes that the ledger adds to a row."""
WRITTEN, BOUGHT = "written.npz", "bought.ngrams"
"""Files of the written documents of each source, and of the n-grams of the bought ones."""


@dataclass(frozen=True)
class WrittenRows:
    """Documents of units that a run has written.

    Attributes:
        columns: columns of the units.
        uses: folder of `use`.
        selection: folder of `copies`.
    """

    columns: UnitColumns
    uses: str
    selection: str

    def of_use(self, unit: Unit, use: int) -> NDArray[np.bool_]:
        """Mark the written documents of a unit that have a use: bool[n]."""
        (uses,) = load_unit(self.uses, unit.index, ["use"])
        (copies,) = load_unit(self.selection, unit.index, ["copies"])
        return np.asarray((uses == use) & (copies > 0))


@dataclass
class SumWritten:
    """Work of a sum over units: written human documents, and the n-grams of the bought ones.

    Args:
        written: written documents.
    """

    written: WrittenRows

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> tuple[NDArray[np.int64], Tables]:
        """Return empty sums: documents and tokens by source and origin, and no n-grams."""
        sources = len(self.written.columns.roles)
        return np.zeros((sources, 2, 2), np.int64), Tables.empty(DISTANCE_BUCKETS)

    def add(self, unit: Unit, sums: tuple[NDArray[np.int64], Tables]) -> None:
        """Add the documents of a unit."""
        amounts, ngrams = sums
        columns = self.written.columns
        tokens = columns.sketch(unit, ["tokens"])["tokens"].to_numpy()
        for origin, use in enumerate((FRESH, LEDGER)):
            rows = self.written.of_use(unit, use)
            amounts[unit.source, origin] += rows.sum(), tokens[rows].sum()
            if use == FRESH:
                add_ngrams(columns, unit, rows, ngrams)

    def pack(self, sums: tuple[NDArray[np.int64], Tables]) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield WRITTEN, files.pack_arrays({"amounts": sums[0]})
        yield BOUGHT, sums[1].to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up sums."""
        if name == BOUGHT:
            return merge_tables(parts)
        amounts = np.sum([files.unpack_arrays(part)["amounts"] for part in parts], axis=0)
        return files.pack_arrays({"amounts": amounts})


@dataclass
class BuyRows:
    """Work of an exchange: copies the bought rows of units into a file for each source.

    A unit's rows are written to a part of their own, and parts are joined in the order of the
    units. So no worker holds more than a block of rows.

    Args:
        written: written documents.
        sources: sources of the configuration.
        places: places of each unit's rows.
        verdicts: folder of `repeated_id`.
        generation: name of the generation.
        schemas: for the sources to copy, by number, the columns in which they have values.
        parts: folder of the parts.
        paths: for these sources, the path of the copy.
    """

    written: WrittenRows
    sources: Sequence[Source]
    places: Sequence[Places]
    verdicts: str
    generation: str
    schemas: Mapping[int, pa.Schema]
    parts: str
    paths: Mapping[int, str]

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[tuple[int, pa.Table]]:
        """Write the bought rows of a unit, and send its number to the source."""
        chosen = np.flatnonzero(self.written.of_use(unit, FRESH))
        if len(chosen):
            tables = self._rows(unit, chosen)
            files.write_tables(unit_file(self.parts, unit.index, "parquet"), tables)
            yield unit.source, pa.table({"unit": np.array([unit.index])})

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Join the parts of a source."""
        assert rows is not None
        units = sorted(rows["unit"].to_pylist())
        parts = [unit_file(self.parts, unit, "parquet") for unit in units]
        files.write_tables(self.paths[key], _row_groups_of(parts))
        yield key

    def _rows(self, unit: Unit, chosen: NDArray[np.int64]) -> Iterator[pa.Table]:
        """Yield the chosen rows of a unit, each with its notes."""
        notes, schema = self._notes(unit, chosen), self.schemas[unit.source]
        names = [field.name for field in schema]
        start = 0
        for block in read_unit(unit, self.sources[unit.source]):
            low, high = np.searchsorted(chosen, [start, start + block.batch.num_rows])
            if high > low:
                batch = block.batch.take(pa.array(chosen[low:high] - start))
                present = [name for name in names if name in batch.schema.names]
                rows = pa.Table.from_batches([conform(batch.select(present), schema)])
                field = pa.field(LEDGER_COLUMN, NOTES, nullable=False)
                yield rows.append_column(field, notes.slice(low, high - low))
            start += block.batch.num_rows

    def _notes(self, unit: Unit, chosen: NDArray[np.int64]) -> pa.StructArray:
        """Return the notes of chosen rows of a unit.

        Args:
            unit: the unit.
            chosen: int64[m], ascending rows.
        """
        source = self.sources[unit.source].name
        columns = ["id", "row", "fingerprint_hi", "fingerprint_lo", "tokens"]
        sketch = self.written.columns.sketch(unit, columns).take(pa.array(chosen))
        (repeated,) = load_unit(self.verdicts, unit.index, ["repeated_id"])
        ids = document_ids(
            sketch["id"].combine_chunks(),
            self.places[unit.index].ids(sketch["row"].to_numpy(), source),
            repeated[chosen],
        )
        # The same id may come again from another file of the same name, or another source.
        bare = pc.replace_substring_regex(ids, f"^{source.replace('.', '[.]')}/", "")
        prefix = f"{self.generation}/{source}/"
        arrays = {
            "id": pc.binary_join_element_wise(prefix, bare, ""),
            "generation": pa.repeat(self.generation, len(chosen)),
        }
        arrays |= {
            name: sketch[name].combine_chunks().cast(NOTES.field(name).type)
            for name in ("fingerprint_hi", "fingerprint_lo", "tokens")
        }
        return pa.StructArray.from_arrays(list(arrays.values()), fields=list(NOTES))


@dataclass
class ListReused:
    """Work of an exchange: lists the fingerprints of the ledger's written documents, sorted.

    Args:
        written: written documents.
        partitions: number of ranges of fingerprints that are sorted separately.
        parts: folder of the parts.
        path: path of the list.
    """

    written: WrittenRows
    partitions: int
    parts: str
    path: str

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[tuple[int, pa.Table]]:
        """Send the fingerprints of a unit to their ranges."""
        rows = np.flatnonzero(self.written.of_use(unit, LEDGER))
        names = ["fingerprint_hi", "fingerprint_lo"]
        table = self.written.columns.sketch(unit, names).take(pa.array(rows))
        part = part_of(table["fingerprint_hi"].to_numpy(), self.partitions)
        for number in np.unique(part).tolist():
            yield number, table.filter(pa.array(part == number))

    def regroup(self, key: int, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Write the sorted fingerprints of a range, and send its number."""
        by = [("fingerprint_hi", "ascending"), ("fingerprint_lo", "ascending")]
        files.write_table(unit_file(self.parts, key, "reused.parquet"), rows.sort_by(by))
        yield 0, pa.table({"part": np.array([key])})

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Join the ranges."""
        assert rows is not None
        numbers = sorted(rows["part"].to_pylist())
        parts = [unit_file(self.parts, number, "reused.parquet") for number in numbers]
        files.write_tables(self.path, _row_groups_of(parts))
        yield key


def _row_groups_of(paths: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the row groups of Parquet files."""
    for path in paths:
        yield from files.row_groups(path)
