import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from outcross.transforms.budget.budget import least_human
from outcross.transforms.budget.problem import Problem
from outcross.transforms.budget.waterfill import Infeasible, solve, temper
from outcross.transforms.estimators.entropy import entropy, kl
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


@pytest.mark.parametrize("default", [0.0, 0.4, 0.5, 0.6, 1.0])
def test_an_empty_interval_is_refused_with_both_ends(default: float) -> None:
    r, a, b, X, Y = instance(3, clusters=12)
    lower, upper = (make_budget(r, a, b, X, Y, alpha=al) for al in (0.4, 0.6))
    limits = {"entropy_floor": lower.entropy, "max_kl": upper.kl}
    with pytest.raises(Infeasible, match="no α meets both") as refused:
        make_budget(r, a, b, X, Y, alpha=default, **limits)
    detail = refused.value.detail
    assert detail["reason"] == "interval"
    assert detail["alpha_at_least"] == pytest.approx(0.6, abs=1e-6)
    assert detail["alpha_at_most"] == pytest.approx(0.4, abs=1e-6)
    assert detail["entropy_at_ceiling"] == pytest.approx(upper.entropy, abs=1e-6)
    assert detail["kl_at_floor"] == pytest.approx(lower.kl, abs=1e-6)
    plan = make_budget(r, a, b, X, Y, alpha=default, best_effort=True, **limits)
    assert plan.alpha == pytest.approx(0.6, abs=1e-6)
    assert plan.kl <= upper.kl + 1e-9
    assert "no α meets both" in plan.warnings[-1]


def refusal(seed: int, limit: str, short: float) -> tuple[Infeasible, tuple[Any, ...]]:
    """Refuse a limit that lies `short` of the way to what more human tokens would reach."""
    rng = np.random.default_rng(seed)
    r = rng.dirichlet(np.full(15, 0.5)) + 1e-3
    a, b = rng.dirichlet(np.full(15, 0.2)) * 3e6, r / r.sum() * 2e6
    total, Y = 1e6, 2e4
    kindest, figure = (0.0, "entropy") if limit == "entropy_floor" else (1.0, "kl")
    now, *at_more_human = (
        getattr(make_budget(r, a, b, total - human, human, alpha=kindest), figure)
        for human in np.linspace(Y, total, 20)
    )
    best = max(at_more_human) if figure == "entropy" else min(at_more_human)
    with pytest.raises(Infeasible) as refused:
        make_budget(r, a, b, total - Y, Y, **{limit: now + short * (best - now)})
    return refused.value, (r, a, b, total, Y)


@pytest.mark.parametrize("limit", ["entropy_floor", "max_kl"])
@pytest.mark.parametrize("seed", range(8))
def test_the_least_human_tokens_reach_the_limit_and_one_percent_fewer_do_not(
    seed: int, limit: str
) -> None:
    refused, (r, a, b, total, Y) = refusal(seed, limit, 0.5)
    detail = refused.detail
    assert detail["reason"] == limit
    least, asked = detail["least_human_tokens"], detail["asked"]
    assert least > Y
    make_budget(r, a, b, total - least, least, **{limit: asked})
    with pytest.raises(Infeasible):
        make_budget(r, a, b, total - 0.99 * least, 0.99 * least, **{limit: asked})
    assert f"{math.ceil(least):,} human tokens" in str(refused)
    kindest = 0.0 if limit == "entropy_floor" else 1.0
    reached = make_budget(r, a, b, total - Y, Y, alpha=kindest)
    assert detail["alpha"] == kindest
    assert detail["reached"] == (reached.entropy if kindest == 0 else reached.kl)


def test_the_most_starved_clusters_are_named() -> None:
    r, a, b = [0.4, 0.3, 0.2, 0.1], [900, 900, 40, 0], [100, 0, 60, 5]
    with pytest.raises(
        Infeasible, match=r"most starved clusters are 3 \(5 of 250 tokens"
    ) as refused:
        make_budget(r, a, b, 900, 100, entropy_floor=1.35)
    starved = refused.value.detail["starved"]
    assert [s["cluster"] for s in starved] == [3, 2]
    prices = [cluster.pop("price") for cluster in starved]
    assert starved[0] == {"cluster": 3, "wanted": 250, "available": 5, "planned": 5}
    assert starved[1] == pytest.approx(
        {"cluster": 2, "wanted": 250, "available": 100, "planned": 100}
    )
    assert prices[0] > prices[1] > 0
    plan = make_budget(r, a, b, 900, 100, alpha=1.0)
    assert [(s.cluster, s.planned) for s in plan.starved] == [(2, 100), (3, 5)]


def test_a_floor_that_no_human_share_reaches() -> None:
    r, a, b = [0.5, 0.3, 0.2], [100.0, 100, 0], [100.0, 100, 1]
    with pytest.raises(Infeasible, match="no human share of this total would do") as refused:
        make_budget(r, a, b, 50, 50, entropy_floor=1.0)
    assert refused.value.detail["least_human_tokens"] is None
    best = refused.value.detail["reached_at_best_human_share"]
    assert best == pytest.approx(entropy([49.5, 49.5, 1]))
    with pytest.raises(Infeasible):
        make_budget(r, a, b, 50, 50, entropy_floor=math.log(3) + 0.01)


