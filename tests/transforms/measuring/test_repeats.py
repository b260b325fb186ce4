"""Near duplicates at a smaller n, against brute force and against drawing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.measuring.repeats import repeated_share

GROUPS = st.dictionaries(st.integers(1, 40), st.integers(1, 50), min_size=1).map(
    lambda found: np.array(sorted(found.items()), np.int64)
)


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
