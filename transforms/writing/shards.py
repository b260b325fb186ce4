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

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash


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


ROW_GROUP = 32 << 20  # bytes of a Parquet row group, uncompressed
_AT_ONCE = 1 << 12  # rows that are read back at once


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


def row_groups(one: ShardSet, table: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
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
        beside = flatten(group["columns"], pa.schema(list(group.schema.field("columns").type)))
        columns = pa.Table.from_batches([beside])
        yield one.layout.rows(flatten(group["row"], one.layout.union), columns), columns


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


def flatten(column: pa.ChunkedArray, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(column.combine_chunks().flatten(), schema=schema)
