"""The total order of all documents, and who repeats whom word for word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from outcross.schemas.sources import Role
from outcross.transforms.dedup.rules import Rules
from outcross.transforms.sketches.store import Sketches

_ROLES: dict[Role, int] = {"exclude": 0, "reference": 1, "human": 2, "synthetic": 3}


@dataclass(frozen=True)
class Order:
    """The total order of all documents.

    Attributes:
        position: int64[n], place of each document; 0 is kept first.
        document: int64[n], the document at each rank.
        fixed: how many documents, the first of the order, are never removed.
    """

    position: NDArray[np.int64]
    document: NDArray[np.int64]
    fixed: int


def total_order(sketches: Sketches, rules: Rules) -> Order:
    """Orders documents by role, source priority, own priority, length, fingerprint, row.

    What is never removed comes first: evaluation sets and what earlier runs have written. Rows that
    are the same in every column stay in the order of the input; nothing but their place tells them
    apart.

    Args:
        sketches: of all units.
        rules: of the run.
    """
    parties = rules.parties
    role = [0 if party.fixed else _ROLES[party.source.role] for party in parties]
    priority = [party.source.priority for party in parties]
    least_to_most = [
        sketches.numbers("row_hash"),
        sketches.numbers("fingerprint_lo"),
        sketches.numbers("fingerprint_hi"),
        -sketches.numbers("length"),
        -sketches.numbers("priority"),
        -np.array(priority, np.int64)[rules.party],
        np.array(role, np.int8)[rules.party],
    ]
    telling = [key for key in least_to_most if len(key) and (key != key[0]).any()]
    document = np.lexsort(telling) if telling else np.arange(len(sketches))
    rank = np.empty(len(document), np.int64)
    rank[document] = np.arange(len(document))
    fixed = int(rules.of_parties([party.fixed for party in parties]).sum())
    return Order(rank, document.astype(np.int64), fixed)


@njit(nogil=True, cache=True)
def _firsts(starts, rank, party, alike, first):  # type: ignore[no-untyped-def]
    """In groups of equal texts in order: the lowest rank kept that may stand for each member."""
    none = np.int64(1) << np.int64(62)
    kept = np.empty(len(alike), np.int64)
    for g in range(len(starts) - 1):
        kept[:] = none
        for i in range(starts[g], starts[g + 1]):
            own = party[i]
            best = none
            for other in range(len(alike)):
                if alike[other, own]:
                    best = min(best, kept[other])
            first[i] = best if best != none else rank[i]
            if best == none:
                kept[own] = min(kept[own], rank[i])


def exact_repeats(
    order: Order,
    fingerprint: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    rules: Rules,
    participates: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """For each document the rank of the first with the same words that may stand for it.

    It is the document's own rank if there is none. What is never removed points to the first of its
    own party too: only that one needs to be compared with others.

    Args:
        order: of all documents.
        fingerprint: uint64[n] each, the halves of the fingerprints.
        rules: of the run.
        participates: bool[n], which documents take part.
    """
    hi, lo = fingerprint
    hi = hi ^ rules.removal_group
    first = order.position.copy()
    # One half tells nearly all apart, and sorting by it alone is quick.
    grouped = np.flatnonzero(participates)
    grouped = grouped[np.argsort(hi[grouped])]
    same = hi[grouped][1:] == hi[grouped][:-1]
    shared = np.zeros(len(grouped), bool)
    shared[1:] |= same
    shared[:-1] |= same
    grouped = grouped[shared]
    if len(grouped) == 0:
        return first
    inside = np.lexsort((order.position[grouped], lo[grouped], hi[grouped]))
    grouped = grouped[inside]
    hi, lo = hi[grouped], lo[grouped]
    differs = np.flatnonzero((hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])) + 1
    starts = np.concatenate([[0], differs, [len(grouped)]])
    alike = rules.allowed | np.diag([party.fixed for party in rules.parties])
    found = np.empty(len(grouped), np.int64)
    _firsts(starts, order.position[grouped], rules.party[grouped], alike, found)
    first[grouped] = found
    return first


def count_distinct(*columns: NDArray[Any]) -> int:
    """How many different rows columns of equal length make together."""
    if len(columns[0]) == 0:
        return 0
    order = np.lexsort(columns)
    differs = [column[order][1:] != column[order][:-1] for column in columns]
    return 1 + int(np.logical_or.reduce(differs).sum())
