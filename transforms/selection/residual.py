"""Scores of one round of residual selection: what human text has and the mix so far lacks.

A document is the 32-bit hashes of its words and signs. *reference* are the n-gram counts of human
text, *current* those of the expected mix. Each document gets three figures:

- *deficit* D: importance weights as in DSIR (Xie et al. 2023, arXiv:2302.03169), but against the
  residual;
- *surprisal* n: mean surprisal under an absolute-discounting bigram (Ney, Essen & Kneser 1994) of
  the current mix;
- *coherence*: by how much the same bigram of the reference predicts its words better than their
  frequency does.

Noise has the highest surprisal. Chosen by surprisal alone, the mistakes of a generator would win
(benchmarks/loop/README.md).

Counts are integers, logarithms come from a table made with integers, and sums are integers in units
of `UNIT`. The rest is IEEE +, *, / and sqrt. So the figures are the same on every machine, for
every split of the documents into batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel, late_kernel
from outcross.transforms.base.logarithm import LOG_BITS, log
from outcross.transforms.text.ngrams import (
    BLOCK,
    INT64,
    RING,
    UINT32,
    Tables,
    check_documents,
    first_ready,
    prefetch_pairs,
)

UNIT = 2.0**-24  # nats; unit of all figures and log ratios
FIGURES = ("deficit", "surprisal", "coherence")

_TO_UNIT = LOG_BITS - 24  # bits from _LOG_UNIT to UNIT
_DISCOUNT = 0.75
_CONTINUATION = 50.0  # count of a word up to which it lends probability to unseen followers
_FLOOR = 1e-9  # least probability
_SMALL = 1 << 10  # counts below it have their logarithms in a table


@kernel(inline="always")
def _rounded(nats):  # type: ignore[no-untyped-def]
    return (nats + np.int64(1 << (_TO_UNIT - 1))) >> np.int64(_TO_UNIT)


# A bucket is one number: the log ratio in its upper half, and in its lower half the bits of the
# count as float32, so that one access to memory gives both.
_HALF = np.int64(32)


@late_kernel(types.void(INT64, INT64, types.uint64[::1]))
def _tabulate(reference, current, out):  # type: ignore[no-untyped-def]
    # ln((c + .1) / (N + .1 B)) = ln(10 c + 1) - ln(10 N + B): logarithms of whole numbers. The
    # second one is the same for all buckets, and added by `_score`.
    logs = np.empty(_SMALL, np.int64)  # most counts are small
    for count in range(_SMALL):
        logs[count] = log(np.float64(10 * count + 1))
    for b in range(len(out)):
        human, mix = reference[b], current[b]
        of_human = logs[human] if 0 <= human < _SMALL else log(np.float64(10 * human + 1))
        of_mix = logs[mix] if 0 <= mix < _SMALL else log(np.float64(10 * mix + 1))
        ratio = _rounded(of_human - of_mix)
        out[b] = np.uint64(ratio) << np.uint64(32) | np.uint64(
            np.float32(current[b]).view(np.uint32)
        )


@kernel(inline="always")
def _count_of(packed):  # type: ignore[no-untyped-def]
    return np.float64(np.uint32(packed).view(np.float32))


@kernel(inline="always")
def _discounted(pair, before, p):  # type: ignore[no-untyped-def]
    """Compute the probability of a word after another times (before + 1), and at least the floor.

    Products of these and of (before + 1) are divided once for many words.
    """
    seen = max(pair - _DISCOUNT, 0.0)
    value = seen + (_DISCOUNT * min(before, _CONTINUATION) + 1.0) * p
    return max(value, _FLOOR * (before + 1.0))


_UINT64 = types.Array(types.uint64, 1, "A", readonly=True)
_FLOAT32 = types.Array(types.float32, 1, "A", readonly=True)


@late_kernel(
    types.void(
        *(INT64, UINT32, INT64, _UINT64, _UINT64, types.int64, types.int64, types.int64),
        types.int64[:, ::1],
    )
)
def _score(offsets, ids, rows, unigrams, bigrams, total, word_base, pair_base, out):  # type: ignore[no-untyped-def]
    buckets = np.int64(len(unigrams))
    mask = buckets - np.int64(1)
    each = 1.0 / (np.float64(total) + 0.5 * np.float64(buckets))
    pairs = np.empty(RING, np.int64)
    ready = last_end = np.int64(0)
    for r in range(len(rows)):
        begin, end = offsets[rows[r]], offsets[rows[r] + 1]
        if begin == end:
            out[0, r] = 0
            out[1, r] = 0
            continue
        ready = first_ready(ready, last_end, begin)
        last_end = end
        packed = unigrams[np.int64(ids[begin]) & mask]
        deficits = np.int64(packed) >> _HALF
        before = _count_of(packed)
        surprisals = -_rounded(log((before + 0.5) * each))
        for start in range(begin + 1, end, BLOCK):
            ready = prefetch_pairs(ids, ready, start, unigrams, bigrams, pairs)
            # One logarithm for a block of words: the product of their probabilities, or of ratios
            # of them, is still a normal number.
            product, divisor = 1.0, 1.0
            for i in range(start, min(start + BLOCK, end)):
                packed = unigrams[np.int64(ids[i]) & mask]
                packed_pair = bigrams[pairs[i & (RING - 1)]]
                deficits += (np.int64(packed) >> _HALF) + (np.int64(packed_pair) >> _HALF)
                count = _count_of(packed)
                value = _discounted(_count_of(packed_pair), before, (count + 0.5) * each)
                product *= min(value, before + 1.0)
                divisor *= before + 1.0
                before = count
            # Rounding lets the sum hold a document of 2**30 words.
            surprisals -= _rounded(log(product) - log(divisor))
        words = end - begin
        deficits += words * word_base + (words - 1) * pair_base
        out[0, r] = np.int64(np.rint(np.float64(deficits) / np.sqrt(np.float64(words))))
        out[1, r] = np.int64(np.rint(np.float64(surprisals) / np.float64(words)))


@late_kernel(types.void(INT64, UINT32, INT64, _FLOAT32, _FLOAT32, types.int64, types.int64[::1]))
def _coherences(offsets, ids, rows, unigrams, bigrams, total, out):  # type: ignore[no-untyped-def]
    buckets = np.int64(len(unigrams))
    mask = buckets - np.int64(1)
    each = 1.0 / (np.float64(total) + 0.5 * np.float64(buckets))
    pairs = np.empty(RING, np.int64)
    ready = last_end = np.int64(0)
    for r in range(len(rows)):
        begin, end = offsets[rows[r]], offsets[rows[r] + 1]
        ready = first_ready(ready, last_end, begin)
        last_end = end
        gains = np.int64(0)
        before = 0.0
        if begin < end:
            before = np.float64(unigrams[np.int64(ids[begin]) & mask])
        for start in range(begin + 1, end, BLOCK):
            ready = prefetch_pairs(ids, ready, start, unigrams, bigrams, pairs)
            product, divisor = 1.0, 1.0
            for i in range(start, min(start + BLOCK, end)):
                count = np.float64(unigrams[np.int64(ids[i]) & mask])
                pair = np.float64(bigrams[pairs[i & (RING - 1)]])
                frequency = (count + 0.5) * each
                product *= _discounted(pair, before, frequency)
                divisor *= (before + 1.0) * frequency
                before = count
            gains += _rounded(log(product) - log(divisor))
        out[r] = np.int64(np.rint(np.float64(gains) / np.float64(max(end - begin, 1))))


@late_kernel(
    types.void(types.int64[:, ::1], types.float64[::1], types.float64[::1], types.float64[:])
)
def _keys(figures, means, deviations, out):  # type: ignore[no-untyped-def]
    root = np.sqrt(np.float64(len(figures)))
    for d in range(len(out)):
        z = 0.0
        for f in range(len(figures)):
            if deviations[f] > 0.0:
                z += (np.float64(figures[f, d]) * UNIT - means[f]) / deviations[f]
        out[d] = -(z / root)


class Scorer:
    """Scorer of documents for one round, for any number of batches.

    It holds 16 bytes for each bucket. Threads may share it.

    Args:
        reference: n-grams of human text.
        current: n-grams of the expected mix, in the same number of buckets.

    Raises:
        ValueError: the numbers of buckets differ.
    """

    def __init__(self, reference: Tables, current: Tables) -> None:
        buckets = len(current.unigrams)
        if len(reference.unigrams) != buckets:
            raise ValueError(
                f"reference has {len(reference.unigrams)} buckets, current {buckets}; "
                "needed: as many"
            )
        self._total, _ = current.totals
        self._bases = [
            _ratio(10.0 * mix + buckets, 10.0 * human + buckets)
            for human, mix in zip(reference.totals, current.totals, strict=True)
        ]
        self._unigrams, self._bigrams = (np.empty(buckets, np.uint64) for _ in range(2))
        _tabulate(reference.unigrams, current.unigrams, self._unigrams)
        _tabulate(reference.bigrams, current.bigrams, self._bigrams)

    def score(
        self, offsets: NDArray[np.int64], ids: NDArray[np.uint32], rows: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Score some documents of a batch.

        D(d) = sum over words of [lr(unigram) + lr(bigram)] / sqrt(words), with
        lr(b) = ln((c_ref + .1) / (N_ref + .1 B)) - ln((c_cur + .1) / (N_cur + .1 B)).

        n(d) = mean over words of -ln q_cur, with q = P(w) for a first word and else
        (max(c(v, w) - .75, 0) + (.75 min(c(v), 50) + 1) P(w)) / (c(v) + 1), P(w) =
        (c(w) + .5) / (N + .5 B), all counts hashed and q at least 1e-9.

        Args:
            offsets: int64[n + 1], as for `count_ngrams`.
            ids: uint32[total], 32-bit hashes of words and signs.
            rows: int64[m], numbers of the documents, below n.

        Returns:
            int64[2, m], deficit and surprisal in `UNIT` (2**-24 nats); 0 for a document without
            words. A document with a high deficit has words that the mix lacks.

        Raises:
            ValueError: shapes, types or offsets don't fit.
        """
        check_documents(offsets, ids)
        out = np.empty((2, len(rows)), np.int64)
        tables = self._unigrams, self._bigrams
        _score(offsets, ids, rows, *tables, self._total, *self._bases, out)
        return out


