"""The exact projection against SciPy and against its optimality conditions."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from outcross.transforms.budget.waterfill import Infeasible, least_repeats, solve, temper, waterfill
from outcross.transforms.estimators.entropy import entropy, kl
from tests.support.instances import RANDOM, SEEDS, Floats, assert_within_bounds, instance


def scipy_divergence(pi: Floats, a: Floats, b: Floats, X: float, Y: float) -> float | None:
    """Return KL(p ‖ π) of SLSQP's answer, made exactly feasible; None if it gives up."""
    C, T = len(pi), X + Y

    def objective(v: Floats) -> float:
        p = np.maximum(v[:C] + v[C:], 1e-300)
        return float((p * np.log(p / pi)).sum())

    def gradient(v: Floats) -> Floats:
        p = np.maximum(v[:C] + v[C:], 1e-300)
        return np.tile(np.log(p / pi) + 1, 2)

    def total(part: slice, share: float) -> dict[str, Any]:
        jacobian = np.zeros(2 * C)
        jacobian[part] = 1
        return {"type": "eq", "fun": lambda v: v[part].sum() - share, "jac": lambda v: jacobian}

    caps = np.concatenate([a, b]) / T
    start = np.concatenate([a * X / a.sum(), b * Y / b.sum()]) / T
    minimum = minimize(
        objective,
        start,
        jac=gradient,
        method="SLSQP",
        bounds=[(0, cap) for cap in caps],
        constraints=[total(slice(0, C), X / T), total(slice(C, 2 * C), Y / T)],
        options={"maxiter": 2000, "ftol": 1e-15},
    )
    v = minimum.x
    feasible = (
        (v >= -1e-12).all()
        and (v <= caps + 1e-12).all()
        and abs(v[:C].sum() - X / T) < 1e-12
        and abs(v[C:].sum() - Y / T) < 1e-12
    )
    return objective(v) if minimum.success and feasible else None


def test_never_worse_than_scipy_in_all_three_regimes() -> None:
    compared: Counter[str] = Counter()
    for seed in range(400):
        r, a, b, X, Y = instance(seed)
        pi = temper(r, (0.0, 0.5, 0.7, 1.0)[seed % 4])
        solution = solve(pi, a, b, X, Y)
        assert_within_bounds(solution, a, b, (X, Y))
        theirs = scipy_divergence(pi, a, b, X, Y)
        if theirs is not None:
            compared[solution.regime] += 1
            assert kl(solution.total, pi) <= theirs + 1e-9, f"seed {seed}"
    assert all(compared[regime] >= 40 for regime in ("slack", "human-bound", "synthetic-bound"))
    assert compared.total() >= 300


