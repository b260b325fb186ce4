"""Hashed n-gram counts: how often words and pairs of words stand in a set of documents.

Counts are integers and merge by addition, so they don't depend on who counted what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import kernel, late_kernel
from outcross.transforms.base.prefetch import AHEAD, prefetch

BUCKETS = 1 << 20
BLOCK = 16
"""Words that a kernel looks up between two calls of `prefetch_pairs`."""
RING = 64
"""Pairs of words whose buckets are kept: a power of two, and at least BLOCK + AHEAD."""

# Batches come from Arrow, whose buffers can't be written.
INT64 = types.Array(types.int64, 1, "A", readonly=True)
UINT32 = types.Array(types.uint32, 1, "A", readonly=True)


@kernel(inline="always")
def bigram(previous, word, mask):  # type: ignore[no-untyped-def]
    """Return the bucket of a pair of words; `mask` is the number of buckets less 1."""
    return np.int64(mix64(np.uint64(previous) << np.uint64(32) | np.uint64(word))) & mask


@kernel(inline="always")
def first_ready(ready, last_end, begin):  # type: ignore[no-untyped-def]
    """Return the first pair of a document to prefetch; documents may come in any order.

    Args:
        ready: first word that has not been prefetched, from `prefetch_pairs`.
        last_end: end of the document before.
        begin: first word of the document, which no pair ends with.
    """
    return max(ready, begin + 1) if begin >= last_end else begin + 1


@kernel(inline="always")
def prefetch_pairs(ids, ready, start, unigrams, bigrams, pairs):  # type: ignore[no-untyped-def]
    """Prefetch what a block of words and the words behind it look up.

    The buckets of pairs of words are computed once, and kept in a ring until they are looked up.

    Args:
        ids: uint32[total], hashes of words.
        ready: first word that has not been prefetched.
        start: first word of the block, of at most `BLOCK` words.
        unigrams, bigrams: tables with as many buckets, a power of two.
        pairs: int64[RING]; gets the bucket of words i - 1 and i at i % RING.

    Returns:
        The first word that has not been prefetched now.
    """
    mask = np.int64(len(unigrams) - 1)
    stop = min(start + BLOCK + AHEAD, len(ids))
    for i in range(ready, stop):
        pair = bigram(ids[i - 1], ids[i], mask)
        pairs[i & (RING - 1)] = pair
        prefetch(unigrams, np.int64(ids[i]) & mask)
        prefetch(bigrams, pair)
    return stop


@late_kernel(types.void(INT64, UINT32, types.int64[:], types.int64[:], types.int64[:]))
def _count(offsets, ids, copies, unigrams, bigrams):  # type: ignore[no-untyped-def]
    mask = np.int64(len(unigrams) - 1)
    pairs = np.empty(RING, np.int64)
    ready = last_end = np.int64(0)
    for d in range(len(copies)):
        begin, end = offsets[d], offsets[d + 1]
        if copies[d] == 0 or begin == end:
            continue
        ready = first_ready(ready, last_end, begin)
        last_end = end
        unigrams[np.int64(ids[begin]) & mask] += copies[d]
        for start in range(begin + 1, end, BLOCK):
            ready = prefetch_pairs(ids, ready, start, unigrams, bigrams, pairs)
            for i in range(start, min(start + BLOCK, end)):
                unigrams[np.int64(ids[i]) & mask] += copies[d]
                bigrams[pairs[i & (RING - 1)]] += copies[d]


def check_documents(offsets: NDArray[np.int64], ids: NDArray[np.uint32]) -> None:
    """Raise ValueError unless `offsets` (int64[n + 1]) cut `ids` (uint32) into documents."""
    if offsets.dtype != np.int64 or ids.dtype != np.uint32:
        raise ValueError(f"offsets are {offsets.dtype}, ids {ids.dtype}; needed: int64 and uint32")
    if offsets.ndim != 1 or not len(offsets) or (np.diff(offsets) < 0).any():
        raise ValueError("offsets must be int64[n + 1] and never fall")
    if offsets[0] < 0 or offsets[-1] > len(ids):
        raise ValueError(
            f"offsets run from {offsets[0]} to {offsets[-1]}, but there are {len(ids)} ids"
        )


def _check_tables(unigrams: NDArray[np.int64], bigrams: NDArray[np.int64]) -> None:
    buckets = len(unigrams)
    if unigrams.shape != bigrams.shape or unigrams.ndim != 1:
        raise ValueError(f"tables have shapes {unigrams.shape} and {bigrams.shape}; needed: equal")
    if not buckets or buckets & (buckets - 1) or buckets > 1 << 32:
        raise ValueError(f"tables have {buckets} buckets; needed: a power of two up to 2**32")
    if unigrams.dtype != np.int64 or bigrams.dtype != np.int64:
        raise ValueError(f"tables are {unigrams.dtype} and {bigrams.dtype}; needed: int64")


def count_ngrams(
    offsets: NDArray[np.int64],
    ids: NDArray[np.uint32],
    copies: NDArray[np.int32] | NDArray[np.bool_],
    out_unigrams: NDArray[np.int64],
    out_bigrams: NDArray[np.int64],
) -> None:
    """Add the n-grams of a batch of documents to hashed tables.

    Bigrams don't reach across documents: a first word has none.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `ids`.
        ids: uint32[total], 32-bit word hashes.
        copies: int32[n] or bool[n], how often each document counts; 0 or False leaves it out, and
            less than 0 takes it away.
        out_unigrams: int64[buckets], added to in place; `buckets` a power of two.
        out_bigrams: int64[buckets], added to in place.

    Raises:
        ValueError: shapes, types, offsets or the number of buckets don't fit.
    """
    check_documents(offsets, ids)
    _check_tables(out_unigrams, out_bigrams)
    if copies.shape != (len(offsets) - 1,):
        raise ValueError(f"copies has shape {copies.shape}; needed: ({len(offsets) - 1},)")
    if copies.dtype.kind not in "bi":
        raise ValueError(f"copies are {copies.dtype}; needed: int32 or bool")
    _count(offsets, ids, copies.astype(np.int64), out_unigrams, out_bigrams)


@dataclass(frozen=True, eq=False)
class Tables:
    """Hashed n-gram counts: mergeable by addition, in any order.

    Attributes:
        unigrams: int64[buckets], a power of two.
        bigrams: int64[buckets].
    """

    unigrams: NDArray[np.int64]
    bigrams: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_tables(self.unigrams, self.bigrams)

    @classmethod
    def empty(cls, buckets: int = BUCKETS) -> Tables:
        """Return tables that count nothing."""
        return cls(np.zeros(buckets, np.int64), np.zeros(buckets, np.int64))

    @property
    def totals(self) -> tuple[int, int]:
        """Return the numbers of unigrams and bigrams counted."""
        return int(self.unigrams.sum()), int(self.bigrams.sum())

    def to_bytes(self) -> bytes:
        """Pack the buckets that count anything; a small corpus fills few."""
        columns: list[NDArray[Any]] = [np.array([len(self.unigrams)], np.int64)]
        for table in (self.unigrams, self.bigrams):
            places = np.flatnonzero(table)
            columns += [np.array([len(places)]), places, table[places]]
        return np.concatenate(columns).astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tables:
        """Unpack tables that `to_bytes` packed."""
        numbers = np.frombuffer(data, "<i8")
        tables, at = [], 1
        for _ in range(2):
            seen = int(numbers[at])
            table = np.zeros(int(numbers[0]), np.int64)
            table[numbers[at + 1 : at + 1 + seen]] = numbers[at + 1 + seen : at + 1 + 2 * seen]
            tables.append(table)
            at += 1 + 2 * seen
        return cls(*tables)

    def merge(self, other: Tables) -> Tables:
        """Add two tables, as if their documents had been counted together."""
        if len(self.unigrams) != len(other.unigrams):
            raise ValueError(
                f"tables of {len(self.unigrams)} and {len(other.unigrams)} buckets don't merge"
            )
        return Tables(self.unigrams + other.unigrams, self.bigrams + other.bigrams)


PARTS = 32
"""Ranges of buckets into which sums of tables are split, of at most 0.5 MB each."""
_WIDTHS = (1, 2, 4, 8)  # bytes of a count


def pack_parts(tables: Tables, parts: int = PARTS) -> list[bytes]:
    """Pack each of some ranges of buckets, in as few bytes a count as it needs."""
    buckets = len(tables.unigrams)
    cuts = [buckets * part // parts for part in range(parts + 1)]
    both = tables.unigrams, tables.bigrams
    return [_pack(*(table[low:high] for table in both)) for low, high in pairwise(cuts)]


def merge_parts(packed: Iterable[bytes]) -> bytes:
    """Add up packed counts of one range."""
    columns = [_unpack(part) for part in packed]
    return _pack(*(np.sum(parts, axis=0) for parts in zip(*columns, strict=True)))


def unpack_parts(packed: Sequence[bytes]) -> Tables:
    """Unpack all ranges of tables, in their order."""
    columns = [_unpack(part) for part in packed]
    return Tables(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


def _pack(unigrams: NDArray[np.int64], bigrams: NDArray[np.int64]) -> bytes:
    counts = np.concatenate([unigrams, bigrams])
    largest = max(-int(counts.min()) - 1, int(counts.max())) if len(counts) else 0
    width = next(width for width in _WIDTHS if largest < 1 << (8 * width - 1))
    return bytes([width]) + counts.astype(f"<i{width}").tobytes()


def _unpack(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = np.frombuffer(data, f"<i{data[0]}", offset=1).astype(np.int64)
    half = len(counts) // 2
    return counts[:half], counts[half:]