@late_kernel("int64(float64, float64)")
def _ratio(mix, human):  # type: ignore[no-untyped-def]
    return _rounded(log(mix) - log(human))


class Coherence:
    """Coherence of documents by the n-grams of human text, the same in all rounds.

    It holds 8 bytes for each bucket. Threads may share it.

    Args:
        reference: n-grams of human text.
    """

    def __init__(self, reference: Tables) -> None:
        self._tables = reference.unigrams.astype(np.float32), reference.bigrams.astype(np.float32)
        self._total = reference.totals[0]

    def score(
        self, offsets: NDArray[np.int64], ids: NDArray[np.uint32], rows: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Score some documents of a batch: the mean over words of ln(q_ref / P_ref).

        Args:
            offsets: int64[n + 1], as for `count_ngrams`.
            ids: uint32[total], 32-bit hashes of words and signs.
            rows: int64[m], numbers of the documents, below n.

        Returns:
            int64[m], in `UNIT`, where a first word counts 0; 0 for a document without words.
        """
        check_documents(offsets, ids)
        out = np.empty(len(rows), np.int64)
        _coherences(offsets, ids, rows, *self._tables, self._total, out)
        return out


@dataclass(frozen=True)
class Moments:
    """Sums of a figure over documents, exact and mergeable in any order.

    Attributes:
        documents: number of the values.
        total: sum of the values, in `UNIT`.
        squares: sum of their squares.
    """

    documents: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, values: NDArray[np.int64]) -> Moments:
        """Sum up values, int64[n] in `UNIT`."""
        total = squares = 0
        for begin in range(0, len(values), 1 << 20):
            part = values[begin : begin + (1 << 20)]
            # Limbs of 21 bits: 2**20 products of two stay within 2**62.
            limbs = (part & 0x1FFFFF, part >> 21 & 0x1FFFFF, part >> 42)
            total += sum(int(limb.sum()) << (21 * i) for i, limb in enumerate(limbs))
            squares += sum(
                int((a * b).sum()) << (21 * (i + j))
                for i, a in enumerate(limbs)
                for j, b in enumerate(limbs)
            )
        return cls(len(values), total, squares)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.documents + other.documents,
            self.total + other.total,
            self.squares + other.squares,
        )

    @property
    def mean_and_deviation(self) -> tuple[float, float]:
        """Mean and the population's standard deviation in nats; (0, 0) without values."""
        if not self.documents:
            return 0.0, 0.0
        variance = (self.documents * self.squares - self.total**2) / self.documents**2
        return self.total / self.documents * UNIT, math.sqrt(variance) * UNIT


def keys(figures: NDArray[np.int64], moments: Sequence[Moments]) -> NDArray[np.float64]:
    """Compute the keys by which documents fill a quota, the smallest first.

    key = -(sum of z(figure)) / sqrt(figures), z over all documents. There is no noise in it: rounds
    that look ahead only half a round keep the choice from being greedy (`Standing.threshold`).

    Args:
        figures: int64[F, n], figures of candidates in `UNIT`. A figure without deviation is
            ignored.
        moments: sums of each figure over all remaining candidates, F of them.

    Returns:
        float64[n], the same bits on every machine.

    Raises:
        ValueError: the numbers of figures differ.
    """
    if len(figures) != len(moments):
        raise ValueError(f"figures are {figures.shape}; moments of {len(moments)}; needed: as many")
    means, deviations = np.array([m.mean_and_deviation for m in moments]).reshape(-1, 2).T
    out = np.empty(figures.shape[1], np.float64)
    _keys(
        np.ascontiguousarray(figures),
        np.ascontiguousarray(means),
        np.ascontiguousarray(deviations),
        out,
    )
    return out


_SPAN = 64.0  # keys are clipped to less than this, from below 0 and above it
_STEPS = 2.0**57  # steps in a unit, so that the whole span has 2**64 of them


def in_steps(keys: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Convert keys to whole numbers in the same order, equal steps apart.

    Args:
        keys: float64[n].

    Returns:
        uint64[n], in steps of 2**-57 from -64 on.
    """
    limit = _SPAN * (1 - 2.0**-50)
    return ((np.clip(keys, -limit, limit) + _SPAN) * _STEPS).astype(np.uint64)
