"""The entropy budget: how many synthetic and human tokens to take from each cluster.

A plan is the projection (`waterfill`) of the tempered reference π_α ∝ r^α. With an
entropy floor, min KL(p ‖ r) subject to H(p) ≥ h has the Lagrangian of KL to r^α with α = 1/(1+λ),
so a floor, a KL ceiling and α are one knob: as α goes up to 1, both H(p) and KL(p ‖ r) can only
fall. Entropies and divergences are in nats, amounts in tokens.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from outcross.transforms.budget.problem import (
    HUMAN_STEP,
    TOLERANCE,
    Limit,
    Outcome,
    Problem,
    SyntheticCap,
    edge,
)
from outcross.transforms.budget.waterfill import Infeasible, Solution, Split
from outcross.transforms.estimators.entropy import ROUNDING, Floats, entropy, exp

LOW_HUMAN_SHARE = 0.1
STARVED_SHOWN = 50


@dataclass(frozen=True)
class Starved:
    """A cluster that gets less than its target.

    Tokens `wanted` (its part of π_α), `available` (caps included) and `planned`. Planned below
    available means that it is a total, not the cluster's own text, that ran out. `price` is by how
    many nats one more human token of this cluster lowers the divergence to π_α, times the total: 0
    where it has text to spare, None where it is unbounded, as the cluster has none yet.
    """

    cluster: int
    wanted: float
    available: float
    planned: float
    price: float | None


@dataclass(frozen=True, eq=False)
class Budget:
    """A plan for one domain. `kl` is to the reference itself, whatever `alpha` was used."""

    solution: Solution
    alpha: float
    entropy: float
    kl: float
    reference_entropy: float
    starved: list[Starved]
    warnings: list[str]

    @property
    def effective_number(self) -> float:
        """exp(H): how many equally likely clusters the plan is worth."""
        return float(exp(self.entropy))


def plan_budget(
    reference: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
    synthetic_tokens: float,
    human_tokens: float,
    *,
    alpha: float = 0.7,
    entropy_floor: float | None = None,
    max_kl: float | None = None,
    best_effort: bool = False,
    split: Split = "fill",
) -> Budget:
    """Quotas for the asked totals, with α moved no further than a floor or a ceiling needs.

    Args:
        reference: smoothed shares r[C]; they need not sum to 1. A cluster of share 0 gets nothing.
        synthetic_cap, human_cap: tokens[C] that may be taken, repeats included.
        synthetic_tokens, human_tokens: the totals X and Y.
        alpha: 0 to 1, where to begin; a ceiling moves it up, a floor down.
        entropy_floor: least H(p), nats.
        max_kl: greatest KL(p ‖ r), nats.
        best_effort: warn and take the nearest plan that can be reached, instead of raising. Totals
            are cut to what the caps hold; where a floor and a ceiling exclude each other, it is
            the ceiling that is kept.
        split: see `solve`.

    Raises Infeasible (with the numbers that would do), ValueError for arguments without meaning.
    """
    problem = Problem.of(
        reference, synthetic_cap, human_cap, synthetic_tokens, human_tokens, split=split
    )
    problem, warnings = within_caps(problem, best_effort)
    budget = plan_problem(
        problem,
        alpha=alpha,
        entropy_floor=entropy_floor,
        max_kl=max_kl,
        best_effort=best_effort,
    )
    return replace(budget, warnings=[*warnings, *budget.warnings])


def within_caps(problem: Problem, best_effort: bool) -> tuple[Problem, list[str]]:
    """A budget with totals that its caps hold, and what has to be said about them.

    Args:
        problem: as it was asked.
        best_effort: cut the totals to what the caps hold.

    Raises Infeasible where they don't hold them (with `best_effort`: where they hold nothing).
    """
    warnings: list[str] = []
    if (refusal := totals_refusal(problem)) is not None:
        problem = problem.cut_to_caps()
        if not best_effort or problem.tokens <= 0:
            raise refusal
        warnings.append(str(refusal))
    human_share = problem.human_tokens / problem.tokens
    if human_share < LOW_HUMAN_SHARE:
        warnings.append(
            f"the human share is {human_share:.1%}; below {LOW_HUMAN_SHARE:.0%} a loop "
            "that feeds on its own output keeps narrowing"
        )
    return problem, warnings


def plan_problem(
    problem: Problem,
    *,
    alpha: float,
    entropy_floor: float | None = None,
    max_kl: float | None = None,
    best_effort: bool = False,
) -> Budget:
    """The plan of totals that the caps hold; arguments and what is raised as in `plan_budget`."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must be 0 to 1")
    floor = Limit("entropy_floor", 0.0 if entropy_floor is None else entropy_floor)
    ceiling = Limit("max_kl", math.inf if max_kl is None else max_kl)
    warnings: list[str] = []

    def refuse(refusal: Infeasible) -> None:
        if not best_effort:
            raise refusal
        warnings.append(str(refusal))

    def within(limit: Limit, outcome: Outcome) -> Outcome:
        if limit.holds(outcome):
            return outcome
        best = problem.at(limit.kindest)
        if limit.holds(best):
            return problem.nearest(limit, best.alpha, outcome.alpha)
        refuse(_limit_refusal(problem, limit, best))
        return best

    at_ceiling = within(ceiling, problem.at(alpha))
    outcome = at_floor = within(floor, at_ceiling)
    if at_floor is not at_ceiling and not ceiling.holds(at_floor):
        outcome = problem.nearest(ceiling, at_ceiling.alpha, at_floor.alpha)
        refuse(_interval_refusal(outcome, at_floor, floor, ceiling))
    return Budget(
        outcome.solution,
        outcome.alpha,
        outcome.entropy,
        outcome.kl,
        entropy(problem.reference),
        _starved(problem, outcome),
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
    """The least human tokens with which a total reaches an entropy.

    Args:
        reference, synthetic_cap, human_cap: as in `plan_budget`.
        tokens: the total; what is not human is synthetic.
        least_entropy: of the plan at `alpha`, nats.
        alpha: tempering of the target, which stays as it is: by a lower one any entropy could be
            met with mass in the wrong places.
        cap_of: the synthetic cap for each synthetic total, where it depends on it.

    Returns:
        None where no human share of this total reaches it.
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


def _starved(problem: Problem, outcome: Outcome) -> list[Starved]:
    """The clusters that lack most of their target, the worst first."""
    wanted = outcome.target * problem.tokens
    planned = outcome.solution.total
    available = problem.synthetic_cap + problem.human_cap
    lack = wanted - planned
    price = _prices(problem, outcome)
    worst = np.argsort(-lack, kind="stable")[:STARVED_SHOWN]
    return [
        Starved(
            int(c),
            float(wanted[c]),
            float(available[c]),
            float(planned[c]),
            float(price[c]) if math.isfinite(price[c]) else None,
        )
        for c in worst
        if lack[c] > TOLERANCE * wanted[c]
    ]


def _prices(problem: Problem, outcome: Outcome) -> Floats:
    """What a further human token in each cluster would be worth, in nats times the total.

    Where human text is not used up, n = θ π with one θ; a human token moved from there to a cluster
    that has less saves ln(θ π_c / n_c).
    """
    solution, target = outcome.solution, outcome.target
    spare = solution.human < problem.human_cap * (1 - ROUNDING)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(target > 0, solution.total / target, 0.0)
        free = spare & (solution.human > 0)
        theta = level[free].min() if free.any() else level.max()
        if solution.regime == "drawn":  # what human text there is lies where it does
            spare, theta = np.zeros_like(spare), solution.theta_synthetic
        price = np.log(theta * target / solution.total)
    return np.where((target > 0) & ~spare, np.maximum(price, 0.0), 0.0)


def totals_refusal(problem: Problem) -> Infeasible | None:
    """Totals that the caps don't hold, with what would do; None where they hold them."""
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
    says = [
        f"{asked[role]:,.0f} {role} tokens were asked and the repeat caps allow "
        f"{available[role]:,.0f}"
        + (f" (caps {factor:.4g} times as high would do)" if factor else "")
        for role, factor in factors.items()
    ]
    if problem.outside_reference:
        says.append(
            f"{problem.outside_reference:,.0f} tokens lie in clusters that the reference does not "
            "have and don't count"
        )
    if largest >= 1:
        whole = math.floor(largest)
        part = whole * problem.human_tokens / problem.tokens
        human = math.floor(part) if "human" in factors else math.ceil(part)
        says.append(f"{whole:,} tokens at this human share would do, {human:,} of them human")
    if bounds:
        says.append(f"{bounds[0]:,.0f} to {bounds[1]:,.0f} human tokens at this total would do")
    return Infeasible(
        "; ".join(says),
        reason="totals",
        asked=asked,
        available=available,
        cap_factors=factors,
        tokens_at_this_share=largest,
        human_range_at_this_total=bounds,
        outside_reference=problem.outside_reference,
    )


def _limit_refusal(problem: Problem, limit: Limit, best: Outcome) -> Infeasible:
    """A limit that does not hold at the α that is kindest to it, with what would make it hold.

    At α = 0 the divergence to π_α is ln C − H, at α = 1 it is the ceiling's own: in both cases
    what `best_human` says of it holds for the limit.
    """
    tokens, alpha = problem.tokens, best.alpha
    if problem.split == "drawn":  # there is no other human part to speak of
        return _drawn_refusal(problem, limit, best)
    # What would do is asked for in whole tokens.
    whole = replace(problem, synthetic_tokens=math.floor(tokens) - problem.human_tokens)
    optimum = whole.best_human(alpha)
    at_optimum = whole.with_human(optimum).at(alpha)
    needed = None
    if limit.holds(at_optimum):
        least, _ = whole.human_range() or (0.0, optimum)
        needed = edge(
            optimum,
            least,
            HUMAN_STEP * tokens,
            lambda human: limit.holds(whole.with_human(human).at(alpha)),
        )
    reached, ideal = limit.figure(best), limit.figure(at_optimum)
    says = [
        f"{_figure(limit)} of {limit.value:.6g} nats can't be reached: "
        f"{problem.human_tokens:,.0f} human in {tokens:,.0f} tokens reach {reached:.6g} at "
        f"α = {alpha:g}",
        f"no human share of this total would do, the best reaches {ideal:.6g}"
        if needed is None
        else f"{math.ceil(needed):,} human tokens in {whole.tokens:,.0f} would do "
        f"({needed / whole.tokens:.2%})",
    ]
    says += _says_starved(problem, best)
    return Infeasible(
        "; ".join(says),
        reason=limit.reason,
        asked=limit.value,
        reached=reached,
        alpha=alpha,
        reference_entropy=entropy(problem.reference),
        human_tokens=problem.human_tokens,
        least_human_tokens=needed,
        reached_at_best_human_share=ideal,
        starved=[asdict(cluster) for cluster in _starved(problem, best)],
    )


def _drawn_refusal(problem: Problem, limit: Limit, best: Outcome) -> Infeasible:
    """The same beside a human part that is drawn."""
    reached = limit.figure(best)
    says = [
        f"{_figure(limit)} of {limit.value:.6g} nats can't be reached beside the human part that "
        f"is drawn: {problem.human_tokens:,.0f} human in {problem.tokens:,.0f} tokens reach "
        f"{reached:.6g} at α = {best.alpha:g}; ask for more human tokens, or fewer in all",
        *_says_starved(problem, best),
    ]
    return Infeasible(
        "; ".join(says),
        reason=limit.reason,
        asked=limit.value,
        reached=reached,
        alpha=best.alpha,
        reference_entropy=entropy(problem.reference),
        human_tokens=problem.human_tokens,
        starved=[asdict(cluster) for cluster in _starved(problem, best)],
    )


def _figure(limit: Limit) -> str:
    return "an entropy" if limit.reason == "entropy_floor" else "a divergence"


def _says_starved(problem: Problem, outcome: Outcome) -> list[str]:
    starved = _starved(problem, outcome)[:3]
    if not starved:
        return []
    return [
        "the most starved clusters are "
        + ", ".join(
            f"{s.cluster} ({s.planned:,.0f} of {s.wanted:,.0f} tokens, {s.available:,.0f} "
            "available)"
            for s in starved
        )
    ]


def _interval_refusal(
    at_ceiling: Outcome, at_floor: Outcome, floor: Limit, ceiling: Limit
) -> Infeasible:
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
