"""Near duplicates at a smaller n, against brute force and against drawing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.dedup.decide import Verdicts
from outcross.transforms.measuring.repeats import group_sizes, repeated_share, repeats_within

GROUPS = st.dictionaries(st.integers(1, 40), st.integers(1, 50), min_size=1).map(
    lambda found: np.array(sorted(found.items()), np.int64)
)


def verdicts(partner: NDArray[np.int64]) -> Verdicts:
    n = len(partner)
    zeros = np.zeros(n, np.int8)
    return Verdicts(partner, zeros, zeros.astype(np.float32), np.zeros(n, bool), {})


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_groups_are_those_of_brute_force(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    standing = [*np.flatnonzero(kept).tolist(), n, n + 3]  # and documents of an earlier run
    partner = np.where(kept, -1, rng.choice(standing, n)).astype(np.int64)
    rows = rng.random(n) < 0.7
    repeated = [d if kept[d] else int(partner[d]) for d in range(n) if rows[d]]
    sizes = Counter(Counter(repeated).values())
    groups = group_sizes(verdicts(partner), rows)
    assert groups.tolist() == [list(pair) for pair in sorted(sizes.items())]
    assert groups.dtype == np.int64
    assert groups.shape == (len(sizes), 2)


def test_what_repeats_a_document_outside_of_the_set_is_a_group_without_it() -> None:
    """Count a text of the reference, too, or a corpus of this text alone would repeat nothing."""
    partner = np.array([-1, 0, 0, -1, 3, 9])
    assert group_sizes(verdicts(partner), np.ones(6, bool)).tolist() == [[1, 1], [2, 1], [3, 1]]
    some = np.array([False, True, True, True, True, True])
    assert group_sizes(verdicts(partner), some).tolist() == [[1, 1], [2, 2]]
    collapsed = np.full(1000, 1234)
    assert group_sizes(verdicts(collapsed), np.ones(1000, bool)).tolist() == [[1000, 1]]


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_every_document_of_a_set_is_in_one_group(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    partner = np.where(kept, -1, rng.choice([*np.flatnonzero(kept).tolist(), n], n))
    rows = rng.random(n) < 0.7
    groups = group_sizes(verdicts(partner), rows)
    assert groups.prod(axis=1).sum() == rows.sum()
    # A part of a set has no group that the complete set doesn't have as large.
    complete = group_sizes(verdicts(partner), np.ones(n, bool))
    assert groups[:, 0].max(initial=0) <= complete[:, 0].max(initial=0)
    assert groups[:, 1].sum() <= complete[:, 1].sum()


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 5))
def test_a_part_repeats_itself_as_in_the_definition(seed: int, n: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    standing = [*np.flatnonzero(kept).tolist(), n, n + 3]  # and documents of an earlier run
    partner = np.where(kept, -1, rng.choice(standing, n)).astype(np.int64)
    part = rng.integers(0, parts, n)
    expected = []
    for number in range(parts):
        inside = np.flatnonzero(part == number)
        different = {d if kept[d] else int(partner[d]) for d in inside.tolist()}
        expected.append(len(inside) - len(different))
    counted = repeats_within(verdicts(partner), part, parts)
    assert counted.tolist() == expected
    # A part alone repeats itself as the same documents do as a set.
    for number in range(parts):
        groups = group_sizes(verdicts(partner), part == number)
        assert counted[number] == ((groups[:, 0] - 1) * groups[:, 1]).sum()


def test_a_file_of_one_answer_repeats_itself_and_not_the_file_that_it_copies() -> None:
    """Identical answers, a copy of another file, and a clean one; the first answer lies outside."""
    kept = np.full(10, -1)
    identical = np.full(805, 3)  # its answer stands in the clean file as well
    copy = np.arange(10)
    partner = np.concatenate([kept, identical, copy])
    part = np.repeat([0, 1, 2], [10, 805, 10])
    assert repeats_within(verdicts(partner), part, 4).tolist() == [0, 804, 0, 0]


@given(GROUPS)
def test_all_of_a_set_shows_what_it_repeats(groups: NDArray[np.int64]) -> None:
    documents = int((groups[:, 0] * groups[:, 1]).sum())
    share, _ = repeated_share(groups, documents)
    assert share == pytest.approx((documents - groups[:, 1].sum()) / documents, abs=1e-12)


@given(GROUPS, st.integers(0, 10**6))
def test_a_smaller_sample_shows_less_and_never_less_than_nothing(
    groups: NDArray[np.int64], n: int
) -> None:
    documents = int((groups[:, 0] * groups[:, 1]).sum())
    n %= documents + 1
    share, error = repeated_share(groups, n)
    assert 0 <= share <= repeated_share(groups, documents)[0] + 1e-12
    assert error >= 0
    if n > 1:
        assert repeated_share(groups, n - 1)[0] <= share + 1e-12
    if groups[:, 0].max() == 1:
        assert (share, error) == (0, 0)


def test_a_sample_of_nothing_repeats_nothing() -> None:
    assert repeated_share(np.zeros((0, 2), np.int64), 0) == (0, 0)
    assert repeated_share(np.array([[3, 4]]), 0) == (0, 0)


@pytest.mark.parametrize("n", [60, 300, 900])
def test_the_share_is_that_of_documents_drawn(n: int) -> None:
    groups = np.array([[1, 500], [2, 120], [5, 30], [40, 4]])
    member = np.repeat(np.arange(groups[:, 1].sum()), np.repeat(groups[:, 0], groups[:, 1]))
    rng = np.random.default_rng(0)
    drawn = [n - len(np.unique(rng.choice(member, n, replace=False))) for _ in range(400)]
    expected = float(np.mean(drawn)) / n
    assert repeated_share(groups, n)[0] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("n", [300, 3000])
def test_the_error_is_how_far_other_groups_of_the_same_kind_lead(n: int) -> None:
    """Draw as many groups of each size as chance gives, as if other texts had been written."""
    size, often = np.array([1, 2, 5, 60]), np.array([9000, 120, 30, 4])
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(2000):
        drawn = np.append(often[:1], rng.poisson(often[1:]))
        shares.append(repeated_share(np.stack([size, drawn], axis=1), n)[0])
    _, error = repeated_share(np.stack([size, often], axis=1), n)
    assert error == pytest.approx(np.std(shares), rel=0.1)


def test_documents_that_repeat_nothing_make_a_share_of_nothing() -> None:
    """Return exactly 0, as a little less would be printed as -0.0 %."""
    for n in range(1, 100):
        assert repeated_share(np.array([[1, 100]]), n) == (0, 0)
