"""The certificate's bound is never below the truth, and its share has the interval it says."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.dedup.certificate import (
    Component,
    band_recall,
    clique_cover,
    share_kept,
)


def largest_independent(documents: int, pairs: set[tuple[int, int]]) -> int:
    """Return the size of the largest set of documents without a pair, by trying all."""
    return max(
        size
        for size in range(documents + 1)
        for chosen in combinations(range(documents), size)
        if not any(pair in pairs for pair in combinations(chosen, 2))
    )


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.just(n), st.sets(st.sampled_from(list(combinations(range(n), 2)) or [(0, 0)]))
        )
    )
)
def test_the_bound_is_never_below_what_could_be_kept(
    graph: tuple[int, set[tuple[int, int]]],
) -> None:
    documents, pairs = graph
    pairs = {pair for pair in pairs if pair[0] != pair[1]}
    bound = clique_cover(documents, np.array(sorted(pairs), np.int64).reshape(-1, 2))
    assert largest_independent(documents, pairs) <= bound <= documents


def test_a_clique_keeps_one_and_a_path_every_second() -> None:
    clique = np.array(list(combinations(range(6), 2)))
    path = np.array([(i, i + 1) for i in range(5)])
    assert clique_cover(6, clique) == 1
    assert clique_cover(6, path) == 3
    assert clique_cover(4, np.zeros((0, 2), np.int64)) == 4


def test_all_components_give_the_share_without_error() -> None:
    sample = [Component(3, 1, 2, 0), Component(2, 1, 1, 0), Component(5, 3, 3, 2)]
    share = share_kept(sample, components=3, others=95, kept=5)
    assert share.kept == pytest.approx(100 / 101)
    assert share.error == 0
    assert share.missed == pytest.approx(2 / 100)


def test_the_interval_holds_the_true_share_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    kept = random.integers(1, 4, 4000)
    lost = (random.random(4000) < 0.2).astype(int)
    population = [Component(9, int(k), int(k + d), 0) for k, d in zip(kept, lost, strict=True)]
    others, total = 50_000, int(kept.sum())
    truth = (others + total) / (others + total + int(lost.sum()))
    hits = 0
    for _ in range(400):
        drawn = random.choice(4000, 300, replace=False)
        share = share_kept([population[i] for i in drawn], 4000, others, total)
        hits += abs(share.kept - truth) <= share.error
    assert 0.92 <= hits / 400 <= 0.98


def test_nothing_is_lost_where_nothing_repeats() -> None:
    share = share_kept([], components=0, others=10, kept=0)
    assert (share.kept, share.error, share.missed) == (1.0, 0.0, 0.0)


def test_band_recall_is_that_of_the_formula() -> None:
    assert band_recall(0.8, 17, 7) == pytest.approx(1 - (1 - 0.8**7) ** 17)
    assert band_recall(1.0, 1, 1) == 1.0
    assert band_recall(0.0, 17, 7) == 0.0
