"""The budget of one domain: limits, α between them, and totals."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from outcross.transforms.budget.budget import least_human
from outcross.transforms.budget.problem import Problem
from outcross.transforms.budget.waterfill import Infeasible, temper
from outcross.transforms.estimators.entropy import kl
from tests.support.instances import RANDOM, SEEDS, assert_within_bounds, instance, make_budget


@RANDOM
@given(SEEDS)
def test_entropy_and_divergence_fall_as_alpha_rises_to_one(seed: int) -> None:
    r, a, b, X, Y = instance(seed, clusters=30)
    plans = [make_budget(r, a, b, X, Y, alpha=alpha) for alpha in np.linspace(0, 1, 9)]
    assert (np.diff([plan.entropy for plan in plans]) <= 1e-9).all()
    assert (np.diff([plan.kl for plan in plans]) <= 1e-9).all()


@RANDOM
@given(SEEDS)
def test_higher_caps_never_cost_anything(seed: int) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    assert (
        make_budget(r, 2 * a, b, X, Y, alpha=0).entropy
        >= make_budget(r, a, b, X, Y, alpha=0).entropy - 1e-9
    )
    assert (
        make_budget(r, a, 2 * b, X, Y, alpha=1).kl <= make_budget(r, a, b, X, Y, alpha=1).kl + 1e-9
    )


@RANDOM
@given(SEEDS)
def test_units_do_not_matter(seed: int) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    small = make_budget(r, a, b, X, Y)
    large = make_budget(r * 1e6, a * 2.0**20, b * 2.0**20, X * 2.0**20, Y * 2.0**20)
    assert large.entropy == pytest.approx(small.entropy, abs=1e-9)
    np.testing.assert_allclose(
        large.solution.total / 2.0**20, small.solution.total, atol=1e-9 * (X + Y)
    )


@RANDOM
@given(SEEDS, st.floats(0.05, 0.95))
def test_a_floor_moves_alpha_down_no_further_than_it_must(seed: int, part: float) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    at_default, highest = (make_budget(r, a, b, X, Y, alpha=al) for al in (0.7, 0.0))
    assume(highest.entropy - at_default.entropy > 1e-3)
    floor = at_default.entropy + part * (highest.entropy - at_default.entropy)
    plan = make_budget(r, a, b, X, Y, entropy_floor=floor)
    assert plan.alpha < 0.7
    assert plan.entropy >= floor - 1e-9
    assert make_budget(r, a, b, X, Y, alpha=plan.alpha + 1e-6).entropy < floor
    assert make_budget(r, a, b, X, Y, entropy_floor=at_default.entropy).alpha == 0.7


@RANDOM
@given(SEEDS, st.floats(0.05, 0.95))
def test_a_ceiling_moves_alpha_up_no_further_than_it_must(seed: int, part: float) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    at_default, lowest = (make_budget(r, a, b, X, Y, alpha=al) for al in (0.4, 1.0))
    assume(at_default.kl - lowest.kl > 1e-3)
    ceiling = lowest.kl + part * (at_default.kl - lowest.kl)
    plan = make_budget(r, a, b, X, Y, alpha=0.4, max_kl=ceiling)
    assert plan.alpha > 0.4
    assert plan.kl <= ceiling + 1e-9
    assert plan.kl == pytest.approx(kl(plan.solution.total, r), rel=1e-12)
    assert make_budget(r, a, b, X, Y, alpha=plan.alpha - 1e-6).kl > ceiling
    assert make_budget(r, a, b, X, Y, alpha=0.4, max_kl=at_default.kl).alpha == 0.4


@RANDOM
@given(SEEDS, st.floats(0.1, 0.6), st.floats(0.0, 0.35), st.floats(0, 1))
def test_both_limits_are_an_interval_of_alpha(
    seed: int, low: float, width: float, default: float
) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    lower, upper = (make_budget(r, a, b, X, Y, alpha=al) for al in (low, low + width))
    assume(lower.kl - make_budget(r, a, b, X, Y, alpha=1).kl > 1e-3)
    limits = {"entropy_floor": upper.entropy, "max_kl": lower.kl}
    plan = make_budget(r, a, b, X, Y, alpha=default, **limits)
    assert plan.entropy >= upper.entropy - 1e-9
    assert plan.kl <= lower.kl + 1e-9
    if low <= default <= low + width:
        assert plan.alpha == default


@pytest.mark.parametrize(
    ("limit", "value", "alpha"), [("entropy_floor", 5.0, 0.0), ("max_kl", 0.0, 1.0)]
)
def test_best_effort_takes_the_nearest_and_warns(limit: str, value: float, alpha: float) -> None:
    r, a, b = [0.5, 0.3, 0.2], [100.0, 100, 0], [100.0, 100, 1]
    plan = make_budget(r, a, b, 50, 50, best_effort=True, **{limit: value})
    assert plan.alpha == alpha
    assert len(plan.warnings) == 1
    assert "can be met by" in plan.warnings[0]


def test_best_effort_with_both_limits_out_of_reach_warns_of_each() -> None:
    r, a, b = [0.5, 0.3, 0.2], [100.0, 100, 0], [100.0, 100, 1]
    plan = make_budget(r, a, b, 50, 50, best_effort=True, entropy_floor=5.0, max_kl=0.0)
    assert plan.alpha == 1.0
    assert [w.startswith("max_kl") for w in plan.warnings] == [True, False, True]


def test_a_small_human_share_warns() -> None:
    r, a, b = [0.5, 0.5], [100.0, 100], [100.0, 100]
    assert "9.0%" in make_budget(r, a, b, 91, 9).warnings[0]
    assert make_budget(r, a, b, 90, 10).warnings == []


def test_one_cluster() -> None:
    plan = make_budget([3.0], [80.0], [20.0], 80, 20)
    assert (plan.entropy, plan.kl) == (0, 0)
    assert (plan.solution.synthetic[0], plan.solution.human[0]) == (80, 20)
    with pytest.raises(Infeasible, match="no human share"):
        make_budget([3.0], [80.0], [20.0], 40, 10, entropy_floor=0.1)


def test_only_synthetic_and_only_human() -> None:
    r, a, b = [0.6, 0.4], [50.0, 10], [20.0, 50]
    synthetic = make_budget(r, a, [0, 0], 55, 0).solution
    np.testing.assert_allclose(synthetic.synthetic, [45, 10])
    assert (synthetic.regime, synthetic.shadow_price) == ("slack", 0)
    wanting = make_budget(r, a, b, 55, 0).solution
    assert wanting.regime == "human-bound"
    # The first human token goes to cluster 1, which has 10 for .4^.7; one is taken from cluster 0.
    expected = math.log((45 / 0.6**0.7) / (10 / 0.4**0.7))
    assert wanting.shadow_price == pytest.approx(expected, rel=1e-9)
    human = make_budget(r, a, b, 0, 60).solution
    np.testing.assert_allclose(human.human, [20, 40])
    assert human.synthetic.sum() == 0
    assert human.regime == "synthetic-bound"


def test_clusters_without_a_share_or_without_text() -> None:
    r, a, b = [0.5, 0.0, 0.5, 0.0], [50.0, 99, 0, 0], [50.0, 99, 0, 0]
    plan = make_budget(r, a, b, 30, 20)
    assert plan.solution.total.tolist() == pytest.approx([50, 0, 0, 0])
    assert plan.kl == pytest.approx(math.log(2))
    assert [s.cluster for s in plan.starved] == [2]


@RANDOM
@given(SEEDS, st.sampled_from([1e-3, 1.0, 1e12]))
def test_everything_there_is_can_be_asked_for(seed: int, scale: float) -> None:
    r, a, b, _, Y = instance(seed, clusters=40)
    a, b, Y = a * scale, b * scale, Y * scale
    solution = make_budget(r, a, b, float(a.sum()), float(b.sum())).solution
    np.testing.assert_allclose(solution.synthetic, a, rtol=1e-9, atol=1e-9 * a.sum())
    np.testing.assert_allclose(solution.human, b, rtol=1e-9, atol=1e-9 * b.sum())
    one_role = make_budget(r, a, b, float(a.sum()), Y).solution
    assert_within_bounds(one_role, a, b, (float(a.sum()), Y))


def test_tokens_by_the_trillion_over_shares_from_everything_to_nothing() -> None:
    rng = np.random.default_rng(0)
    r = 10.0 ** rng.uniform(-15, 0, 2000)
    r /= r.sum()
    a, b = 10.0 ** rng.uniform(0, 10, 2000), 10.0 ** rng.uniform(0, 9, 2000)
    X, Y = 0.6 * a.sum(), 0.3 * b.sum()
    plan = make_budget(r, a, b, X, Y)
    assert_within_bounds(plan.solution, a, b, (X, Y))
    level = plan.solution.total / temper(r, plan.alpha)
    free = (plan.solution.synthetic > 1) & (plan.solution.synthetic < a - 1)
    np.testing.assert_allclose(level[free], plan.solution.theta_synthetic, rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 1.5}, "alpha is 1.5; it must be 0 to 1"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"entropy_floor": -1.0}, "entropy_floor is -1.0"),
        ({"max_kl": math.nan}, "max_kl is nan"),
        ({"synthetic_tokens": -5.0}, "synthetic_tokens is -5.0"),
        ({"human_tokens": math.inf}, "human_tokens is inf"),
        ({"synthetic_tokens": 0.0, "human_tokens": 0.0}, "0 tokens"),
        ({"human_cap": [1.0]}, r"human_cap has shape \(1,\)"),
        ({"synthetic_cap": [1.0, -2.0]}, r"synthetic_cap\[1\] is -2.0"),
        ({"reference": [0.0, 0.0]}, "reference sum to 0"),
    ],
)
def test_arguments_without_meaning_are_refused(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "reference": [0.5, 0.5],
        "synthetic_cap": [9.0, 9.0],
        "human_cap": [9.0, 9.0],
        "synthetic_tokens": 5.0,
        "human_tokens": 5.0,
    }
    with pytest.raises(ValueError, match=message):
        make_budget(**good | arguments)


@RANDOM
@given(SEEDS, st.floats(0.05, 1.0), st.floats(0.5, 1.0))
def test_the_least_human_text_reaches_an_entropy_and_less_does_not(
    seed: int, part: float, alpha: float
) -> None:
    r, a, b, X, Y = instance(seed)
    tokens = min(X + Y, 0.9 * (a + b).sum())
    problem = Problem.of(r, a, b, tokens, 0.0)
    bounds = problem.human_range()
    assert bounds is not None
    best = problem.best_human(alpha)
    lowest, highest = (problem.with_human(human).at(alpha).entropy for human in (bounds[0], best))
    assume(highest > lowest + 1e-6 and best > bounds[0] * (1 + 1e-6))
    wanted = lowest + part * (highest - lowest)
    least = least_human(r, a, b, tokens, wanted, alpha=alpha)
    assert least is not None
    assert bounds[0] <= least <= best * (1 + 1e-9)
    assert problem.with_human(least).at(alpha).entropy >= wanted - 1e-8
    fewer = least - 1e-3 * (best - bounds[0])
    if fewer > bounds[0]:
        assert problem.with_human(fewer).at(alpha).entropy < wanted + 1e-8
    assert least_human(r, a, b, tokens, highest + 1e-3, alpha=alpha) is None


@RANDOM
@given(SEEDS, st.floats(0.05, 0.95))
def test_beside_a_drawn_human_part_limits_move_alpha_no_further_than_they_must(
    seed: int, part: float
) -> None:
    r, a, b, X, Y = instance(seed, clusters=12)
    plans = {
        alpha: make_budget(r, a, b, X, Y, alpha=alpha, split="drawn") for alpha in (0.0, 0.7, 1.0)
    }
    np.testing.assert_allclose(plans[0.7].solution.human, b * (Y / b.sum()), rtol=1e-12)
    floor = plans[0.7].entropy + part * (plans[0.0].entropy - plans[0.7].entropy)
    ceiling = plans[0.7].kl + part * (plans[1.0].kl - plans[0.7].kl)
    lower = make_budget(r, a, b, X, Y, entropy_floor=floor, split="drawn")
    upper = make_budget(r, a, b, X, Y, max_kl=ceiling, split="drawn")
    assert lower.alpha <= 0.7 <= upper.alpha
    assert lower.entropy >= floor - 1e-8
    assert upper.kl <= ceiling + 1e-8
    if lower.alpha < 0.7:
        assert lower.entropy == pytest.approx(floor, abs=1e-6)
    if upper.alpha > 0.7:
        assert upper.kl == pytest.approx(ceiling, abs=1e-6)
