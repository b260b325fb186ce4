"""Send rows to their shards and write them, as a transform."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.columns import conform
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.blocks import Block
from outcross.transforms.writing.shards import (
    Routes,
    ShardSet,
    row_groups,
    write_shard,
)

_ONE_THREAD = pa.ipc.IpcReadOptions(use_threads=False)

_Shard = tuple[int, int]  # which set, and its number there

# A stream of packed rows, or its file and where it begins and ends there.
_Packed = bytes | tuple[str, int, int]


@dataclass
class WriteShards(beam.PTransform):
    """Carries the chosen rows of every unit, untouched, to their shards, and measures each shard.

    Elements in: lists of `Unit`; elements out: sets and numbers of the shards.

    Args:
        sources: the configuration's sources.
        sets: of shards; the units are read once for all of them.
        spill: a folder that all workers share, for the rows on their way; None to shuffle them.
    """

    sources: Sequence[Source]
    sets: Sequence[ShardSet]
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        return (
            lanes
            | beam.ParDo(_RouteRows(self.sources, self.sets, self.spill))
            | beam.GroupByKey()
            | beam.ParDo(_WriteShard(self.sets))
        )


class _RouteRows(beam.DoFn):
    def __init__(
        self, sources: Sequence[Source], sets: Sequence[ShardSet], spill: str | None
    ) -> None:
        self.sources, self.sets, self.spill = sources, sets, spill

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[_Shard, _Packed]]:
        for unit in lane:
            if self.spill is None:
                for shard, rows in self._routed(unit):
                    sink = io.BytesIO()
                    _pack(rows, sink, "zstd")
                    yield shard, sink.getvalue()
            else:
                path = unit_file(self.spill, unit.index, "arrows")
                with pa.OSFile(path, "wb") as file:
                    for shard, rows in self._routed(unit):
                        start = file.tell()
                        _pack(rows, file, None)  # as it is, to be mapped and not read
                        yield shard, (path, start, file.tell())

    def _routed(self, unit: Unit) -> Iterator[tuple[_Shard, pa.Table]]:
        """Rows for one shard each, with what the layout puts beside them."""
        routes = [one.layout.routes(unit) for one in self.sets]
        chosen = [
            np.isin(own.shard, one.numbers) for one, own in zip(self.sets, routes, strict=True)
        ]
        if not any(own.any() for own in chosen):
            return
        start = 0
        for block in read_unit(unit, self.sources[unit.source]):
            stop = start + block.batch.num_rows
            for which, (one, own) in enumerate(zip(self.sets, routes, strict=True)):
                cut = slice(*np.searchsorted(own.row, [start, stop]))
                places = np.flatnonzero(chosen[which][cut]) + cut.start
                if len(places):
                    # By shard, so that the rows are copied once and the shards get slices.
                    places = places[np.argsort(own.shard[places], kind="stable")]
                    rows = _rows(block, own.row[places] - start, one)
                    for number, part in _by_shard(rows, own, places):
                        yield (which, number), part
            count("bytes", block.bytes)
            start = stop


def _rows(block: Block, places: NDArray[np.int64], one: ShardSet) -> pa.RecordBatch:
    """Some rows of a block, with the columns of all rows of the set."""
    chosen = pa.array(places)
    batch = block.batch.take(chosen)
    if one.text_out is not None:
        batch = batch.append_column(one.text_out, block.text.take(chosen))
    return conform(batch, one.layout.union)


def _by_shard(
    rows: pa.RecordBatch, routes: Routes, places: NDArray[np.int64]
) -> Iterator[tuple[int, pa.Table]]:
    table = pa.table(
        {
            "row": pa.StructArray.from_arrays(rows.columns, fields=list(rows.schema)),
            "key": routes.key[places],
            "tie": routes.tie[places],
            "columns": _as_struct(routes.columns.take(pa.array(places))),
        }
    )
    numbers, starts = np.unique(routes.shard[places], return_index=True)
    for number, (start, stop) in zip(numbers, pairwise([*starts, len(places)]), strict=True):
        yield int(number), table.slice(start, stop - start)


def _as_struct(table: pa.Table) -> pa.StructArray:
    columns = [column.combine_chunks() for column in table.columns]
    return pa.StructArray.from_arrays(columns, fields=list(table.schema))


def _pack(table: pa.Table, sink: Any, compression: str | None) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def _unpack(packed: _Packed) -> pa.Table:
    if isinstance(packed, bytes):
        buffer = pa.py_buffer(packed)
    else:
        path, start, stop = packed
        with pa.memory_map(path) as file:
            file.seek(start)
            buffer = file.read_buffer(stop - start)
    return pa.ipc.open_stream(buffer, options=_ONE_THREAD).read_all()


class _WriteShard(beam.DoFn):
    def __init__(self, sets: Sequence[ShardSet]) -> None:
        self.sets = sets

    def process(self, item: tuple[_Shard, Any]) -> Iterator[_Shard]:
        shard, packed = item
        one = self.sets[shard[0]]
        table = pa.concat_tables([_unpack(data) for data in packed])
        write_shard(one, row_groups(one, table), shard[1])
        count("written", table.num_rows)
        yield shard