@RANDOM
@given(SEEDS, st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_satisfies_the_conditions_of_karush_kuhn_and_tucker(seed: int, alpha: float) -> None:
    r, a, b, X, Y = instance(seed, clusters=20)
    pi = temper(r, alpha)
    solution = solve(pi, a, b, X, Y)
    level = solution.total / pi
    near = 1e-9 * (X + Y)
    for amount, cap, theta in (
        (solution.synthetic, a, solution.theta_synthetic),
        (solution.human, b, solution.theta_human),
    ):
        # Who can still give has to be at the level or above it, who gives at it or below.
        assert (level[amount < cap - near] >= theta * (1 - 1e-6)).all()
        assert (level[amount > near] <= theta * (1 + 1e-6)).all()
    order = {"slack": 0, "human-bound": 1, "synthetic-bound": -1}[solution.regime]
    assert np.sign(solution.shadow_price) == order
    assert solution.shadow_price == pytest.approx(
        math.log(solution.theta_synthetic / solution.theta_human), abs=1e-9
    )


@RANDOM
@given(SEEDS)
def test_the_shadow_price_is_what_a_human_token_saves(seed: int) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    T = X + Y
    step = 1e-6 * T
    assume(step < Y < b.sum() - step and step < X < a.sum() - step)
    solution = solve(r, a, b, X, Y)
    more, fewer = (kl(solve(r, a, b, X - moved, Y + moved).total, r) for moved in (step, -step))
    before = kl(solution.total, r)
    # The divergence is convex in the human tokens, so the price lies between the two slopes.
    assert (before - more) / (step / T) - 1e-5 <= solution.shadow_price
    assert solution.shadow_price <= (fewer - before) / (step / T) + 1e-5


def test_an_exchange_into_an_empty_cluster_has_no_bounded_price() -> None:
    human = solve([0.5, 0.5], [4, 0], [1, 1], 2, 0)
    assert (human.regime, human.shadow_price) == ("human-bound", math.inf)
    synthetic = solve([0.5, 0.5], [1, 1], [4, 0], 0, 2)
    assert (synthetic.regime, synthetic.shadow_price) == ("synthetic-bound", -math.inf)


@RANDOM
@given(SEEDS)
def test_fill_samples_the_synthetic_corpus_as_evenly_as_possible(seed: int) -> None:
    r, a, b, X, Y = instance(seed)
    solution = solve(r, a, b, X, Y)
    assume(solution.regime == "slack")
    n, x, near = solution.total, solution.synthetic, 1e-9 * (X + Y)
    low, high = np.maximum(n - b, 0), np.minimum(a, n)
    rate = x / np.maximum(a, 1e-300)
    can_give, can_take = (x > low + near), (x < high - near)
    if can_give.any() and can_take.any():
        assert rate[can_give].max() <= rate[can_take].min() + 1e-6


def test_both_splits_give_the_same_totals_and_proportional_the_same_share() -> None:
    r = [0.5, 0.3, 0.2]
    fill = solve(r, [90, 90, 10], [80, 80, 80], 60, 40)
    proportional = solve(r, [90, 90, 90], [80, 80, 80], 60, 40, split="proportional")
    np.testing.assert_allclose(fill.total, [50, 30, 20])
    np.testing.assert_allclose(proportional.total, [50, 30, 20])
    np.testing.assert_allclose(proportional.human / proportional.total, 0.4)
    assert fill.human[2] / fill.total[2] > 0.4
    with pytest.raises(ValueError, match="'other'; it must be 'fill', 'proportional' or 'drawn'"):
        solve(r, [90, 90, 90], [80, 80, 80], 60, 40, split="other")  # type: ignore[arg-type]


@RANDOM
@given(SEEDS, st.floats(0, 1))
def test_waterfill_keeps_its_bounds_and_total_and_moves_with_it(seed: int, part: float) -> None:
    rng = np.random.default_rng(seed)
    C = int(rng.integers(1, 30))
    weights = rng.gamma(0.3, 1, C) * (rng.random(C) > 0.2)
    low = rng.gamma(0.5, 1, C) * (rng.random(C) > 0.5)
    high = low + rng.gamma(0.5, 1, C) * (rng.random(C) > 0.3)
    least, most = low.sum(), np.where(weights > 0, high, low).sum()
    total = least + part * (most - least)
    n, theta = waterfill(weights, low, high, total)
    assert (n >= low).all()
    assert (n <= high).all()
    assert (n[weights == 0] == low[weights == 0]).all()
    assert n.sum() == pytest.approx(total, rel=1e-12, abs=1e-300)
    movable = (weights > 0) & (high > low)
    np.testing.assert_allclose(n[movable], np.clip(theta * weights, low, high)[movable], rtol=1e-9)


def test_waterfill_by_hand() -> None:
    n, theta = waterfill([1, 1, 2], [0, 3, 0], [1, 9, 9], 10)
    np.testing.assert_allclose(n, [1, 3, 6])
    assert theta == 3
    n, theta = waterfill([1, 1], [2, 5], [3, 9], 8)  # flat from 3 to 5: the next token goes at 5
    np.testing.assert_allclose(n, [3, 5])
    assert theta == 5
    with pytest.raises(Infeasible, match="13 tokens were asked; the bounds hold 7 to 12"):
        waterfill([1, 1], [2, 5], [3, 9], 13)
    with pytest.raises(ValueError, match=r"low\[1\] = 5.0 is above high\[1\] = 4.0"):
        waterfill([1, 1], [2, 5], [3, 4], 7)
    with pytest.raises(ValueError, match=r"weights\[0\] is nan"):
        waterfill([math.nan, 1], [2, 5], [3, 6], 7)
    with pytest.raises(ValueError, match=r"low has shape \(1,\)"):
        waterfill([1, 1], [2], [3, 6], 7)


def test_temper_raises_the_reference_to_alpha() -> None:
    r = np.array([0.7, 0.0, 0.2, 0.1])
    np.testing.assert_allclose(temper(r * 1e12, 1.0), r, rtol=1e-14)
    np.testing.assert_allclose(temper(r, 0.0), [1 / 3, 0, 1 / 3, 1 / 3], rtol=1e-14)
    half = np.sqrt(r)
    np.testing.assert_allclose(temper(r, 0.5), half / half.sum(), rtol=1e-14)
    with pytest.raises(ValueError, match="no mass"):
        temper([0, 0], 0.7)
    with pytest.raises(ValueError, match="alpha is -1"):
        temper(r, -1)


@RANDOM
@given(SEEDS)
def test_what_can_be_reached_is_concave_in_the_human_tokens(seed: int) -> None:
    """So more human tokens help up to where they no longer bind, and not necessarily beyond."""
    r, a, b, X, Y = instance(seed, clusters=12)
    T = X + Y
    grid = np.linspace(max(T - a.sum(), 0), min(T, b.sum()), 9)
    solutions = [solve(temper(r, 0), a, b, max(T - human, 0), human) for human in grid]
    highest = np.array([entropy(solution.total) for solution in solutions])
    assert (np.diff(highest, 2) <= 1e-9).all()
    for before, after, solution in zip(highest, highest[1:], solutions[1:], strict=False):
        if solution.regime == "human-bound":
            assert after >= before - 1e-9


@RANDOM
@given(SEEDS)
def test_the_split_in_slack_repeats_as_little_as_can_be(seed: int) -> None:
    """Held against a linear program; totals per cluster and the optimum don't change."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 9))
    once, human = rng.gamma(0.7, 100, count), rng.gamma(0.7, 60, count)
    a, b = 2 * once, 2 * human
    X, Y = a.sum() * rng.uniform(0.05, 0.95), b.sum() * rng.uniform(0.05, 0.95)
    solution = solve(rng.dirichlet(np.ones(count)), a, b, X, Y)
    spared = least_repeats(solution, once, human, a, b)
    if solution.regime != "slack":
        assert spared is solution
        return
    assert_within_bounds(spared, a, b, (X, Y))
    np.testing.assert_allclose(spared.total, solution.total, atol=1e-6)
    repeats = np.maximum(spared.synthetic - once, 0) + np.maximum(spared.human - human, 0)
    least = np.maximum(solution.total - b, 0)
    most = np.maximum(np.minimum(a, solution.total), least)
    n, identity, zero = solution.total, np.eye(count), np.zeros((count, count))
    optimum = linprog(
        np.r_[np.zeros(count), np.ones(2 * count)],  # x, repeats of x, repeats of n - x
        A_ub=np.block([[identity, -identity, zero], [-identity, zero, -identity]]),
        b_ub=np.r_[once, human - n],
        A_eq=np.r_[np.ones(count), np.zeros(2 * count)][None],
        b_eq=[solution.synthetic.sum()],
        bounds=[*zip(least, most, strict=True)] + [(0, None)] * (2 * count),
    )
    assert optimum.status == 0
    assert repeats.sum() <= optimum.fun + 1e-6 * (X + Y)


def scipy_beside(pi: Floats, a: Floats, y: Floats, X: float) -> float | None:
    """Return KL(x + y ‖ π) of SLSQP's best x; None if it gives up."""
    T = X + float(y.sum())
    fixed, caps = y / T, a / T

    def objective(x: Floats) -> float:
        p = np.maximum(x + fixed, 1e-300)
        return float((p * np.log(p / pi)).sum())

    minimum = minimize(
        objective,
        caps * (X / a.sum()),
        jac=lambda x: np.log(np.maximum(x + fixed, 1e-300) / pi) + 1,
        method="SLSQP",
        bounds=[(0, cap) for cap in caps],
        constraints=[
            {"type": "eq", "fun": lambda x: x.sum() - X / T, "jac": lambda x: np.ones(len(x))}
        ],
        options={"maxiter": 2000, "ftol": 1e-15},
    )
    feasible = (
        (minimum.x >= -1e-12).all()
        and (minimum.x <= caps + 1e-12).all()
        and abs(minimum.x.sum() - X / T) < 1e-12
    )
    return objective(minimum.x) if minimum.success and feasible else None


def test_beside_a_drawn_human_part_nothing_synthetic_is_nearer() -> None:
    compared = 0
    for seed in range(200):
        r, a, b, X, Y = instance(seed)
        pi = temper(r, (0.0, 0.5, 0.7, 1.0)[seed % 4])
        solution = solve(pi, a, b, X, Y, split="drawn")
        assert_within_bounds(solution, a, b, (X, Y))
        np.testing.assert_allclose(solution.human, b * (Y / b.sum()), rtol=1e-12)
        theirs = scipy_beside(pi, a, solution.human, X)
        if theirs is not None:
            compared += 1
            assert kl(solution.total, pi) <= theirs + 1e-9, f"seed {seed}"
        free = solve(pi, a, b, X, Y)
        assert kl(free.total, pi) <= kl(solution.total, pi) + 1e-12
    assert compared >= 150


@RANDOM
@given(SEEDS, st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_beside_a_drawn_human_part_all_that_can_move_is_at_one_level(
    seed: int, alpha: float
) -> None:
    r, a, b, X, Y = instance(seed, clusters=20)
    pi = temper(r, alpha)
    solution = solve(pi, a, b, X, Y, split="drawn")
    assert solution.regime == "drawn"
    assert solution.theta_synthetic == solution.theta_human
    level, theta, near = solution.total / pi, solution.theta_synthetic, 1e-9 * (X + Y)
    assert (level[solution.synthetic < a - near] >= theta * (1 - 1e-6)).all()
    assert (level[solution.synthetic > near] <= theta * (1 + 1e-6)).all()


@RANDOM
@given(SEEDS)
def test_the_price_of_a_drawn_human_token_is_what_one_more_saves(seed: int) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    T = X + Y
    step = 1e-6 * T
    assume(step < Y < b.sum() - step and step < X < a.sum() - step)
    price = solve(r, a, b, X, Y, split="drawn").shadow_price
    more, before, fewer = (
        kl(solve(r, a, b, X - moved, Y + moved, split="drawn").total, r)
        for moved in (step, 0.0, -step)
    )
    # Moving a synthetic token costs ln θ at most, so the price lies between the two slopes.
    assert (before - more) / (step / T) - 1e-5 <= price + 1e-5
    assert price <= (fewer - before) / (step / T) + 2e-5


@RANDOM
@given(SEEDS)
def test_the_first_drawn_human_token_has_a_price_too(seed: int) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    T = X + Y
    step = 1e-6 * T
    assume(step < b.sum() and step < T <= a.sum())
    first = solve(r, a, b, T, 0.0, split="drawn")
    more = solve(r, a, b, T - step, step, split="drawn")
    gained = (kl(first.total, r) - kl(more.total, r)) / (step / T)
    if math.isinf(first.shadow_price):
        assert (first.total[b > 0] == 0).any()
    else:
        # The divergence is convex, so the slope at 0 is at least what a step gains.
        assert gained - 2e-5 <= first.shadow_price
        assert first.shadow_price == pytest.approx(more.shadow_price, abs=0.02)


def test_a_drawn_human_part_at_the_edges() -> None:
    pi = [0.5, 0.3, 0.2]
    alone = solve(pi, [60, 60, 60], [0, 0, 0], 100, 0, split="drawn")
    np.testing.assert_allclose(alone.total, [50, 30, 20])
    assert (alone.human == 0).all()
    assert alone.shadow_price == 0
    unbounded = solve(pi, [60, 60, 0], [0, 0, 9], 100, 0, split="drawn")
    assert unbounded.shadow_price == math.inf  # nothing else fills the third cluster
    human = solve(pi, [0, 0, 0], [10, 10, 20], 0, 20, split="drawn")
    np.testing.assert_allclose(human.total, [5, 5, 10])
    assert (human.synthetic == 0).all()
    # As much of one cluster as there is enough of already: a human token more does harm.
    rich = solve(pi, [60, 60, 60], [0, 0, 40], 60, 40, split="drawn")
    np.testing.assert_allclose(rich.total, [37.5, 22.5, 40])
    assert rich.shadow_price == pytest.approx(math.log(75) - math.log(40 / 0.2))
    everything_drawn = solve(pi, [60, 60, 60], [7, 11, 13], 60, 31, split="drawn")
    assert everything_drawn.human.tolist() == [7, 11, 13]  # to the last bit: it is what was drawn
    with pytest.raises(Infeasible, match="32 human tokens were asked; there are 31"):
        solve(pi, [60, 60, 60], [7, 11, 13], 60, 32, split="drawn")
    with pytest.raises(Infeasible, match="tokens were asked; the bounds hold"):
        solve(pi, [6, 6, 6], [7, 11, 13], 60, 31, split="drawn")


@RANDOM
@given(SEEDS)
def test_a_drawn_part_is_no_choice_that_fewer_repeats_could_change(seed: int) -> None:
    r, a, b, X, Y = instance(seed)
    solution = solve(r, a, b, X, Y, split="drawn")
    assert least_repeats(solution, a / 2, b, a, b) is solution
