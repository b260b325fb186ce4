"""Footers of Parquet files: row counts, sizes, and the faults of files that can't be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outcross.schemas.documents import Piece
from outcross.transforms.base.files import is_local
from outcross.transforms.inputs.seals import open_piece

GET_AGAIN = "get the file again"
_PARQUET = re.compile(r"(broken Parquet: )(column .*?, row group \d+: )?(.*)", re.DOTALL)


def open_for_arrow(piece: Piece) -> Any:
    """Open the file of a piece for Arrow; it is checked against its seal."""
    if piece.seal is None and is_local(piece.file):
        return pa.OSFile(piece.file)
    return pa.PythonFile(open_piece(piece), mode="r")


def group_rows(file: pq.ParquetFile) -> list[int]:
    """Return the number of rows of each row group, from the footer."""
    groups = range(file.metadata.num_row_groups)
    return [file.metadata.row_group(group).num_rows for group in groups]


def group_bytes(file: pq.ParquetFile) -> int:
    """Return the compressed bytes of all row groups, from the footer."""
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    return sum(g.column(i).total_compressed_size for g in groups for i in range(g.num_columns))


def fault_of_footer(file: pq.ParquetFile) -> str | None:
    """Return the fault of a footer, None if it has none."""
    if fault := fault_of_names(file.schema_arrow.names):
        return fault
    rows = group_rows(file)
    if min(rows, default=0) < 0 or sum(rows) != file.metadata.num_rows:
        return "broken Parquet: the footer doesn't say how many rows there are; get the file again"
    return None


def fault_of_names(names: Sequence[str]) -> str | None:
    """Return a message if column names repeat, None if all differ."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    return f"columns {repeated} are there twice; names must differ" if repeated else None


def broken_column(file: pq.ParquetFile, group: int) -> str:
    """Return the first column of a row group that can't be read; all columns if each can."""
    names = list(file.schema_arrow.names)
    for name in names:
        try:
            file.read_row_group(group, columns=[name], use_threads=False)
        except (pa.ArrowException, OSError, MemoryError):
            return name
    return ", ".join(names)


def broken_parquet(fault: Exception, place: str = "") -> str:
    """Return the reason of a reject.

    Args:
        fault: exception that Arrow raised.
        place: column and row group of the fault, if they are known.
    """
    cause = (str(fault) or type(fault).__name__).splitlines()[0].rstrip(".")
    return f"broken Parquet: {place}{cause}; {GET_AGAIN}"


def without_numbers(reason: str) -> str:
    """Return a reason with "N" for the numbers of a fault in Parquet, as each file has others."""
    if (parts := _PARQUET.fullmatch(reason)) is None:
        return reason
    head, place, cause = parts.groups("")
    return head + place + re.sub("[0-9]+", "N", cause)
