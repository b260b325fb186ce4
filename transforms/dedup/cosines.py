"""Cosines of embeddings: cells of a space, and all pairs of a cell that are similar.

Embeddings are int8, so a product of two is a whole number. The cosine divides it by the exact
lengths, as rounding and clipping leave vectors a little shorter or longer. It is the same on every
machine.

The cells are those of *pivots*: documents drawn by hash (a Voronoi partition). No float decides
about them, and dense regions get many of them. A document stands in the cells of its nearest
pivots, so that similar documents on both sides of a border meet.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel
from outcross.transforms.base.products import Columns

CELLS = 4
"""Number of cells that a document stands in."""
FIRST = 1 << 15
"""Number of documents of a cell, the first in the total order, with which all are compared."""
PARENTS = 16
"""Number of similar documents before a document that are kept for each, the first in the order."""

_ROWS, _COLUMNS = 1 << 10, 1 << 12  # of a matrix product: 16 MB
_MARGIN = 1e-5  # of the float32 comparison before the exact one

Decision = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]


@kernel()
def _largest(products, out):  # type: ignore[no-untyped-def]
    """Find the columns of the largest values of each row; of equal ones the first."""
    most = out.shape[1]
    values = np.empty(most, np.int32)
    for row in range(len(products)):
        values[:] = np.iinfo(np.int32).min
        for column in range(products.shape[1]):
            value = products[row, column]
            if value <= values[most - 1]:
                continue
            at = most - 1
            while at > 0 and values[at - 1] < value:
                values[at], out[row, at] = values[at - 1], out[row, at - 1]
                at -= 1
            values[at], out[row, at] = value, column


def nearest_pivots(
    pivots: NDArray[np.int8], vectors: NDArray[np.int8], cells: int
) -> NDArray[np.int32]:
    """Find the nearest pivots of documents, by product: int32[n, c] with c up to `cells`.

    Args:
        pivots: int8[k, D], vectors of the pivots; with none, there is one cell of all documents.
        vectors: int8[n, D], vectors of the documents.
        cells: number of pivots to find.
    """
    if len(pivots) == 0:
        return np.zeros((len(vectors), 1), np.int32)
    out = np.zeros((len(vectors), min(cells, len(pivots))), np.int32)
    columns = Columns.of(pivots)
    for start in range(0, len(vectors), _ROWS):
        batch = slice(start, start + _ROWS)
        _largest(columns.products(vectors[batch]), out[batch])
    return out


def squared_lengths(vectors: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the squared lengths of vectors: int64[n]."""
    return np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64)


def similar_pairs(
    vectors: NDArray[np.int8],
    threshold: float,
    may: Decision,
    first: int = FIRST,
    parents: int = PARENTS,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Find pairs of documents of a cell whose cosine reaches a threshold.

    Each document gets the first similar ones before it: they are the likeliest to be kept. So many
    documents that all resemble one another cost a few pairs each, not the square of their number.

    Args:
        vectors: int8[n, D], vectors of the documents in their total order; none is zero.
        threshold: least cosine, compared as float32.
        may: decides about pairs of places, (child, parent) -> bool; others don't count.
        first: number of documents with which all are compared.
        parents: most pairs of a document.

    Returns:
        child int64[m], parent int64[m] (a smaller place) and cosine float32[m]; and bool[n],
        documents that may have further pairs.
    """
    n = len(vectors)
    squares = squared_lengths(vectors).astype(np.float64)
    lengths = np.sqrt(squares).astype(np.float32)
    least = np.float32(threshold) * np.float32(1 - _MARGIN)
    pairs = np.zeros(n, np.int64)
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start in range(0, n, _ROWS):
        rows = np.arange(start, min(start + _ROWS, n))
        for begin in range(0, min(int(rows[-1]), first), _COLUMNS):
            active = rows[pairs[rows] < parents]
            if len(active) == 0:
                break
            columns = np.arange(begin, min(begin + _COLUMNS, first, int(rows[-1])))
            products = Columns.of(vectors[columns]).products(vectors[active])
            bounds = (least * lengths[active])[:, None] * lengths[columns]
            at, place = np.nonzero(products >= bounds)
            child, parent = active[at], columns[place]
            exact = products[at, place] / np.sqrt(squares[child] * squares[parent])
            cosine = exact.astype(np.float32)
            chosen = np.flatnonzero((parent < child) & (cosine >= np.float32(threshold)))
            chosen = chosen[may(child[chosen], parent[chosen])]
            # Parents ascend, so the first are taken.
            turn = np.arange(len(chosen)) - np.searchsorted(child[chosen], child[chosen])
            chosen = chosen[turn < parents - pairs[child[chosen]]]
            np.add.at(pairs, child[chosen], 1)
            parts.append((child[chosen], parent[chosen], cosine[chosen]))
    further = (pairs == parents) | (np.arange(n) > first)
    child, parent, cosine = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return child, parent, cosine, further
