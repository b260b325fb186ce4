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

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.base.logarithm import LN2, LOG_BITS, log
from outcross.transforms.text.ngrams import INT64, UINT32, Tables, bigram, check_documents

UNIT = 2.0**-24  # nats; unit of all figures and log ratios
FIGURES = ("deficit", "surprisal", "coherence")

_LOG_UNIT = 2.0**-LOG_BITS
_TO_UNIT = LOG_BITS - 24  # bits from _LOG_UNIT to UNIT
_DISCOUNT = 0.75
_CONTINUATION = 50.0  # count of a word up to which it lends probability to unseen followers
_FLOOR = 1e-9  # least probability
_HALF_STEP = 2.0**-53


@njit("int64(int64)", nogil=True, cache=True, inline="always")
def _rounded(nats):  # type: ignore[no-untyped-def]
    return (nats + np.int64(1 << (_TO_UNIT - 1))) >> np.int64(_TO_UNIT)


# The numbers of a bucket are neighbours, in one cache line: the current count, and one number with
# the log ratio in its upper and the reference's count in its lower half.
_CURRENT, _PACKED = 0, 1
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
        out[b, _PACKED] = _rounded(base + ratio) << _HALF | min(reference[b], _LOW)


@njit(nogil=True, cache=True, inline="always")
def _discounted(pair, before, p):  # type: ignore[no-untyped-def]
    """Compute the probability of a word after another, from the pair's and that word's counts."""
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
                count, packed = np.float64(unigrams[b, _CURRENT]), unigrams[b, _PACKED]
                count_reference = np.float64(packed & _LOW)
                deficits += packed >> _HALF
                p = (count + 0.5) * each_current
                if i > begin:
                    k = bigram(ids[i - 1], ids[i], mask)
                    packed = bigrams[k, _PACKED]
                    deficits += packed >> _HALF
                    p = _discounted(np.float64(bigrams[k, _CURRENT]), before, p)
                    frequency = (count_reference + 0.5) * each_reference
                    pair = np.float64(packed & _LOW)
                    predicted = _discounted(pair, before_reference, frequency)
                    gain *= max(predicted, _FLOOR) / frequency
                product *= min(max(p, _FLOOR), 1.0)
                before, before_reference = count, count_reference
            # Rounding lets the sum hold a document of 2**30 words.
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
    """Scorer of documents for one round, for any number of batches.

    It holds 32 bytes for each bucket. Threads may share it.
    """

    def __init__(self, reference: Tables, current: Tables) -> None:
        """Compute the log ratios of all buckets.

        Args:
            reference: n-grams of human text.
            current: n-grams of the expected mix, in the same number of buckets.

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
        n_reference, n_current = reference.totals, current.totals
        _tabulate(
            reference.unigrams, current.unigrams, n_reference[0], n_current[0], self._unigrams
        )
        _tabulate(reference.bigrams, current.bigrams, n_reference[1], n_current[1], self._bigrams)

    def score(self, offsets: NDArray[np.int64], ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Score a batch.

        D(d) = sum over words of [lr(unigram) + lr(bigram)] / sqrt(words), with
        lr(b) = ln((c_ref + .1) / (N_ref + .1 B)) - ln((c_cur + .1) / (N_cur + .1 B)).

        n(d) = mean over words of -ln q_cur, with q = P(w) for a first word and else
        (max(c(v, w) - .75, 0) + (.75 min(c(v), 50) + 1) P(w)) / (c(v) + 1), P(w) =
        (c(w) + .5) / (N + .5 B), all counts hashed and q at least 1e-9.

        The coherence is the mean over words of ln(q_ref / P_ref), 0 for a first word.

        Args:
            offsets: int64[n + 1], as for `count_ngrams`.
            ids: uint32[total], 32-bit hashes of words and signs.

        Returns:
            int64[3, n], `FIGURES` in `UNIT` (2**-24 nats); 0 for a document without words. A
            document with a high deficit has words that the mix lacks.

        Raises:
            ValueError: shapes, types or offsets don't fit.
        """
        check_documents(offsets, ids)
        out = np.empty((len(FIGURES), len(offsets) - 1), np.int64)
        _score(offsets, ids, self._unigrams, self._bigrams, *self._totals, out)
        return out


def mean_and_deviation(values: NDArray[np.int64]) -> tuple[float, float]:
    """Compute the mean and the population's standard deviation from exact integer sums.

    Args:
        values: int64[n], in `UNIT`.

    Returns:
        Nats; (0, 0) without values.
    """
    if not len(values):
        return 0.0, 0.0
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
    variance = (len(values) * squares - total**2) / len(values) ** 2
    return total / len(values) * UNIT, math.sqrt(variance) * UNIT


def keys(
    figures: NDArray[np.int64],
    fingerprint_hi: NDArray[np.uint64],
    fingerprint_lo: NDArray[np.uint64],
    seed: int,
    temperature: float = 0.3,
) -> NDArray[np.float64]:
    """Compute the keys by which documents fill a quota, the smallest first.

    key = -[sum of z(figure) / sqrt(figures) + temperature * Gumbel], z over all documents. At
    temperature 1, documents are drawn without replacement with weights exp(score) (the Gumbel
    top-k trick, Kool et al. 2019, arXiv:1903.06059). The noise comes from the fingerprint, so it
    is the same in every round.

    Args:
        figures: int64[F, n], figures of all remaining candidates in `UNIT`. A figure without
            deviation is ignored.
        fingerprint_hi: uint64[n], upper half of each document's fingerprint.
        fingerprint_lo: uint64[n], lower half of each document's fingerprint.
        seed: seed of the run.
        temperature: weight of the noise, 0 or more.

    Returns:
        float64[n], the same bits on every machine.

    Raises:
        ValueError: lengths differ.
    """
    if figures.ndim != 2 or figures.shape[1:] != fingerprint_hi.shape:
        raise ValueError(f"figures are {figures.shape}; fingerprints {fingerprint_hi.shape}")
    means, deviations = np.array([mean_and_deviation(f) for f in figures]).reshape(-1, 2).T
    out = np.empty(figures.shape[1], np.float64)
    _keys(
        np.ascontiguousarray(figures),
        np.ascontiguousarray(means),
        np.ascontiguousarray(deviations),
        seeded_hash(fingerprint_hi, fingerprint_lo, seed, "gumbel"),
        temperature,
        out,
    )
    return out
