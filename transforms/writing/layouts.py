"""Layouts of the two sets of shards that a run writes: kept rows and removed rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.documents import PASSAGE_FIELDS, REMOVED_FIELDS, Unit, outcross_type
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.identity import document_ids
from outcross.transforms.sketches.passages import PassageRows, of_documents
from outcross.transforms.writing.shards import Routes, no_routes, place_of, shard_of

_FIRST = pa.field("first", pa.bool_(), nullable=False)
"""Mark on the first row of each document, which no shard holds."""


@dataclass(frozen=True)
class Folders:
    """Folders of the row-aligned columns that kept rows are written from.

    Attributes:
        sketches: folder of the sketches.
        verdicts: folder of `repeated_id`.
        assignments: folder of `cluster`; None where nothing was clustered.
        selection: folder of `copies`.
    """

    sketches: str
    verdicts: str
    assignments: str | None
    selection: str


@dataclass
class KeptLayout:
    """Layout of the selected rows: the users' columns and a struct column `outcross`.

    Args:
        union: schema of the users' columns.
        sources: sources of the configuration.
        places: places of each unit's rows.
        folders: folders of the row-aligned columns.
        shards: number of shards.
        seed: seed of the run.
        weighted: whether a document is one row that its copies give a weight.
        replaced: indexes of the units whose documents are offered in passages; none of these
            documents is written. Passages of a document stand together in its shard.
        name: name of the shards' files.
    """

    union: pa.Schema
    sources: Sequence[Source]
    places: Sequence[Places]
    folders: Folders
    shards: int
    seed: int
    weighted: bool = False
    replaced: frozenset[int] = frozenset()
    name: str = "train"

    @property
    def schema(self) -> pa.Schema:
        """Schema of a shard."""
        return self.union.append(pa.field("outcross", self.struct, nullable=False))

    @property
    def struct(self) -> pa.StructType:
        """Type of the struct column, with what the sources state of texts and their parts."""
        stated = any(source.provenance is not None for source in self.sources)
        return outcross_type(provenance=stated, passages=bool(self.replaced))

    def routes(self, unit: Unit) -> Routes:
        """Route each copy of the unit's selected documents to a shard."""
        folders, index = self.folders, unit.index
        if index in self.replaced:
            return no_routes(self.no_rows()[1])
        (copies,) = load_unit(folders.selection, index, ["copies"])
        appearances = np.minimum(copies, 1) if self.weighted else copies
        document = np.repeat(np.arange(len(appearances)), appearances)
        starts = np.cumsum(appearances) - appearances
        copy = np.arange(len(document)) - starts[document] + 1
        sketch = files.read_table(
            unit_file(folders.sketches, index, "parquet"),
            [
                *("row", "id", "fingerprint_hi", "fingerprint_lo", "row_hash"),
                *("tokens", "domain", "generation"),
            ],
        )
        (repeated,) = load_unit(folders.verdicts, index, ["repeated_id"])
        source = self.sources[unit.source]
        ids = document_ids(
            sketch["id"].combine_chunks(),
            self.places[index].ids(sketch["row"].to_numpy(), source.name),
            repeated,
        )
        dealt = ["fingerprint_hi", "fingerprint_lo", "row_hash"]
        hi, lo, row_hash = (
            values[document]
            for values in (
                [sketch[name].to_numpy() for name in dealt]
                if unit.passages_of is None
                else of_documents(folders.sketches, unit, dealt)
            )
        )
        rows = len(document)
        columns = pa.table(
            {
                "id": ids.take(pa.array(document)),
                "source": pa.repeat(source.name, rows),
                "role": pa.repeat(source.role, rows),
                "cluster": pa.nulls(rows, pa.int32()),
                "copy": copy.astype(np.int32),
                "of": appearances[document].astype(np.int32),
                "domain": sketch["domain"].take(pa.array(document)),
                "generation": sketch["generation"].take(pa.array(document)),
                "tokens": sketch["tokens"].to_numpy()[document],
                "weight": copies[document] / appearances[document],
                "provenance": pa.repeat(pa.scalar(source.provenance, pa.string()), rows),
            }
        ).select([field.name for field in self.struct if field not in PASSAGE_FIELDS])
        if folders.assignments is not None:
            (cluster,) = load_unit(folders.assignments, index, ["cluster"])
            at = columns.schema.get_field_index("cluster")
            columns = columns.set_column(at, "cluster", pa.array(cluster[document]))
        if self.replaced:
            columns = self._with_passages(unit, columns, document, copies)
        return Routes(
            row=document,
            shard=shard_of(hi, lo, copy, self.seed, self.shards),
            key=seeded_hash(hi, lo + copy.astype(np.uint64), self.seed, "shuffle"),
            tie=row_hash,
            place=place_of(unit, document),
            columns=columns,
        )

    def _with_passages(
        self, unit: Unit, columns: pa.Table, row: NDArray[np.int64], copies: NDArray[np.int32]
    ) -> pa.Table:
        """Add the numbers of passages, and a mark on the first row of each document.

        Args:
            unit: unit of documents or passages.
            columns: m rows of the other columns.
            row: int64[m], row of the unit of each.
            copies: int32[n], copies of the unit's rows.
        """
        piece = pieces = pa.nulls(len(row), pa.int32())
        first = np.ones(len(row), bool)
        if unit.passages_of is not None:
            passages = PassageRows.load(self.folders.sketches, unit)
            piece, pieces = (pa.array(v[row]) for v in (passages.number, passages.of))
            first = passages.first_of(copies > 0)[row]
        first &= columns["copy"].to_numpy() == 1
        added = zip((*PASSAGE_FIELDS, _FIRST), (piece, pieces, pa.array(first)), strict=True)
        for field, values in added:
            columns = columns.append_column(field, values)
        return columns

    def rows(self, rows: pa.RecordBatch, columns: pa.Table) -> pa.Table:
        """Append the struct column to the users' rows."""
        arrays = [columns[field.name].combine_chunks() for field in self.struct]
        struct = pa.StructArray.from_arrays(arrays, fields=list(self.struct))
        return pa.Table.from_arrays([*rows.columns, struct], schema=self.schema)

    def no_rows(self) -> tuple[pa.Table, pa.Table]:
        """Return a row group without rows and its columns."""
        marks = [_FIRST] if self.replaced else []
        return self.schema.empty_table(), pa.schema([*self.struct, *marks]).empty_table()

    @property
    def measured(self) -> list[str]:
        """Name the columns that `measure` needs."""
        return ["source", "copy", "domain", *([_FIRST.name] if self.replaced else ())]

    def measure(self, columns: pa.Table) -> dict[str, Any]:
        """Count documents and rows by source, and rows by domain.

        Where documents are offered in passages, `pieces` counts documents or their passages.
        """
        source = columns["source"]
        counts = {"documents": _counts(source.filter(pc.equal(columns["copy"], 1)))}
        if self.replaced:
            counts = {
                "documents": _counts(source.filter(columns[_FIRST.name])),
                "pieces": counts["documents"],
            }
        return counts | {
            "rows": _counts(columns["source"]),
            "domains": _counts(pc.fill_null(columns["domain"], "")),
        }


