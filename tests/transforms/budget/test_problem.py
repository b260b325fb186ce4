"""A budget's limits against bisection, and caps that depend on the synthetic total."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.budget.problem import ALPHA_STEP, HUMAN_STEP, Limit, Problem, edge
from tests.support.instances import RANDOM, SEEDS, instance


def problem(seed: int, clusters: int = 12) -> Problem:
    r, a, b, X, Y = instance(seed, clusters)
    return Problem.of(r, a, b, X, Y)


@RANDOM
@given(SEEDS, st.sampled_from(["entropy_floor", "max_kl"]), st.floats(0.001, 0.999))
def test_the_nearest_plan_is_the_one_that_halving_finds(
    seed: int, reason: Literal["entropy_floor", "max_kl"], part: float
) -> None:
    budget = problem(seed)
    ends = {alpha: budget.at(alpha) for alpha in (0.0, 1.0)}
    probe = Limit(reason, 0.0)
    kindest, unkindest = probe.kindest, 1 - probe.kindest
    best, worst = probe.figure(ends[kindest]), probe.figure(ends[unkindest])
    limit = replace(probe, value=worst + part * (best - worst))
    wanted = edge(kindest, unkindest, ALPHA_STEP, lambda alpha: limit.holds(budget.at(alpha)))
    solves = []
    original = Problem.at

    def counted(self: Problem, alpha: float) -> object:
        solves.append(alpha)
        return original(self, alpha)

    with patch.object(Problem, "at", counted):
        nearest = budget.nearest(limit, kindest, unkindest)
    assert limit.holds(nearest)
    assert len(solves) <= 40  # halving takes 34
    if abs(nearest.alpha - wanted) > 2 * ALPHA_STEP:  # the figure is flat, to the last bit, between
        assert limit.figure(nearest) == pytest.approx(limit.figure(budget.at(wanted)), abs=1e-12)


def test_the_nearest_plan_takes_a_few_solves() -> None:
    solves = 0
    original = Problem.at

    def counted(self: Problem, alpha: float) -> object:
        nonlocal solves
        solves += 1
        return original(self, alpha)

    rng = np.random.default_rng(0)
    r, a = rng.dirichlet(np.full(200, 0.3)) + 1e-6, rng.uniform(0, 100, 200)
    budget = Problem.of(r, a, a, a.sum() / 2, a.sum() / 4)
    middle = budget.at(0.4).entropy
    with patch.object(Problem, "at", counted):
        budget.nearest(Limit("entropy_floor", middle), 0.0, 1.0)
    assert solves <= 15


@RANDOM
@given(SEEDS, st.floats(0, 0.9))
def test_caps_that_follow_the_total_are_those_of_the_total_that_is_asked(
    seed: int, share: float
) -> None:
    r, a, b, X, Y = instance(seed, 12)

    def cap_of(synthetic: float) -> np.ndarray:
        return a * (1 - share) + share * a * min(1.0, synthetic / (a.sum() + 1.0))

    budget = Problem.of(r, cap_of(X), b, X, Y, cap_of=cap_of)
    bounds = budget.human_range()
    if bounds is None:
        assert (X + Y) - b.sum() > cap_of(X + Y - b.sum()).sum()
        return
    least, most = bounds
    assert most == pytest.approx(min(X + Y, b.sum()))
    for human in (least, (least + most) / 2, most):
        at_human = budget.with_human(human)
        assert at_human.synthetic_cap == pytest.approx(np.where(r > 0, cap_of(X + Y - human), 0))
        assert at_human.tokens == pytest.approx(X + Y, rel=1e-6)  # nothing had to be cut
    if least > 0:
        lower = least - 2 * HUMAN_STEP * (X + Y)
        assert (X + Y - lower) > cap_of(X + Y - lower).sum()
    best = budget.best_human(1.0)
    assert least <= best <= most
