"""LSH: documents that share the value of a band, grouped (Indyk and Motwani 1998)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.dedup.rules import Rules

_ROWS_A_PARTITION = 1 << 20
_LARGEST_BITS = 12


def partition_bits(rows: int) -> int:
    """Return the number of leading bits of a hash that choose a row's partition.

    A partition then fits any worker.

    Args:
        rows: number of rows that are sent.
    """
    return min(max(4, rows // _ROWS_A_PARTITION).bit_length(), _LARGEST_BITS)


@dataclass(frozen=True, eq=False)
class Pools:
    """Pools of m documents: only inside a pool, and with documents without a prompt, they meet.

    Attributes:
        pool: uint64[m], pool of each document, from `Rules.pool`.
        common: uint64[m], pool in which it meets documents without a prompt, from `Rules.common`.
    """

    pool: NDArray[np.uint64]
    common: NDArray[np.uint64]

    @classmethod
    def of(cls, rules: Rules) -> Pools:
        """Return the pools of documents."""
        return cls(rules.pool, rules.common)

    def take(self, rows: NDArray[np.int64]) -> Pools:
        """Return the pools of some of the documents."""
        return Pools(self.pool[rows], self.common[rows])


@dataclass(frozen=True, eq=False)
class Entries:
    """Groups of documents that share the value of a band.

    Attributes:
        group: uint64[m], group of each entry.
        document: int64[m], its document.
    """

    group: NDArray[np.uint64]
    document: NDArray[np.int64]

    @classmethod
    def of(
        cls, bands: NDArray[np.uint64], document: NDArray[np.int64], pools: Pools | None
    ) -> Entries:
        """Group the documents that are compared with each other: groups of two or more.

        Args:
            bands: uint64[m], band values.
            document: int64[m], document of each band value.
            pools: pools of the m entries; None where all are in one.
        """
        group = bands
        if pools is not None:
            group = bands ^ pools.pool
            prompted = pools.pool != pools.common
            if prompted.any():
                # Add entries in which documents with a prompt meet documents without one.
                common = bands ^ pools.common
                meeting = prompted & np.isin(common, np.unique(common[~prompted]))
                group = np.concatenate([group, common[meeting]])
                document = np.concatenate([document, document[meeting]])
        kept = shared(group)
        return cls(group[kept], document[kept])


def shared(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the places of the values that occur more than once, in ascending order of values."""
    # Hardly any are shared, and sorting by one number is quick.
    order = np.argsort(values)
    same = values[order][1:] == values[order][:-1]
    kept = np.zeros(len(order), bool)
    kept[1:] |= same
    kept[:-1] |= same
    return order[kept]
