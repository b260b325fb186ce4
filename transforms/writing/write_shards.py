"""A transform that sends rows to their shards and writes the shards.

Text crosses one shuffle, or one disk. Engines that hold a shuffle in memory get a folder to spill
to: rows are written there as they are read, and only their places are shuffled. Other engines
shuffle the compressed rows.
"""

from __future__ import annotations

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
from outcross.transforms.exchange.packing import Packed, Packer, unpack
from outcross.transforms.exchange.step import Step
from outcross.transforms.reading.read import BATCH_BYTES
from outcross.transforms.rows.blocks import Block
from outcross.transforms.sketches.passages import read_rows
from outcross.transforms.writing.shards import (
    Routes,
    ShardSet,
    row_groups,
    write_shard,
)

_Shard = tuple[int, int]  # index of the set, number of the shard in it

# Each part of a block that is sent to a shard costs as much as some hundred rows.
_PART = 1 << 18  # bytes of a part, where blocks may be so large
_LARGEST_BLOCK = 1 << 26  # bytes


@dataclass
class WriteShards(beam.PTransform):
    """Carry the chosen rows of every unit, untouched, to their shards, and report on each shard.

    Elements in: lists of `Unit`; elements out: set and number of each shard.

    Args:
        sources: sources of the configuration.
        sets: sets of shards; the units are read once for all of them.
        spill: folder that all workers share, for the rows on their way; None to shuffle the rows.
    """

    sources: Sequence[Source]
    sets: Sequence[ShardSet]
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Route rows unit by unit, group them by shard, and write each shard."""
        return (
            lanes
            | beam.ParDo(_RouteRows(self.sources, self.sets, self.spill))
            | beam.GroupByKey()
            | beam.ParDo(_WriteShard(self.sets))
        )


class _RouteRows(Step):
    def __init__(
        self, sources: Sequence[Source], sets: Sequence[ShardSet], spill: str | None
    ) -> None:
        self.sources, self.sets, self.spill = sources, sets, spill

    @property
    def _block_bytes(self) -> int:
        """Bytes of a block of rows, more where more shards get a part of it."""
        shards = sum(shard_set.shards for shard_set in self.sets)
        return max(BATCH_BYTES, min(_LARGEST_BLOCK, _PART * shards))

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[_Shard, Packed]]:
        """Pack the chosen rows of each unit by shard."""
        for unit in lane:
            with Packer(self.spill, f"rows-{unit.index:06d}") as packer:
                for shard, rows in self._routed(unit):
                    yield shard, packer.pack(rows)

    def _routed(self, unit: Unit) -> Iterator[tuple[_Shard, pa.Table]]:
        """Read a unit and cut its chosen rows into tables of one shard each."""
        routes = [shard_set.layout.routes(unit) for shard_set in self.sets]
        chosen = [
            np.isin(route.shard, shard_set.numbers)
            for shard_set, route in zip(self.sets, routes, strict=True)
        ]
        if not any(rows.any() for rows in chosen):
            return
        start = 0
        for block in read_rows(unit, self.sources[unit.source], self._block_bytes):
            stop = start + block.batch.num_rows
            for index, (shard_set, route) in enumerate(zip(self.sets, routes, strict=True)):
                cut = slice(*np.searchsorted(route.row, [start, stop]))
                places = np.flatnonzero(chosen[index][cut]) + cut.start
                if len(places):
                    # Sorted by shard, the rows are copied once and the shards get slices.
                    places = places[np.argsort(route.shard[places], kind="stable")]
                    rows = _users_rows(block, route.row[places] - start, shard_set)
                    for number, part in _by_shard(rows, route, places):
                        yield (index, number), part
            count("bytes", block.bytes)
            start = stop


def _users_rows(block: Block, places: NDArray[np.int64], shard_set: ShardSet) -> pa.RecordBatch:
    """Take some rows of a block, with the schema of the set's union."""
    chosen = pa.array(places)
    batch = block.batch.take(chosen)
    if shard_set.text_out is not None:
        batch = batch.append_column(shard_set.text_out, block.text.take(chosen))
    return conform(batch, shard_set.layout.union)


def _by_shard(
    rows: pa.RecordBatch, routes: Routes, places: NDArray[np.int64]
) -> Iterator[tuple[int, pa.Table]]:
    """Slice rows that are sorted by shard, with their keys, ties and columns."""
    table = pa.table(
        {
            "row": pa.StructArray.from_arrays(rows.columns, fields=list(rows.schema)),
            "key": routes.key[places],
            "tie": routes.tie[places],
            "place": routes.place[places],
            "columns": _as_struct(routes.columns.take(pa.array(places))),
        }
    )
    numbers, starts = np.unique(routes.shard[places], return_index=True)
    for number, (start, stop) in zip(numbers, pairwise([*starts, len(places)]), strict=True):
        yield int(number), table.slice(start, stop - start)


def _as_struct(table: pa.Table) -> pa.StructArray:
    columns = [column.combine_chunks() for column in table.columns]
    return pa.StructArray.from_arrays(columns, fields=list(table.schema))


class _WriteShard(Step):
    def __init__(self, sets: Sequence[ShardSet]) -> None:
        self.sets = sets

    def process(self, item: tuple[_Shard, Any]) -> Iterator[_Shard]:
        """Write one shard from its packed rows."""
        (index, number), packed = item
        shard_set = self.sets[index]
        table = unpack(packed)
        write_shard(shard_set, row_groups(shard_set, table), number)
        count("written", table.num_rows)
        yield index, number
