"""One domain's budget as a problem in α: its plans, its limits, and how far they reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from outcross.transforms.budget.waterfill import Solution, Split, solve, temper, waterfill
from outcross.transforms.estimators.entropy import (
    ROUNDING,
    Floats,
    as_columns,
    entropy,
    kl,
    normalised,
)

TOLERANCE = 1e-9  # nats by which a floor or a ceiling may be missed and still hold
ALPHA_STEP = 1e-10  # where the bisection over α stops
_ITP_NUDGE = 0.2  # past the chord's root, times the square of the interval
HUMAN_STEP = 1e-9  # of the total: where a bisection over the human tokens stops

SyntheticCap = Callable[[float], Floats]
"""Synthetic tokens[C] that may be taken, for a synthetic total: text that is never more than its
share of the total, as off-support text, makes them depend on it."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The plan at `alpha`: its target π_α[C], the solution, and H(p) and KL(p ‖ r) in nats."""

    alpha: float
    target: Floats
    solution: Solution
    entropy: float
    kl: float


@dataclass(frozen=True)
class Limit:
    """H(p) ≥ value or KL(p ‖ r) ≤ value, in nats. If any α holds it, `kindest` does.

    Raises ValueError for a value below 0.
    """

    reason: Literal["entropy_floor", "max_kl"]
    value: float

    def __post_init__(self) -> None:
        if not self.value >= 0:
            raise ValueError(f"{self.reason} is {self.value}; it must be 0 nats or more")

    @property
    def kindest(self) -> float:
        return 0.0 if self.reason == "entropy_floor" else 1.0

    def figure(self, outcome: Outcome) -> float:
        """What is limited, in nats."""
        return outcome.entropy if self.reason == "entropy_floor" else outcome.kl

    def slack(self, outcome: Outcome) -> float:
        """Nats between the plan's figure and what still holds; less than 0 where it doesn't."""
        if self.reason == "entropy_floor":
            return outcome.entropy - (self.value - TOLERANCE)
        return self.value + TOLERANCE - outcome.kl

    def holds(self, outcome: Outcome) -> bool:
        """Whether the plan keeps the limit, to within `TOLERANCE`."""
        return self.slack(outcome) >= 0


