"""Documents as numbers: the form that generators learn and sample and that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

UNKNOWN = 0
END = 1
SPECIAL = ("<unk>", "<eos>")
"""The first words of every vocabulary, in the order of their numbers."""

SHORTEST = 12
LONGEST = 130
"""Tokens of a sampled document, its end included."""


@dataclass(frozen=True)
class Documents:
    """Documents one after the other.

    Attributes:
        tok: int32[total], numbers of words; `END` closes each document.
        off: int64[n + 1], borders of the documents in `tok`.
        topic: int32[n], the generator's private topic of each document.
    """

    tok: NDArray[np.int32]
    off: NDArray[np.int64]
    topic: NDArray[np.int32]

    @property
    def n(self) -> int:
        return len(self.off) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each document, int64[n]."""
        return np.diff(self.off)

    def take(self, rows: ArrayLike) -> Documents:
        """Return the documents with these indices, in that order, repeats included."""
        chosen = np.asarray(rows, np.int64)
        lengths = self.lengths[chosen]
        off = borders(lengths)
        places = np.repeat(self.off[chosen] - off[:-1], lengths) + np.arange(off[-1])
        return Documents(self.tok[places], off, self.topic[chosen])

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over each document of one value a token, float64[n]; no document is empty."""
        return np.add.reduceat(values, self.off[:-1])


def borders(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def joined(parts: Sequence[Documents]) -> Documents:
    """Concatenate all parts."""
    return Documents(
        np.concatenate([part.tok for part in parts]),
        borders(np.concatenate([part.lengths for part in parts])),
        np.concatenate([part.topic for part in parts]),
    )


def up_to(sizes: NDArray[np.int64], total: float) -> int:
    """Return how many of the first documents come nearest to `total`.

    Args:
        sizes: int64[n], size of each document.
        total: wanted sum of the sizes.

    Raises:
        ValueError: if all of them together are more than one document short of it.
    """
    ends = borders(sizes)
    if ends[-1] + sizes.max(initial=0) < total:
        raise ValueError(f"{total:,.0f} are needed, but the documents have {ends[-1]:,} in all")
    return int(np.abs(ends - total).argmin())
