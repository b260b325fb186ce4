"""Rows of a .json file: lines, a list, or an object that holds lists of rows.

Each row is handed on as one line, so that rows of every JSON file are read in one way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import orjson
from numba import njit, types
from numpy.typing import NDArray

from outcross.schemas.documents import Piece
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import content, whole_lines, without_marks

Rows = Iterator[tuple[bytes, int, BrokenError | None]]
"""Blocks of rows, a line each, with the input bytes they took, and last what a break leaves."""

_HEAD = 1 << 20  # bytes that tell a list from lines
_LONGEST = 64 << 20  # bytes in which the first line has to end
_SPACE = b" \t\r\n"
_NEWLINES = bytes.maketrans(b"\n\r", b"\t\t")  # white space between values, refused in strings
_LIST, _OBJECT = 1, 2  # depth at which rows begin

_bytes_in = types.Array(types.uint8, 1, "C", readonly=True)


def json_rows(piece: Piece, text_field: str, size: int) -> tuple[Literal["line", "row"], Rows]:
    """Return how the rows of a .json file are counted, and the rows.

    An object is one row if it has the text field or no list of objects; else the objects in its
    lists are the rows, as in {"version": 1, "data": [...]}.

    Args:
        piece: a whole file.
        text_field: of the source.
        size: bytes from which a block is given.
    """
    parts = content(piece)
    held: list[tuple[bytes, int]] = []
    fault: BrokenError | None = None
    length, ended, line_ended = 0, False, False
    while not (length >= _HEAD and line_ended) and length < _LONGEST:
        try:
            part = next(parts, None)
        except BrokenError as error:
            fault, ended = error, True
            break
        if part is None:
            ended = True
            break
        held.append(part)
        length += len(part[0])
        line_ended = line_ended or b"\n" in part[0].lstrip(_SPACE)
    head = without_marks(b"".join(data for data, _ in held))
    cost = sum(taken for _, taken in held)
    rest = _then(head, cost, parts, fault)
    layout = _layout(head, ended and fault is None, text_field)
    if layout == "row":
        return "row", iter([(_as_line(head), cost, None)])
    if layout == "lines":
        return "line", whole_lines(rest, size)
    return "row", _elements(rest, _LIST if layout == "list" else _OBJECT, size)


def holds_lines(head: bytes, complete: bool) -> bool:
    """Return whether a .json file that begins so holds lines.

    Args:
        head: its first bytes, as many as hold a line.
        complete: whether that is all of it.
    """
    return _layout(without_marks(head), complete, "") == "lines"


def _then(
    head: bytes, cost: int, pieces: Iterator[tuple[bytes, int]], fault: BrokenError | None
) -> Iterator[tuple[bytes, int]]:
    yield head, cost
    if fault is not None:
        raise fault
    yield from pieces


def _layout(
    head: bytes, complete: bool, text_field: str
) -> Literal["list", "object", "lines", "row"]:
    begin = head.lstrip(_SPACE)
    if begin.startswith(b"["):
        return "list"
    if not begin.startswith(b"{"):
        return "lines"
    state = _begin(_OBJECT)
    _split(np.frombuffer(begin, np.uint8), _OBJECT, state)
    end = int(state[_END])
    if end < 0:
        return "object"
    if begin[end:].strip(_SPACE) or not complete:
        return "lines"
    try:
        value = orjson.loads(begin)
    except ValueError:
        return "lines"
    if any(f"{text_field}.".startswith(f"{key}.") for key in value):
        return "row"
    return "object" if any(map(_is_rows, value.values())) else "row"


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(element, dict) for element in value)


def _as_line(row: bytes) -> bytes:
    return row.strip(_SPACE).translate(_NEWLINES) + b"\n"


def _elements(pieces: Iterator[tuple[bytes, int]], level: int, size: int) -> Rows:
    state = _begin(level)
    held = b""
    taken = 0
    rows: list[bytes] = []
    length = 0
    try:
        for piece, cost in pieces:
            taken += cost
            if state[_END] >= 0:  # closed: nothing but white space and other members may follow
                held += piece
                continue
            held += piece
            start, stop = _split(np.frombuffer(held, np.uint8), level, state)
            for begin, end in zip(start.tolist(), stop.tolist(), strict=True):
                rows.append(_as_line(held[begin:end]))
                length += len(rows[-1])
            if length >= size:
                yield b"".join(rows), taken, None
                rows, length, taken = [], 0, 0
            held = _unread(held, state)
    except BrokenError as error:
        if rows:
            yield b"".join(rows), taken, None
            taken = 0
        yield held, taken, BrokenError(error.reason, error.raw, False)
        return
    if rows:
        yield b"".join(rows), taken, None
        taken = 0
    if state[_END] < 0:
        reason = "broken JSON: the file ends before its list or object does; get the file again"
        yield held, taken, BrokenError(reason, b"", False)
    elif after := held[int(state[_END]) :].strip(_SPACE):
        reason = "broken JSON: something follows the end of the list; a row a line is .jsonl"
        yield after, taken, BrokenError(reason, b"", False)


def _unread(held: bytes, state: NDArray[np.int64]) -> bytes:
    """Return what is needed of the bytes that were looked at, and count the state from there."""
    cut = int(state[_AT]) if state[_START] < 0 else int(state[_START])
    if state[_END] >= 0:
        cut = int(state[_END])
        state[_END] = 0
    state[_AT] -= cut
    if state[_START] >= 0:
        state[_START] -= cut
    return held[cut:]


_AT, _DEPTH, _QUOTED, _ESCAPED, _OUTER, _INNER, _START, _END = range(8)


def _begin(level: int) -> NDArray[np.int64]:
    """Return the splitter's state before a file: nothing is open, and nothing has ended."""
    state = np.zeros(8, np.int64)
    state[[_START, _END]] = -1
    return state


