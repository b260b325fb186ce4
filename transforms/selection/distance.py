"""How far a source of candidates is from human text, and what is taken of which.

A source is not judged by itself: what counts is the mix that it would make with the human part,

    d(source) = JS((1 − h) · P_source + h · P_human ‖ P_reference),

P half the distribution of hashed words, half that of hashed pairs of words, h the human share. By
itself a late generator that mimics the human part would win, and it adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.text.ngrams import Tables

DISTANCE_BUCKETS = 1 << 16
SAMPLE_TOKENS = 1 << 18
"""Tokens of a source that are counted: a larger sample looks nearer, whatever it is of."""

_DIGITS = 9  # to which a distance is rounded, so that the last bit of a sum decides nothing


def folded(tables: Tables, buckets: int = DISTANCE_BUCKETS) -> Tables:
    """The same counts in fewer buckets.

    Args:
        tables: with a number of buckets that is a multiple of it.
        buckets: a power of two.
    """
    return Tables(
        tables.unigrams.reshape(-1, buckets).sum(axis=0),
        tables.bigrams.reshape(-1, buckets).sum(axis=0),
    )


def distances(
    sources: Sequence[Tables], human: Tables, reference: Tables, human_share: float
) -> list[float]:
    """How far each source, mixed with the human part, is from the reference.

    Args:
        sources: hashed n-gram counts of each, all with as many buckets.
        human: those of the human part; it may be empty, and then doesn't count.
        reference: those of the human reference.
        human_share: h, 0 to 1.

    Returns:
        Jensen-Shannon divergences in nats, 0 to ln 2.
    """
    goal, own = _distribution(reference), _distribution(human)
    share = human_share if own.any() else 0.0
    return [_js((1 - share) * _distribution(source) + share * own, goal) for source in sources]


def take_nearest(
    distance: ArrayLike, tokens: ArrayLike, limit: float, most: float
) -> NDArray[np.float64]:
    """Tokens to take of each source: the nearest first, until there are enough.

    Args:
        distance: float64[n]; of equals the first.
        tokens: float64[n], what each source holds.
        limit: tokens that are wanted of all together.
        most: tokens that are taken of one source, unless all of them together fall short.

    Returns:
        float64[n], at most `tokens`; their sum is `limit`, or all there is.
    """
    held = np.asarray(tokens, np.float64)
    taken = np.zeros_like(held)
    for room in (np.minimum(held, most), held):
        for place in np.argsort(np.asarray(distance), kind="stable"):
            missing = limit - float(taken.sum())
            taken[place] += min(max(room[place] - taken[place], 0.0), max(missing, 0.0))
    return taken


def _distribution(tables: Tables) -> NDArray[np.float64]:
    """Half words, half pairs of words; all 0 where nothing was counted."""
    halves = [
        counts / (2 * max(total, 1))
        for counts, total in zip((tables.unigrams, tables.bigrams), tables.totals, strict=True)
    ]
    return np.concatenate(halves)


def _js(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """The Jensen-Shannon divergence of two distributions, as the entropy that mixing them adds."""
    if not p.any():
        return round(float(np.log(2)), _DIGITS)
    p, q = p / p.sum(), q / q.sum()
    mixed = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return round(max(mixed, 0.0), _DIGITS)
