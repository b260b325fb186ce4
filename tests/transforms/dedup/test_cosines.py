"""Cells and similar pairs of embeddings, against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.dedup import cosines
from outcross.transforms.dedup.cosines import nearest_pivots, similar_pairs, squared_lengths


def unlimited(child, parent):
    return np.ones(len(child), bool)


def vectors(seed, n, dims=16, groups=4, noise=20):
    """Draw vectors around some centres, a few of them with clipped or extreme values."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(-127, 128, (groups, dims))
    drawn = centres[rng.integers(0, groups, n)] + rng.integers(-noise, noise + 1, (n, dims))
    drawn = np.clip(drawn, -127, 127).astype(np.int8)
    drawn[:, 0] |= 1  # none is zero
    return drawn


def cosine(one, other):
    """Compute the cosine in Python integers, rounded once to a float."""
    one, other = one.astype(object), other.astype(object)
    squares = float(int((one * one).sum()) * int((other * other).sum()))
    return np.float32(float(int((one * other).sum())) / np.sqrt(squares))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 30),
    st.integers(0, 40),
    st.sampled_from([0.5, 0.9, 0.99, 1.0]),
    st.integers(1, 50),
    st.integers(1, 5),
)
def test_pairs_are_the_first_similar_ones_before_each_document(seed, n, threshold, first, parents):
    drawn = vectors(seed, n)
    odd = np.random.default_rng(seed).random((n, n)) < 0.8

    def may(child, parent):
        return odd[child, parent]

    child, parent, similarity, further = similar_pairs(drawn, threshold, may, first, parents)
    expected, limited = {}, []
    for place in range(n):
        like = [
            (place, other)
            for other in range(min(place, first))
            if odd[place, other] and cosine(drawn[place], drawn[other]) >= np.float32(threshold)
        ]
        expected |= {pair: cosine(drawn[pair[0]], drawn[pair[1]]) for pair in like[:parents]}
        limited.append(len(like) >= parents or place > first)
    pairs = zip(child.tolist(), parent.tolist(), strict=True)
    assert dict(zip(pairs, similarity.tolist(), strict=True)) == expected
    assert further.tolist() == limited


def test_blocks_of_the_work_change_nothing(monkeypatch):
    drawn = vectors(3, 300)
    whole = similar_pairs(drawn, 0.9, unlimited, 250, 5)
    monkeypatch.setattr(cosines, "_ROWS", 7)
    monkeypatch.setattr(cosines, "_COLUMNS", 11)
    blocks = similar_pairs(drawn, 0.9, unlimited, 250, 5)

    def by_pair(pairs):
        child, parent, similarity, further = pairs
        order = np.lexsort((parent, child))
        return [column[order].tolist() for column in (child, parent, similarity)], further.tolist()

    assert by_pair(blocks) == by_pair(whole)


def test_products_of_1024_dimensions_are_exact():
    """All products are at the bound, 1,024 times 127 squared, which float32 still holds."""
    drawn = np.full((2, 1024), 127, np.int8)
    drawn[1, -1] = 126
    child, parent, similarity, _ = similar_pairs(drawn, 0.9, unlimited)
    assert (child.tolist(), parent.tolist()) == ([1], [0])
    assert similarity[0] == cosine(drawn[1], drawn[0]) < 1
    assert 1024 * 127**2 < 1 << 24
    assert squared_lengths(drawn).tolist() == [1024 * 127**2, 1023 * 127**2 + 126**2]


def test_a_shorter_vector_of_the_same_direction_has_cosine_one():
    drawn = np.array([[100, 50, 0], [2, 1, 0], [1, 2, 0]], np.int8)
    child, parent, similarity, _ = similar_pairs(drawn, 1.0, unlimited)
    assert (child.tolist(), parent.tolist(), similarity.tolist()) == ([1], [0], [1.0])


def test_a_crowd_costs_a_few_pairs_each():
    child, _, _, further = similar_pairs(np.full((3000, 8), 5, np.int8), 0.9, unlimited, 64, 4)
    assert np.bincount(child).tolist() == [0, 1, 2, 3, *[4] * 2996]
    assert further.tolist() == [False] * 4 + [True] * 2996


@pytest.mark.parametrize("cells", [1, 3, 99])
def test_cells_are_those_of_the_largest_products(cells):
    pivots, drawn = vectors(1, 20), vectors(2, 50)
    pivots[7] = pivots[3]  # of equal pivots the first is nearer
    products = drawn.astype(np.int64) @ pivots.astype(np.int64).T
    expected = np.argsort(-products, axis=1, kind="stable")[:, :cells]
    assert (nearest_pivots(pivots, drawn, cells) == expected).all()


def test_without_pivots_there_is_one_cell():
    assert nearest_pivots(np.zeros((0, 1), np.int8), vectors(0, 5), 4).tolist() == [[0]] * 5
