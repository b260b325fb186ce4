"""The entropy budget: how many synthetic and human tokens to take from each cluster.

    minimise    KL(p ‖ π_α),   p_c = (x_c + y_c)/T,   π_α ∝ r^α
    subject to  0 ≤ x_c ≤ a_c,  0 ≤ y_c ≤ b_c,  Σx = X,  Σy = Y,  T = X + Y

x are synthetic, y human tokens, a and b what the repeat caps allow, r the human reference. With an
entropy floor, min KL(p ‖ r) subject to H(p) ≥ h has the Lagrangian of KL to r^α with α = 1/(1+λ),
so a floor, a KL ceiling and α are one knob: as α goes up to 1, both H(p) and KL(p ‖ r) can only
fall. Entropies and divergences are in nats, amounts in tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Regime = Literal["slack", "human-bound", "synthetic-bound"]
Split = Literal["fill", "proportional"]

FRONTIER_SHARES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.20, 0.30)
LOW_HUMAN_SHARE = 0.1
STARVED_SHOWN = 10
TOLERANCE = 1e-9  # nats by which a floor or a ceiling may be missed and still hold
ALPHA_STEP = 1e-10  # where the bisection over α stops
HUMAN_STEP = 1e-9  # of the total: where the bisection over the human tokens stops
ROUNDING = 1e-12  # of a total: what sums of 100,000 floats may be off by

_LN2_HIGH = 6.93147180369123816490e-01  # its low 33 bits are zero, so that e · _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_LOG_TERMS = [2.0 / (2 * k + 1) for k in range(12)]
_EXP_TERMS = [1.0 / math.factorial(k) for k in range(15)]


class Infeasible(ValueError):  # noqa: N818 - the caller speaks of a state, not of an error
    """A budget that can't be met.

    `detail` holds the numbers behind the message: always `reason` ("totals", "entropy_floor",
    "max_kl" or "interval"), and what was asked, what can be reached and what would do.
    """

    def __init__(self, message: str, detail: dict[str, Any]) -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, eq=False)
class Solution:
    """Tokens to take: `synthetic[C]`, `human[C]`, and what binds them.

    A cluster between its bounds has n_c = θ·π_c. `shadow_price` is ln(θ_synthetic/θ_human): by how
    many nats, times 1/T, KL(p ‖ π_α) falls for each synthetic token that is exchanged for a human
    one. It is 0 in slack, negative where it is synthetic text that is scarce, and infinite where
    the first token would go to a cluster that has none.
    """

    synthetic: Floats
    human: Floats
    regime: Regime
    shadow_price: float
    theta_synthetic: float
    theta_human: float

    @property
    def total(self) -> Floats:
        return self.synthetic + self.human


@dataclass(frozen=True)
class Starved:
    """A cluster that gets less than its target.

    Tokens `wanted` (its part of π_α), `available` (caps included) and `planned`. Planned below
    available means that it is a total, not the cluster's own text, that ran out.
    """

    cluster: int
    wanted: float
    available: float
    planned: float


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
        return float(_exp(np.array(self.entropy)))


@dataclass(frozen=True)
class FrontierPoint:
    """What a human share could reach with the total fixed.

    `reachable_human_tokens` is the nearest amount that the caps can hold (None: the total itself
    is out of reach). The figures are None and `reason` says why where the point can't be held.
    `highest_entropy` is that of α → 0, `lowest_kl` that of α = 1; the others are at the plan's α.
    """

    human_share: float
    human_tokens: float
    reachable_human_tokens: float | None
    reachable: bool
    reason: str | None = None
    entropy: float | None = None
    kl: float | None = None
    highest_entropy: float | None = None
    lowest_kl: float | None = None
    regime: Regime | None = None
    shadow_price: float | None = None


def waterfill(
    weights: ArrayLike, low: ArrayLike, high: ArrayLike, total: float
) -> tuple[Floats, float]:
    """n_c = clip(θ·weights_c, low_c, high_c) with Σn = total, and θ.

    Σn is piecewise linear in θ with 2C break points, so the piece is found by bisection over the
    sorted break points and θ solved in it: exact, O(C log C). Clusters of weight 0 stay at `low`.
    Where several θ give the same n, it is the largest of them that is still a break point: the
    level at which the next token would be placed.

    Raises ValueError for arrays that aren't bounds, Infeasible where no θ gives the total.
    """
    weights, low, high = _columns(weights=weights, low=low, high=high)
    if (wrong := np.flatnonzero(low > high)).size:
        c = wrong[0]
        raise ValueError(f"low[{c}] = {low[c]} is above high[{c}] = {high[c]}")
    high = np.where(weights > 0, high, low)
    least, most = float(low.sum()), float(high.sum())
    if not least - ROUNDING * most <= total <= most + ROUNDING * most:
        raise Infeasible(
            f"{total:,.0f} tokens were asked; the bounds hold {least:,.0f} to {most:,.0f}",
            {"reason": "totals", "asked": total, "least": least, "most": most},
        )
    movable = high > low
    filled = low.copy()
    if not movable.any():
        return filled, 0.0
    w, lows, highs = weights[movable], low[movable], high[movable]
    with np.errstate(over="ignore"):  # an infinite break point is one that is never reached
        starts, ends = lows / w, highs / w
    marks = np.sort(np.concatenate([starts, ends]))
    if total >= most:
        return high, float(marks[-1])
    wanted = total - float(low[~movable].sum())

    def poured(theta: float) -> float:
        return float(np.clip(theta * w, lows, highs).sum())

    # Rounding is monotone, so the computed sum is too and the bisection can't be misled.
    below, above = 0, len(marks)
    while above - below > 1:
        middle = (below + above) // 2
        if poured(marks[middle]) <= wanted:
            below = middle
        else:
            above = middle
    theta = float(marks[below])
    if above < len(marks):
        at_end, at_start = ends <= marks[below], starts >= marks[above]
        free = ~(at_end | at_start)
        if free.any():
            settled = float(highs[at_end].sum()) + float(lows[at_start].sum())
            level = (wanted - settled) / float(w[free].sum())
            theta = min(max(level, float(marks[below])), float(marks[above]))
    filled[movable] = np.clip(theta * w, lows, highs)
    return filled, theta


def temper(reference: ArrayLike, alpha: float) -> Floats:
    """π_α ∝ r^α over the clusters that the reference has; they sum to 1. α = 0 is uniform.

    Raises ValueError for a negative α or a reference without mass.
    """
    (r,) = _columns(reference=reference)
    if not (alpha >= 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha is {alpha}; it must be 0 or more")
    there = r > 0
    if not there.any():
        raise ValueError("the reference has no mass in any cluster")
    logs = _log(r[there])
    target = np.zeros_like(r)
    target[there] = _exp(alpha * (logs - logs.max()))
    return target / float(target.sum())


def solve(
    target: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
    synthetic_tokens: float,
    human_tokens: float,
    *,
    split: Split = "fill",
) -> Solution:
    """The exact KL projection on `target[C]` under the caps `[C]` and both totals (tokens).

    `split` matters in slack only, where the totals per cluster are optimal and their composition is
    free: "fill" samples the synthetic corpus as evenly as possible, so that human text goes where
    the generator is most deficient; "proportional" gives every cluster the same human share.

    Raises Infeasible where the caps can't hold a total.
    """
    pi, a, b = _columns(target=target, synthetic_cap=synthetic_cap, human_cap=human_cap)
    X, Y = float(synthetic_tokens), float(human_tokens)
    nothing = np.zeros_like(pi)
    n, theta = waterfill(pi, nothing, a + b, X + Y)
    rounding = ROUNDING * (X + Y)
    # At most one of the two holds: Σ(n−b)⁺ ≤ Σmin(n, a) = T − Σ(n−a)⁺.
    if float(np.maximum(n - a, 0).sum()) > Y + rounding:
        x, y, high, low = _two_levels(pi, a, b, X, Y)
        return Solution(x, y, "human-bound", max(_log_ratio(high, low), 0.0), high, low)
    if float(np.maximum(n - b, 0).sum()) > X + rounding:
        y, x, high, low = _two_levels(pi, b, a, Y, X)
        return Solution(x, y, "synthetic-bound", min(_log_ratio(low, high), 0.0), low, high)
    if split == "fill":
        x = _share_out(a, n, a, b, X)
        y = np.clip(n - x, 0.0, b)
    elif split == "proportional":
        y = _share_out(n, n, b, a, Y)
        x = np.clip(n - y, 0.0, a)
    else:
        raise ValueError(f"split is {split!r}; it must be 'fill' or 'proportional'")
    return Solution(x, y, "slack", 0.0, theta, theta)


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
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must be 0 to 1")
    for name, limit in (("entropy_floor", entropy_floor), ("max_kl", max_kl)):
        if limit is not None and not limit >= 0:
            raise ValueError(f"{name} is {limit}; it must be 0 nats or more")
    problem = _Problem.of(
        reference, synthetic_cap, human_cap, synthetic_tokens, human_tokens, split=split
    )
    warnings: list[str] = []

    def refuse(refusal: Infeasible) -> None:
        if not best_effort:
            raise refusal
        warnings.append(str(refusal))

    if (refusal := problem.totals_refusal()) is not None:
        refuse(refusal)
        problem = problem.cut_to_caps()
        if problem.tokens <= 0:
            raise refusal
    if problem.human_share < LOW_HUMAN_SHARE:
        warnings.append(
            f"the human share is {problem.human_share:.1%}; below {LOW_HUMAN_SHARE:.0%} a loop "
            "that feeds on its own output keeps narrowing"
        )

    def floor_holds(outcome: _Outcome) -> bool:
        return entropy_floor is None or outcome.entropy >= entropy_floor - TOLERANCE

    def ceiling_holds(outcome: _Outcome) -> bool:
        return max_kl is None or outcome.kl <= max_kl + TOLERANCE

    outcome = problem.at(alpha)
    if max_kl is not None and not ceiling_holds(outcome):
        best = problem.at(1.0)
        if ceiling_holds(best):
            best = problem.at(
                _edge(1.0, alpha, ALPHA_STEP, lambda higher: ceiling_holds(problem.at(higher)))
            )
        else:
            refuse(problem.limit_refusal("max_kl", max_kl, best, ceiling_holds))
        outcome = best
    if entropy_floor is not None and not floor_holds(outcome):
        tried = outcome.alpha
        best = problem.at(0.0)
        if floor_holds(best):
            best = problem.at(
                _edge(0.0, tried, ALPHA_STEP, lambda lower: floor_holds(problem.at(lower)))
            )
        else:
            refuse(problem.limit_refusal("entropy_floor", entropy_floor, best, floor_holds))
        if max_kl is None or ceiling_holds(best):
            outcome = best
        else:
            outcome = problem.at(
                _edge(tried, best.alpha, ALPHA_STEP, lambda al: ceiling_holds(problem.at(al)))
            )
            refuse(_interval_refusal(outcome, best, entropy_floor, max_kl))
    return Budget(
        outcome.solution,
        outcome.alpha,
        outcome.entropy,
        outcome.kl,
        entropy(problem.reference),
        problem.starved(outcome),
        warnings,
    )


def frontier(
    reference: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
    tokens: float,
    *,
    alpha: float = 0.7,
    shares: Sequence[float] = FRONTIER_SHARES,
) -> list[FrontierPoint]:
    """What each human share would reach with `tokens` in all; arguments as in `plan_budget`."""
    points = []
    for share in shares:
        problem = _Problem.of(
            reference, synthetic_cap, human_cap, (1 - share) * tokens, share * tokens
        )
        bounds = problem.human_range()
        nearest = min(max(problem.human_tokens, bounds[0]), bounds[1]) if bounds else None
        if (refusal := problem.totals_refusal()) is not None:
            points.append(FrontierPoint(share, problem.human_tokens, nearest, False, str(refusal)))
            continue
        outcome = problem.at(alpha)
        points.append(
            FrontierPoint(
                share,
                problem.human_tokens,
                nearest,
                True,
                entropy=outcome.entropy,
                kl=outcome.kl,
                highest_entropy=problem.at(0.0).entropy,
                lowest_kl=problem.at(1.0).kl,
                regime=outcome.solution.regime,
                shadow_price=outcome.solution.shadow_price,
            )
        )
    return points


def entropy(tokens: ArrayLike) -> float:
    """Shannon entropy, in nats, of the distribution that `tokens[C]` make.

    Raises ValueError if all are 0.
    """
    p = _shares(tokens, "tokens")
    p = p[p > 0]
    return max(-float((p * _log(p)).sum()), 0.0)


def kl(tokens: ArrayLike, reference: ArrayLike) -> float:
    """KL(tokens ‖ reference) in nats, both scaled to sum to 1.

    Infinite where there are tokens in a cluster that the reference does not have. Raises ValueError
    if either is all 0.
    """
    tokens, reference = _columns(tokens=tokens, reference=reference)
    p, r = _shares(tokens, "tokens"), _shares(reference, "reference")
    there = p > 0
    if not (r[there] > 0).all():
        return math.inf
    return max(float((p[there] * (_log(p[there]) - _log(r[there]))).sum()), 0.0)


@dataclass(frozen=True, eq=False)
class _Outcome:
    alpha: float
    target: Floats
    solution: Solution
    entropy: float
    kl: float


@dataclass(frozen=True, eq=False)
class _Problem:
    """One domain's budget with everything given but α.

    Caps of clusters that the reference does not have are 0 here: a token in them would make the
    divergence infinite.
    """

    reference: Floats
    synthetic_cap: Floats
    human_cap: Floats
    synthetic_tokens: float
    human_tokens: float
    split: Split
    outside_reference: float

    @classmethod
    def of(
        cls,
        reference: ArrayLike,
        synthetic_cap: ArrayLike,
        human_cap: ArrayLike,
        synthetic_tokens: float,
        human_tokens: float,
        *,
        split: Split = "fill",
    ) -> _Problem:
        r, a, b = _columns(reference=reference, synthetic_cap=synthetic_cap, human_cap=human_cap)
        r = _shares(r, "reference")
        for name, value in (("synthetic_tokens", synthetic_tokens), ("human_tokens", human_tokens)):
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be 0 or more")
        if synthetic_tokens + human_tokens <= 0:
            raise ValueError("the budget is 0 tokens; ask for at least one")
        there = r > 0
        outside = float((a + b)[~there].sum())
        a, b = np.where(there, a, 0.0), np.where(there, b, 0.0)
        return cls(r, a, b, float(synthetic_tokens), float(human_tokens), split, outside)

    @property
    def tokens(self) -> float:
        return self.synthetic_tokens + self.human_tokens

    @property
    def human_share(self) -> float:
        return self.human_tokens / self.tokens

    def at(self, alpha: float) -> _Outcome:
        target = temper(self.reference, alpha)
        solution = solve(
            target,
            self.synthetic_cap,
            self.human_cap,
            self.synthetic_tokens,
            self.human_tokens,
            split=self.split,
        )
        total = solution.total
        return _Outcome(alpha, target, solution, entropy(total), kl(total, self.reference))

    def with_human(self, human_tokens: float) -> _Problem:
        """The same total with another human part (of `human_range`)."""
        return replace(
            self, synthetic_tokens=self.tokens - human_tokens, human_tokens=human_tokens
        ).cut_to_caps()  # of the subtraction's rounding

    def room(self) -> tuple[float, float]:
        return float(self.synthetic_cap.sum()), float(self.human_cap.sum())

    def human_range(self) -> tuple[float, float] | None:
        """Least and most human tokens with which the caps hold the total; None if they can't."""
        synthetic, human = self.room()
        least, most = max(self.tokens - synthetic, 0.0), min(self.tokens, human)
        if least > most + ROUNDING * self.tokens:
            return None
        return min(least, most), most

    def cut_to_caps(self) -> _Problem:
        synthetic, human = self.room()
        return replace(
            self,
            synthetic_tokens=min(self.synthetic_tokens, synthetic),
            human_tokens=min(self.human_tokens, human),
        )

    def totals_refusal(self) -> Infeasible | None:
        synthetic, human = self.room()
        asked = {"synthetic": self.synthetic_tokens, "human": self.human_tokens}
        available = {"synthetic": synthetic, "human": human}
        short = [role for role in asked if asked[role] > available[role] * (1 + ROUNDING)]
        if not short:
            return None
        factors = {
            role: asked[role] / available[role] if available[role] else None for role in short
        }
        # At the same human share, each role allows a total of its room over its share.
        largest = min(
            available[role] * self.tokens / asked[role] for role in asked if asked[role] > 0
        )
        bounds = self.human_range()
        says = [
            f"{asked[role]:,.0f} {role} tokens were asked and the repeat caps allow "
            f"{available[role]:,.0f}"
            + (f" (caps {factor:.4g} times as high would do)" if (factor := factors[role]) else "")
            for role in short
        ]
        if self.outside_reference:
            says.append(
                f"{self.outside_reference:,.0f} tokens lie in clusters that the reference does not "
                "have and don't count"
            )
        if largest >= 1:
            says.append(f"{math.floor(largest):,} tokens at this human share would do")
        if bounds:
            says.append(f"{bounds[0]:,.0f} to {bounds[1]:,.0f} human tokens at this total would do")
        return Infeasible(
            "; ".join(says),
            {
                "reason": "totals",
                "asked": asked,
                "available": available,
                "cap_factors": factors,
                "tokens_at_this_share": largest,
                "human_range_at_this_total": bounds,
                "outside_reference": self.outside_reference,
            },
        )

    def starved(self, outcome: _Outcome) -> list[Starved]:
        """The clusters that lack most of their target, the worst first."""
        wanted = outcome.target * self.tokens
        planned = outcome.solution.total
        lack = wanted - planned
        worst = np.argsort(-lack, kind="stable")[:STARVED_SHOWN]
        available = self.synthetic_cap + self.human_cap
        return [
            Starved(int(c), float(wanted[c]), float(available[c]), float(planned[c]))
            for c in worst
            if lack[c] > TOLERANCE * wanted[c]
        ]

    def best_human(self, alpha: float) -> float:
        """The least human tokens with which this total comes as near to π_α as any split of it can.

        That is what the optimal totals need beyond the synthetic caps. KL(p ‖ π_α) is convex in the
        human tokens at a fixed total, so it falls up to here.
        """
        n, _ = waterfill(
            temper(self.reference, alpha),
            np.zeros_like(self.reference),
            self.synthetic_cap + self.human_cap,
            self.tokens,
        )
        least, most = self.human_range() or (0.0, self.tokens)
        return min(max(float(np.maximum(n - self.synthetic_cap, 0).sum()), least), most)

    def limit_refusal(
        self,
        reason: Literal["entropy_floor", "max_kl"],
        limit: float,
        best: _Outcome,
        holds: Callable[[_Outcome], bool],
    ) -> Infeasible:
        """A limit that does not hold at the α that is kindest to it, with what would make it hold.

        At α = 0 the divergence to π_α is ln C − H, at α = 1 it is the ceiling's own: in both cases
        what `best_human` says of it holds for the limit.
        """
        alpha = best.alpha
        optimum = self.best_human(alpha)
        at_optimum = self.with_human(optimum).at(alpha)
        needed = None
        if holds(at_optimum):
            least, _ = self.human_range() or (0.0, optimum)
            needed = _edge(
                optimum,
                least,
                HUMAN_STEP * self.tokens,
                lambda human: holds(self.with_human(human).at(alpha)),
            )
        starved = self.starved(best)
        word, field = (
            ("an entropy", "entropy") if reason == "entropy_floor" else ("a divergence", "kl")
        )
        reached, ideal = getattr(best, field), getattr(at_optimum, field)
        says = [
            f"{word} of {limit:.6g} nats can't be reached: {self.human_tokens:,.0f} human in "
            f"{self.tokens:,.0f} tokens reach {reached:.6g} at α = {alpha:g}",
            f"no human share of this total would do, the best reaches {ideal:.6g}"
            if needed is None
            else f"{math.ceil(needed):,} human tokens ({needed / self.tokens:.2%}) would do",
        ]
        if starved:
            says.append(
                "the most starved clusters are "
                + ", ".join(
                    f"{s.cluster} ({s.planned:,.0f} of {s.wanted:,.0f} tokens, {s.available:,.0f} "
                    "available)"
                    for s in starved[:3]
                )
            )
        return Infeasible(
            "; ".join(says),
            {
                "reason": reason,
                "asked": limit,
                "reached": reached,
                "alpha": alpha,
                "reference_entropy": entropy(self.reference),
                "human_tokens": self.human_tokens,
                "least_human_tokens": needed,
                "reached_at_best_human_share": ideal,
                "starved": [asdict(cluster) for cluster in starved],
            },
        )


