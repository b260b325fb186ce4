"""First rows of a file, as its format has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa

from outcross.pipeline.commands.commented_config import one_line
from outcross.schemas.documents import Piece
from outcross.schemas.sources import Source
from outcross.schemas.supertypes import bare, cast
from outcross.schemas.user_input import ConfigError
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import strip_marks
from outcross.transforms.inputs.footers import open_for_arrow
from outcross.transforms.reading.parquet import ParquetColumns, undecodable
from outcross.transforms.reading.read import json_blocks, piece_rows

FIRST_ROWS = 200
_BATCH_BYTES = 256 << 10
_NOT_IN_PYTHON = (ArithmeticError, LookupError, ValueError, pa.ArrowException)
"""Errors of values that Python lacks, such as years after 9999 and unknown time zones."""


def first_columns_of(piece: Piece, source: Source) -> dict[str, list[Any]] | None:
    """Return the first values of each column of a file; None if the file has no rows.

    A value is None where a row has none. Columns that the file's folders name, such as `lang=en/`,
    are among them. Rows that aren't UTF-8 and columns that Python can't hold are left out.

    Args:
        piece: the file, or a range of it.
        source: the source that the file belongs to.

    Raises:
        ConfigError: when the first rows can't be read.
    """
    try:
        rows = list(islice(_rows(piece, source), FIRST_ROWS))
    except (OSError, ValueError, BrokenError, pa.ArrowException) as error:
        raise ConfigError(
            f"init: the first rows of {one_line(piece.file)!r} can't be read: {error}"
        ) from None
    if not rows:
        return None
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return columns | {name: [value] * len(rows) for name, value in piece.columns}


def _rows(piece: Piece, source: Source) -> Iterator[dict[str, Any]]:
    if piece.kind in ("jsonl", "json"):
        return _json_rows(piece, source)
    if piece.kind == "parquet":
        return _parquet_rows(piece)
    batches = (rows.batch for rows in piece_rows(piece, source, _BATCH_BYTES))
    return (row for batch in batches for row in _readable_rows(batch.slice(0, FIRST_ROWS)))


def _json_rows(piece: Piece, source: Source) -> Iterator[dict[str, Any]]:
    """Yield the objects among the lines; a line that is none is a reject of a run."""
    _, blocks = json_blocks(piece, source, _BATCH_BYTES)
    for data, _, broken in blocks:
        for line in strip_marks(data).split(b"\n"):
            try:
                row = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row
        if broken is not None:
            return


def _parquet_rows(piece: Piece) -> Iterator[dict[str, Any]]:
    with open_for_arrow(piece) as stream:
        parquet = ParquetColumns(stream)
        for group in range(parquet.file.num_row_groups):
            for batch in parquet.batches(group, FIRST_ROWS):
                yield from _readable_rows(batch)


def _readable_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Yield the rows that are UTF-8, without the columns that Python can't hold."""
    columns = [cast(column, bare(column.type)) for column in batch.columns]
    faulty = {row for column in columns for row in undecodable(column)}
    rows = [row for row in range(batch.num_rows) if row not in faulty]
    values = {}
    for name, column in zip(batch.schema.names, columns, strict=True):
        with suppress(*_NOT_IN_PYTHON):
            readable = column.take(pa.array(rows, pa.int64())) if faulty else column
            values[name] = readable.to_pylist()
    for position in range(len(rows)):
        yield {name: column[position] for name, column in values.items()}
