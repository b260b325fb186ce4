"""The scores of one round of residual selection: what the mix so far lacks against human text.

A document is the 32-bit hashes of its words and signs. *reference* are the n-gram counts of human
text, *current* those of what the round expects the mix to be. Three figures per document: its
*deficit* D, importance weights as in DSIR (Xie et al. 2023, arXiv:2302.03169) but against the
residual; its mean *surprisal* n under an absolute-discounting bigram (Ney, Essen & Kneser 1994) of
the current mix; and its *coherence*, by how much the same bigram of the reference foretells its
words better than how often they come. Surprise alone is what noise has most of: of a generator that
makes mistakes it would choose the mistakes (benchmarks/loop/README.md).

Counts are integers, logarithms come from a table made with integers, sums are integers in units of
`UNIT`, and what is left is IEEE +, *, / and sqrt: the figures are the same on every machine,
however documents are split into batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.base.logarithm import LN2, LOG_BITS, log
from outcross.transforms.text.ngrams import INT64, UINT32, Tables, bigram, check_documents

UNIT = 2.0**-24  # of all figures and of log ratios, in nats
FIGURES = ("deficit", "surprisal", "coherence")

_LOG_UNIT = 2.0**-LOG_BITS
_TO_UNIT = LOG_BITS - 24  # bits from _LOG_UNIT to UNIT
_DISCOUNT = 0.75
_CONTINUATION = 50.0  # previous words seen more often lend no more to what never followed them
_FLOOR = 1e-9  # of a probability
_HALF_STEP = 2.0**-53


@njit("int64(int64)", nogil=True, cache=True, inline="always")
def _rounded(nats):  # type: ignore[no-untyped-def]
    return (nats + np.int64(1 << (_TO_UNIT - 1))) >> np.int64(_TO_UNIT)


# What a table has of a bucket stands side by side, in one cache line: the current count, and in one
# number the log ratio and, in its lower half, the reference's count.
_CURRENT, _BOTH = 0, 1
_HALF = np.int64(32)
_LOW = np.int64((1 << 32) - 1)
_TOGETHER = 16  # probabilities, or ratios of them, whose product is still a normal number


@njit(
    types.void(INT64, INT64, types.int64, types.int64, types.int64[:, ::1]), nogil=True, cache=True
)
def _tabulate(reference, current, n_reference, n_current, out):  # type: ignore[no-untyped-def]
    # ln((c + .1) / (N + .1 B)) = ln(10 c + 1) - ln(10 N + B): logarithms of whole numbers.
    buckets = np.int64(len(out))
    base = log(np.float64(10 * n_current + buckets)) - log(np.float64(10 * n_reference + buckets))
    for b in range(len(out)):
        c_reference, c_current = 10 * reference[b] + 1, 10 * current[b] + 1
        ratio = log(np.float64(c_reference)) - log(np.float64(c_current))
        out[b, _CURRENT] = current[b]
        out[b, _BOTH] = _rounded(base + ratio) << _HALF | min(reference[b], _LOW)


@njit(nogil=True, cache=True, inline="always")
def _discounted(pair, before, p):  # type: ignore[no-untyped-def]
    """The probability of a word after another one, from the counts of the pair and of that one."""
    seen = max(pair - _DISCOUNT, 0.0)
    return (seen + (_DISCOUNT * min(before, _CONTINUATION) + 1.0) * p) / (before + 1.0)


@njit(
    types.void(
        *(INT64, UINT32, types.int64[:, ::1], types.int64[:, ::1], types.int64, types.int64),
        types.int64[:, ::1],
    ),
    nogil=True,
    cache=True,
)
def _score(offsets, ids, unigrams, bigrams, n_current, n_reference, out):  # type: ignore[no-untyped-def]
    buckets = np.int64(len(unigrams))
    mask = buckets - np.int64(1)
    each_current = 1.0 / (np.float64(n_current) + 0.5 * np.float64(buckets))
    each_reference = 1.0 / (np.float64(n_reference) + 0.5 * np.float64(buckets))
    for d in range(len(offsets) - 1):
        begin, end = offsets[d], offsets[d + 1]
        deficits = np.int64(0)
        surprisals = np.int64(0)
        coherences = np.int64(0)
        before, before_reference = 0.0, 0.0
        for start in range(begin, end, _TOGETHER):
            # One logarithm for many words: of the product of their probabilities.
            product, gain = 1.0, 1.0
            for i in range(start, min(start + _TOGETHER, end)):
                b = np.int64(ids[i]) & mask
                count, both = np.float64(unigrams[b, _CURRENT]), unigrams[b, _BOTH]
                count_reference = np.float64(both & _LOW)
                deficits += both >> _HALF
                p = (count + 0.5) * each_current
                if i > begin:
                    k = bigram(ids[i - 1], ids[i], mask)
                    both = bigrams[k, _BOTH]
                    deficits += both >> _HALF
                    p = _discounted(np.float64(bigrams[k, _CURRENT]), before, p)
                    often = (count_reference + 0.5) * each_reference
                    foretold = _discounted(np.float64(both & _LOW), before_reference, often)
                    gain *= max(foretold, _FLOOR) / often
                product *= min(max(p, _FLOOR), 1.0)
                before, before_reference = count, count_reference
            # Rounded, so that a document of 2**30 words still fits the sum.
            surprisals -= _rounded(log(product))
            coherences += _rounded(log(gain))
        words = np.float64(max(end - begin, 1))
        out[0, d] = np.int64(np.rint(np.float64(deficits) / np.sqrt(words)))
        out[1, d] = np.int64(np.rint(np.float64(surprisals) / words))
        out[2, d] = np.int64(np.rint(np.float64(coherences) / words))


@njit(
    types.void(
        *(types.int64[:, ::1], types.float64[::1], types.float64[::1]),
        *(types.uint64[:], types.float64, types.float64[:]),
    ),
    nogil=True,
    cache=True,
)
def _keys(figures, means, deviations, noise, temperature, out):  # type: ignore[no-untyped-def]
    root = np.sqrt(np.float64(len(figures)))
    for d in range(len(out)):
        z = 0.0
        for f in range(len(figures)):
            if deviations[f] > 0.0:
                z += (np.float64(figures[f, d]) * UNIT - means[f]) / deviations[f]
        # An odd number of half steps is never 0 or 1, and as `log` rounds down, -ln(u) is never 0.
        u = np.float64(noise[d] >> np.uint64(12) << np.uint64(1) | np.uint64(1)) * _HALF_STEP
        gumbel = np.int64(LOG_BITS * LN2) - log(np.float64(-log(u)))
        out[d] = -(z / root + temperature * (np.float64(gumbel) * _LOG_UNIT))


class Scorer:
    """The figures of documents for one round; made once, used for every batch.

    Holds 32 bytes a bucket. Threads may share it.
    """

    def __init__(self, reference: Tables, current: Tables) -> None:
        """Make the log ratios of all buckets.

        Args:
            reference: n-grams of human text.
            current: n-grams of the expected mix, with as many buckets.

        Raises:
            ValueError: the numbers of buckets differ.
        """
        buckets = len(current.unigrams)
        if len(reference.unigrams) != buckets:
            raise ValueError(
                f"reference has {len(reference.unigrams)} buckets, current {buckets}; "
                "needed: as many"
            )
        self._totals = current.totals[0], reference.totals[0]
        self._unigrams = np.empty((buckets, 2), np.int64)
        self._bigrams = np.empty((buckets, 2), np.int64)
        for now, wanted, n_now, n_wanted, out in zip(
            (current.unigrams, current.bigrams),
            (reference.unigrams, reference.bigrams),
            current.totals,
            reference.totals,
            (self._unigrams, self._bigrams),
            strict=True,
        ):
            _tabulate(wanted, now, n_wanted, n_now, out)

    def score(self, offsets: NDArray[np.int64], ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Score a batch.

        D(d) = sum over words of [lr(unigram) + lr(bigram)] / sqrt(words), with
        lr(b) = ln((c_ref + .1) / (N_ref + .1 B)) - ln((c_cur + .1) / (N_cur + .1 B));
        n(d) = mean over words of -ln q_cur, q = P(w) for a first word and else
        (max(c(v, w) - .75, 0) + (.75 min(c(v), 50) + 1) P(w)) / (c(v) + 1), P(w) =
        (c(w) + .5) / (N + .5 B), all counts hashed and q at least 1e-9;
        the coherence is the mean over words of ln(q_ref / P_ref), 0 for a first word.

        Args:
            offsets: int64[n + 1], as for `count_ngrams`.
            ids: uint32[total], 32-bit hashes of words and signs.

        Returns:
            int64[3, n], `FIGURES` in `UNIT` (2**-24 nats); 0 for a document without words. A high
            deficit marks what the mix lacks.

        Raises:
            ValueError: shapes, types or offsets don't fit.
        """
        check_documents(offsets, ids)
        out = np.empty((len(FIGURES), len(offsets) - 1), np.int64)
        _score(offsets, ids, self._unigrams, self._bigrams, *self._totals, out)
        return out


