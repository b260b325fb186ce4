"""Rows on their way to the files that a trainer reads: text crosses one shuffle, or one disk.

Engines that hold a shuffle in memory get a folder to spill to: the rows are written there as they
are read, and only their places are shuffled. Elsewhere the rows are, compressed.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO, Protocol

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.columns import conform
from schemas.config import Source
from schemas.documents import Unit
from transforms import files
from transforms.blocks import Block
from transforms.hashing import seeded_hash
from transforms.progress import count
from transforms.read import read_unit
from transforms.units import unit_file

ROW_GROUP = 32 << 20  # bytes of a Parquet row group, uncompressed
_AT_ONCE = 1 << 12  # rows that are read back at once
_ONE_THREAD = pa.ipc.IpcReadOptions(use_threads=False)

_Shard = tuple[int, int]  # which set, and its number there

# A stream of packed rows, or its file and where it begins and ends there.
_Packed = bytes | tuple[str, int, int]


@dataclass(frozen=True)
class Routes:
    """Where rows of one unit go.

    Attributes:
        row: int64[m], valid rows of the unit, ascending; a row may stand several times.
        shard: int64[m].
        key: uint64[m], the order inside the shard, and
        tie: int64[m], where keys are equal.
        columns: what stands beside each row, m rows.
    """

    row: NDArray[np.int64]
    shard: NDArray[np.int64]
    key: NDArray[np.uint64]
    tie: NDArray[np.int64]
    columns: pa.Table


class Layout(Protocol):
    """What a set of shards holds."""

    name: str  # of the files, before their number
    union: pa.Schema  # of the users' columns

    @property
    def schema(self) -> pa.Schema:
        """Of a shard."""
        ...

    def routes(self, unit: Unit) -> Routes:
        """Which of the unit's rows are written, and where to."""
        ...

    def rows(self, rows: pa.RecordBatch, columns: pa.Table) -> pa.Table:
        """The shard's columns, from the users' rows and what stands beside them."""
        ...

    @property
    def measured(self) -> Sequence[str]:
        """The columns beside the rows that `measure` looks at."""
        ...

    def measure(self, columns: pa.Table) -> Any:
        """What is counted of a shard, as JSON, from what stood beside its rows."""
        ...

    def nothing(self) -> tuple[pa.Table, pa.Table]:
        """The rows and the columns beside them of a shard without rows."""
        ...


def shard_name(name: str, number: int, shards: int) -> str:
    """train-00003-of-00016.parquet."""
    return f"{name}-{number:05d}-of-{shards:05d}.parquet"


def is_shard(path: str, name: str) -> bool:
    """Whether a file is called as a shard is, of however many shards."""
    return (
        re.fullmatch(rf"{name}-\d{{5,}}-of-\d{{5,}}\.parquet", path.rpartition("/")[2]) is not None
    )


@dataclass(frozen=True)
class ShardSet:
    """A folder of shards.

    Args:
        layout: which rows go where, and how they are laid out.
        folder: where the shards go.
        reports: where the shards' own counts go.
        numbers: of the shards to write now.
        shards: how many there are in all.
        row_group: rows of a Parquet row group.
        text_out: the union's last column, which gets the judged text; None for no such column.
    """

    layout: Layout
    folder: str
    reports: str
    numbers: Sequence[int]
    shards: int
    row_group: int
    text_out: str | None = None


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


