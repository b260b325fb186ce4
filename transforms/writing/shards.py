"""Shards: Parquet files of a set, each with a report, and the rule that deals rows to them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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

SHARD_CURE = "give the command of the run again, which makes it again"
"""Advice for a shard that isn't as the run wrote it."""
ROW_GROUP = 32 << 20  # bytes of a Parquet row group, uncompressed
_AT_ONCE = 1 << 12  # rows that are read back at once
WRITER_OPTIONS: Mapping[str, Any] = {
    "use_content_defined_chunking": True,
    "write_page_index": True,
}
"""Options of pyarrow's Parquet writer for shards.

Pages end where the content says so. So shards with mostly the same rows share most of their pages,
and a hub that stores each chunk once stores little for a further version. The page index lets
readers skip pages.
"""


@dataclass(frozen=True)
class Routes:
    """Destinations of m rows of one unit.

    Attributes:
        row: int64[m], valid rows of the unit, ascending; a row may be listed several times.
        shard: int64[m], number of the row's shard.
        key: uint64[m], order inside the shard.
        tie: uint64[m], order of rows with equal keys: hashes of the rows.
        place: int64[m], order of equal rows, from `place_of`.
        columns: m rows of columns that the layout adds.
    """

    row: NDArray[np.int64]
    shard: NDArray[np.int64]
    key: NDArray[np.uint64]
    tie: NDArray[np.uint64]
    place: NDArray[np.int64]
    columns: pa.Table


def no_routes(columns: pa.Table) -> Routes:
    """Return the destinations of no rows.

    Args:
        columns: no rows of the columns that the layout adds.
    """
    none = np.zeros(0, np.int64)
    hashes = none.astype(np.uint64)
    return Routes(none, none, hashes, hashes, none, columns)


class Layout(Protocol):
    """Contents of a set of shards.

    Attributes:
        name: name of the shards' files, before their number.
        union: schema of the users' columns.
    """

    name: str
    union: pa.Schema

    @property
    def schema(self) -> pa.Schema:
        """Schema of a shard."""
        ...

    def routes(self, unit: Unit) -> Routes:
        """Route the unit's rows that are written to their shards."""
        ...

    def rows(self, rows: pa.RecordBatch, columns: pa.Table) -> pa.Table:
        """Lay out m rows of a shard.

        Args:
            rows: m rows of the users' columns.
            columns: m rows of `Routes.columns`.
        """
        ...

    @property
    def measured(self) -> Sequence[str]:
        """Name the `Routes.columns` that `measure` needs."""
        ...

    def measure(self, columns: pa.Table) -> Any:
        """Count a shard's rows, as JSON, from their columns `measured`."""
        ...

    def no_rows(self) -> tuple[pa.Table, pa.Table]:
        """Return a row group without rows and its `Routes.columns`."""
        ...


def shard_name(name: str, number: int, shards: int) -> str:
    """Name a shard's file: train-00003-of-00016.parquet."""
    return f"{name}-{number:05d}-of-{shards:05d}.parquet"


def is_shard(path: str, name: str) -> bool:
    """Return whether a file has the name of a shard, of any number of shards."""
    return (
        re.fullmatch(rf"{name}-\d{{5,}}-of-\d{{5,}}\.parquet", path.rpartition("/")[2]) is not None
    )


@dataclass(frozen=True)
class ShardSet:
    """A folder of shards.

    Args:
        layout: routes and layout of the rows.
        folder: folder that gets the shards.
        reports: folder that gets the shards' reports.
        numbers: numbers of the shards to write now.
        shards: number of shards in all.
        row_group: rows of a Parquet row group.
        text_out: last column of the union, which gets the judged text; None for no such column.
    """

    layout: Layout
    folder: str
    reports: str
    numbers: Sequence[int]
    shards: int
    row_group: int
    text_out: str | None = None


