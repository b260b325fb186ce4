"""Read and write files on any Beam file system; each appears complete or not at all."""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import json
import os
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.transforms.base.damage import reading
from outcross.transforms.base.store_errors import reaching
from outcross.transforms.base.stores import StoredFile, file_system, upload
from outcross.transforms.base.visible import visible_name

T = TypeVar("T")

ROW_GROUP = 32 << 20
"""Bytes of a row group, uncompressed."""

_NUMPY_LOCK = threading.Lock()
"""NumPy parses headers of arrays with `ast`, which isn't thread-safe on Python 3.11."""

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp", re.DOTALL)
"""Name of a file that `write_whole` has not finished."""
_CURES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free space on that disk"),
    errno.EFBIG: "allow larger files (`ulimit -f`)",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "allow this user to write there"),
}


class WriteError(OSError):
    """A file can't be written; the message names the file, the cause and the cure."""


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Name the file and the cure in errors of a full or protected disk.

    Args:
        path: path of the file or folder that the body of the `with` statement writes.

    Raises:
        WriteError: the disk is full, or the system forbids the write.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno not in _CURES:
            raise
        raise WriteError(
            f"{visible_name(path)} can't be written: {os.strerror(error.errno)}; "
            f"{_CURES[error.errno]}"
        ) from error


def is_local(path: str) -> bool:
    """Return whether a path is one of this machine, not of an object store."""
    return "://" not in path


def as_utf8(path: str) -> str:
    """Return a path as valid UTF-8 text, with other bytes in hexadecimal."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def absolute_path(path: str) -> str:
    """Return a path in a form without the working directory; addresses lose a final slash."""
    return os.path.abspath(path) if is_local(path) else path.rstrip("/")


def real_path(path: str) -> str:
    """Return a local path with its links resolved; other addresses stay as they are."""
    return os.path.realpath(path) if is_local(path) else path


def join(folder: str, *parts: str) -> str:
    """Return a path below a folder; object stores use slashes too."""
    return "/".join([folder.rstrip("/"), *parts])


def exists(path: str) -> bool:
    """Return whether a file or folder exists."""
    if is_local(path):
        return Path(path).exists()
    systems = file_system(path)
    with reaching(path):
        return bool(systems.exists(path))


def make_folder(path: str) -> None:
    """Create a local folder with its parents; object stores need none."""
    if is_local(path):
        with writing(path):
            Path(path).mkdir(parents=True, exist_ok=True)


def open_input(path: str) -> BinaryIO:
    """Open a file for reading its bytes as they are stored, without decompressing."""
    if is_local(path):
        return Path(path).open("rb")
    from apache_beam.io.filesystem import CompressionTypes

    systems = file_system(path)
    with reaching(path):
        opened = systems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return io.BufferedReader(StoredFile(path, opened))


def read_bytes(path: str) -> bytes:
    """Return all bytes of a file."""
    with open_input(path) as file:
        return file.read()


def sha256_of(path: str) -> tuple[int, str]:
    """Return the bytes of a stored file and their SHA-256, read a MiB at a time.

    Raises:
        DamagedError: the file can't be read, or is gone.
    """
    digest, size = hashlib.sha256(), 0
    with reading(path), open_input(path) as file:
        while data := file.read(1 << 20):
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()


def write_whole(path: str, write: Callable[[BinaryIO], None]) -> None:
    """Call `write` with an open file that gets its name only when it is complete.

    A local file has a temporary name and is renamed. What goes to an object store is complete
    in a temporary file before the upload begins.

    Raises:
        WriteError: the disk is full, or the system forbids the write.
        StoreError: the store doesn't answer or refuses.
    """
    if not is_local(path):
        with tempfile.TemporaryFile() as complete:
            with writing(tempfile.gettempdir()):
                write(complete)
            complete.seek(0)
            upload(path, complete)
        return
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with writing(path):
            with temporary.open("wb") as file:
                write(file)
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def delete_leftovers(folder: str) -> None:
    """Delete the incomplete files that killed processes left below a local folder.

    Args:
        folder: folder in which no other process writes.
    """
    if is_local(folder):
        for path in Path(folder).rglob(".*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)


def write_bytes(path: str, data: bytes | pa.Buffer) -> None:
    """Write a file from bytes."""
    write_whole(path, lambda file: cast(None, file.write(data)))


def write_json(path: str, value: Any) -> None:
    """Write indented JSON with keys in the given order."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # File names that aren't UTF-8 hold lone surrogates; JSON can escape them.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def read_json(path: str) -> Any:
    """Return the value in a stored JSON file.

    Raises:
        DamagedError: the file is damaged or gone.
    """
    return read_as(path, json.loads)


def read_as(path: str, parse: Callable[[bytes], T], cure: str | None = None) -> T:
    """Return what a function makes of the bytes of a stored file.

    Args:
        path: path of the file.
        parse: function that reads the bytes.
        cure: advice in the error of a damaged file; None for that of `cure_of`.

    Raises:
        DamagedError: the file is damaged or gone.
    """
    with reading(path, cure):
        return parse(read_bytes(path))


