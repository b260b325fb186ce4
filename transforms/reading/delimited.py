"""Rows of CSV and TSV files: cut here, so that their places are exact, and parsed by Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

from outcross.schemas.documents import RAW_BYTES, Piece
from outcross.transforms.base.kernels import kernel
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import content, strip_marks
from outcross.transforms.inputs.footers import fault_of_names
from outcross.transforms.rows.blocks import Reject, Rows

LONGEST_ROW = 64 << 20  # bytes; a quote that is open for longer is a fault
_GOOD, _UNEVEN, _OPEN = 0, 1, 2


def delimited_rows(piece: Piece, size: int) -> Iterator[Rows]:
    """Yield the rows of a file with a header row; all values are text, empty ones null.

    A row's place is its first line. Quoted values may hold newlines. If a row has more or fewer
    values than the header, its first line is a reject. The next row may begin on its second line.

    Args:
        piece: piece that is a complete file.
        size: least bytes of a block of rows, except the last.

    Raises:
        BrokenError: the file is broken; all rows before the fault have been given.
    """
    names: list[str] = []
    delimiter = ord("\t") if piece.kind == "tsv" else ord(",")
    pending, taken, line, first = b"", 0, 0, True
    given = 0  # lines covered by the rows given so far
    fault: BrokenError | None = None
    need = size
    content_parts = content(piece)
    ended = False
    while not ended:
        parts, length = [pending], len(pending)
        try:
            while length < need and not ended:
                part = next(content_parts, None)
                ended = part is None
                if part is not None:
                    parts.append(part[0])
                    length += len(part[0])
                    taken += part[1]
        except BrokenError as error:
            fault, ended = error, True
        pending = b"".join(parts)
        if first:
            pending = strip_marks(pending)
        final = ended and (fault is None or fault.complete)
        if not names:
            if piece.kind == "csv" and first:
                delimiter = _delimiter(pending)
            names, used, lines = _header(pending, delimiter, final)
            if not names:
                if ended:
                    break
                need *= 2
                continue
            pending, line = pending[used:], line + lines
        first = False
        data = np.frombuffer(pending, np.uint8)
        cut = _cut(data, delimiter, len(names), final, LONGEST_ROW)
        start, stop, at, flags, used, lines = cut
        need = size if used else 2 * need
        if used:
            rows = _NumberedRows(pending, start, stop, line + at, flags)
            line += int(lines)
            yield _rows(rows, names, delimiter, line - given, taken)
            given, taken = line, 0
        pending = pending[int(used) :]
    if fault is not None:
        raise BrokenError(fault.reason, pending[:RAW_BYTES] or fault.raw, fault.complete)


@dataclass(frozen=True)
class _NumberedRows:
    """Rows of a block of bytes.

    Attributes:
        data: the bytes.
        start, stop: int64[n], first byte of each row, and the byte after its last.
        line: int64[n], first line of each row.
        flags: uint8[n], fault of each row, 0 for none.
    """

    data: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    line: NDArray[np.int64]
    flags: NDArray[np.uint8]

    def row(self, number: int) -> bytes:
        """Return the bytes of one row."""
        return self.data[self.start[number] : self.stop[number]]


def _delimiter(data: bytes) -> int:
    """Return the delimiter of the header: a comma, unless it has more semicolons or tabs."""
    header = data.lstrip(b"\r\n").partition(b"\n")[0]
    counts = [(header.count(mark), -place) for place, mark in enumerate((b",", b";", b"\t"))]
    return b",;\t"[-max(counts)[1]]


def _header(data: bytes, delimiter: int, final: bool) -> tuple[list[str], int, int]:
    """Return the column names, and the bytes and lines of the header; no names if it is cut off."""
    header = np.frombuffer(data[: LONGEST_ROW // 64], np.uint8)
    start, stop, at, _, used, lines = _cut(header, delimiter, 0, final, LONGEST_ROW)
    if not len(start):
        return [], 0, 0
    row = data[start[0] : stop[0]]
    try:
        table = pc.read_csv(
            pa.BufferReader(row + b"\n"),
            read_options=pc.ReadOptions(autogenerate_column_names=True, use_threads=False),
            parse_options=pc.ParseOptions(delimiter=chr(delimiter), newlines_in_values=True),
            convert_options=pc.ConvertOptions(
                column_types={f"f{i}": pa.string() for i in range(row.count(delimiter) + 1)}
            ),
        )
    except MemoryError:
        raise
    except (pa.ArrowException, UnicodeDecodeError) as fault:
        cause = str(fault).splitlines()[0]
        raise BrokenError(f"broken CSV: no header can be read: {cause}", row, True) from None
    names = [column[0].as_py() or f"column_{i + 1}" for i, column in enumerate(table.columns)]
    if repeated := fault_of_names(names):
        raise BrokenError(repeated, row, True)
    if len(start) > 1:
        return names, int(start[1]), int(at[1])
    return names, int(used), int(lines)


def _rows(rows: _NumberedRows, names: list[str], delimiter: int, lines: int, taken: int) -> Rows:
    total = max(1, len(rows.data))
    rejects = []
    good = np.flatnonzero(rows.flags == _GOOD)
    batch = _parsed(rows, good, names, delimiter)
    if batch is None:
        each = [(i, _parsed(rows, np.array([i]), names, delimiter)) for i in good.tolist()]
        good = np.array([i for i, row in each if row is not None], np.int64)
        batch = _parsed(rows, good, names, delimiter)
        rows.flags[[i for i, row in each if row is None]] = _UNEVEN
    for number in np.flatnonzero(rows.flags != _GOOD).tolist():
        row = rows.row(number)
        if rows.flags[number] == _OPEN:
            reason = "a quote opens in the line and is not closed"
        else:
            reason = f"the row does not have {len(names)} values, as the header has"
        lost = taken * len(row) // total
        line = int(rows.line[number])
        rejects.append(Reject("line", line, reason, row[:RAW_BYTES], lost=lost))
    assert batch is not None
    return Rows(batch, rows.line[good], rejects, lines, taken, "line")


def _parsed(
    rows: _NumberedRows, chosen: NDArray[np.int64], names: list[str], delimiter: int
) -> pa.RecordBatch | None:
    """Return chosen rows parsed by Arrow; None if Arrow gives another number of rows."""
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    if not len(chosen):
        return pa.RecordBatch.from_pylist([], schema)
    data = b"\n".join(rows.row(number) for number in chosen.tolist()) + b"\n"
    try:
        table = pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(
                column_names=names, use_threads=False, block_size=len(data) + 1
            ),
            parse_options=pc.ParseOptions(
                delimiter=chr(delimiter), newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=pc.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except MemoryError:  # Arrow's is an ArrowException as well
        raise
    except pa.ArrowException:
        return None
    if table.num_rows != len(chosen):
        return None
    return table.combine_chunks().to_batches()[0]


@kernel()
def _cut(
    data: NDArray[np.uint8], delimiter: int, expected: int, final: bool, longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8], int, int]:
    """Find the rows of a block that begins at the start of a row.

    Args:
        data: uint8[size], the block.
        delimiter: byte between values.
        expected: number of values in a row; 0 for any number.
        final: True if the last row may end at the end of the block.
        longest: most bytes of a row.

    Returns:
        Starts, stops, lines (from 0) and flags of the rows; bytes and lines that they took.
    """
    size = data.size
    count = 1
    for i in range(size):
        count += data[i] == 10 or data[i] == 13
    start = np.empty(count, np.int64)
    stop = np.empty(count, np.int64)
    lines = np.empty(count, np.int64)
    flags = np.zeros(count, np.uint8)
    rows = line = i = used = 0
    while i < size:
        begin = i
        fields = 1
        span = 0  # newlines inside quotes
        line_end = -1  # end of the first line
        quoted = False
        fresh = True  # a value begins here
        ended = False
        while i < size:
            c = data[i]
            if c == 10 or (c == 13 and (i + 1 >= size or data[i + 1] != 10)):
                if not quoted:
                    ended = c == 10 or i + 1 < size or final
                    break
                span += 1
                if line_end < 0:
                    line_end = i
            elif quoted:
                if c == 34:
                    if i + 1 < size and data[i + 1] == 34:
                        i += 1
                    else:
                        quoted = False
            elif c == 34 and fresh:
                quoted = True
                fresh = False
            elif c == delimiter:
                fields += 1
                fresh = True
            elif c != 13:
                fresh = False
            i += 1
        too_long = quoted and i - begin >= longest
        if not ended and not final and not too_long:
            break
        end = i
        i = min(size, i + 1)
        wrong = quoted or (expected > 0 and fields != expected and 0 < span <= 100)
        if wrong and line_end >= 0:  # only the first line is lost: the next one is tried
            end = line_end
            i = line_end + 1
            span = 0
        if end > begin and data[end - 1] == 13:
            end -= 1
        if end > begin:
            start[rows], stop[rows], lines[rows] = begin, end, line
            flags[rows] = 2 if quoted else (expected > 0 and fields != expected)
            rows += 1
        line += span + 1
        used = i
    return (
        start[:rows].copy(),
        stop[:rows].copy(),
        lines[:rows].copy(),
        flags[:rows].copy(),
        used,
        line,
    )