@dataclass
class RemovedLayout:
    """Layout of the removed rows: the kept document and the rule of each, and the row itself.

    Args:
        union: schema of the users' columns.
        folder: folder of the units' removals, with the columns `row`, `key`, `row_hash` and those
            of `REMOVED_FIELDS`.
        shards: number of shards.
        name: name of the shards' files.
    """

    union: pa.Schema
    folder: str
    shards: int
    name: str = "removed"

    @property
    def schema(self) -> pa.Schema:
        """Schema of a shard."""
        return pa.schema([*REMOVED_FIELDS, pa.field("row", pa.struct(list(self.union)))])

    def routes(self, unit: Unit) -> Routes:
        """Route the unit's removed rows as its removals say."""
        path = unit_file(self.folder, unit.index, "parquet")
        if not files.exists(path):
            return no_routes(pa.schema(REMOVED_FIELDS).empty_table())
        table = files.read_table(path)
        return Routes(
            row=table["row"].to_numpy(),
            shard=(table["key"].to_numpy() % np.uint64(self.shards)).astype(np.int64),
            key=table["key"].to_numpy(),
            tie=table["row_hash"].to_numpy(),
            place=place_of(unit, table["row"].to_numpy()),
            columns=table.select([field.name for field in REMOVED_FIELDS]).cast(
                pa.schema(REMOVED_FIELDS)
            ),
        )

    def rows(self, rows: pa.RecordBatch, columns: pa.Table) -> pa.Table:
        """Append the users' rows, as a struct, to the columns of their removal."""
        struct = pa.StructArray.from_arrays(rows.columns, fields=list(self.union))
        removal = [columns[field.name] for field in REMOVED_FIELDS]
        return pa.Table.from_arrays([*removal, struct], schema=self.schema)

    def no_rows(self) -> tuple[pa.Table, pa.Table]:
        """Return a row group without rows and its columns."""
        return self.schema.empty_table(), pa.schema(REMOVED_FIELDS).empty_table()

    @property
    def measured(self) -> list[str]:
        """Name the columns that `measure` needs."""
        return ["source", "stage"]

    def measure(self, columns: pa.Table) -> dict[str, Any]:
        """Count removed documents by source and by stage."""
        return {"documents": _counts(columns["source"]), "stages": _counts(columns["stage"])}


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Count the values of a column, by value."""
    pairs = column.value_counts().to_pylist()
    return dict(sorted((pair["values"], pair["counts"]) for pair in pairs))
