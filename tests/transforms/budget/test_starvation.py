"""Prices of starved clusters against what a further human token saves."""

import pytest
from hypothesis import assume, example, given

from outcross.transforms.budget.waterfill import solve, temper
from outcross.transforms.estimators.entropy import kl
from tests.support.instances import RANDOM, SEEDS, instance, make_budget


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
