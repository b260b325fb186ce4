"""Candidates: a bounded part of each unit's documents that holds the corpus's smallest hashes.

A sample is the documents with the smallest hashes. No order and no division of the documents can
change it, and the sample of a union is a part of the samples of its sets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DOUBT = 40.0  # a sample is short with a chance of exp(-40)
_ALL = np.uint64((1 << 64) - 1)


def highest_hash(size: int, documents: NDArray[Any] | int) -> NDArray[np.uint64]:
    """Return a hash below which enough of many documents have theirs.

    If the hash of each of n documents is below a limit with chance p, fewer than k hashes are below
    it with a chance of at most exp(-(np - k)**2 / 2np) (Chernoff). The limit makes that exp(-40).

    Args:
        size: k, number of documents that are needed.
        documents: n, number of the documents; an array for several limits.

    Returns:
        uint64 of the shape of `documents`; the highest hash where all documents are needed.
    """
    expected = size + _DOUBT + np.sqrt(_DOUBT**2 + 2 * _DOUBT * size)
    share = expected / np.maximum(np.asarray(documents, np.float64), 1.0)
    below = np.minimum(share, 0.5) * 2.0**64
    return np.where(share < 0.5, below.astype(np.uint64), _ALL)


def smallest_hashes(hashes: NDArray[np.uint64], size: int, documents: int) -> NDArray[np.int64]:
    """Return the rows of a unit that may be in the sample of its corpus, ascending.

    Args:
        hashes: uint64[n], hash of each document of the unit.
        size: number of documents in the sample.
        documents: number of documents of the corpus.
    """
    rows = np.flatnonzero(hashes <= highest_hash(size, documents))
    if len(rows) > size:
        rows = np.sort(rows[np.argpartition(hashes[rows], size - 1)[:size]])
    return rows


def smallest_of_each(
    cluster: NDArray[np.int32], hashes: NDArray[np.uint64], size: int
) -> NDArray[np.int64]:
    """Return the rows with the smallest hashes of each cluster, by cluster and hash.

    Args:
        cluster: int32[n], cluster of each document.
        hashes: uint64[n], hash of each document. Of equal ones the first rows are taken.
        size: most documents of a cluster.
    """
    order = np.lexsort((hashes, cluster))
    starts = np.searchsorted(cluster[order], cluster[order])
    return order[np.arange(len(order)) - starts < size]


def until(hashes: NDArray[np.uint64], sizes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the rows with the smallest hashes, by hash, until their sizes reach a sum.

    Args:
        hashes: uint64[n], hash of each document. Of equal ones the first rows are taken.
        sizes: int64[n], size of each document, such as its tokens.
        most: sum from which no further document is taken.
    """
    order = np.argsort(hashes, kind="stable")
    return order[np.cumsum(sizes[order]) - sizes[order] < most]
