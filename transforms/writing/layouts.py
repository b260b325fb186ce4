"""The two sets of shards that a run writes: what is kept, and what was removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.documents import OUTCROSS, REMOVED_FIELDS, Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.identity import document_ids
from outcross.transforms.writing.shards import Routes, shard_of


@dataclass(frozen=True)
class Folders:
    """Where the row-aligned columns stand that a kept row is written from."""

    sketches: str
    verdicts: str
    assignments: str | None  # absent when nothing was clustered
    selection: str


@dataclass
class KeptLayout:
    """The rows that were selected, with a struct column `outcross` beside the users' own.

    Args:
        union: schema of the users' columns.
        sources: the configuration's sources.
        places: of each unit, where its rows stand.
        folders: of the columns.
        shards: how many there are.
        seed: the run's.
        weighted: whether a document is one row, and its copies are the row's weight.
    """

    union: pa.Schema
    sources: Sequence[Source]
    places: Sequence[Places]
    folders: Folders
    shards: int
    seed: int
    weighted: bool = False
    name: str = "train"

    @property
    def schema(self) -> pa.Schema:
        return self.union.append(pa.field("outcross", OUTCROSS, nullable=False))

    def routes(self, unit: Unit) -> Routes:
        folders, index = self.folders, unit.index
        (copies,) = load_unit(folders.selection, index, ["copies"])
        often = np.minimum(copies, 1) if self.weighted else copies
        document = np.repeat(np.arange(len(often)), often)
        starts = np.cumsum(often) - often
        copy = np.arange(len(document)) - starts[document] + 1
        sketch = files.read_table(
            unit_file(folders.sketches, index, "parquet"),
            ["row", "id", "fingerprint_hi", "fingerprint_lo", "tokens", "domain", "generation"],
        )
        repeated, rank = load_unit(folders.verdicts, index, ["repeated_id", "rank"])
        source = self.sources[unit.source]
        ids = document_ids(
            sketch["id"].combine_chunks(),
            self.places[index].ids(sketch["row"].to_numpy(), source.name),
            repeated,
        )
        hi = sketch["fingerprint_hi"].to_numpy()[document]
        lo = sketch["fingerprint_lo"].to_numpy()[document]
        rows = len(document)
        columns = pa.table(
            {
                "id": ids.take(pa.array(document)),
                "source": pa.repeat(source.name, rows),
                "role": pa.repeat(source.role, rows),
                "cluster": pa.nulls(rows, pa.int32()),
                "copy": copy.astype(np.int32),
                "of": often[document].astype(np.int32),
                "domain": sketch["domain"].take(pa.array(document)),
                "generation": sketch["generation"].take(pa.array(document)),
                "tokens": sketch["tokens"].to_numpy()[document],
                "weight": copies[document] / often[document],
            }
        )
        if folders.assignments is not None:
            (cluster,) = load_unit(folders.assignments, index, ["cluster"])
            at = columns.schema.get_field_index("cluster")
            columns = columns.set_column(at, "cluster", pa.array(cluster[document]))
        return Routes(
            row=document,
            shard=shard_of(hi, lo, copy, self.seed, self.shards),
            key=seeded_hash(hi, lo + copy.astype(np.uint64), self.seed, "shuffle"),
            tie=rank[document] * 128 + copy,
            columns=columns,
        )

    def rows(self, rows: pa.RecordBatch, columns: pa.Table) -> pa.Table:
        own = [columns[field.name].combine_chunks() for field in OUTCROSS]
        struct = pa.StructArray.from_arrays(own, fields=list(OUTCROSS))
        return pa.Table.from_arrays([*rows.columns, struct], schema=self.schema)

    def nothing(self) -> tuple[pa.Table, pa.Table]:
        return self.schema.empty_table(), pa.schema(list(OUTCROSS)).empty_table()

    @property
    def measured(self) -> list[str]:
        return ["source", "copy", "domain"]

    def measure(self, columns: pa.Table) -> dict[str, Any]:
        first = columns["source"].filter(pc.equal(columns["copy"], 1))
        return {
            "documents": _counted(first),
            "rows": _counted(columns["source"]),
            "domains": _counted(pc.fill_null(columns["domain"], "")),
        }


@dataclass
class RemovedLayout:
    """The removed rows: what each repeats, by which rule, and the row itself.

    Args:
        union: schema of the users' columns.
        folder: of the units' removals, with a column `row` and those of `REMOVED_FIELDS`, and
            `shard`, `key` and `rank`.
    """

    union: pa.Schema
    folder: str
    name: str = "removed"

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([*REMOVED_FIELDS, pa.field("row", pa.struct(list(self.union)))])

    def routes(self, unit: Unit) -> Routes:
        path = unit_file(self.folder, unit.index, "parquet")
        if not files.exists(path):
            none = np.zeros(0, np.int64)
            empty = pa.schema(REMOVED_FIELDS).empty_table()
            return Routes(none, none, none.astype(np.uint64), none, empty)
        table = files.read_table(path)
        return Routes(
            row=table["row"].to_numpy(),
            shard=table["shard"].to_numpy(),
            key=table["key"].to_numpy(),
            tie=table["rank"].to_numpy(),
            columns=table.select([field.name for field in REMOVED_FIELDS]).cast(
                pa.schema(REMOVED_FIELDS)
            ),
        )

    def rows(self, rows: pa.RecordBatch, columns: pa.Table) -> pa.Table:
        struct = pa.StructArray.from_arrays(rows.columns, fields=list(self.union))
        own = [columns[field.name] for field in REMOVED_FIELDS]
        return pa.Table.from_arrays([*own, struct], schema=self.schema)

    def nothing(self) -> tuple[pa.Table, pa.Table]:
        return self.schema.empty_table(), pa.schema(REMOVED_FIELDS).empty_table()

    @property
    def measured(self) -> list[str]:
        return ["source", "stage"]

    def measure(self, columns: pa.Table) -> dict[str, Any]:
        return {"documents": _counted(columns["source"]), "stages": _counted(columns["stage"])}


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    found = column.value_counts()
    return dict(sorted((pair["values"], pair["counts"]) for pair in found.to_pylist()))


def removals(
    ids: pa.Array,
    source: str,
    kept_ids: pa.Array,
    kept_sources: pa.Array,
    stage: Sequence[str],
    rule: Sequence[str],
    similarity: NDArray[np.float32],
) -> dict[str, Any]:
    """The columns of `REMOVED_FIELDS` for removed rows of one unit."""
    return {
        "id": ids,
        "source": pa.repeat(source, len(ids)),
        "kept_id": kept_ids,
        "kept_source": kept_sources,
        "stage": pa.array(stage, pa.string()),
        "rule": pa.array(rule, pa.string()),
        "similarity": pa.array(similarity),
    }