def _flatten(column: pa.ChunkedArray, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(column.combine_chunks().flatten(), schema=schema)


class _WriteShard(beam.DoFn):
    def __init__(self, sets: Sequence[ShardSet]) -> None:
        self.sets = sets

    def process(self, item: tuple[_Shard, Any]) -> Iterator[_Shard]:
        shard, packed = item
        one = self.sets[shard[0]]
        table = pa.concat_tables([_unpack(data) for data in packed])
        write_shard(one, _row_groups(one, table), shard[1])
        count("written", table.num_rows)
        yield shard


def _row_groups(one: ShardSet, table: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """A shard's rows in their order, and what stood beside them, a row group at a time.

    Rows are gathered from the stretches in which they came; all at once would copy the shard twice.
    """
    order = np.lexsort((table["tie"].to_numpy(), table["key"].to_numpy()))
    batches = table.select(["row", "columns"]).to_batches()
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    for low in range(0, len(order), one.row_group):
        rows = order[low : low + one.row_group]
        which = np.searchsorted(starts, rows, side="right") - 1
        by_batch = np.argsort(which, kind="stable")
        cuts = np.searchsorted(which[by_batch], np.arange(len(batches) + 1))
        parts = [
            batch.take(pa.array(rows[by_batch[begin:end]] - start))
            for batch, start, (begin, end) in zip(batches, starts, pairwise(cuts), strict=False)
            if end > begin
        ]
        place = np.empty(len(rows), np.int64)
        place[by_batch] = np.arange(len(rows))
        group = pa.Table.from_batches(parts).combine_chunks().take(pa.array(place))
        beside = _flatten(group["columns"], pa.schema(list(group.schema.field("columns").type)))
        columns = pa.Table.from_batches([beside])
        yield one.layout.rows(_flatten(group["row"], one.layout.union), columns), columns


def write_shard(
    one: ShardSet, row_groups: Iterable[tuple[pa.Table, pa.Table]], number: int
) -> None:
    """One shard and its report, each whole or not at all; the report comes last.

    The shard is read back before its report says that it is there.

    Args:
        one: the set that it belongs to.
        row_groups: the shard's rows, in their order, and what stood beside them.
        number: of this shard.

    Raises:
        OSError: the shard can't be read back.
    """
    name = shard_name(one.layout.name, number, one.shards)
    beside: list[pa.Table] = []
    digest = hashlib.sha256()
    size = 0

    def write(file: BinaryIO) -> None:
        nonlocal size
        hashed = _Hashed(file, digest)
        with pq.ParquetWriter(hashed, one.layout.schema, compression="zstd") as writer:
            for rows, columns in row_groups:
                if rows.num_rows:  # some readers fail on a row group without rows
                    writer.write_table(rows, row_group_size=rows.num_rows)
                beside.append(columns.select(list(one.layout.measured)))
        size = hashed.size

    path = files.join(one.folder, name)
    files.write_whole(path, write)
    columns = pa.concat_tables(beside)
    read_back(path, columns.num_rows)
    report = {
        "file": name,
        "rows": columns.num_rows,
        "bytes": size,
        "sha256": digest.hexdigest(),
        "measures": one.layout.measure(columns),
    }
    files.write_json(shard_report(one.reports, number), report)


def read_back(path: str, rows: int) -> None:
    """Decode all of a written Parquet file as a reader would.

    Args:
        path: of the file.
        rows: that it must hold.

    Raises:
        OSError: it can't be read, or holds another number of rows.
    """
    try:
        with files.open_input(path) as stream:
            batches = pq.ParquetFile(stream).iter_batches(_AT_ONCE, use_threads=False)
            there = sum(batch.num_rows for batch in batches)
        fault = None if there == rows else f"it holds {there:,} rows, {rows:,} were written"
    except (pa.ArrowException, OSError) as error:
        fault = str(error).partition("\n")[0]
    if fault is not None:
        raise OSError(
            f"{path} was written, but can't be read back: {fault}. Is the disk sound? If it is, "
            "leave out or cast the column that has so rare a type, and run again"
        )


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed and counted as they are written."""

    def __init__(self, file: BinaryIO, digest: Any) -> None:
        self.file, self.digest, self.size = file, digest, 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size


def row_group(sizes: NDArray[np.int64]) -> int:
    """Rows of a Parquet row group, from the bytes of all rows of a set: the same for all shards."""
    return max(1, ROW_GROUP // max(1, int(sizes.mean()))) if len(sizes) else 1


def shard_report(folder: str, number: int) -> str:
    """The file that says what a shard holds; a shard without one is not finished."""
    return files.join(folder, f"shard-{number:05d}.json")


def shard_of(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], copy: NDArray[Any], seed: int, shards: int
) -> NDArray[np.int64]:
    """Which shard each appearance of a document goes to.

    Args:
        hi, lo: uint64[n], fingerprints.
        copy: int[n], which appearance it is, from 1.
        seed: the run's.
        shards: how many there are.
    """
    hashed = seeded_hash(hi, lo + copy.astype(np.uint64), seed, "shard")
    return (hashed % np.uint64(shards)).astype(np.int64)


def count_shards(size: int, shard_mb: int, rows: int | None = None) -> int:
    """How many shards rows of so many bytes make; no more than there are rows.

    Small corpora make up to 16 of 32 MB or more, so that workers can share them.

    Args:
        size: uncompressed bytes of all rows.
        shard_mb: uncompressed MB that a shard may hold.
        rows: how many there are, where that is known.
    """
    shards = max(-(-size // (shard_mb << 20)), min(16, -(-size // (32 << 20))))
    return max(1, shards if rows is None else min(shards, rows))
