"""Lines of a block of JSON lines, and a scan for lines that are not plainly one object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.schemas.supertypes import MAX_DEPTH
from outcross.transforms.base.eight_bytes import count_ones, trailing_zeros
from outcross.transforms.base.kernels import late_kernel
from outcross.transforms.base.sixty_four_bytes import mark_bytes

FILLED = np.uint8(1)
"""Flag: the line holds more than white space."""
LONG = np.uint8(2)
"""Flag: the line has a number of 16 digits or more, which float64 may round."""
ODD = np.uint8(4)
"""Flag: the line is not plainly one object, so Arrow must not parse it."""
DEEP = np.uint8(8)
"""Flag: the line is nested deeper than DEEPEST."""
DEEPEST = 200

_bytes_in = types.Array(types.uint8, 1, "C", readonly=True)


@dataclass(frozen=True)
class Lines:
    """A block of n whole lines.

    Attributes:
        data: the bytes.
        start, stop: int64[n], first byte of each line, and its newline.
        flags: uint8[n], flags of the scan.
    """

    data: bytes
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start)

    def line(self, number: int) -> bytes:
        """Return the bytes of a line, without its newline."""
        return self.data[self.start[number] : self.stop[number]]

    @property
    def filled(self) -> NDArray[np.int64]:
        """Numbers of the lines that are not blank, ascending."""
        return np.flatnonzero(self.flags & FILLED)


def scan(data: bytes) -> Lines:
    """Find the lines of a block, and flag those that are not plainly one object."""
    return Lines(data, *_scan(np.frombuffer(data, np.uint8)))


@late_kernel(types.Tuple((types.int64[::1], types.int64[::1], types.uint8[::1]))(_bytes_in))
def _scan(
    data: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    size = data.size
    whole = size - size % 64
    count = 0
    for i in range(0, whole, 64):
        count += np.int64(count_ones(mark_bytes(data, np.uint64(i), 10, 10)))
    for i in range(whole, size):
        count += data[i] == 10
    if size > 0 and data[size - 1] != 10:
        count += 1
    start = np.empty(count, np.int64)
    stop = np.empty(count, np.int64)
    flags = np.zeros(count, np.uint8)
    i = 0
    for row in range(count):
        start[row] = i
        flag = np.uint8(0)
        depth = 0
        lists = np.uint64(0)  # bit d: the bracket at depth d opens a list
        digits = 0
        closed = False
        while i < size and data[i] != 10:
            c = data[i]
            i += 1
            if 48 <= c <= 57:
                digits += 1
                flag |= FILLED
                if digits >= 16:
                    flag |= LONG
                if depth <= 0:
                    flag |= ODD
                continue
            digits = 0
            if c in (32, 9, 13):
                continue
            flag |= FILLED
            if c in (123, 91):  # { [
                if depth == 0 and (closed or c == 91):
                    flag |= ODD
                depth += 1
                if depth <= MAX_DEPTH:
                    bit = np.uint64(1) << np.uint64(depth)
                    lists = lists | bit if c == 91 else lists & ~bit
                else:
                    flag |= ODD
                    if depth > DEEPEST:
                        flag |= DEEP
            elif c in (125, 93):  # } ]
                depth -= 1
                if depth <= 0:
                    closed = True
                    if depth < 0:
                        flag |= ODD
            elif depth <= 0 or c in (78, 73):  # N I: NaN, Infinity
                flag |= ODD
            elif c == 110:  # n: null
                if lists >> np.uint64(min(depth, 63)) & np.uint64(1):
                    flag |= ODD
            elif c == 34:  # "
                quoted = True
                while i < size:
                    if i + 64 <= size:
                        at = np.uint64(i)
                        marks = mark_bytes(data, at, 34, 34) | mark_bytes(data, at, 92, 92)
                        marks |= mark_bytes(data, at, 10, 10)
                        if not marks:
                            i += 64
                            continue
                        i += np.int64(trailing_zeros(marks))
                    c = data[i]
                    if c == 34:
                        quoted = False
                        i += 1
                        break
                    if c == 10:
                        break
                    if c == 92 and i + 1 < size and data[i + 1] != 10:  # \
                        i += 1
                    i += 1
                if quoted:
                    flag |= ODD
        if not closed or depth != 0:
            flag |= ODD
        stop[row] = i
        flags[row] = flag
        i += 1
    return start, stop, flags
