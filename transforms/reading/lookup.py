"""Texts of a few documents, read without parsing the rows around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.schemas.documents import Piece, Unit
from outcross.schemas.sources import Source
from outcross.schemas.text_field import paths_of
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.compressed import PIECE, BrokenError
from outcross.transforms.inputs.content import strip_marks
from outcross.transforms.inputs.footers import open_for_arrow
from outcross.transforms.inputs.seals import check_piece
from outcross.transforms.reading.jsonl import parse
from outcross.transforms.reading.line_scan import scan
from outcross.transforms.reading.parquet import batch_rows
from outcross.transforms.reading.read import BATCH_BYTES, json_blocks, piece_rows
from outcross.transforms.rows.blocks import with_columns
from outcross.transforms.rows.fields import string_field
from outcross.transforms.rows.open_keys import is_named, named_columns
from outcross.transforms.rows.text_fields import text_of

TextKind = Literal["text", "prompt"]


def first_columns(piece: Piece) -> list[str]:
    """Return the columns of a file's first row; none if it can't be read."""
    source = Source(name="file", role="human", files=[piece.file])
    try:
        if piece.kind == "parquet":
            with open_for_arrow(piece) as stream:
                return list(pq.read_schema(stream).names)
        if piece.kind not in ("jsonl", "json"):
            return list(next(piece_rows(piece, source, BATCH_BYTES)).batch.schema.names)
        _, blocks = json_blocks(piece, source, BATCH_BYTES)
        lines = (line for data, _, _ in blocks for line in strip_marks(data).split(b"\n"))
        value = orjson.loads(next(line for line in lines if line.strip()))
    except (OSError, ValueError, StopIteration, BrokenError, pa.ArrowException):
        return []
    return list(value) if isinstance(value, dict) else []


def texts_at(
    pieces: Sequence[Piece], source: Source, places: NDArray[np.int64], kind: TextKind = "text"
) -> list[str]:
    """Return the texts at some places of pieces; empty for a document without a prompt.

    Args:
        pieces: pieces of a unit, with their seals.
        source: source of the pieces.
        places: int64[n, 2], places of valid documents: number of the piece, and line or row in
            it, both ascending.
        kind: the judged text, or the prompt.

    Raises:
        OSError: a file can't be opened.
        ChangedError: a file has changed since it was sealed.
    """
    return texts_of_kinds(pieces, source, places, [kind])[kind]


def texts_of_kinds(
    pieces: Sequence[Piece],
    source: Source,
    places: NDArray[np.int64],
    kinds: Sequence[TextKind],
) -> dict[TextKind, list[str]]:
    """Return texts of several kinds at the same places, which are read once.

    Arguments and errors are those of `texts_at`.
    """
    paths = [] if "text" not in kinds else [*paths_of(source.text_field)]
    if "prompt" in kinds and source.prompt_field is not None:
        paths.append(source.prompt_field)
    texts: dict[TextKind, list[str]] = {kind: [] for kind in kinds}
    for batch in _batches_at(pieces, places, paths, source):
        for kind in kinds:
            if kind == "text":
                text, _ = text_of(batch, source)
            else:
                text = string_field(batch, source.prompt_field)
            if text is None:
                texts[kind] += [""] * batch.num_rows
            else:
                texts[kind] += pc.fill_null(text, "").to_pylist()
    return texts


def texts_of_rows(
    sketches: str,
    unit: Unit,
    source: Source,
    rows: NDArray[np.int64],
    kinds: Sequence[TextKind] = ("text",),
) -> dict[TextKind, list[str]]:
    """Return the texts of some documents of a unit, of each kind; its files are read once.

    Args:
        sketches: folder of the sketches.
        unit: unit with its pieces.
        source: source of the unit.
        rows: int64[n], rows of the documents among the unit's valid rows, ascending.
        kinds: kinds of texts to return.
    """
    lines = files.read_json(unit_file(sketches, unit.index, "json"))["lines"]
    starts = np.cumsum([0, *lines], dtype=np.int64)[:-1]
    column = files.read_table(unit_file(sketches, unit.index, "parquet"), ["row"]).column(0)
    line = column.to_numpy()[rows]
    piece = np.searchsorted(starts, line, side="right") - 1
    places = np.stack([piece, line - starts[piece]], 1)
    return texts_of_kinds(unit.pieces, source, places, kinds)


def _batches_at(
    pieces: Sequence[Piece], places: NDArray[np.int64], paths: Sequence[str], source: Source
) -> Iterator[pa.RecordBatch]:
    """Yield batches of the rows at some places, with the columns that the paths lead into."""
    lines: list[bytes] = []
    size = 0
    before: Piece | None = None
    for number in np.unique(places[:, 0]).tolist():
        piece, rows = pieces[number], places[places[:, 0] == number, 1]
        is_json = piece.kind in ("jsonl", "json")
        ended = not is_json or size >= BATCH_BYTES
        if before is not None and lines and (ended or piece.columns != before.columns):
            yield _parsed(lines, source, before)
            lines, size = [], 0
        if is_json:
            lines += _lines_at(piece, rows, source)
            size += sum(map(len, lines[-len(rows) :]))
        elif piece.kind == "parquet":
            yield from _rows_of_parquet(piece, rows, paths)
        else:
            yield from _rows_at(piece, rows, source)
        check_piece(piece)
        before = piece
    if before is not None and lines:
        yield _parsed(lines, source, before)


def _lines_at(piece: Piece, rows: NDArray[np.int64], source: Source) -> list[bytes]:
    chosen: list[bytes] = []
    first = 0
    _, blocks = json_blocks(piece, source, BATCH_BYTES)
    for data, _, _ in blocks:
        last = first + data.count(b"\n") + (not data.endswith(b"\n"))
        numbers = rows[(rows >= first) & (rows < last)] - first
        if len(numbers):
            lines = scan(data)
            chosen += [lines.line(number) for number in numbers]
        if not (rows >= last).any():
            break
        first = last
    return chosen


def _parsed(lines: Sequence[bytes], source: Source, piece: Piece) -> pa.RecordBatch:
    chosen = scan(strip_marks(b"\n".join(lines)))
    batch = parse(chosen, chosen.filled, named_columns(source)).batch
    return with_columns(batch, piece.columns)


def _rows_at(piece: Piece, rows: NDArray[np.int64], source: Source) -> Iterator[pa.RecordBatch]:
    remaining = len(rows)
    for block in piece_rows(piece, source, BATCH_BYTES):
        numbers = np.flatnonzero(np.isin(block.rows, rows))
        if len(numbers):
            yield with_columns(block.batch.take(pa.array(numbers)), piece.columns)
        remaining -= len(numbers)
        if remaining == 0:
            break


def _rows_of_parquet(
    piece: Piece, rows: NDArray[np.int64], paths: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    with open_for_arrow(piece) as stream:
        file = pq.ParquetFile(stream, buffer_size=PIECE)
        names = file.schema_arrow.names
        columns = [name for name in names if is_named(name, paths)]
        columns = columns or names[:1]  # any column, for the number of rows
        first = 0
        stop = file.num_row_groups if piece.stop < 0 else piece.stop
        for group in range(piece.start, stop):
            last = first + file.metadata.row_group(group).num_rows
            numbers = rows[(rows >= first) & (rows < last)] - first
            if len(numbers):
                yield from _rows_of_group(file, group, numbers, columns, piece)
            first = last


def _rows_of_group(
    file: pq.ParquetFile,
    group: int,
    rows: NDArray[np.int64],
    columns: Sequence[str],
    piece: Piece,
) -> Iterator[pa.RecordBatch]:
    """Yield some rows of a row group; no row after the last of them is read, as it may be broken.

    Batches are those of the first reading, which ended before the damage.
    """
    size = min(batch_rows(file.metadata.row_group(group), BATCH_BYTES), int(rows[-1]) + 1)
    first = 0
    for batch in file.iter_batches(size, row_groups=[group], columns=columns, use_threads=False):
        last = first + batch.num_rows
        numbers = rows[(rows >= first) & (rows < last)] - first
        if len(numbers):
            yield with_columns(batch.take(pa.array(numbers)), piece.columns)
        if rows[-1] < last:
            return
        first = last
