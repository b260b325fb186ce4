"""Refusals name the numbers that would do, and these do."""

import math
from typing import Any

import numpy as np
import pytest

from outcross.transforms.budget.waterfill import Infeasible
from outcross.transforms.estimators.entropy import entropy
from tests.support.instances import instance, make_budget


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
        Infeasible, match=r"entropy_floor: found 1\.35 nats; at most 0\.9764"
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


def test_totals_that_the_caps_do_not_hold_are_refused_with_what_they_hold() -> None:
    r, a, b = [0.6, 0.4, 0.0], [300.0, 300, 50], [100.0, 60, 7]
    with pytest.raises(Infeasible) as refused:
        make_budget(r, a, b, 600, 200)
    detail = refused.value.detail
    assert detail["reason"] == "caps"
    assert detail["asked"] == {"synthetic": 600, "human": 200}
    assert detail["available"] == {"synthetic": 600, "human": 160}
    assert detail["outside_reference"] == 57
    assert "200 human tokens were asked and the repeat caps allow 160" in str(refused.value)
    assert make_budget(r, a, b, 480, 160).solution.total.sum() == pytest.approx(640)

    plan = make_budget(r, a, b, 700, 200, best_effort=True)
    assert plan.solution.synthetic.sum() == pytest.approx(600)
    assert plan.solution.human.sum() == pytest.approx(160)
    assert len(plan.warnings) == 1
    with pytest.raises(Infeasible):
        make_budget([1.0], [0.0], [0.0], 5, 5, best_effort=True)


@pytest.mark.parametrize("default", [0.0, 0.4, 0.5, 0.6, 1.0])
def test_an_empty_interval_is_refused_with_both_ends(default: float) -> None:
    r, a, b, X, Y = instance(3, clusters=12)
    lower, upper = (make_budget(r, a, b, X, Y, alpha=al) for al in (0.4, 0.6))
    limits = {"entropy_floor": lower.entropy, "max_kl": upper.kl}
    with pytest.raises(
        Infeasible, match=r"max_kl: found .* nats, and entropy_floor: .*; no α meets both"
    ) as refused:
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
