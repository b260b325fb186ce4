"""Random budgets for the tests of the solver and of the planner."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.budget.waterfill import Solution

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
RANDOM = settings(max_examples=60, deadline=None)


def instance(seed: int, clusters: int | None = None) -> tuple[Floats, Floats, Floats, float, float]:
    """A reference, caps and totals that they hold: empty clusters, scarce and plentiful text."""
    rng = np.random.default_rng(seed)
    C = clusters or int(rng.integers(2, 9))
    r = np.maximum(rng.dirichlet(np.full(C, 0.7)), 1e-3)
    scale = 10.0 ** rng.uniform(0, 9)
    a = rng.gamma(0.6, 1, C) * rng.integers(1, 4) * scale
    b = rng.gamma(0.6, 1, C) * rng.choice([0.1, 0.5, 1, 3, 20]) * scale
    for cap in (a, b):
        if rng.random() < 0.3:
            cap[rng.integers(C)] = 0
    a[0] += scale / 100
    b[0] += scale / 100
    X, Y = a.sum() * rng.uniform(0.02, 0.98), b.sum() * rng.uniform(0.02, 0.98)
    return r / r.sum(), a, b, X, Y


def assert_within_bounds(
    solution: Solution, a: Floats, b: Floats, totals: tuple[float, float]
) -> None:
    for amount, cap, total in zip(
        (solution.synthetic, solution.human), (a, b), totals, strict=True
    ):
        assert (amount >= 0).all()
        assert (amount <= cap).all()
        assert amount.sum() == pytest.approx(total, rel=1e-10, abs=1e-10 * sum(totals))
