"""Domains: their totals, their budgets one by one, and the chain rule that adds them up."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outcross.transforms.budget.domains import (
    FRONTIER_SHARES,
    Division,
    DomainProblem,
    chained_entropy,
    chained_kl,
    frontier,
    joint_regime,
)
from outcross.transforms.budget.generations import lasting_error
from outcross.transforms.budget.waterfill import Infeasible, Solution
from outcross.transforms.estimators.entropy import entropy, kl
from tests.support.instances import RANDOM, SEEDS, Floats, instance, make_budget

CLUSTERS = 7


def division(
    natural: Any, synthetic: Any, human: Any, asked: Any = None, names: str = "abcdefgh"
) -> Division:
    columns = [np.array(column, float) for column in (natural, synthetic, human)]
    given = np.full(len(columns[0]), np.nan) if asked is None else np.array(asked, float)
    return Division(names[: len(given)], columns[0], given, *columns[1:])


def several(seed: int) -> tuple[list[DomainProblem], Floats, float, float]:
    """Draw domains, their shares of the reference, and totals that they hold."""
    rng = np.random.default_rng(seed)
    domains = []
    for number in range(int(rng.integers(2, 6))):
        r, a, b, _, _ = instance(seed + number, CLUSTERS)
        a, b = a / a.sum() * rng.uniform(10, 1e4), b / b.sum() * rng.uniform(1, 1e4)
        alpha = float(rng.choice([0.3, 0.7, 1.0]))
        domains.append(DomainProblem(r, lambda _, a=a: a, b, alpha, lifted=alpha < 1))
    natural = rng.dirichlet(np.ones(len(domains))) + 0.01
    X = sum(domain.synthetic_cap(0).sum() for domain in domains) * rng.uniform(0.02, 0.98)
    Y = sum(domain.human_cap.sum() for domain in domains) * rng.uniform(0.02, 0.98)
    return domains, natural / natural.sum(), X, Y


def dividing(domains: list[DomainProblem], natural: Floats, asked: Any = None) -> Division:
    return division(
        natural,
        [domain.synthetic_cap(0).sum() for domain in domains],
        [domain.human_cap.sum() for domain in domains],
        asked,
    )


@RANDOM
@given(SEEDS)
def test_totals_are_met_within_what_the_domains_hold(seed: int) -> None:
    domains, natural, X, Y = several(seed)
    supply = dividing(domains, natural)
    totals = supply.divide(X, Y)
    assert totals.synthetic.sum() == pytest.approx(X)
    assert totals.human.sum() == pytest.approx(Y)
    assert (totals.synthetic <= supply.synthetic_room * (1 + 1e-12)).all()
    assert (totals.human <= supply.human_room * (1 + 1e-12)).all()
    assert min(totals.synthetic.min(), totals.human.min()) >= 0


@RANDOM
@given(SEEDS)
def test_no_exchange_between_two_domains_comes_nearer_to_the_reference(seed: int) -> None:
    domains, natural, X, Y = several(seed)
    supply = dividing(domains, natural)
    totals = supply.divide(X, Y)
    reached = kl(totals.tokens, natural)
    rng = np.random.default_rng(seed)
    for _ in range(30):
        giver, taker = rng.choice(len(domains), 2, replace=False)
        role = rng.integers(2)
        amounts = [totals.synthetic.copy(), totals.human.copy()]
        room = (supply.synthetic_room, supply.human_room)[role]
        step = rng.random() * min(amounts[role][giver], room[taker] - amounts[role][taker])
        amounts[role][giver] -= step
        amounts[role][taker] += max(step, 0.0)
        assert kl(sum(amounts), natural) >= reached - 1e-9


@RANDOM
@given(SEEDS)
def test_the_order_of_the_domains_does_not_matter(seed: int) -> None:
    domains, natural, X, Y = several(seed)
    turned = np.random.default_rng(seed).permutation(len(domains))
    totals = dividing(domains, natural).divide(X, Y)
    other = dividing([domains[d] for d in turned], natural[turned]).divide(X, Y)
    np.testing.assert_allclose(other.synthetic, totals.synthetic[turned], atol=1e-6)
    np.testing.assert_allclose(other.human, totals.human[turned], atol=1e-6)


@RANDOM
@given(SEEDS, st.floats(0, 1))
@example(213, 1.0)
def test_a_share_that_is_asked_for_is_exact_or_refused_with_a_range_that_would_do(
    seed: int, share: float
) -> None:
    domains, natural, X, Y = several(seed)
    asked = [share, *[np.nan] * (len(domains) - 1)]
    supply = dividing(domains, natural, asked)
    bounds = supply.human_range(X + Y)
    try:
        totals = supply.divide(X, Y)
    except Infeasible:
        feasible = bounds is not None and bounds[0] + 1e-6 < Y < bounds[1] - 1e-6
        room = supply.synthetic_room + supply.human_room
        assert not feasible or share * (X + Y) > room[0] or (1 - share) * (X + Y) > room[1:].sum()
        cut = supply.divide(X, Y, best_effort=True)
        assert cut.warnings
        assert (cut.synthetic <= supply.synthetic_room * (1 + 1e-9)).all()
        assert (cut.human <= supply.human_room * (1 + 1e-9)).all()
        assert cut.tokens.sum() <= (X + Y) * (1 + 1e-9)
        return
    assert bounds is not None
    assert bounds[0] * (1 - 1e-9) - 1e-6 <= Y <= bounds[1] * (1 + 1e-9) + 1e-6
    assert totals.tokens[0] == pytest.approx(share * (X + Y), abs=1e-6)
    assert totals.synthetic.sum() == pytest.approx(X)
    assert totals.human.sum() == pytest.approx(Y)
    if share == 1:  # nothing is left to divide among the other domains
        assert totals.tokens[1:].sum() == pytest.approx(0, abs=1e-6)
        return
    free = dividing(domains[1:], natural[1:])
    rest = free.divide(max(X - totals.synthetic[0], 0), max(Y - totals.human[0], 0))
    np.testing.assert_allclose(totals.tokens[1:], rest.tokens, atol=1e-6)


def test_human_text_goes_to_every_domain_in_proportion_until_one_runs_out_of_it() -> None:
    plenty = division([0.6, 0.3, 0.1], [900] * 3, [900] * 3).divide(800, 200)
    assert plenty.tokens == pytest.approx([600, 300, 100])
    assert plenty.human == pytest.approx([120, 60, 20])
    assert plenty.warnings == []
    scarce = division([0.6, 0.3, 0.1], [900] * 3, [30, 900, 900]).divide(800, 200)
    assert scarce.tokens == pytest.approx([600, 300, 100])
    assert scarce.human == pytest.approx([30, 170 * 0.75, 170 * 0.25])
    asked = division([0.6, 0.3, 0.1], [900] * 3, [30, 900, 900], [0.5, np.nan, np.nan])
    assert asked.divide(800, 200).tokens == pytest.approx([500, 375, 125])
    assert asked.divide(800, 200).human == pytest.approx([30, 127.5, 42.5])


def test_what_a_domain_does_not_hold_goes_to_the_others_and_is_said() -> None:
    totals = division([0.5, 0.3, 0.2], [100, 900, 900], [0, 900, 900]).divide(800, 200)
    assert totals.tokens == pytest.approx([100, 540, 360])
    (warning,) = totals.warnings
    assert "'a' gets 10.0% of the tokens, not 50.0%" in warning
    assert "100 synthetic and 0 human tokens" in warning


def test_a_single_domain_gets_everything_to_the_last_bit() -> None:
    for X, Y in ((0.1, 0.2), (1e15 / 3, 1e-3 / 7), (1 / 3, 0.0)):
        totals = division([1.0], [1e16], [1e16]).divide(X, Y)
        assert (totals.synthetic[0], totals.human[0]) == (X, Y)


def test_refusals_have_the_numbers_that_would_do() -> None:
    rooms: Any = ([0.5, 0.5], [300, 900], [0, 300])
    with pytest.raises(Infeasible, match=r"domains\.a\.share: 0\.5 of 1,000 tokens is 500, .* hold "
                       r"300, .* share of 0\.3 would do, or 600 tokens in all"):  # fmt: skip
        division(*rooms, [0.5, np.nan]).divide(800, 200)
    with pytest.raises(Infeasible, match=r"700 of 1,000 tokens are left .* hold 300"):
        division(*rooms, [np.nan, 0.3]).divide(800, 200)
    with pytest.raises(Infeasible, match="sum to 1 would do"):
        division(*rooms, [0.2, 0.2]).divide(800, 200)
    with pytest.raises(Infeasible, match="hold 0 to 300 human tokens, and 400 are"):
        division([0.5, 0.5], [900, 900], [300, 900], [1.0, 0.0]).divide(400, 400)
    with pytest.raises(Infeasible, match=r"2,000 synthetic tokens were asked .* allow 1,200"):
        division(*rooms).divide(2000, 200)
    cut = division(*rooms, [0.5, np.nan]).divide(800, 200, best_effort=True)
    assert cut.tokens == pytest.approx([300, 700])
    assert "share of 0.3 would do" in cut.warnings[0]


@RANDOM
@given(SEEDS)
def test_entropies_and_divergences_add_up_by_the_chain_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.gamma(0.5, 1, (4, CLUSTERS)) * (rng.random((4, 1)) < 0.7)
    cells[0] += 1.0
    natural = rng.dirichlet(np.ones(4))
    shares = rng.dirichlet(np.ones(CLUSTERS), 4)
    tokens = cells.sum(axis=1)
    filled = np.flatnonzero(tokens)
    total_entropy = chained_entropy(tokens, [entropy(cells[d]) for d in filled])
    assert total_entropy == pytest.approx(entropy(cells.ravel()))
    total_kl = chained_kl(tokens, natural, [kl(cells[d], shares[d]) for d in filled])
    assert total_kl == pytest.approx(kl(cells.ravel(), (natural[:, None] * shares).ravel()))
    assert chained_entropy([3.0], [0.1 + 0.2]) == 0.1 + 0.2


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_without_fresh_text_no_error_lasts(seed: int) -> None:
    domains, natural, X, Y = several(seed)
    points = frontier(domains, dividing(domains, natural), X + Y, fresh=False)
    assert {point.lasting_error for point in points} == {None}


@RANDOM
@given(SEEDS)
def test_a_point_of_the_frontier_is_every_domain_solved_alone(seed: int) -> None:
    domains, natural, X, Y = several(seed)
    supply = dividing(domains, natural)
    for point in frontier(domains, supply, X + Y):
        human = point.human_share * (X + Y)
        assert point.reachable == (point.reason is None)
        assert point.lasting_error == lasting_error(point.human_share, X + Y)
        assert point.reachable_human_tokens is not None  # the total itself can be held
        assert point.reachable == (point.reachable_human_tokens == pytest.approx(human))
        if not point.reachable:
            continue
        totals = supply.divide((1 - point.human_share) * (X + Y), human)
        alone: dict[float, list[Any]] = {}
        for setting in (-1.0, 0.0, 1.0):
            alone[setting] = [
                make_budget(
                    domain.reference,
                    domain.synthetic_cap(x),
                    domain.human_cap,
                    x,
                    y,
                    alpha={-1.0: domain.alpha, 0.0: 0.0 if domain.lifted else 1.0, 1.0: 1.0}[
                        setting
                    ],
                    best_effort=True,  # of the totals' rounding
                )
                for domain, x, y in zip(domains, totals.synthetic, totals.human, strict=True)
            ]
        cells = np.array([plan.solution.total for plan in alone[-1.0]])
        reference = natural[:, None] * np.array([domain.reference for domain in domains])
        assert point.entropy == pytest.approx(entropy(cells.ravel()), abs=1e-9)
        assert point.kl == pytest.approx(kl(cells.ravel(), reference.ravel()), abs=1e-9)
        highest = chained_entropy(totals.tokens, [plan.entropy for plan in alone[0.0]])
        assert point.highest_entropy == pytest.approx(highest, abs=1e-9)
        lowest = chained_kl(totals.tokens, natural, [plan.kl for plan in alone[1.0]])
        assert point.lowest_kl == pytest.approx(lowest, abs=1e-9)


def test_a_frontier_shows_every_share_and_says_why_one_is_out_of_reach() -> None:
    """Compare one domain with the budget of all text, to the last bit."""
    r, a, b = np.array([0.5, 0.3, 0.2]), np.array([600.0, 300, 0]), np.array([60.0, 60, 60])
    supply = division([1.0], [a.sum()], [b.sum()])
    points = frontier([DomainProblem(r, lambda _: a, b, 0.6)], supply, 1000)
    assert tuple(point.human_share for point in points) == FRONTIER_SHARES
    assert [point.reachable for point in points] == [False] * 4 + [True] + [False] * 2
    assert [point.reachable_human_tokens for point in points] == [100, 100, 100, 100, 100, 180, 180]
    assert "1,000 synthetic tokens were asked and the repeat caps allow 900" in str(
        points[0].reason
    )
    assert "200 human tokens were asked and the repeat caps allow 180" in str(points[5].reason)
    assert points[0].entropy is None
    reached = points[4]
    plan = make_budget(r, a, b, 900, 100, alpha=0.6)
    assert (reached.entropy, reached.kl) == (plan.entropy, plan.kl)
    assert (reached.regime, reached.shadow_price) == (
        plan.solution.regime,
        plan.solution.shadow_price,
    )
    assert reached.highest_entropy == make_budget(r, a, b, 900, 100, alpha=0).entropy
    assert reached.lowest_kl == make_budget(r, a, b, 900, 100, alpha=1).kl
    too_many = frontier([DomainProblem(r, lambda _: a, b, 0.7)], supply, 5000)
    assert all(point.reachable_human_tokens is None for point in too_many)


def solution(regime: Any, price: float) -> Solution:
    return Solution(np.ones(1), np.ones(1), regime, price, 1.0, 1.0)


def test_the_price_of_several_domains_is_the_mean_of_a_token_shared_out() -> None:
    slack, human = solution("slack", 0.0), solution("human-bound", 2.0)
    starved, rich = solution("human-bound", math.inf), solution("synthetic-bound", -1.0)
    assert joint_regime([human], [5.0]) == ("human-bound", 2.0)
    assert joint_regime([slack, slack], [5.0, 1.0]) == ("slack", 0.0)
    assert joint_regime([slack, human], [30.0, 10.0]) == ("human-bound", 0.5)
    assert joint_regime([rich, human], [30.0, 10.0]) == ("synthetic-bound", -0.25)
    assert joint_regime([rich, starved], [30.0, 10.0]) == ("human-bound", math.inf)


@RANDOM
@given(SEEDS)
def test_where_the_human_part_is_drawn_so_is_that_of_every_point(seed: int) -> None:
    domains, natural, X, Y = several(seed)
    drawn = [replace(domain, split="drawn") for domain in domains]
    supply = dividing(domains, natural)
    free = {point.human_share: point for point in frontier(domains, supply, X + Y)}
    for point in frontier(drawn, supply, X + Y):
        chosen = free[point.human_share]
        assert point.reachable == chosen.reachable
        if not point.reachable:
            continue
        assert point.regime == "drawn"
        # To choose is never worse: each domain comes nearer to its reference.
        assert point.lowest_kl is not None
        assert chosen.lowest_kl is not None
        assert point.lowest_kl >= chosen.lowest_kl - 1e-9
        assert point.highest_entropy is not None
        assert chosen.highest_entropy is not None
        if all(domain.lifted for domain in domains):
            assert point.highest_entropy <= chosen.highest_entropy + 1e-9


def test_domains_that_are_drawn_are_so_together() -> None:
    drawn, harmful = solution("drawn", 0.5), solution("drawn", -1.0)
    assert joint_regime([drawn, harmful], [30.0, 10.0]) == ("drawn", 0.125)
    assert joint_regime([drawn, harmful], [20.0, 10.0]) == ("drawn", 0.0)