def test_too_many_human_tokens_are_refused_with_the_fewer_that_would_do() -> None:
    """Human text of one cluster: it is synthetic text that is scarce."""
    r, a, b = [0.5, 0.5], [100.0, 100.0], [100.0, 0.0]
    with pytest.raises(Infeasible) as refused:
        make_budget(r, a, b, 20, 80, entropy_floor=0.6)
    least = refused.value.detail["least_human_tokens"]
    assert least < 80
    assert make_budget(r, a, b, 100 - least, least, entropy_floor=0.6).entropy >= 0.6 - 1e-9


@pytest.mark.parametrize(
    ("limit", "value", "alpha"), [("entropy_floor", 5.0, 0.0), ("max_kl", 0.0, 1.0)]
)
def test_best_effort_takes_the_nearest_and_warns(limit: str, value: float, alpha: float) -> None:
    r, a, b = [0.5, 0.3, 0.2], [100.0, 100, 0], [100.0, 100, 1]
    plan = make_budget(r, a, b, 50, 50, best_effort=True, **{limit: value})
    assert plan.alpha == alpha
    assert len(plan.warnings) == 1
    assert "can't be reached" in plan.warnings[0]


def test_best_effort_with_both_limits_out_of_reach_warns_of_each() -> None:
    r, a, b = [0.5, 0.3, 0.2], [100.0, 100, 0], [100.0, 100, 1]
    plan = make_budget(r, a, b, 50, 50, best_effort=True, entropy_floor=5.0, max_kl=0.0)
    assert plan.alpha == 1.0
    assert ["divergence" in w for w in plan.warnings] == [True, False, True]


def test_totals_that_the_caps_do_not_hold_are_refused_with_what_would_do() -> None:
    r, a, b = [0.6, 0.4, 0.0], [300.0, 300, 50], [100.0, 60, 7]
    with pytest.raises(Infeasible) as refused:
        make_budget(r, a, b, 600, 200)
    detail = refused.value.detail
    assert detail["reason"] == "totals"
    assert detail["asked"] == {"synthetic": 600, "human": 200}
    assert detail["available"] == {"synthetic": 600, "human": 160}
    assert detail["cap_factors"] == {"human": 1.25}
    assert detail["tokens_at_this_share"] == pytest.approx(640)
    assert detail["human_range_at_this_total"] is None
    assert detail["outside_reference"] == 57
    assert "200 human tokens were asked and the repeat caps allow 160" in str(refused.value)
    assert make_budget(r, a, b, 480, 160).solution.total.sum() == pytest.approx(640)
    assert make_budget(r, a, 1.25 * np.array(b), 600, 200).solution.total.sum() == pytest.approx(
        800
    )

    with pytest.raises(Infeasible) as refused:
        make_budget(r, a, b, 650, 50)
    assert refused.value.detail["human_range_at_this_total"] == (100, 160)
    for human in (100, 160):
        make_budget(r, a, b, 700 - human, human)

    plan = make_budget(r, a, b, 700, 200, best_effort=True)
    assert plan.solution.synthetic.sum() == pytest.approx(600)
    assert plan.solution.human.sum() == pytest.approx(160)
    assert len(plan.warnings) == 1
    with pytest.raises(Infeasible):
        make_budget([1.0], [0.0], [0.0], 5, 5, best_effort=True)


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
@given(SEEDS)
@example(5252)  # a cluster with a millionth of the tokens
@example(4274032272)  # a cluster with little human beside much synthetic text
def test_a_price_is_what_a_further_human_token_of_a_cluster_saves(seed: int) -> None:
    r, a, b, X, Y = instance(seed)
    plan = make_budget(r, a, b, X, Y)
    target = temper(r, plan.alpha)
    tokens = X + Y
    before = kl(plan.solution.total, target)
    for cluster in plan.starved:
        c = cluster.cluster
        # The price is a derivative: the step is small beside the cluster's own tokens.
        step = min(1e-5 * tokens, 1e-3 * cluster.planned)
        if cluster.price is None:
            assert cluster.available == 0
            continue
        more = b.copy()
        more[c] += step
        saved = (before - kl(make_budget(r, a, more, X, Y).solution.total, target)) * tokens / step
        assert saved == pytest.approx(cluster.price, rel=0.05, abs=2e-3)


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


@RANDOM
@given(SEEDS)
def test_beside_a_drawn_human_part_a_price_is_what_a_further_human_token_saves(
    seed: int,
) -> None:
    r, a, b, X, Y = instance(seed)
    plan = make_budget(r, a, b, X, Y, split="drawn")
    target, tokens = temper(r, plan.alpha), X + Y
    solution = plan.solution
    before = kl(solution.total, target)
    for cluster in plan.starved:
        if cluster.price is None:
            assert cluster.available == 0
            continue
        step = min(1e-6 * tokens, 1e-3 * cluster.planned)
        assume(step < X / 2)
        more = solution.human.copy()
        more[cluster.cluster] += step  # replaces the synthetic token that is missed least
        after = solve(target, a, more, X - step, float(more.sum()), split="drawn").total
        saved = (before - kl(after, target)) * tokens / step
        assert max(saved, 0.0) == pytest.approx(cluster.price, rel=0.05, abs=2e-3)