def _interval_refusal(
    at_ceiling: _Outcome, at_floor: _Outcome, floor: float, ceiling: float
) -> Infeasible:
    return Infeasible(
        f"no α meets both limits: a divergence of at most {ceiling:.6g} nats keeps α at "
        f"{at_ceiling.alpha:.6g} or above, where the entropy is {at_ceiling.entropy:.6g}; an "
        f"entropy of at least {floor:.6g} keeps it at {at_floor.alpha:.6g} or below, where the "
        f"divergence is {at_floor.kl:.6g}",
        {
            "reason": "interval",
            "entropy_floor": floor,
            "max_kl": ceiling,
            "alpha_at_least": at_ceiling.alpha,
            "entropy_at_ceiling": at_ceiling.entropy,
            "alpha_at_most": at_floor.alpha,
            "kl_at_floor": at_floor.kl,
        },
    )


def _edge(holding: float, failing: float, step: float, holds: Callable[[float], bool]) -> float:
    """The point nearest to `failing` where a monotone `holds` still does, to within `step`."""
    if holds(failing):
        return failing
    while abs(failing - holding) > step:
        middle = (holding + failing) / 2
        if holds(middle):
            holding = middle
        else:
            failing = middle
    return holding


def _two_levels(
    pi: Floats, plenty_cap: Floats, scarce_cap: Floats, plenty: float, scarce: float
) -> tuple[Floats, Floats, float, float]:
    """The total of the scarce role binds, so each role has a level θ of its own.

    The plentiful role alone follows π up to its caps; the scarce one lifts what its caps leave
    lowest. Both together are optimal because the scarce role's level is the lower one.
    """
    filled, high = waterfill(pi, np.zeros_like(pi), plenty_cap, plenty)
    lifted, low = waterfill(
        pi, plenty_cap, plenty_cap + scarce_cap, float(plenty_cap.sum()) + scarce
    )
    return filled, np.clip(lifted - plenty_cap, 0.0, scarce_cap), high, low


