"""Refusals of budgets that can't be met, with the numbers that would do."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

from outcross.transforms.budget.problem import HUMAN_STEP, Limit, Outcome, Problem, edge
from outcross.transforms.budget.starvation import starved_clusters
from outcross.transforms.budget.waterfill import Infeasible
from outcross.transforms.estimators.entropy import ROUNDING, entropy

_DIGITS = 1_000_000  # limits are offered in steps of 1 / _DIGITS nats


def totals_refusal(problem: Problem) -> Infeasible | None:
    """Refuse totals that the caps don't hold; return None where they hold them."""
    asked = {"synthetic": problem.synthetic_tokens, "human": problem.human_tokens}
    available = dict(zip(asked, problem.room, strict=True))
    clauses = [
        f"{asked[role]:,.0f} {role} tokens were asked and the repeat caps allow "
        f"{available[role]:,.0f}"
        for role in asked
        if asked[role] > available[role] * (1 + ROUNDING)
    ]
    if not clauses:
        return None
    if problem.outside_reference:
        clauses.append(
            f"{problem.outside_reference:,.0f} tokens lie in clusters that the reference does not "
            "have and don't count"
        )
    return Infeasible(
        "; ".join(clauses),
        reason="caps",
        asked=asked,
        available=available,
        outside_reference=problem.outside_reference,
    )


def limit_refusal(
    problem: Problem, limit: Limit, best: Outcome, other: Limit, together: Outcome
) -> Infeasible:
    """Refuse a limit that fails even at the α that is kindest to it.

    At α = 0 the divergence from π_α is ln C − H. At α = 1 it is the divergence that the ceiling
    limits. So `Problem.best_human` finds the human tokens that are kindest to either limit.

    Args:
        problem: the budget.
        limit: the limit.
        best: the plan at the kindest α.
        other: the other limit of the request.
        together: the plan nearest to the limit that keeps the other one, or `best`.
    """
    tokens, alpha = problem.tokens, best.alpha
    reached = limit.figure(best)
    offered = f"{_rounded(limit, together)} can be met by "
    if not other.holds(together):
        offered = (
            f"{_rounded(limit, together)} with {other.reason} {_rounded(other, together)} can be "
            "met by "
        )
    clauses = [
        f"{limit.reason}: found {limit.value:.6g} nats; {_bound(limit)} {offered}"
        f"{problem.human_tokens:,.0f} human in {tokens:,.0f} tokens"
    ]
    detail = {
        "reason": limit.reason,
        "asked": limit.value,
        "reached": reached,
        "alpha": alpha,
        "reference_entropy": entropy(problem.reference),
        "human_tokens": problem.human_tokens,
        "starved": [asdict(cluster) for cluster in starved_clusters(problem, best)],
    }
    if problem.split == "drawn":  # the human part is given
        clauses.append("ask for more human tokens, or fewer in all")
        return Infeasible("; ".join(clauses), **detail)
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
    ideal = limit.figure(at_optimum)
    if needed is None:
        clauses.append(f"no human share of this total would do, the best reaches {ideal:.6g}")
    elif other.holds(rounded.with_human(needed).at(alpha)):
        clauses.append(
            f"{math.ceil(needed):,} human tokens in {rounded.tokens:,.0f} would do "
            f"({needed / rounded.tokens:.2%})"
        )
    return Infeasible(
        "; ".join(clauses),
        **detail,
        tokens=rounded.tokens,
        least_human_tokens=needed,
        reached_at_best_human_share=ideal,
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
        f"max_kl: found {ceiling.value:.6g} nats, and entropy_floor: found {floor.value:.6g} nats; "
        f"no α meets both; with this max_kl, entropy_floor {_rounded(floor, at_ceiling)} can be "
        f"met; with this entropy_floor, max_kl {_rounded(ceiling, at_floor)}",
        reason="interval",
        entropy_floor=floor.value,
        max_kl=ceiling.value,
        alpha_at_least=at_ceiling.alpha,
        entropy_at_ceiling=at_ceiling.entropy,
        alpha_at_most=at_floor.alpha,
        kl_at_floor=at_floor.kl,
    )


def _bound(limit: Limit) -> str:
    return "at most" if limit.reason == "entropy_floor" else "no less than"


def _rounded(limit: Limit, outcome: Outcome) -> str:
    """Write the plan's limited figure, rounded to a limit that the plan keeps."""
    figure = limit.figure(outcome) * _DIGITS
    whole = math.floor(figure) if limit.reason == "entropy_floor" else math.ceil(figure)
    return f"{max(whole, 0) / _DIGITS:.9g}"