class _Sink:
    """A file that NumPy can't recognise as one.

    It writes to files by itself otherwise, and its errors then don't say why they failed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def write_array(path: str, array: NDArray[Any]) -> None:
    """Write one NumPy array."""
    write_whole(path, lambda file: np.save(cast(Any, _Sink(file)), array, allow_pickle=False))


def read_array(path: str) -> NDArray[Any]:
    """Return the NumPy array in a stored file; pickled objects are refused.

    Raises:
        DamagedError: the file is damaged or gone.
    """

    def parse(data: bytes) -> NDArray[Any]:
        with _NUMPY_LOCK:
            return cast(NDArray[Any], np.load(io.BytesIO(data), allow_pickle=False))

    return read_as(path, parse)


def pack_arrays(arrays: Mapping[str, NDArray[Any]], compressed: bool = False) -> bytes:
    """Return named NumPy arrays as the bytes of one npz file."""
    sink = io.BytesIO()
    save = cast(Any, np.savez_compressed if compressed else np.savez)
    save(sink, **arrays)
    return sink.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays that `pack_arrays` packed; pickled objects are refused."""
    with _NUMPY_LOCK, np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def parquet_writer(file: Any, schema: pa.Schema, **options: Any) -> pq.ParquetWriter:
    """Open a Parquet file for writing; each page gets a checksum, which readers compare.

    Args:
        file: open file.
        schema: schema of the tables.
        options: options of `pyarrow.parquet.ParquetWriter`; zstd compresses by default.
    """
    return pq.ParquetWriter(
        file, schema, write_page_checksum=True, **{"compression": "zstd", **options}
    )


@contextmanager
def open_parquet(path: str, cure: str | None = None) -> Iterator[pq.ParquetFile]:
    """Open a stored Parquet file, whose pages are compared with their checksums.

    Args:
        path: path of the file.
        cure: advice in the error of a damaged file; None for that of `cure_of`.

    Raises:
        DamagedError: the file, or what the body of the `with` statement reads of it, is damaged.
    """
    with reading(path, cure), open_input(path) as stream:
        yield pq.ParquetFile(stream, page_checksum_verification=True)


def row_groups(path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of a stored Parquet file.

    Args:
        path: path of the file.
        columns: names of the columns to read; all of them if None.

    Raises:
        DamagedError: the file is damaged or gone.
    """
    wanted = None if columns is None else list(columns)
    with open_parquet(path) as data:
        for number in range(data.num_row_groups):
            yield data.read_row_group(number, wanted, use_threads=False)


def write_table(path: str, table: pa.Table) -> None:
    """Write a small table as Parquet, without empty row groups."""

    def write(file: BinaryIO) -> None:
        with parquet_writer(file, table.schema) as writer:
            if table.num_rows:
                writer.write_table(table)

    write_whole(path, write)


def write_tables(path: str, tables: Iterable[pa.Table]) -> None:
    """Write tables of one schema, one at least, as Parquet in row groups of about ROW_GROUP bytes.

    Args:
        path: path of the file.
        tables: tables, of which only those of one row group are in memory.
    """

    def write(file: BinaryIO) -> None:
        writer: pq.ParquetWriter | None = None
        waiting: list[pa.Table] = []
        for table in tables:
            writer = writer or parquet_writer(file, table.schema)
            if table.num_rows:
                waiting.append(table)
            if sum(part.nbytes for part in waiting) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        assert writer is not None
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
        writer.close()

    write_whole(path, write)


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a stored Parquet file as a table.

    Args:
        path: path of the file.
        columns: names of the columns to read; all of them if None.

    Raises:
        DamagedError: the file is damaged or gone.
    """
    wanted = None if columns is None else list(columns)
    with reading(path):
        if is_local(path):
            data = pq.ParquetFile(path, page_checksum_verification=True)
            return data.read(columns=wanted, use_threads=False)
        with open_parquet(path) as data:
            return data.read(columns=wanted, use_threads=False)


def list_files(pattern: str) -> list[str]:
    """Return the files that match a glob, sorted.

    Folders that exist under their literal name are taken literally, so `run[1]/*` works.
    """
    if is_local(pattern):
        folder = pattern.rpartition("/")[0]
        while folder and not Path(folder).is_dir():
            folder = folder.rpartition("/")[0]
        pattern = glob.escape(folder) + pattern[len(folder) :]
        return sorted(path for path in glob.glob(pattern) if Path(path).is_file())
    systems = file_system(pattern)
    with reaching(pattern):
        matches = systems.match([pattern])[0].metadata_list
    return sorted(match.path for match in matches)


def delete_files(paths: Sequence[str]) -> None:
    """Delete files; local ones may be missing."""
    for path in paths:
        if is_local(path):
            Path(path).unlink(missing_ok=True)
    remote = [path for path in paths if not is_local(path)]
    if remote:
        systems = file_system(remote[0])
        with reaching(remote[0]):
            systems.delete(remote)
