"""Distances of candidate sources from human text, and the tokens to take of each source.

A source is judged by the mix that it would make with the human part,

    d(source) = JS((1 − h) · P_source + h · P_human ‖ P_reference),

P is half the distribution of hashed words and half that of hashed word pairs; h is the human share.
Judged alone, a late generator that mimics the human part would win, and it adds nothing to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outcross.transforms.estimators.richness import js
from outcross.transforms.text.ngrams import Tables

DISTANCE_BUCKETS = 1 << 16
SAMPLE_TOKENS = 1 << 18
"""Tokens of a source that are counted: a larger sample looks nearer, whatever its text."""

_DIGITS = 9  # a rounded distance doesn't depend on the last bits of a sum


def folded(tables: Tables, buckets: int = DISTANCE_BUCKETS) -> Tables:
    """Fold counts into fewer buckets.

    Args:
        tables: counts in a multiple of `buckets`.
        buckets: number of buckets, a power of two.
    """
    return Tables(
        tables.unigrams.reshape(-1, buckets).sum(axis=0),
        tables.bigrams.reshape(-1, buckets).sum(axis=0),
    )


def distances(
    sources: Sequence[Tables], human: Tables, reference: Tables, human_share: float
) -> list[float]:
    """Compute the distance of each source, mixed with the human part, from the reference.

    Args:
        sources: hashed n-gram counts of each source, all with the same number of buckets.
        human: counts of the human part; an empty one is left out of the mix.
        reference: counts of the human reference.
        human_share: h, 0 to 1.

    Returns:
        Jensen-Shannon divergences in nats, 0 to ln 2.
    """
    goal, human_part = _distribution(reference), _distribution(human)
    share = human_share if human_part.any() else 0.0
    mixes = ((1 - share) * _distribution(source) + share * human_part for source in sources)
    return [round(js(mix, goal) if mix.any() else math.log(2), _DIGITS) for mix in mixes]


def take_nearest(
    distance: ArrayLike, tokens: ArrayLike, limit: float, most: float
) -> NDArray[np.float64]:
    """Take tokens of the nearest sources first, until there are enough.

    Args:
        distance: float64[n], distance of each source; of equally near sources the first wins.
        tokens: float64[n], tokens of each source.
        limit: tokens to take of all sources together.
        most: tokens to take of one source, unless all sources together fall short.

    Returns:
        float64[n], at most `tokens`. The sum is `limit`, or all tokens where there are fewer.
    """
    supply = np.asarray(tokens, np.float64)
    taken = np.zeros_like(supply)
    for room in (np.minimum(supply, most), supply):
        for place in np.argsort(np.asarray(distance), kind="stable"):
            missing = limit - float(taken.sum())
            taken[place] += min(max(room[place] - taken[place], 0.0), max(missing, 0.0))
    return taken


def _distribution(tables: Tables) -> NDArray[np.float64]:
    """Join the shares of words and of word pairs, each half of the whole; 0 without counts."""
    halves = [
        counts / (2 * max(total, 1))
        for counts, total in zip((tables.unigrams, tables.bigrams), tables.totals, strict=True)
    ]
    return np.concatenate(halves)
