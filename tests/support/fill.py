"""Definition of filling quotas of tokens with whole copies of whole documents.

Documents of a cell form a queue: first each once, by key, then each that has a cap above one again,
and so on. A quota takes the start of the queue, up to the document that brings it nearest to its
tokens. So full rounds are taken first, then a part of a round, smallest keys first. The difference,
positive or negative, is carried to the next cell.
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
    """Choose how often to take each document, so that the cells meet their quotas.

    A cell's tokens differ from its quota plus the amount carried into it by at most half of the
    document at the cut. It carries this difference on. A cell with too little text takes each
    document up to its cap, and carries the rest on. So a cell is off its quota by at most one
    longest document, unless another cell ran out of text.

    If more than half of the longest document is missing after the last cell, documents of any cell
    are added: fewest copies first, then by key. Every cut is at the document nearest to the
    missing tokens. So all tokens are within half of the longest document of the quotas' sum
    wherever Σ cap·tokens reaches it; otherwise every document is taken up to its cap.

    The order of the rows has no influence.

    Args:
        cell: int[n], cell of each document, 0 to C-1.
        key: float64[n] or uint64[n]; documents with the smallest keys are taken first.
        tie: uint64[n], decides between equal keys. Documents with equal ties are taken by tokens,
            then by cap, then by cell; documents that are equal in all of these are interchangeable.
        tokens: int[n], length of each document.
        quota: float64[C], tokens that each cell should give.
        cap: int[n], most copies of each document.

    Returns:
        copies int32[n], 0 to `cap`.

    Raises:
        ValueError: columns differ in length, or a value is out of range; the message names its row.
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
        raise ValueError(f"{shapes} must be columns of equal length, quota {quotas.shape} a column")
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
    """Raise `copies` until the missing tokens are at most half of the longest document taken.

    Only documents that fit are taken: at most twice as long as the missing tokens. A longer one
    would add more than half of itself too much. Documents with the fewest copies go first, then by
    order. Where no document fits any more, the rest stays missing.

    Args:
        order: int64[n], the documents in their order.
        tokens: int64[n], length of each document.
        cap: int64[n], most copies of each document.
        missing: missing tokens.
        copies: int64[n], copies of each document; changed in place.
    """
    lengths, caps = _integers("tokens", tokens), _integers("cap", cap)
    _top_up(np.ascontiguousarray(order, np.int64), lengths, caps, missing, copies)


@njit("void(int64[::1], int64[::1], int64[::1], float64, int64[::1])")
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


@njit("float64(int64[::1], int64[::1], int64[::1], float64, int64[::1])")
def _take(line: Int64s, lengths: Int64s, caps: Int64s, missing: float, copies: Int64s) -> float:
    """Raise the copies of the documents in `line` until the missing tokens are met.

    They are met to within half of the document at the cut. Documents with the fewest copies go
    first: in full rounds while these fit and the caps allow, then one by one. So the number of
    passes grows with the number of different caps and copies, not with the copies.

    Returns:
        Tokens that are still missing; negative where there are too many.
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
            # Take the last full round of an exact quota document by document, so that empty
            # documents at its end are left out.
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
    """Fill cell after cell, each with the amount carried from the one before.

    Returns:
        Tokens that the last cell carries on.
    """
    carried = 0.0
    begin = 0
    for c in range(len(quotas)):
        wanted = quotas[c] + carried
        carried = _take(by_cell[begin : ends[c]], lengths, caps, wanted, copies)
        begin = ends[c]
    return carried


def _integers(name: str, column: ArrayLike) -> Int64s:
    """Convert a column to int64."""
    array = np.asarray(column)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name} has type {array.dtype}; it must be a column of integers")
    return np.ascontiguousarray(array, dtype=np.int64)


def _refuse(name: str, column: NDArray[Any], wrong: NDArray[np.bool_], right: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}[{row}] is {column[row]}; it must be {right}")
