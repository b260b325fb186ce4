"""Entropy and divergence against logarithms, and logarithms to the last digits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.estimators.entropy import as_columns, entropy, exp, kl, log, normalised
from tests.support.instances import RANDOM, SEEDS


@RANDOM
@given(SEEDS)
def test_entropy_and_divergence_are_what_the_logarithm_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, r = rng.dirichlet(np.full(50, 0.2)) + 1e-12, rng.dirichlet(np.full(50, 0.5)) + 1e-12
    p, r = p / p.sum(), r / r.sum()
    assert entropy(p * 1e12) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-13)
    assert kl(p * 1e12, r * 3) == pytest.approx((p * np.log(p / r)).sum(), rel=1e-12)


def test_entropy_and_divergence_at_the_edges() -> None:
    assert entropy([5, 0]) == 0
    assert str(entropy([5])) == "0.0"  # not -0.0
    assert entropy([2, 2, 0, 2, 2]) == pytest.approx(math.log(4), rel=1e-15)
    assert kl([1, 1], [2, 2]) == 0
    assert kl([1, 1], [1, 0]) == math.inf
    assert kl([1, 0], [1, 1]) == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match="tokens sum to 0"):
        entropy([0, 0])


@given(st.floats(1e-300, 1e300))
def test_log_is_within_its_error(x: float) -> None:
    assert float(log(x)) == pytest.approx(math.log(x), rel=1e-15, abs=1e-15)


@given(st.floats(-600, 600))
def test_exp_is_within_its_error(x: float) -> None:
    assert float(exp(x)) == pytest.approx(math.exp(x), rel=2e-15)


def test_columns_are_refused_by_their_names() -> None:
    with pytest.raises(ValueError, match=r"b has shape \(1,\)"):
        as_columns(a=[1.0, 2.0], b=[1.0])
    with pytest.raises(ValueError, match=r"a\[1\] is -2.0; it must be 0 or more"):
        as_columns(a=[1.0, -2.0])
    with pytest.raises(ValueError, match="shares sum to 0"):
        normalised([0.0, 0.0], "shares")
