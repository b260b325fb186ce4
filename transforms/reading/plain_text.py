"""Rows of plain text and Markdown: each line or each file is a document."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import RAW_BYTES, Piece
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import content, strip_marks, whole_lines
from outcross.transforms.rows.blocks import Reject, Rows

_LARGEST = 256 << 20  # most bytes of a document


def text_lines(piece: Piece, column: str, size: int) -> Iterator[Rows]:
    """Yield the lines of a piece that hold more than white space, as one row each.

    Args:
        piece: file, or range of a file.
        column: name of the text's column.
        size: least bytes of a block of rows, except the last.

    Raises:
        BrokenError: the file is broken; all lines before the fault have been given.
    """
    base = 0
    for data, taken, broken in whole_lines(content(piece), size):
        if broken is not None:
            raise BrokenError(broken.reason, (data + broken.raw)[:RAW_BYTES], broken.complete)
        lines = strip_marks(data).split(b"\n")
        if not lines[-1]:
            lines.pop()
        filled = [number for number, line in enumerate(lines) if line.strip()]
        batch = _texts([lines[number].removesuffix(b"\r") for number in filled], column)
        places = base + np.array(filled, np.int64)
        yield Rows(batch, places, [], len(lines), taken, "line")
        base += len(lines)


def text_file(piece: Piece, column: str) -> Iterator[Rows]:
    """Yield a complete file as one row.

    Args:
        piece: piece that is a complete file.
        column: name of the text's column.

    Raises:
        BrokenError: the file is broken; a part of a document is not read.
    """
    parts: list[bytes] = []
    length = taken = 0
    for part, cost in content(piece):
        length += len(part)
        taken += cost
        if length > _LARGEST:
            reason = (
                f"one document of more than {_LARGEST >> 20} MiB; where the file holds a document "
                "a line, say format: text-lines"
            )
            rejects = [Reject("row", 0, reason, parts[0][:RAW_BYTES], lost=piece.bytes)]
            yield Rows(_texts([], column), np.zeros(0, np.int64), rejects, 1, piece.bytes)
            return
        parts.append(part)
    text = strip_marks(b"".join(parts))
    yield Rows(_texts([text], column), np.zeros(1, np.int64), [], 1, taken)


def _texts(values: list[bytes], column: str) -> pa.RecordBatch:
    """Return texts as an unchecked column; a later check rejects rows that aren't UTF-8."""
    return pa.RecordBatch.from_arrays([pa.array(values, pa.binary()).view(pa.string())], [column])
