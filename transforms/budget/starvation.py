"""Clusters that get less than their target, and the price of their next human token."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outcross.transforms.budget.problem import TOLERANCE, Outcome, Problem
from outcross.transforms.estimators.entropy import ROUNDING, Floats

STARVED_SHOWN = 50


@dataclass(frozen=True)
class Starved:
    """A cluster that gets less than its target.

    Attributes:
        cluster: number of the cluster.
        wanted: tokens of its part of π_α.
        available: tokens that its documents hold, repeats included.
        planned: tokens that it gets. Below `available`, a total ran out, not the cluster's text.
        price: nats by which one more human token of the cluster lowers the divergence from π_α,
            times the total. 0 where the cluster has unused human text; None where it has no text,
            as its first token has no finite price.
    """

    cluster: int
    wanted: float
    available: float
    planned: float
    price: float | None


def starved_clusters(problem: Problem, outcome: Outcome) -> list[Starved]:
    """List the clusters that lack most of their target, the worst first.

    Args:
        problem: the budget.
        outcome: a plan for it.

    Returns:
        At most `STARVED_SHOWN` clusters.
    """
    wanted = outcome.target * problem.tokens
    planned = outcome.solution.total
    available = problem.synthetic_cap + problem.human_cap
    lack = wanted - planned
    prices = _prices(problem, outcome)
    worst = np.argsort(-lack, kind="stable")[:STARVED_SHOWN]
    return [
        Starved(
            int(c),
            float(wanted[c]),
            float(available[c]),
            float(planned[c]),
            float(prices[c]) if math.isfinite(prices[c]) else None,
        )
        for c in worst
        if lack[c] > TOLERANCE * wanted[c]
    ]


def _prices(problem: Problem, outcome: Outcome) -> Floats:
    """Price a further human token of each cluster, in nats times the total.

    Clusters with unused human text lie at one level: n = θ π. A human token that moves from them
    to a cluster below that level saves ln(θ π_c / n_c).
    """
    solution, target = outcome.solution, outcome.target
    # Human amounts are differences from the totals, and round like these.
    rounding = ROUNDING * (problem.human_cap + solution.total)
    unused = solution.human < problem.human_cap - rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(target > 0, solution.total / target, 0.0)
        free = unused & (solution.human > 0)
        theta = level[free].min() if free.any() else level.max()
        if solution.regime == "drawn":  # human text can't move between clusters
            unused, theta = np.zeros_like(unused), solution.theta_synthetic
        price = np.log(theta * target / solution.total)
    return np.where((target > 0) & ~unused, np.maximum(price, 0.0), 0.0)