def _share_out(weights: Floats, n: Floats, cap: Floats, other_cap: Floats, total: float) -> Floats:
    """A role's part of the totals n that leaves the other role within its cap."""
    low = np.minimum(np.maximum(n - other_cap, 0.0), cap)
    high = np.maximum(np.minimum(cap, n), low)
    # Slack is judged with a tolerance, so the total may lie beside what the bounds hold by as much.
    total = min(max(total, float(low.sum())), float(high.sum()))
    return waterfill(weights, low, high, total)[0]


def _columns(**columns: ArrayLike) -> list[Floats]:
    arrays = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    length = next(iter(arrays.values())).shape
    for name, array in arrays.items():
        if array.ndim != 1 or array.shape != length or not array.size:
            raise ValueError(
                f"{name} has shape {array.shape}; all columns must be one number per cluster: "
                + ", ".join(f"{other} {column.shape}" for other, column in arrays.items())
            )
        if (wrong := np.flatnonzero(~((array >= 0) & np.isfinite(array)))).size:
            raise ValueError(f"{name}[{wrong[0]}] is {array[wrong[0]]}; it must be 0 or more")
    return list(arrays.values())


def _shares(tokens: ArrayLike, name: str) -> Floats:
    (array,) = _columns(**{name: tokens})
    total = float(array.sum())
    if total <= 0:
        raise ValueError(f"{name} sum to 0; there is no distribution to speak of")
    return array / total


