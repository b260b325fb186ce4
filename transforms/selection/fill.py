"""Which documents fill a quota: quotas in tokens become whole copies of whole documents.

Per cell, documents stand in a line: each once in the order of their keys, then those that may be
repeated a second time, and so on up to their caps. A quota takes the part of the line that comes
nearest to it, so ⌊quota/available⌋ rounds are taken whole and the last one by the smallest keys.
What is left over or too much is carried to the next cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


def fill(
    cell: ArrayLike,
    key: ArrayLike,
    tie: ArrayLike,
    tokens: ArrayLike,
    quota: ArrayLike,
    cap: ArrayLike,
) -> Int32s:
    """How often each document is taken, `copies[n]`; 0 ≤ copies ≤ cap.

    Args:
        cell: int[n], 0 to C-1.
        key: float64 or uint64[n]; the smallest are taken first.
        tie: uint64[n], which decides between equal keys. Documents that agree in this too are
            taken by tokens, then by cap, then by cell; beyond that they can't be told apart.
        tokens: int[n], the documents' lengths.
        quota: float64[C], the tokens that each cell should give.
        cap: int[n], how often each document may be taken at most.

    A cell's tokens differ from its quota plus what was carried into it by at most half of the
    document at the cut, and that difference is what it carries on; a cell that has no room takes
    all it has and carries on the rest. So a cell deviates from its own quota by at most one
    longest document, except where other cells have run out of room. If more than half of the
    longest document is still missing after the last cell, it is taken from whatever has room in any
    cell: fewest copies first, then by key. As every cut is made at a whole document nearest to what
    is missing, all tokens together are within half of the longest document of the quotas' sum
    wherever Σ cap·tokens reaches it, and otherwise everything is taken.

    The order of the rows has no influence. Raises ValueError for columns of unequal length and for
    values out of range, naming the row.
    """
    cells, lengths, caps = (
        _integers("cell", cell),
        _integers("tokens", tokens),
        _integers("cap", cap),
    )
    keys, ties = np.asarray(key), np.asarray(tie)
    quotas = np.asarray(quota, dtype=np.float64)
    columns: dict[str, NDArray[Any]] = {
        "cell": cells,
        "key": keys,
        "tie": ties,
        "tokens": lengths,
        "cap": caps,
    }
    if any(column.shape != (len(cells),) for column in columns.values()) or quotas.ndim != 1:
        shapes = ", ".join(f"{name} {column.shape}" for name, column in columns.items())
        raise ValueError(f"{shapes} must be equally long columns and quota {quotas.shape} one too")
    _refuse("cell", cells, (cells < 0) | (cells >= len(quotas)), f"0 to {len(quotas) - 1}")
    _refuse("tokens", lengths, lengths < 0, "0 or more")
    _refuse("cap", caps, (caps < 0) | (caps > np.iinfo(np.int32).max), "0 to 2³¹ − 1")
    _refuse("quota", quotas, ~((quotas >= 0) & np.isfinite(quotas)), "0 or more")
    if keys.dtype.kind == "f":
        _refuse("key", keys, np.isnan(keys), "a number")

    by_key = np.argsort(keys, kind="stable")
    in_order = keys[by_key]
    if (in_order[1:] == in_order[:-1]).any():
        by_key = np.lexsort((cells, caps, lengths, ties, keys))
    by_cell = by_key[np.argsort(cells[by_key], kind="stable")]
    ends = np.cumsum(np.bincount(cells, minlength=len(quotas)))

    copies = np.zeros(len(cells), dtype=np.int64)
    missing = _fill_cells(by_cell, ends, lengths, caps, quotas, copies)
    if len(cells) and 2 * missing > lengths.max():
        _take(by_key, lengths, caps, missing, copies)
    return copies.astype(np.int32)


def top_up(
    order: Int64s, tokens: ArrayLike, cap: ArrayLike, missing: float, copies: Int64s
) -> None:
    """Raise `copies` until what is missing is at most half of the longest document that is taken.

    Only documents that fit are taken, no longer than twice what is then missing: one that is
    longer would leave more than half of itself too much. Fewest copies go first, then the order.
    Where no document fits any more, the rest stays missing.

    Args:
        order: int64[n], the documents in their order.
        tokens: int64[n], the documents' lengths.
        cap: int64[n], how often each document may be taken at most.
        missing: tokens.
        copies: int64[n], how often each document is taken; changed in place.
    """
    lengths, caps = _integers("tokens", tokens), _integers("cap", cap)
    _top_up(np.ascontiguousarray(order, np.int64), lengths, caps, missing, copies)


@njit("void(int64[::1], int64[::1], int64[::1], float64, int64[::1])", nogil=True, cache=True)
def _top_up(line: Int64s, lengths: Int64s, caps: Int64s, missing: float, copies: Int64s) -> None:
    longest = 0
    for i in line:
        if copies[i] > 0 and lengths[i] > longest:
            longest = lengths[i]
    while 2.0 * missing > longest:
        fewest = -1
        for i in line:
            fits = copies[i] < caps[i] and 0 < lengths[i] <= 2.0 * missing
            if fits and (fewest < 0 or copies[i] < fewest):
                fewest = copies[i]
        if fewest < 0:
            return
        for i in line:
            fits = copies[i] < caps[i] and 0 < lengths[i] <= 2.0 * missing
            if fits and copies[i] == fewest and 2.0 * missing > longest:
                copies[i] += 1
                missing -= lengths[i]
                longest = max(longest, lengths[i])


@njit("float64(int64[::1], int64[::1], int64[::1], float64, int64[::1])", nogil=True, cache=True)
def _take(line: Int64s, lengths: Int64s, caps: Int64s, missing: float, copies: Int64s) -> float:
    """Raise the copies of the documents in `line` until `missing` tokens are met to within half of
    the document at the cut; return what is then missing (negative: too much).

    Documents with the fewest copies go first, all together as often as whole rounds of them fit
    and their caps and the others' copies allow, then one by one. So the passes are as many as
    there are different caps and copies, not as many as there are copies.
    """
    while missing > 0:
        fewest, next_stop, round_tokens = -1, -1, 0
        for i in line:
            if copies[i] < caps[i] and (fewest < 0 or copies[i] < fewest):
                fewest = copies[i]
        if fewest < 0:
            return missing
        for i in line:
            if copies[i] < caps[i]:
                stop = caps[i]
                if copies[i] == fewest:
                    round_tokens += lengths[i]
                else:
                    stop = copies[i]
                if next_stop < 0 or stop < next_stop:
                    next_stop = stop
        rounds = next_stop - fewest
        if round_tokens > 0 and missing <= float(rounds) * float(round_tokens):
            # A round that would meet it to the token is left to the documents one by one: they
            # stop where nothing is missing, before what is empty.
            rounds = int(missing / round_tokens)
            if float(rounds) * float(round_tokens) >= missing:
                rounds -= 1
        if rounds > 0:
            for i in line:
                if copies[i] == fewest and copies[i] < caps[i]:
                    copies[i] += rounds
            missing -= float(rounds * round_tokens)
            continue
        for i in line:
            if copies[i] == fewest and copies[i] < caps[i]:
                if missing <= 0 or 2.0 * missing < lengths[i]:
                    return missing
                copies[i] += 1
                missing -= lengths[i]
    return missing


@njit(
    "float64(int64[::1], int64[::1], int64[::1], int64[::1], float64[::1], int64[::1])",
    nogil=True,
    cache=True,
)
def _fill_cells(
    by_cell: Int64s, ends: Int64s, lengths: Int64s, caps: Int64s, quotas: Floats, copies: Int64s
) -> float:
    """Fill cell after cell, each with what the ones before it left; return what is left at last."""
    carried = 0.0
    begin = 0
    for c in range(len(quotas)):
        wanted = quotas[c] + carried
        carried = _take(by_cell[begin : ends[c]], lengths, caps, wanted, copies)
        begin = ends[c]
    return carried


def _integers(name: str, column: ArrayLike) -> Int64s:
    array = np.asarray(column)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name} has type {array.dtype}; it must be a column of integers")
    return np.ascontiguousarray(array, dtype=np.int64)


def _refuse(name: str, column: NDArray[Any], wrong: NDArray[np.bool_], right: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}[{row}] is {column[row]}; it must be {right}")
