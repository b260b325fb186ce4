"""Connected components of documents that share a group, and bins that hold whole components."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel, late_kernel


@kernel()
def _find(parent, node):  # type: ignore[no-untyped-def]
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@late_kernel("int64[:](int64, int64[:], int64[:])")
def _roots(nodes, left, right):  # type: ignore[no-untyped-def]
    """Return the smallest node that each node is connected with (union-find)."""
    parent = np.arange(nodes)
    for edge in range(len(left)):
        first, second = _find(parent, left[edge]), _find(parent, right[edge])
        if first < second:
            parent[second] = first
        else:
            parent[first] = second
    for node in range(nodes):
        parent[node] = _find(parent, node)
    return parent


def connect(
    left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the documents of some edges, ascending, and the smallest document of each component.

    The result is a spanning forest of the edges: forests of parts of the edges, connected again,
    have the components of all edges.

    Args:
        left: int64[m], first document of each edge.
        right: int64[m], second document; the first one itself for a document alone.

    Returns:
        int64[n] documents and int64[n] smallest documents.
    """
    documents, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    first, second = places[: len(left)], places[len(left) :]
    roots = _roots(len(documents), np.ascontiguousarray(first), np.ascontiguousarray(second))
    return documents, documents[roots]


def connect_groups(
    group: NDArray[np.uint64], document: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the documents of groups, and the smallest document of each one's component.

    Args:
        group: uint64[m], group of each entry; equal groups stand together.
        document: int64[m], document of each entry.
    """
    if len(group) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    same = np.flatnonzero(group[1:] == group[:-1])
    return connect(document[same], document[same + 1])


@late_kernel("int64[:](int64[:], int64)")
def _pack(weight, limit):  # type: ignore[no-untyped-def]
    bins = np.empty(len(weight), np.int64)
    number, filled = 0, 0
    for component in range(len(weight)):
        if filled and filled + weight[component] > limit:
            number += 1
            filled = 0
        bins[component] = number
        filled += weight[component]
    return bins


def pack_bins(weight: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Pack components into bins, one after another: int64[c], bin of each component.

    A component that is heavier than the limit gets a bin of its own.

    Args:
        weight: int64[c], weight of each component, at least 1.
        limit: largest weight of a bin.
    """
    order = np.argsort(-weight, kind="stable")
    bins = np.empty(len(weight), np.int64)
    bins[order] = _pack(weight[order], limit)
    return bins
