"""Histograms of keys: where the cuts of cells lie, for more candidates than one worker holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.files import pack_arrays, unpack_arrays
from outcross.transforms.selection.cuts import NEXT, Windows

_MARGIN = 5  # bits: scores use a sixteenth of the keys' range, and windows reach beyond a bucket


def bits_needed(candidates: int, limit: int) -> int:
    """Return the leading bits of keys that cut windows small enough for one worker.

    Args:
        candidates: number of candidates, or more.
        limit: documents that one worker may decide on.

    Returns:
        0 where no windows are needed.
    """
    if candidates <= limit:
        return 0
    return min(math.ceil(math.log2(candidates / max(limit, 1))) + _MARGIN, 32)


@dataclass(frozen=True)
class Histogram:
    """Documents and tokens by cell and leading bits of the key; mergeable by addition.

    Attributes:
        code: int64[m], ascending: cell << bits | leading bits.
        documents: int64[m].
        tokens: int64[m].
    """

    code: NDArray[np.int64]
    documents: NDArray[np.int64]
    tokens: NDArray[np.int64]

    @classmethod
    def count(
        cls,
        cell: NDArray[np.int64],
        key: NDArray[np.uint64],
        tokens: NDArray[np.int64],
        bits: int,
    ) -> Histogram:
        """Count documents, given as columns of n rows."""
        code = cell << bits | (key >> np.uint64(64 - bits)).astype(np.int64)
        return cls._added(code, np.ones_like(tokens), tokens)

    @classmethod
    def merge(cls, parts: Iterable[Histogram]) -> Histogram:
        """Add up histograms."""
        columns = [(part.code, part.documents, part.tokens) for part in parts]
        empty = np.zeros(0, np.int64)
        return cls._added(
            *(np.concatenate([empty, *column]) for column in zip(*columns, strict=True))
            if columns
            else (empty, empty, empty)
        )

    @classmethod
    def _added(
        cls,
        code: NDArray[np.int64],
        documents: NDArray[np.int64],
        tokens: NDArray[np.int64],
    ) -> Histogram:
        codes, place = np.unique(code, return_inverse=True)
        sums = [np.zeros(len(codes), np.int64) for _ in range(2)]
        for total, column in zip(sums, (documents, tokens), strict=True):
            np.add.at(total, place, column)
        return cls(codes, *sums)

    def to_bytes(self) -> bytes:
        """Pack the histogram."""
        return pack_arrays({"code": self.code, "documents": self.documents, "tokens": self.tokens})

    @classmethod
    def from_bytes(cls, data: bytes) -> Histogram:
        """Unpack a histogram that `to_bytes` packed."""
        return cls(**unpack_arrays(data))

    def of_cells(self, part: int, parts: int, bits: int) -> Histogram:
        """Return the part of the cells whose numbers leave this remainder."""
        rows = (self.code >> bits) % parts == part
        return Histogram(self.code[rows], self.documents[rows], self.tokens[rows])

    def windows(self, wanted: NDArray[np.float64], bits: int) -> Windows:
        """Find the keys that can be at a cell's boundary, or among the `NEXT` behind it.

        Args:
            wanted: float64[C], tokens that each cell wants.
            bits: leading bits of the keys.
        """
        out = Windows.every(len(wanted))
        cell, bucket = self.code >> bits, self.code & ((1 << bits) - 1)
        begins = np.flatnonzero(np.diff(cell, prepend=-1))
        ends = np.append(begins[1:], len(cell))[: len(begins)]
        shift = 64 - bits
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            number = cell[begin]
            reached = np.cumsum(self.tokens[begin:end])
            documents = np.cumsum(self.documents[begin:end])
            first = min(int(np.searchsorted(reached, wanted[number])), end - begin - 1)
            last = int(np.searchsorted(documents, documents[first] + NEXT + 1))
            last = min(last, end - begin - 1)
            out.start[number] = int(bucket[begin + first]) << shift
            out.stop[number] = ((int(bucket[begin + last]) + 1) << shift) - 1
            out.before[number] = reached[first] - self.tokens[begin + first]
        return out
