"""Rows of a .json file: lines, a list, or an object that holds lists of rows.

Each row becomes one line, so rows of all JSON files are parsed in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from outcross.schemas.documents import Piece
from outcross.transforms.base.kernels import kernel
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import LineBlocks, content, strip_marks, whole_lines
from outcross.transforms.rows.open_keys import is_named

HEAD_BYTES = 1 << 20
"""Bytes at the beginning of a file that decide between a list and lines."""
_LONGEST = 64 << 20  # bytes of the first line, at most
_SPACE = b" \t\r\n"
_NEWLINES = bytes.maketrans(b"\n\r", b"\t\t")  # JSON allows them between values only
_LIST, _OBJECT = 1, 2  # depth at which rows begin


def json_rows(
    piece: Piece, text_field: str, size: int
) -> tuple[Literal["line", "row"], LineBlocks]:
    """Return the unit in which rows of a .json file are counted, and the rows, a line each.

    An object is one row if it has the text field or no list of objects. Else the objects in its
    lists are the rows, as in {"version": 1, "data": [...]}.

    Args:
        piece: piece that is a complete file.
        text_field: text field of the source.
        size: least bytes of a block, except the last.
    """
    parts = content(piece)
    beginning: list[tuple[bytes, int]] = []
    fault: BrokenError | None = None
    length, ended, line_ended = 0, False, False
    while not (length >= HEAD_BYTES and line_ended) and length < _LONGEST:
        try:
            part = next(parts, None)
        except BrokenError as error:
            fault, ended = error, True
            break
        if part is None:
            ended = True
            break
        beginning.append(part)
        length += len(part[0])
        line_ended = line_ended or b"\n" in part[0].lstrip(_SPACE)
    head = strip_marks(b"".join(data for data, _ in beginning))
    cost = sum(taken for _, taken in beginning)
    rest = _chain(head, cost, parts, fault)
    layout = _layout(head, ended and fault is None, text_field)
    if layout == "row":
        return "row", iter([(_as_line(head), cost, None)])
    if layout == "lines":
        return "line", whole_lines(rest, size)
    return "row", _elements(rest, _LIST if layout == "list" else _OBJECT, size)


def holds_lines(head: bytes, complete: bool) -> bool:
    """Return whether a .json file holds lines.

    Args:
        head: first bytes of the file, with at least one line.
        complete: True if they are the complete file.
    """
    return _layout(strip_marks(head), complete, "") == "lines"


def _chain(
    head: bytes, cost: int, parts: Iterator[tuple[bytes, int]], fault: BrokenError | None
) -> Iterator[tuple[bytes, int]]:
    yield head, cost
    if fault is not None:
        raise fault
    yield from parts


def _layout(
    head: bytes, complete: bool, text_field: str
) -> Literal["list", "object", "lines", "row"]:
    begin = head.lstrip(_SPACE)
    if begin.startswith(b"["):
        return "list"
    if not begin.startswith(b"{"):
        return "lines"
    state = _new_state()
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
    if any(is_named(key, [text_field]) for key in value):
        return "row"
    return "object" if any(map(_is_rows, value.values())) else "row"


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(element, dict) for element in value)


def _as_line(row: bytes) -> bytes:
    return row.strip(_SPACE).translate(_NEWLINES) + b"\n"


def _elements(parts: Iterator[tuple[bytes, int]], level: int, size: int) -> LineBlocks:
    state = _new_state()
    pending = b""
    taken = 0
    rows: list[bytes] = []
    length = 0
    try:
        for part, cost in parts:
            taken += cost
            pending += part
            if state[_END] >= 0:  # closed: only white space and other members may follow
                continue
            start, stop = _split(np.frombuffer(pending, np.uint8), level, state)
            for begin, end in zip(start.tolist(), stop.tolist(), strict=True):
                rows.append(_as_line(pending[begin:end]))
                length += len(rows[-1])
            if length >= size:
                yield b"".join(rows), taken, None
                rows, length, taken = [], 0, 0
            pending = _unread(pending, state)
    except BrokenError as error:
        if rows:
            yield b"".join(rows), taken, None
            taken = 0
        yield pending, taken, BrokenError(error.reason, error.raw, False)
        return
    if rows:
        yield b"".join(rows), taken, None
        taken = 0
    if state[_END] < 0:
        reason = "broken JSON: the file ends before its list or object does; get the file again"
        yield pending, taken, BrokenError(reason, b"", False)
    elif after := pending[int(state[_END]) :].strip(_SPACE):
        reason = "broken JSON: something follows the end of the list; a row a line is .jsonl"
        yield after, taken, BrokenError(reason, b"", False)


def _unread(data: bytes, state: NDArray[np.int64]) -> bytes:
    """Drop the bytes before the open row, and move the positions of the state accordingly."""
    cut = int(state[_AT]) if state[_START] < 0 else int(state[_START])
    if state[_END] >= 0:
        cut = int(state[_END])
        state[_END] = 0
    state[_AT] -= cut
    if state[_START] >= 0:
        state[_START] -= cut
    return data[cut:]


_AT, _DEPTH, _QUOTED, _ESCAPED, _OUTER, _INNER, _START, _END = range(8)


def _new_state() -> NDArray[np.int64]:
    """Return the splitter's state at the beginning of a file."""
    state = np.zeros(8, np.int64)
    state[[_START, _END]] = -1
    return state


@kernel()
def _split(
    data: NDArray[np.uint8], level: int, state: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the rows that end in a block of JSON.

    Args:
        data: uint8[size], the block; positions of the state count from its beginning.
        level: 1 for the elements of a list, 2 for the objects in an object's lists.
        state: int64[8], state of the splitter after the last block; it is updated.

    Returns:
        int64[rows] and int64[rows], first byte of each row, and the byte after its last.
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
        inside = depth == level and ((level == 1 and outer == 1) or (outer == 0 and inner == 1))
        if c == 44:  # ,
            if inside and open_at >= 0:
                start[rows], stop[rows] = open_at, i - 1
                rows += 1
                open_at = -1
        elif c in (125, 93):  # } ]
            if inside and open_at >= 0:
                start[rows], stop[rows] = open_at, i - 1
                rows += 1
                open_at = -1
            depth -= 1
            if depth <= 0:
                state[7] = i
                break
        else:
            opens = c in (123, 91)  # { [
            if inside and open_at < 0 and (level == 1 or c == 123):
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