@dataclass(frozen=True)
class Moments:
    """Count, sum and sum of squares of fixed-point values, exact however they are merged.

    Attributes:
        count: how many values.
        total: their sum, in `UNIT`.
        squares: the sum of their squares, in `UNIT` squared.
    """

    count: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, values: NDArray[np.int64]) -> Moments:
        """The moments of int64[n] in `UNIT`."""
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

    def merge(self, other: Moments) -> Moments:
        """The moments of both."""
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """In nats; 0 of nothing."""
        return self.total / self.count * UNIT if self.count else 0.0

    @property
    def deviation(self) -> float:
        """The population's standard deviation, in nats; 0 of nothing."""
        if not self.count:
            return 0.0
        variance = (self.count * self.squares - self.total**2) / self.count**2
        return math.sqrt(variance) * UNIT


def keys(
    figures: NDArray[np.int64],
    fingerprint_hi: NDArray[np.uint64],
    fingerprint_lo: NDArray[np.uint64],
    seed: int,
    temperature: float = 0.3,
) -> NDArray[np.float64]:
    """The order in which documents fill a quota: the smallest keys first.

    key = -[sum of z(figure) / sqrt(figures) + temperature * Gumbel], z over all of the documents,
    so that at temperature 1 they would be drawn without replacement with weights exp of the score
    (the Gumbel top-k trick, Kool et al. 2019, arXiv:1903.06059). The noise comes from the
    fingerprint, and is the same in every round.

    Args:
        figures: int64[F, n], in `UNIT`, of all remaining candidates. One without deviation doesn't
            count.
        fingerprint_hi: uint64[n], upper half of each document's fingerprint.
        fingerprint_lo: uint64[n], lower half.
        seed: the run's.
        temperature: weight of the noise, 0 or more.

    Returns:
        float64[n], the same bits on every machine.

    Raises:
        ValueError: lengths differ.
    """
    if figures.ndim != 2 or figures.shape[1:] != fingerprint_hi.shape:
        raise ValueError(f"figures are {figures.shape}; fingerprints {fingerprint_hi.shape}")
    moments = [Moments.of(figure) for figure in figures]
    out = np.empty(figures.shape[1], np.float64)
    _keys(
        np.ascontiguousarray(figures),
        np.array([one.mean for one in moments]),
        np.array([one.deviation for one in moments]),
        seeded_hash(fingerprint_hi, fingerprint_lo, seed, "gumbel"),
        temperature,
        out,
    )
    return out
