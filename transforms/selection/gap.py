"""Gap between a mix and the human reference: KL divergences of hashed words and pairs of words."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from outcross.schemas.gap import Gap
from outcross.transforms.estimators.entropy import kl
from outcross.transforms.selection.distance import folded
from outcross.transforms.text.ngrams import Tables

SMOOTHING = 0.1
"""Count added to each bucket on both sides, as in the deficit of a document."""
SAMPLE_TOKENS = 1 << 23
"""Tokens of a mix on which its gap is measured, at most: a larger sample looks nearer."""


class Counts(NamedTuple):
    """Hashed n-gram counts of a sample of a mix, in whole documents or expected.

    Attributes:
        words: int64[buckets] or float64[buckets], words and signs.
        pairs: int64[buckets] or float64[buckets], pairs of them.
    """

    words: NDArray[Any]
    pairs: NDArray[Any]


def measure_gap(reference: Tables, mix: Counts) -> Gap:
    """Measure the gap of a mix: KL(reference ‖ mix) of words and of pairs, in nats a human token.

    Both sides have .1 added to each bucket. Hashing joins words, so the figures are below those of
    the words themselves, and none of them can be infinite.

    Args:
        reference: n-grams of human text, in as many buckets as the mix or a multiple of them.
        mix: n-grams of a sample of the mix.
    """
    human = folded(reference, len(mix.words))
    words, pairs = (
        kl(human_counts + SMOOTHING, counts + SMOOTHING)
        for human_counts, counts in zip((human.unigrams, human.bigrams), mix, strict=True)
    )
    return Gap(words=words, pairs=pairs)
