"""How far candidates are from human text, against the definition, and what is taken of whom."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.selection.distance import distances, folded, take_nearest
from outcross.transforms.text.ngrams import BUCKETS, Tables, count_ngrams
from tests.support.instances import RANDOM, SEEDS

Words = list[list[int]]


def counted(documents: Words, buckets: int = 64) -> Tables:
    tables = Tables.empty(buckets)
    offsets = np.cumsum([0, *map(len, documents)]).astype(np.int64)
    ids = np.array([word for document in documents for word in document], np.uint32)
    copies = np.ones(len(documents), np.int32)
    count_ngrams(offsets, ids, copies, tables.unigrams, tables.bigrams)
    return tables


def corpus(seed: int, words: int = 40, documents: int = 12) -> Words:
    rng = np.random.default_rng(seed)
    liked = rng.dirichlet(np.full(words, 0.5))
    return [rng.choice(words, int(rng.integers(1, 20)), p=liked).tolist() for _ in range(documents)]


def shares(tables: Tables) -> dict[tuple[str, int], float]:
    """Half of the mass on words, half on pairs of words."""
    expected: dict[tuple[str, int], float] = {}
    for kind, counts in (("word", tables.unigrams), ("pair", tables.bigrams)):
        for bucket, often in enumerate(counts.tolist()):
            if often:
                expected[kind, bucket] = often / sum(counts.tolist()) / 2
    return expected


def mixed(a: dict[Any, float], b: dict[Any, float], share: float) -> dict[Any, float]:
    mix = Counter({key: (1 - share) * value for key, value in a.items()})
    mix.update({key: share * value for key, value in b.items()})
    return dict(mix)


def divergence(p: dict[Any, float], q: dict[Any, float]) -> float:
    """Half of KL(p ‖ m) and half of KL(q ‖ m), m halfway between."""
    total = 0.0
    for distribution in (p, q):
        for key, share in distribution.items():
            if share:
                total += share / 2 * math.log(2 * share / (p.get(key, 0.0) + q.get(key, 0.0)))
    return total


@RANDOM
@given(SEEDS, st.sampled_from([0.0, 0.1, 0.4, 0.9, 1.0]))
def test_distances_are_what_the_definition_says(seed: int, share: float) -> None:
    texts = [corpus(seed + i, documents=3 + 5 * i) for i in range(5)]
    *sources, human, reference = (counted(text) for text in texts)
    computed = distances(sources, human, reference, share)
    for source, distance in zip(sources, computed, strict=True):
        mix = mixed(shares(source), shares(human), share)
        assert distance == pytest.approx(divergence(mix, shares(reference)), abs=2e-9)
        assert 0 <= distance <= math.log(2) + 1e-9
    if share == 1:  # there is nothing of any source in it
        assert len(set(computed)) == 1


@RANDOM
@given(SEEDS)
def test_the_distance_of_two_is_the_same_from_either(seed: int) -> None:
    a, b = counted(corpus(seed)), counted(corpus(seed + 1, documents=40))
    empty = Tables.empty(64)
    assert distances([a], empty, b, 0.0) == distances([b], empty, a, 0.0)
    assert distances([a], empty, a, 0.0) == [0.0]
    thrice = Tables(3 * a.unigrams, 3 * a.bigrams)
    assert distances([thrice], empty, a, 0.0) == [0.0]  # how much there is of it is all one


def test_a_human_part_that_is_not_there_does_not_count() -> None:
    source, reference = counted(corpus(1)), counted(corpus(2))
    empty = Tables.empty(64)
    assert distances([source], empty, reference, 0.7) == distances(
        [source], counted(corpus(3)), reference, 0.0
    )
    assert distances([empty], empty, reference, 0.3) == [pytest.approx(math.log(2), abs=1e-9)]


def test_a_source_that_mimics_the_human_part_is_not_the_nearest_for_it() -> None:
    """Prefer a source with text that the human part lacks."""
    reference = counted([[1, 1], [2, 2], [3, 3], [4, 4]] * 10)
    human = counted([[1, 1], [2, 2]] * 10)
    alike, beyond = counted([[1, 1], [2, 2], [3, 3]] * 10), counted([[3, 3], [4, 4]] * 10)
    alone = distances([alike, beyond], human, reference, 0.0)
    with_human = distances([alike, beyond], human, reference, 0.5)
    assert alone[0] < alone[1]
    assert with_human[0] > with_human[1] == pytest.approx(0, abs=1e-9)


@RANDOM
@given(SEEDS)
def test_folding_is_counting_in_fewer_buckets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    documents = [rng.integers(0, 2**32, int(rng.integers(0, 30))).tolist() for _ in range(8)]
    wide, narrow = counted(documents, 1 << 12), counted(documents, 1 << 5)
    small = folded(wide, 1 << 5)
    np.testing.assert_array_equal(small.unigrams, narrow.unigrams)
    np.testing.assert_array_equal(small.bigrams, narrow.bigrams)
    same = folded(narrow, 1 << 5)
    np.testing.assert_array_equal(same.unigrams, narrow.unigrams)


def test_tables_of_a_run_fold_to_what_a_lineage_keeps() -> None:
    unfolded = counted(corpus(1, words=1000), BUCKETS)
    kept = folded(unfolded)
    assert kept.totals == unfolded.totals
    assert len(kept.unigrams) == 1 << 16


@st.composite
def sources(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    rng = np.random.default_rng(draw(SEEDS))
    n = draw(st.integers(0, 8))
    supply = rng.integers(0, draw(st.sampled_from([3, 1000, 10**9])), n).astype(float)
    total = float(supply.sum())
    limit = total * draw(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]))
    most = max(total, 1.0) * draw(st.sampled_from([0.01, 0.2, 0.5, 2.0]))
    return rng.integers(0, 2 * n + 1, n) / 7, supply, limit, most


@RANDOM
@given(sources())
def test_the_nearest_are_taken_first_and_never_more_than_there_is(asked: Any) -> None:
    distance, supply, limit, most = asked
    taken = take_nearest(distance, supply, limit, most)
    near = 1e-9 * (limit + supply.sum() + 1)
    assert (taken >= 0).all()
    assert (taken <= supply).all()
    assert taken.sum() == pytest.approx(min(limit, supply.sum()), abs=near)
    room = np.minimum(supply, most)
    if room.sum() >= limit:  # nobody gives more than the cap
        assert (taken <= room + near).all()
    else:
        assert (taken >= room - near).all()
    # Whoever is further gives nothing beyond what is taken of all before the nearer have given all.
    full = room if room.sum() >= limit else supply
    base = np.zeros_like(supply) if room.sum() >= limit else room
    for near_one in range(len(supply)):
        for far_one in range(len(supply)):
            if distance[near_one] < distance[far_one] and taken[far_one] > base[far_one] + near:
                assert taken[near_one] >= full[near_one] - near


@RANDOM
@given(sources(), SEEDS)
def test_the_order_of_the_sources_does_not_decide(asked: Any, seed: int) -> None:
    _, supply, limit, most = asked
    rng = np.random.default_rng(seed)
    distance = rng.permutation(len(supply)) / 3  # no two as far
    turned = rng.permutation(len(supply))
    taken = take_nearest(distance, supply, limit, most)
    np.testing.assert_allclose(
        take_nearest(distance[turned], supply[turned], limit, most), taken[turned], rtol=1e-12
    )


def test_of_equals_the_first_gives() -> None:
    assert take_nearest([0.2, 0.1, 0.1], [10, 10, 10], 15, 10).tolist() == [0, 10, 5]
    assert take_nearest([0.1, 0.2, 0.3], [10, 10, 10], 15, 6).tolist() == [6, 6, 3]
    assert take_nearest([0.1, 0.2, 0.3], [10, 2, 3], 14, 6).tolist() == [9, 2, 3]