@dataclass(frozen=True, eq=False)
class Problem:
    """One domain's budget with everything given but α.

    Caps of clusters that the reference does not have are 0 here: a token in them would make the
    divergence infinite. `cap_of` says what `synthetic_cap` is for another total, where it differs.
    """

    reference: Floats
    synthetic_cap: Floats
    human_cap: Floats
    synthetic_tokens: float
    human_tokens: float
    split: Split
    outside_reference: float
    cap_of: SyntheticCap | None = None

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
        cap_of: SyntheticCap | None = None,
    ) -> Problem:
        """The problem of `plan_budget`'s arguments. Raises ValueError for those without meaning."""
        r, a, b = as_columns(reference=reference, synthetic_cap=synthetic_cap, human_cap=human_cap)
        r = normalised(r, "reference")
        for name, value in (("synthetic_tokens", synthetic_tokens), ("human_tokens", human_tokens)):
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be 0 or more")
        if synthetic_tokens + human_tokens <= 0:
            raise ValueError("the budget is 0 tokens; ask for at least one")
        there = r > 0
        outside = float((a + b)[~there].sum())
        a, b = np.where(there, a, 0.0), np.where(there, b, 0.0)
        return cls(r, a, b, float(synthetic_tokens), float(human_tokens), split, outside, cap_of)

    @property
    def tokens(self) -> float:
        return self.synthetic_tokens + self.human_tokens

    @property
    def room(self) -> tuple[float, float]:
        """Synthetic and human tokens that the caps hold."""
        return float(self.synthetic_cap.sum()), float(self.human_cap.sum())

    def at(self, alpha: float) -> Outcome:
        """The plan at α; the totals must be within the caps."""
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
        return Outcome(alpha, target, solution, entropy(total), kl(total, self.reference))

    def nearest(self, limit: Limit, holding: float, failing: float) -> Outcome:
        """The plan at the α nearest to `failing` at which the limit still holds.

        By the ITP method (Oliveira & Takahashi 2020, ACM TOMS 47:5): a few solves where halving the
        interval takes some thirty, and hardly more than that where the figure is steep.
        """
        best, worst = self.at(holding), self.at(failing)
        if limit.holds(worst):
            return worst
        length = abs(holding - failing)
        low, high = 0.0, length  # steps from `failing`
        below, above = limit.slack(worst), limit.slack(best)
        most = max(math.ceil(math.log2(max(length / ALPHA_STEP, 1.0))), 0) + 1
        for number in range(most + 1):
            if high - low <= ALPHA_STEP:
                break
            middle = (low + high) / 2
            falsi = (above * low - below * high) / (above - below)
            side = 1.0 if falsi < middle else -1.0
            # At the end it is what brings the other side of the interval up.
            nudge = max(_ITP_NUDGE * (high - low) ** 2 / length, ALPHA_STEP / 4)
            truncated = falsi + side * nudge if nudge <= abs(middle - falsi) else middle
            reach = ALPHA_STEP / 2 * 2.0 ** (most - number) - (high - low) / 2
            step = truncated if abs(truncated - middle) <= reach else middle - side * reach
            outcome = self.at(failing + step / length * (holding - failing))
            if limit.holds(outcome):
                high, above, best = step, limit.slack(outcome), outcome
            else:
                low, below = step, limit.slack(outcome)
        return best

    def with_human(self, human_tokens: float) -> Problem:
        """The same total with another human part (of `human_range`)."""
        synthetic = self.tokens - human_tokens
        return replace(
            self,
            synthetic_tokens=synthetic,
            human_tokens=human_tokens,
            synthetic_cap=self._cap(synthetic),
        ).cut_to_caps()  # of the subtraction's rounding

    def _cap(self, synthetic_tokens: float) -> Floats:
        if self.cap_of is None:
            return self.synthetic_cap
        return np.where(self.reference > 0, self.cap_of(synthetic_tokens), 0.0)

    def cut_to_caps(self) -> Problem:
        """The totals, each at most what its caps hold."""
        synthetic, human = self.room
        return replace(
            self,
            synthetic_tokens=min(self.synthetic_tokens, synthetic),
            human_tokens=min(self.human_tokens, human),
        )

    def human_range(self) -> tuple[float, float] | None:
        """Least and most human tokens with which the caps hold the total; None if they can't."""
        tokens = self.tokens
        most = min(tokens, float(self.human_cap.sum()))

        def lacking(human: float) -> float:
            return max(tokens - human - float(self._cap(tokens - human).sum()), 0.0)

        if lacking(most) > ROUNDING * tokens:
            return None
        # A cap grows by less than its total does, so what is lacking falls as human tokens rise.
        if self.cap_of is None:
            least = lacking(0.0)
        else:
            least = edge(most, 0.0, HUMAN_STEP * tokens, lambda human: lacking(human) <= 0)
        return min(least, most), most

    def best_human(self, alpha: float) -> float:
        """The least human tokens with which this total comes as near to π_α as any split of it can.

        That is what the optimal totals need beyond the synthetic caps. KL(p ‖ π_α) is convex in the
        human tokens at a fixed total, so it falls up to here.
        """
        target, nothing = temper(self.reference, alpha), np.zeros_like(self.reference)
        least, most = self.human_range() or (0.0, self.tokens)
        human = self.human_tokens
        for _ in range(1 if self.cap_of is None else 3):  # caps hardly move: three come to rest
            cap = self._cap(self.tokens - human)
            n, _ = waterfill(target, nothing, cap + self.human_cap, self.tokens)
            human = min(max(float(np.maximum(n - cap, 0).sum()), least), most)
        return human


def edge(holding: float, failing: float, step: float, holds: Callable[[float], bool]) -> float:
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