def row_groups(shard_set: ShardSet, table: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Sort a shard's rows, a row group at a time, so that the shard is not copied twice.

    Args:
        shard_set: set that the shard belongs to.
        table: the shard's rows in chunks, with `row`, `key`, `tie`, `place` and `columns`.

    Yields:
        Rows of a row group as the layout has them, and their `Routes.columns`.
    """
    order = np.lexsort([table[name].to_numpy() for name in ("place", "tie", "key")])
    batches = table.select(["row", "columns"]).to_batches()
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    for low in range(0, len(order), shard_set.row_group):
        rows = order[low : low + shard_set.row_group]
        batch_of_row = np.searchsorted(starts, rows, side="right") - 1
        by_batch = np.argsort(batch_of_row, kind="stable")
        cuts = np.searchsorted(batch_of_row[by_batch], np.arange(len(batches) + 1))
        parts = [
            batch.take(pa.array(rows[by_batch[begin:end]] - start))
            for batch, start, (begin, end) in zip(batches, starts, pairwise(cuts), strict=False)
            if end > begin
        ]
        place = np.empty(len(rows), np.int64)
        place[by_batch] = np.arange(len(rows))
        group = pa.Table.from_batches(parts).combine_chunks().take(pa.array(place))
        members = pa.schema(list(group.schema.field("columns").type))
        columns = pa.Table.from_batches([_flatten(group["columns"], members)])
        users_rows = _flatten(group["row"], shard_set.layout.union)
        yield shard_set.layout.rows(users_rows, columns), columns


def write_shard(
    shard_set: ShardSet, row_groups: Iterable[tuple[pa.Table, pa.Table]], number: int
) -> None:
    """Write one shard, read it back, then write its report; no file is ever half written.

    Args:
        shard_set: set that the shard belongs to.
        row_groups: rows of each row group, and their `Routes.columns`.
        number: number of the shard.

    Raises:
        OSError: the shard can't be read back.
    """
    layout = shard_set.layout
    name = shard_name(layout.name, number, shard_set.shards)
    parts: list[pa.Table] = []
    digest = hashlib.sha256()
    size = 0

    def write(file: BinaryIO) -> None:
        nonlocal size
        hashed = _Hashed(file, digest)
        with files.parquet_writer(hashed, layout.schema, **WRITER_OPTIONS) as writer:
            for rows, columns in row_groups:
                if rows.num_rows:  # some readers fail on a row group without rows
                    writer.write_table(rows, row_group_size=rows.num_rows)
                parts.append(columns.select(list(layout.measured)))
        size = hashed.size

    path = files.join(shard_set.folder, name)
    files.write_whole(path, write)
    columns = pa.concat_tables(parts)
    read_back(path, columns.num_rows)
    report = {
        "file": name,
        "rows": columns.num_rows,
        "bytes": size,
        "sha256": digest.hexdigest(),
        "measures": layout.measure(columns),
    }
    files.write_json(shard_report(shard_set.reports, number), report)


def read_back(path: str, rows: int) -> None:
    """Decode all of a written Parquet file, as a reader would.

    Args:
        path: path of the file.
        rows: number of rows that it must hold.

    Raises:
        OSError: it can't be read, or holds another number of rows.
    """
    try:
        with files.open_input(path) as stream:
            data = pq.ParquetFile(stream, page_checksum_verification=True)
            batches = data.iter_batches(_AT_ONCE, use_threads=False)
            count = sum(batch.num_rows for batch in batches)
        fault = None if count == rows else f"it holds {count:,} rows, {rows:,} were written"
    except MemoryError:
        raise
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
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write and hash some bytes."""
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self.size


def row_group(size: int, rows: int) -> int:
    """Choose the rows of a Parquet row group, the same for all shards of a set.

    Args:
        size: uncompressed bytes of all rows of the set.
        rows: number of rows.
    """
    return max(1, ROW_GROUP // max(1, size // rows)) if rows else 1


def shard_report(folder: str, number: int) -> str:
    """Return the path of a shard's report; a shard without a report is unfinished."""
    return files.join(folder, f"shard-{number:05d}.json")


def read_report(folder: str, number: int) -> dict[str, Any]:
    """Return the report of a shard.

    Raises:
        DamagedError: the file is damaged or gone.
    """

    def parse(data: bytes) -> dict[str, Any]:
        report = json.loads(data)
        return {name: report[name] for name in ("file", "rows", "bytes", "sha256", "measures")}

    return files.read_as(shard_report(folder, number), parse)


def changed_shards(
    folder: str, shards: Sequence[Mapping[str, Any]], workers: int | None = None
) -> dict[str, str]:
    """Compare shards with what was written: their size and SHA-256.

    Args:
        folder: folder of the shards' names.
        shards: file, bytes and sha256 of each shard, as reports and manifest.json have them.
        workers: number of threads; the number of cores if None.

    Returns:
        Faults of the changed shards by their paths.

    Raises:
        DamagedError: a path can't be read at all, such as a directory.
    """
    paths = [files.join(folder, shard["file"]) for shard in shards]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        faults = dict(zip(paths, pool.map(_fault, paths, shards), strict=True))
    return {path: fault for path, fault in faults.items() if fault is not None}


def _fault(path: str, shard: Mapping[str, Any]) -> str | None:
    if not files.exists(path):
        return "is gone"
    size, sha256 = files.sha256_of(path)
    if size != shard["bytes"]:
        return f"has {size:,} bytes, and {shard['bytes']:,} were written"
    return None if sha256 == shard["sha256"] else "has other bytes than were written"


def place_of(unit: Unit, row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of a unit's rows among all rows of the input: int64[m].

    Args:
        unit: the unit.
        row: int64[m], valid rows of the unit.
    """
    return (unit.index << 32) + row


def shard_of(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], copy: NDArray[Any], seed: int, shards: int
) -> NDArray[np.int64]:
    """Deal each appearance of a document to a shard.

    Args:
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves of the fingerprints.
        copy: int[n], number of the appearance, from 1.
        seed: seed of the run.
        shards: number of shards.

    Returns:
        int64[n], numbers of the shards.
    """
    hashed = seeded_hash(hi, lo + copy.astype(np.uint64), seed, "shard")
    return (hashed % np.uint64(shards)).astype(np.int64)


def count_shards(size: int, shard_mb: int, rows: int | None = None) -> int:
    """Choose the number of shards; there are no more shards than rows.

    Small corpora make up to 16 shards of 32 MB or more, so that workers can share them.

    Args:
        size: uncompressed bytes of all rows.
        shard_mb: uncompressed MB that a shard may hold.
        rows: number of rows, if known.
    """
    shards = max(-(-size // (shard_mb << 20)), min(16, -(-size // (32 << 20))))
    return max(1, shards if rows is None else min(shards, rows))


def _flatten(column: pa.ChunkedArray, schema: pa.Schema) -> pa.RecordBatch:
    """Split a struct column into its members."""
    return pa.RecordBatch.from_arrays(column.combine_chunks().flatten(), schema=schema)
