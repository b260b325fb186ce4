"""The entropy budget of one domain: synthetic and human tokens to take from each cluster.

A plan is the projection (`waterfill`) of the tempered reference π_α ∝ r^α. With an
entropy floor, min KL(p ‖ r) subject to H(p) ≥ h has the Lagrangian of KL to r^α with α = 1/(1+λ).
So a floor, a KL ceiling and α are one knob: as α goes up to 1, both H(p) and KL(p ‖ r) can only
fall. Entropies and divergences are in nats, amounts in tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from outcross.transforms.budget.problem import (
    HUMAN_STEP,
    Limit,
    Outcome,
    Problem,
    SyntheticCap,
    edge,
)
from outcross.transforms.budget.refusals import interval_refusal, limit_refusal, totals_refusal
from outcross.transforms.budget.starvation import Starved, starved_clusters
from outcross.transforms.budget.waterfill import Infeasible, Solution

LOW_HUMAN_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Budget:
    """A plan for one domain.

    Attributes:
        solution: tokens to take from each cluster.
        alpha: tempering that met the limits.
        entropy: H(p), nats.
        kl: KL(p ‖ r), nats, to the reference itself, whatever `alpha` is.
        starved: clusters that lack most of their target.
        warnings: limits that were missed in best effort.
    """

    solution: Solution
    alpha: float
    entropy: float
    kl: float
    starved: list[Starved]
    warnings: list[str]


def within_caps(
    problem: Problem, best_effort: bool
) -> tuple[Problem, Infeasible | None, list[str]]:
    """Check a budget's totals against its caps.

    Args:
        problem: the budget that was asked for.
        best_effort: cut the totals to what the caps hold, instead of raising.

    Returns:
        The budget with totals that its caps hold, the refusal of those that were cut, and warnings.

    Raises:
        Infeasible: the caps don't hold the totals (with `best_effort`: they hold nothing).
    """
    warnings: list[str] = []
    if (refusal := totals_refusal(problem)) is not None:
        problem = problem.cut_to_caps()
        if not best_effort or problem.tokens <= 0:
            raise refusal
    human_share = problem.human_tokens / problem.tokens
    if human_share < LOW_HUMAN_SHARE:
        warnings.append(
            f"the human share is {human_share:.1%}; below {LOW_HUMAN_SHARE:.0%} a loop "
            "that feeds on its own output keeps narrowing"
        )
    return problem, refusal, warnings


def plan_problem(
    problem: Problem,
    *,
    alpha: float,
    entropy_floor: float | None = None,
    max_kl: float | None = None,
    best_effort: bool = False,
) -> Budget:
    """Plan a budget, with α moved no further than a floor or a ceiling needs.

    Args:
        problem: a budget whose caps hold its totals.
        alpha: first α to try, 0 to 1. A ceiling moves it up, a floor down.
        entropy_floor: least H(p), nats.
        max_kl: greatest KL(p ‖ r), nats.
        best_effort: warn and take the nearest plan that can be reached, instead of raising. Where
            a floor and a ceiling exclude each other, the plan keeps the ceiling.

    Raises:
        Infeasible: a limit can't be met; the message has the numbers that would do.
        ValueError: an argument is out of range.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must be 0 to 1")
    floor = Limit("entropy_floor", 0.0 if entropy_floor is None else entropy_floor)
    ceiling = Limit("max_kl", math.inf if max_kl is None else max_kl)
    warnings: list[str] = []

    def refuse(refusal: Infeasible) -> None:
        if not best_effort:
            raise refusal
        warnings.append(str(refusal))

    def within(limit: Limit, outcome: Outcome, other: Limit, kept: float) -> Outcome:
        """Move α until the limit holds; `kept` is an α at which the other limit may hold."""
        if limit.holds(outcome):
            return outcome
        best = problem.at(limit.kindest)
        if limit.holds(best):
            return problem.nearest(limit, best.alpha, outcome.alpha)
        together = (
            problem.nearest(other, kept, best.alpha) if other.holds(problem.at(kept)) else best
        )
        refuse(limit_refusal(problem, limit, best, other, together))
        return best

    at_ceiling = within(ceiling, problem.at(alpha), floor, floor.kindest)
    outcome = at_floor = within(floor, at_ceiling, ceiling, at_ceiling.alpha)
    if at_floor is not at_ceiling and not ceiling.holds(at_floor):
        outcome = problem.nearest(ceiling, at_ceiling.alpha, at_floor.alpha)
        refuse(interval_refusal(outcome, at_floor, floor, ceiling))
    return Budget(
        outcome.solution,
        outcome.alpha,
        outcome.entropy,
        outcome.kl,
        starved_clusters(problem, outcome),
        warnings,
    )


def least_human(
    reference: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
    tokens: float,
    least_entropy: float,
    *,
    alpha: float = 0.7,
    cap_of: SyntheticCap | None = None,
) -> float | None:
    """Find the least human tokens with which a total reaches an entropy.

    Args:
        reference: float64[C], smoothed shares of the clusters.
        synthetic_cap: float64[C], synthetic tokens that may be taken, repeats included.
        human_cap: float64[C], human tokens that may be taken, repeats included.
        tokens: synthetic and human tokens together.
        least_entropy: entropy of the plan at `alpha`, nats.
        alpha: tempering of the target. It stays fixed: a lower α would meet any entropy with mass
            in the wrong places.
        cap_of: the synthetic cap for each synthetic total, where it depends on the total.

    Returns:
        None where no human share of this total reaches the entropy.
    """
    problem = Problem.of(reference, synthetic_cap, human_cap, tokens, 0.0, cap_of=cap_of)
    bounds = problem.human_range()
    if bounds is None:
        return None
    limit = Limit("entropy_floor", least_entropy)

    def holds(human: float) -> bool:
        return limit.holds(problem.with_human(human).at(alpha))

    best = problem.best_human(alpha)
    if not holds(best):
        return None
    return edge(best, bounds[0], HUMAN_STEP * tokens, holds)