@njit(
    types.Tuple((types.int64[::1], types.int64[::1]))(_bytes_in, types.int64, types.int64[::1]),
    nogil=True,
    cache=True,
)
def _split(
    data: NDArray[np.uint8], level: int, state: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the rows that end in a stretch of JSON.

    Args:
        data: from where the state counts.
        level: 1 for the elements of a list, 2 for the objects in an object's lists.
        state: where the last stretch ended; is moved on.

    Returns:
        Where each row starts and stops.
    """
    at, depth, quoted, escaped = state[0], state[1], state[2], state[3]
    outer, inner, open_at = state[4], state[5], state[6]
    size = data.size
    count = 0
    for i in range(at, size):
        count += data[i] == 44 or data[i] == 125 or data[i] == 93
    start = np.empty(count, np.int64)
    stop = np.empty(count, np.int64)
    rows = 0
    i = at
    while i < size:
        c = data[i]
        i += 1
        if quoted:
            if escaped:
                escaped = 0
            elif c == 92:
                escaped = 1
            elif c == 34:
                quoted = 0
            continue
        if c in (32, 9, 10, 13):
            continue
        here = depth == level and ((level == 1 and outer == 1) or (outer == 0 and inner == 1))
        if c == 44:  # ,
            if here and open_at >= 0:
                start[rows], stop[rows] = open_at, i - 1
                rows += 1
                open_at = -1
        elif c in (125, 93):  # } ]
            if here and open_at >= 0:
                start[rows], stop[rows] = open_at, i - 1
                rows += 1
                open_at = -1
            depth -= 1
            if depth <= 0:
                state[7] = i
                break
        else:
            opens = c in (123, 91)  # { [
            if here and open_at < 0 and (level == 1 or c == 123):
                open_at = i - 1
            if opens:
                depth += 1
                if depth == 1:
                    outer = 1 if c == 91 else 0
                elif depth == 2:
                    inner = 1 if c == 91 else 0
            elif c == 34:
                quoted = 1
    state[0], state[1], state[2], state[3] = i, depth, quoted, escaped
    state[4], state[5], state[6] = outer, inner, open_at
    return start[:rows].copy(), stop[:rows].copy()
