"""Random budgets for the tests of the solver and of the planner."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from outcross.transforms.budget.budget import Budget, plan_problem, within_caps
from outcross.transforms.budget.problem import Problem
from outcross.transforms.budget.waterfill import Solution, Split

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
RANDOM = settings(max_examples=60, deadline=None)


def instance(seed: int, clusters: int | None = None) -> tuple[Floats, Floats, Floats, float, float]:
    """Draw a reference, caps and totals that the caps hold.

    Some clusters are empty; text is scarce in some draws and plentiful in others.
    """
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
    """Assert that both roles meet their caps and totals."""
    for amount, cap, total in zip(
        (solution.synthetic, solution.human), (a, b), totals, strict=True
    ):
        assert (amount >= 0).all()
        assert (amount <= cap).all()
        assert amount.sum() == pytest.approx(total, rel=1e-10, abs=1e-10 * sum(totals))


def make_budget(
    reference: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
    synthetic_tokens: float,
    human_tokens: float,
    *,
    alpha: float = 0.7,
    split: Split = "fill",
    best_effort: bool = False,
    **limits: float,
) -> Budget:
    """Plan the budget of one domain as the pipeline does, totals checked first."""
    problem = Problem.of(
        reference, synthetic_cap, human_cap, synthetic_tokens, human_tokens, split=split
    )
    problem, refusal, warnings = within_caps(problem, best_effort)
    if refusal is not None:
        warnings.append(str(refusal))
    budget = plan_problem(problem, alpha=alpha, best_effort=best_effort, **limits)
    return replace(budget, warnings=[*warnings, *budget.warnings])
