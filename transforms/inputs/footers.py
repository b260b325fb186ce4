"""Parquet files as their footers tell of them, and what is wrong where they can't be read."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.schemas.documents import Piece
from outcross.transforms.base.files import is_local
from outcross.transforms.inputs.seals import open_piece


def open_parquet(piece: Piece) -> Any:
    """Return the file of a Parquet piece as Arrow reads it, held to its seal."""
    if piece.seal is None and is_local(piece.file):
        return pa.OSFile(piece.file)
    return pa.PythonFile(open_piece(piece), mode="r")


def group_rows(file: pq.ParquetFile) -> list[int]:
    """Return the rows of each row group, as the footer tells them."""
    groups = range(file.metadata.num_row_groups)
    return [file.metadata.row_group(group).num_rows for group in groups]


def group_bytes(file: pq.ParquetFile) -> int:
    """Return the bytes of all row groups, as the footer tells them."""
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    return sum(g.column(i).total_compressed_size for g in groups for i in range(g.num_columns))


def fault_of_footer(file: pq.ParquetFile) -> str | None:
    """Return what is wrong with what a footer tells, None for nothing."""
    names = file.schema_arrow.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"columns {twice} are there twice; names must differ"
    rows = group_rows(file)
    if min(rows, default=0) < 0 or sum(rows) != file.metadata.num_rows:
        return "broken Parquet: the footer doesn't say how many rows there are; get the file again"
    return None


def broken_column(file: pq.ParquetFile, group: int) -> str:
    """Return the first column of a row group that can't be read by itself."""
    names = list(file.schema_arrow.names)
    for name in names:
        try:
            file.read_row_group(group, columns=[name], use_threads=False)
        except (pa.ArrowException, OSError, MemoryError):
            return name
    return ", ".join(names)


def broken_parquet(fault: Exception, place: str = "") -> str:
    """Return the reason of a reject: the same words for the same fault.

    Args:
        fault: that Arrow raised.
        place: where, if it is known.
    """
    cause = (str(fault) or type(fault).__name__).splitlines()[0].rstrip(".")
    return f"broken Parquet: {place}{re.sub(r'[0-9]+', 'N', cause)}; get the file again"