def _log_ratio(above: float, below: float) -> float:
    """ln(above/below), ±∞ where one of them is 0."""
    if above == 0 or below == 0:
        return math.inf if below == 0 else -math.inf
    return float(_log(np.array(above)) - _log(np.array(below)))


def _log(x: Floats) -> Floats:
    """The natural logarithm of x > 0 to within 1e-15, from sums, products and quotients alone.

    NumPy's own log differs in the last bit between machines (SIMD), and a plan must not.
    """
    mantissa, exponent = np.frexp(x)
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = exponent - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = np.full_like(z, _LOG_TERMS[-1])
    for term in reversed(_LOG_TERMS[:-1]):
        series = series * z + term
    return np.asarray(exponent * _LN2_HIGH + (exponent * _LN2_LOW + s * series), dtype=np.float64)


def _exp(x: Floats) -> Floats:
    """The exponential to within 1e-15 of itself, the same bits on every machine (see `_log`)."""
    powers = np.rint(x / (_LN2_HIGH + _LN2_LOW))
    rest = (x - powers * _LN2_HIGH) - powers * _LN2_LOW
    series = np.full_like(rest, _EXP_TERMS[-1])
    for term in reversed(_EXP_TERMS[:-1]):
        series = series * rest + term
    return np.ldexp(series, powers.astype(np.int32))
