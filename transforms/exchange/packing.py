"""Tables on their way through a shuffle: as bytes, or as places in a file on this machine's disk.

Beam's cost is per element, so an element is a table of many rows. Where all workers share a disk,
only the place of a table is shuffled, and the receiver maps the file into memory. Bytes that fill
more than a little memory are unpacked into a file of the receiver's own.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from tempfile import TemporaryFile, gettempdir
from typing import Any

import pyarrow as pa

from outcross.transforms.base import files
from outcross.transforms.base.progress import count

Keyed = tuple[int, pa.Table]
"""Key of an exchange, and rows that are sent to it."""

Packed = bytes | tuple[str, int, int]
"""Packed rows: the bytes, or their file with the first byte and the byte after the last."""

SHUFFLED = "shuffled"
"""Counter of the bytes that are shuffled, or spilled in place of that."""

IN_MEMORY = 64 << 20
"""Unpacked bytes of a table that its parts from a shuffle may take in memory, but for the last."""

_ONE_THREAD = pa.ipc.IpcReadOptions(use_threads=False)


class Packer:
    """Packer of tables, into bytes or one after another into a file.

    Args:
        folder: folder that all workers share; None to pack into bytes.
        name: name of the file in the folder, different for every packer.
    """

    def __init__(self, folder: str | None, name: str) -> None:
        self.path = None if folder is None else files.join(folder, name)
        self._open = ExitStack()
        self._file: Any = None

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def pack(self, table: pa.Table) -> Packed:
        """Pack one table."""
        if self.path is None:
            sink = io.BytesIO()
            _write(table, sink, "zstd")
            count(SHUFFLED, sink.tell())
            return sink.getvalue()
        if self._file is None:  # a packer without tables leaves no file
            with files.writing(self.path):
                self._file = self._open.enter_context(pa.OSFile(self.path, "wb"))
        start = self._file.tell()
        with files.writing(self.path):
            _write(table, self._file, None)  # uncompressed, so that it can be mapped
        stop = self._file.tell()
        count(SHUFFLED, stop - start)
        return self.path, start, stop


def unpack(packed: Iterable[Packed]) -> pa.Table:
    """Join packed tables of one schema, at least one, in the order of their arrival.

    The order of arrival differs from run to run, so the receiver sorts what must be in order.
    Once more than `IN_MEMORY` is unpacked, further bytes go to a temporary file, which is mapped.

    Args:
        packed: packed tables. They are read one by one, and none is kept.

    Raises:
        WriteError: the disk of the temporary file is full, or the system forbids the write.
    """
    parts = iter(packed)
    tables: list[pa.Table] = []
    size = 0
    for part in parts:
        tables.append(_read(part))
        size += tables[-1].nbytes if isinstance(part, bytes) else 0
        if size > IN_MEMORY:
            tables += _on_disk(parts)
    return pa.concat_tables(tables)


def to_buffer(table: pa.Table) -> pa.Buffer:
    """Serialise a table without compression, for the sums of a bundle."""
    sink = pa.BufferOutputStream()
    _write(table, sink, None)
    return sink.getvalue()


def _write(table: pa.Table, sink: Any, compression: str | None) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def _on_disk(parts: Iterator[Packed]) -> list[pa.Table]:
    """Unpack tables into a file without a name. Its disk is free again when they are let go."""
    stops = [0]
    with files.writing(gettempdir()), TemporaryFile() as file:
        for part in parts:
            _write(_read(part), file, None)
            stops.append(file.tell())
        if len(stops) == 1:
            return []  # an empty file can't be mapped
        file.flush()
        mapped = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return [_open(mapped[start:stop]) for start, stop in pairwise(stops)]


def _read(packed: Packed) -> pa.Table:
    if isinstance(packed, bytes):
        return _open(pa.py_buffer(packed))
    path, start, stop = packed
    with pa.memory_map(path) as file:
        file.seek(start)
        return _open(file.read_buffer(stop - start))


def _open(buffer: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(buffer, options=_ONE_THREAD).read_all()
