"""Cuts: how the tokens of cells become whole documents, as a small table.

A cell takes its documents in the order of their keys while they fit what it wants. The document
after them, at the boundary, is longer than what is then missing. It is taken if at least half of it
is missing, and the difference is carried to the next cell. So cells that want less than a document
get their share of documents, and all cells together what they want, to within half a document.

So a choice among any number of documents is one cut for each cell, and a few documents beyond.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import late_kernel

NEXT = 64
"""Documents of a cell after its boundary document that may be taken where that is too long."""

_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Rows:
    """Candidates that wait for a choice, as columns of n rows.

    Attributes:
        cell: int64[n], cell of each document.
        key: uint64[n]; the smallest keys go first.
        tie: uint64[n], decides between equal keys.
        number: int64[n], number of each document, which decides between equal ties.
        tokens: int64[n], length of each document.
    """

    cell: NDArray[np.int64]
    key: NDArray[np.uint64]
    tie: NDArray[np.uint64]
    number: NDArray[np.int64]
    tokens: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Rows:
        """Take some rows."""
        return Rows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Windows:
    """Keys of each cell among which its cut lies.

    Attributes:
        start: uint64[C], smallest key.
        stop: uint64[C], largest key.
        before: int64[C], tokens of the documents with smaller keys, all of which are taken.
    """

    start: NDArray[np.uint64]
    stop: NDArray[np.uint64]
    before: NDArray[np.int64]

    @classmethod
    def every(cls, cells: int) -> Windows:
        """Return windows that hold all keys."""
        nothing = np.zeros(cells, np.uint64)
        return cls(nothing, np.full(cells, _LAST), nothing.astype(np.int64))

    def hold(self, cell: NDArray[np.int64], key: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Find the documents in the windows of their cells: bool[n]."""
        return (self.start[cell] <= key) & (key <= self.stop[cell])


