"""Refusals of budgets that can't be met, with the numbers that would do."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

from outcross.transforms.budget.problem import HUMAN_STEP, Limit, Outcome, Problem, edge
from outcross.transforms.budget.starvation import starved_clusters
from outcross.transforms.budget.waterfill import Infeasible
from outcross.transforms.estimators.entropy import ROUNDING, entropy


def totals_refusal(problem: Problem) -> Infeasible | None:
    """Refuse totals that the caps don't hold; return None where they hold them."""
    asked = {"synthetic": problem.synthetic_tokens, "human": problem.human_tokens}
    available = dict(zip(asked, problem.room, strict=True))
    factors = {
        role: asked[role] / available[role] if available[role] else None
        for role in asked
        if asked[role] > available[role] * (1 + ROUNDING)
    }
    if not factors:
        return None
    # At the same human share, each role allows a total of its room over its share.
    largest = min(
        available[role] * problem.tokens / asked[role] for role in asked if asked[role] > 0
    )
    bounds = problem.human_range()
    clauses = [
        f"{asked[role]:,.0f} {role} tokens were asked and the repeat caps allow "
        f"{available[role]:,.0f}"
        + (f" (caps {factor:.4g} times as high would do)" if factor else "")
        for role, factor in factors.items()
    ]
    if problem.outside_reference:
        clauses.append(
            f"{problem.outside_reference:,.0f} tokens lie in clusters that the reference does not "
            "have and don't count"
        )
    if largest >= 1:
        tokens = math.floor(largest)
        human = tokens * problem.human_tokens / problem.tokens
        human = math.floor(human) if "human" in factors else math.ceil(human)
        clauses.append(f"{tokens:,} tokens at this human share would do, {human:,} of them human")
    if bounds:
        clauses.append(f"{bounds[0]:,.0f} to {bounds[1]:,.0f} human tokens at this total would do")
    return Infeasible(
        "; ".join(clauses),
        reason="totals",
        asked=asked,
        available=available,
        cap_factors=factors,
        tokens_at_this_share=largest,
        human_range_at_this_total=bounds,
        outside_reference=problem.outside_reference,
    )


def limit_refusal(problem: Problem, limit: Limit, best: Outcome) -> Infeasible:
    """Refuse a limit that fails even at the α that is kindest to it.

    At α = 0 the divergence from π_α is ln C − H. At α = 1 it is the divergence that the ceiling
    limits. So `Problem.best_human` finds the human tokens that are kindest to either limit.

    Args:
        problem: the budget.
        limit: the limit.
        best: the plan at the kindest α.
    """
    if problem.split == "drawn":  # the human part is given
        return _drawn_refusal(problem, limit, best)
    tokens, alpha = problem.tokens, best.alpha
    # The answer is given in whole tokens.
    rounded = replace(problem, synthetic_tokens=math.floor(tokens) - problem.human_tokens)
    optimum = rounded.best_human(alpha)
    at_optimum = rounded.with_human(optimum).at(alpha)
    needed = None
    if limit.holds(at_optimum):
        least, _ = rounded.human_range() or (0.0, optimum)
        needed = edge(
            optimum,
            least,
            HUMAN_STEP * tokens,
            lambda human: limit.holds(rounded.with_human(human).at(alpha)),
        )
    reached, ideal = limit.figure(best), limit.figure(at_optimum)
    clauses = [
        f"{_figure(limit)} of {limit.value:.6g} nats can't be reached: "
        f"{problem.human_tokens:,.0f} human in {tokens:,.0f} tokens reach {reached:.6g} at "
        f"α = {alpha:g}",
        f"no human share of this total would do, the best reaches {ideal:.6g}"
        if needed is None
        else f"{math.ceil(needed):,} human tokens in {rounded.tokens:,.0f} would do "
        f"({needed / rounded.tokens:.2%})",
        *_starved_clauses(problem, best),
    ]
    return Infeasible(
        "; ".join(clauses),
        reason=limit.reason,
        asked=limit.value,
        reached=reached,
        alpha=alpha,
        reference_entropy=entropy(problem.reference),
        human_tokens=problem.human_tokens,
        least_human_tokens=needed,
        reached_at_best_human_share=ideal,
        starved=[asdict(cluster) for cluster in starved_clusters(problem, best)],
    )


def _drawn_refusal(problem: Problem, limit: Limit, best: Outcome) -> Infeasible:
    """Refuse a limit for a budget whose human part is drawn."""
    reached = limit.figure(best)
    clauses = [
        f"{_figure(limit)} of {limit.value:.6g} nats can't be reached beside the human part that "
        f"is drawn: {problem.human_tokens:,.0f} human in {problem.tokens:,.0f} tokens reach "
        f"{reached:.6g} at α = {best.alpha:g}; ask for more human tokens, or fewer in all",
        *_starved_clauses(problem, best),
    ]
    return Infeasible(
        "; ".join(clauses),
        reason=limit.reason,
        asked=limit.value,
        reached=reached,
        alpha=best.alpha,
        reference_entropy=entropy(problem.reference),
        human_tokens=problem.human_tokens,
        starved=[asdict(cluster) for cluster in starved_clusters(problem, best)],
    )


def interval_refusal(
    at_ceiling: Outcome, at_floor: Outcome, floor: Limit, ceiling: Limit
) -> Infeasible:
    """Refuse a floor and a ceiling that no α meets together.

    Args:
        at_ceiling: plan at the lowest α that keeps the ceiling.
        at_floor: plan at the highest α that keeps the floor.
        floor: entropy floor.
        ceiling: ceiling of the divergence.
    """
    return Infeasible(
        f"no α meets both limits: a divergence of at most {ceiling.value:.6g} nats keeps α at "
        f"{at_ceiling.alpha:.6g} or above, where the entropy is {at_ceiling.entropy:.6g}; an "
        f"entropy of at least {floor.value:.6g} keeps it at {at_floor.alpha:.6g} or below, where "
        f"the divergence is {at_floor.kl:.6g}",
        reason="interval",
        entropy_floor=floor.value,
        max_kl=ceiling.value,
        alpha_at_least=at_ceiling.alpha,
        entropy_at_ceiling=at_ceiling.entropy,
        alpha_at_most=at_floor.alpha,
        kl_at_floor=at_floor.kl,
    )


def _figure(limit: Limit) -> str:
    return "an entropy" if limit.reason == "entropy_floor" else "a divergence"


def _starved_clauses(problem: Problem, outcome: Outcome) -> list[str]:
    worst = starved_clusters(problem, outcome)[:3]
    if not worst:
        return []
    return [
        "the most starved clusters are "
        + ", ".join(
            f"{cluster.cluster} ({cluster.planned:,.0f} of {cluster.wanted:,.0f} tokens, "
            f"{cluster.available:,.0f} available)"
            for cluster in worst
        )
    ]
