"""Columns that workers keep between the steps of one graph, mapped into memory where possible."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base import files


def write_columns(path: str, **columns: NDArray[Any]) -> None:
    """Write columns of one length to a file, uncompressed."""
    table = pa.table(columns)
    options = pa.ipc.IpcWriteOptions(use_threads=False)

    def write(file: Any) -> None:
        with pa.ipc.new_stream(file, table.schema, options=options) as writer:
            writer.write_table(table)

    files.write_whole(path, write)


def read_columns(path: str) -> dict[str, NDArray[Any]]:
    """Return the columns that `write_columns` wrote, by name; they can't be changed."""
    if files.is_local(path):
        with pa.memory_map(path) as file:
            return _columns(file)
    return files.read_as(path, lambda data: _columns(pa.BufferReader(data)))


def _columns(file: Any) -> dict[str, NDArray[Any]]:
    with pa.ipc.open_stream(file) as reader:
        table = reader.read_all()
    return {name: table[name].to_numpy() for name in table.column_names}
