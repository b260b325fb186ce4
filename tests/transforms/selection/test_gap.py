"""The gap to human text is the KL divergence of smoothed n-gram counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import rel_entr

from outcross.transforms.selection.distance import folded
from outcross.transforms.selection.gap import SMOOTHING, Counts, measure_gap
from outcross.transforms.text.ngrams import Tables
from tests.support.instances import RANDOM, SEEDS

BUCKETS = 64


def tables(seed: int, buckets: int = BUCKETS) -> Tables:
    """Draw counts, of a few n-grams or of many, a part of them 0."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(0, 8)
    words, pairs = (
        (rng.gamma(0.3, size, buckets) * (rng.random(buckets) < 0.8)).astype(np.int64)
        for _ in range(2)
    )
    return Tables(words, pairs)


def counts(tables_: Tables) -> Counts:
    return Counts(tables_.unigrams, tables_.bigrams)


def plain(human: NDArray[np.int64], mix: NDArray[np.int64]) -> float:
    p, q = human + SMOOTHING, mix + SMOOTHING
    return float(rel_entr(p / p.sum(), q / q.sum()).sum())


@RANDOM
@given(SEEDS, SEEDS)
def test_it_is_the_plain_divergence(seed: int, other: int) -> None:
    human, mix = tables(seed), tables(other)
    gap = measure_gap(human, counts(mix))
    assert gap.words == pytest.approx(plain(human.unigrams, mix.unigrams), rel=1e-9, abs=1e-12)
    assert gap.pairs == pytest.approx(plain(human.bigrams, mix.bigrams), rel=1e-9, abs=1e-12)


@RANDOM
@given(SEEDS, SEEDS)
def test_it_is_never_negative_and_finite(seed: int, other: int) -> None:
    gap = measure_gap(tables(seed), counts(tables(other)))
    assert 0 <= gap.words < np.inf
    assert 0 <= gap.pairs < np.inf
    nothing = measure_gap(tables(seed), Counts(*np.zeros((2, BUCKETS))))
    assert 0 <= nothing.words < np.inf


@RANDOM
@given(SEEDS)
def test_the_reference_has_no_gap_to_itself(seed: int) -> None:
    human = tables(seed)
    gap = measure_gap(human, counts(human))
    assert gap.words == gap.pairs == 0


def test_ten_times_the_reference_has_hardly_a_gap() -> None:
    rng = np.random.default_rng(1)
    human = Tables(*rng.integers(100, 10_000, (2, BUCKETS)))
    gap = measure_gap(human, Counts(10 * human.unigrams, 10 * human.bigrams))
    assert gap.words < 1e-6
    assert gap.pairs < 1e-6


@RANDOM
@given(SEEDS, SEEDS, st.floats(0.1, 0.9))
def test_more_of_the_reference_in_a_mix_lowers_it(seed: int, other: int, share: float) -> None:
    human, mix = tables(seed), tables(other)
    total = (mix.unigrams.sum() + 1) / (human.unigrams.sum() + 1)
    nearer = (1 - share) * mix.unigrams + share * total * human.unigrams
    before = measure_gap(human, counts(mix)).words
    after = measure_gap(human, Counts(nearer, mix.bigrams)).words
    assert after <= before + 1e-9 or after < 0.01


@RANDOM
@given(SEEDS, SEEDS)
def test_a_reference_in_more_buckets_is_folded(seed: int, other: int) -> None:
    human, mix = tables(seed, 4 * BUCKETS), counts(tables(other))
    assert measure_gap(human, mix) == measure_gap(folded(human, BUCKETS), mix)


def test_a_smaller_sample_of_human_text_has_a_larger_gap() -> None:
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.full(BUCKETS, 0.5))
    human = Tables(*rng.multinomial(1_000_000, shares, 2))
    gaps = [
        measure_gap(human, Counts(*rng.multinomial(size, shares, 2))).words
        for size in (100, 10_000, 1_000_000)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