@dataclass(frozen=True)
class Cuts:
    """Documents that are taken: in each cell up to a last one, and some beyond.

    Attributes:
        key: uint64[C], key of each cell's last document.
        tie: uint64[C], its tie.
        number: int64[C], its number; -1 where only smaller keys are taken.
        beyond: int64[m], ascending numbers of documents behind the last of their cells.
        taken: int64[C], tokens that each cell takes.
    """

    key: NDArray[np.uint64]
    tie: NDArray[np.uint64]
    number: NDArray[np.int64]
    beyond: NDArray[np.int64]
    taken: NDArray[np.int64]

    @classmethod
    def nothing(cls, cells: int) -> Cuts:
        """Return cuts that take nothing."""
        none, zeros = np.zeros(cells, np.uint64), np.zeros(cells, np.int64)
        return cls(none, none, np.full(cells, -1, np.int64), zeros[:0], zeros)

    def take(
        self,
        cell: NDArray[np.int64],
        key: NDArray[np.uint64],
        tie: NDArray[np.uint64],
        number: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Find the documents that are taken: bool[n]."""
        last_key, last_tie = self.key[cell], self.tie[cell]
        equal = (key == last_key) & ((tie < last_tie) | (tie == last_tie))
        taken = key < last_key
        if equal.any():
            at = np.flatnonzero(equal)
            first = (tie[at] < last_tie[at]) | (number[at] <= self.number[cell[at]])
            taken[at[first]] = True
        if len(self.beyond):
            taken |= np.isin(number, self.beyond)
        return taken

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the attributes by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Cuts:
        """Return the cuts with these attributes."""
        return cls(*(arrays[name] for name in cls.__dataclass_fields__))


def cut(rows: Rows, wanted: NDArray[np.float64], total: float, windows: Windows) -> Cuts:
    """Choose documents of each cell, so that the cells get what they want, and all together too.

    A cell takes its documents by key, tie and number, up to what it wants. Then the documents at
    the boundaries are taken cell by cell, those of which at least half is missing; the difference
    is carried on. If more is missing at the end, the next documents of the cells are taken, up to
    `NEXT` in each, those that are at most twice as long as the missing tokens. So the sum is within
    half of the last document taken, unless none fits.

    Args:
        rows: documents inside the windows, in any order.
        wanted: float64[C], tokens that each cell wants.
        total: tokens that all cells want together.
        windows: windows of the cells. Of each cell's documents behind its window's start they hold
            those that it can take.
    """
    cells = len(wanted)
    order = _in_order(rows)
    sorted_rows = rows.take(order)
    cell, tokens = sorted_rows.cell, sorted_rows.tokens
    sizes = np.bincount(cell, minlength=cells)
    starts = np.cumsum(sizes) - sizes
    reached = np.cumsum(tokens)
    offset = np.concatenate([[0], reached])[starts] - windows.before
    reached = reached - offset[cell]
    fits = (reached <= wanted[cell]) & (reached - tokens < wanted[cell])
    lengths = np.bincount(cell[fits], minlength=cells)  # they are the first of their cells
    last = starts + lengths - 1
    key, tie = windows.start.copy(), np.zeros(cells, np.uint64)
    number = np.full(cells, -1, np.int64)
    some = np.flatnonzero(lengths)
    for column, of_rows in (
        (key, sorted_rows.key),
        (tie, sorted_rows.tie),
        (number, sorted_rows.number),
    ):
        column[some] = of_rows[last[some]]
    taken = windows.before.copy()
    taken[some] = reached[last[some]]
    chosen = _settle(sorted_rows, starts + lengths, starts + sizes, wanted, taken, total)
    np.add.at(taken, cell[chosen], tokens[chosen])
    return Cuts(key, tie, number, np.sort(sorted_rows.number[chosen]), taken)


def _in_order(rows: Rows) -> NDArray[np.int64]:
    """Sort documents by cell, key, tie and number."""
    order = np.argsort(rows.key)
    in_order = rows.key[order]
    if (in_order[1:] == in_order[:-1]).any():
        order = np.lexsort((rows.number, rows.tie, rows.key))
    cell = rows.cell[order]
    if len(cell) and cell.max() < 1 << 16:  # sorted digit by digit
        cell = cell.astype(np.uint16)
    return np.asarray(order[np.argsort(cell, kind="stable")], np.int64)


def _settle(
    rows: Rows,
    boundary: NDArray[np.int64],
    stops: NDArray[np.int64],
    wanted: NDArray[np.float64],
    taken: NDArray[np.int64],
    total: float,
) -> NDArray[np.int64]:
    """Choose among the documents at the boundaries and the next ones.

    Args:
        rows: documents in their order.
        boundary: int64[C], place of each cell's boundary document.
        stops: int64[C], place after each cell's last document.
        wanted: float64[C], tokens that each cell wants.
        taken: int64[C], tokens that each cell has.
        total: tokens that all cells want together.

    Returns:
        int64[m], places in `rows`.
    """
    missing = np.maximum(wanted - taken, 0.0)
    places = np.append(rows.tokens, 0)  # a cell at its end has no document
    lengths = np.where(boundary < stops, places[boundary], 0)
    carried = total - float(taken.sum()) - math.fsum(missing)
    at_boundary, owed = _carry(lengths, missing, carried)
    reach = np.minimum(stops - boundary, NEXT + 1)
    cell = np.repeat(np.arange(len(wanted)), reach)
    after = np.arange(len(cell)) - np.repeat(np.cumsum(reach) - reach, reach)
    fits = (rows.tokens[boundary[cell] + after] <= 2.0 * owed) & ((after > 0) | ~at_boundary[cell])
    cell, after = cell[fits], after[fits]
    place = boundary[cell] + after
    share = missing[cell] / np.maximum(lengths[cell], 1)
    order = np.lexsort((cell, -share, after, share == 0))
    further = place[order[_take_fitting(rows.tokens[place[order]], owed)]]
    return np.concatenate([boundary[at_boundary], further]).astype(np.int64)


@late_kernel("Tuple((bool_[::1], float64))(int64[::1], float64[::1], float64)")
def _carry(lengths, missing, carried):  # type: ignore[no-untyped-def]
    """Take a document of each cell if half of it is missing, and carry the difference on.

    Returns:
        bool[C], cells whose document is taken; tokens that are still missing at the end.
    """
    out = np.zeros(len(lengths), np.bool_)
    for c in range(len(lengths)):
        carried += missing[c]
        if missing[c] > 0.0 and 0 < lengths[c] <= 2.0 * carried:
            out[c] = True
            carried -= lengths[c]
    return out, carried


@late_kernel("bool_[::1](int64[::1], float64)")
def _take_fitting(lengths, missing):  # type: ignore[no-untyped-def]
    """Take documents that are at most twice as long as what is missing, in turn."""
    out = np.zeros(len(lengths), np.bool_)
    for i in range(len(lengths)):
        if missing <= 0.0:
            break
        if 0 < lengths[i] <= 2.0 * missing:
            out[i] = True
            missing -= lengths[i]
    return out
