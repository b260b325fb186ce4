"""Total order of all documents, and the exact repeats among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.sources import Role
from outcross.transforms.base.kernels import kernel
from outcross.transforms.dedup.rules import Rules

_ROLES: dict[Role, int] = {"exclude": 0, "reference": 1, "human": 2, "synthetic": 3}


@dataclass(frozen=True)
class Order:
    """Total order of all documents.

    Attributes:
        position: int64[n], position of each document; the lowest is kept first.
        document: int64[n], document at each position.
        fixed: number of documents, at the first positions, that are never removed.
    """

    position: NDArray[np.int64]
    document: NDArray[np.int64]
    fixed: int


def total_order(columns: Mapping[str, NDArray[Any]], rules: Rules) -> Order:
    """Order documents by role, priority of the source and of the row, length, fingerprint, row.

    Documents that are never removed come first: evaluation sets, and rows that earlier runs wrote.
    Rows that are equal in every column stay in their order.

    Args:
        columns: arrays[n], columns of the sketches: `priority`, `length`, `fingerprint_hi`,
            `fingerprint_lo` and `row_hash`.
        rules: rules of the documents.
    """
    keys = order_keys(columns, rules)
    changing = [key for key in keys if len(key) and (key != key[0]).any()]
    document = np.lexsort(changing) if changing else np.arange(len(rules.party))
    position = np.empty(len(document), np.int64)
    position[document] = np.arange(len(document))
    fixed = int(rules.of_parties([party.fixed for party in rules.parties]).sum())
    return Order(position, document.astype(np.int64), fixed)


def order_keys(columns: Mapping[str, NDArray[Any]], rules: Rules) -> list[NDArray[Any]]:
    """Return the keys of the total order, arrays[n], the last one first as in `numpy.lexsort`.

    Args:
        columns: arrays[n], columns of the sketches, as in `total_order`.
        rules: rules of the documents.
    """
    parties = rules.parties
    role = [0 if party.fixed else _ROLES[party.source.role] for party in parties]
    priority = [party.source.priority for party in parties]
    return [
        columns["row_hash"],
        columns["fingerprint_lo"],
        columns["fingerprint_hi"],
        -columns["length"],
        -columns["priority"],
        -np.array(priority, np.int64)[rules.party],
        np.array(role, np.int8)[rules.party],
    ]


@kernel()
def _firsts(starts, position, party, alike, first):  # type: ignore[no-untyped-def]
    """Find the first kept document that may stand for each member of groups of equal texts."""
    none = np.int64(1) << np.int64(62)
    kept = np.empty(len(alike), np.int64)
    for g in range(len(starts) - 1):
        kept[:] = none
        for i in range(starts[g], starts[g + 1]):
            member = party[i]
            best = none
            for other in range(len(alike)):
                if alike[other, member]:
                    best = min(best, kept[other])
            first[i] = best if best != none else position[i]
            if best == none:
                kept[member] = min(kept[member], position[i])


def exact_repeats(
    order: Order,
    fingerprint: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    rules: Rules,
    participates: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the position of the first equal text that may stand for each document: int64[n].

    Without such a text it is the document's position. A document that is never removed points to
    the first equal text of its party too, as only that one needs to be compared with others.

    Args:
        order: order of all documents.
        fingerprint: uint64[n] each, the halves of the fingerprints.
        rules: rules of the run.
        participates: bool[n], documents that are compared.
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
    firsts = np.empty(len(grouped), np.int64)
    _firsts(starts, order.position[grouped], rules.party[grouped], alike, firsts)
    first[grouped] = firsts
    return first
