"""One domain's budget as a problem in α: plans, limits, and the range of human tokens."""

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

TOLERANCE = 1e-9  # nats by which a plan may miss a floor or a ceiling
ALPHA_STEP = 1e-10  # width of the interval of α at which the search stops
_ITP_NUDGE = 0.2  # step past the chord's root, as a multiple of the interval's square
HUMAN_STEP = 1e-9  # width at which a search over human tokens stops, as a share of the total

SyntheticCap = Callable[[float], Floats]
"""Maps a synthetic total to the synthetic tokens[C] that may be taken.

Off-support text is limited to a share of the total, so the cap depends on the total.
"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """A plan at one α.

    Attributes:
        alpha: tempering of the target.
        target: float64[C], π_α.
        solution: tokens to take.
        entropy: H(p), nats.
        kl: KL(p ‖ r), nats.
    """

    alpha: float
    target: Floats
    solution: Solution
    entropy: float
    kl: float


@dataclass(frozen=True)
class Limit:
    """A bound on a plan: H(p) ≥ value or KL(p ‖ r) ≤ value, in nats.

    Raises:
        ValueError: the value is below 0.
    """

    reason: Literal["entropy_floor", "max_kl"]
    value: float

    def __post_init__(self) -> None:
        if not self.value >= 0:
            raise ValueError(f"{self.reason} is {self.value}; it must be 0 nats or more")

    @property
    def kindest(self) -> float:
        """Return the α at which the limit holds if it holds at any α."""
        return 0.0 if self.reason == "entropy_floor" else 1.0

    def figure(self, outcome: Outcome) -> float:
        """Return the plan's limited figure, in nats."""
        return outcome.entropy if self.reason == "entropy_floor" else outcome.kl

    def slack(self, outcome: Outcome) -> float:
        """Return by how many nats the plan keeps the limit; negative where it breaks it."""
        if self.reason == "entropy_floor":
            return outcome.entropy - (self.value - TOLERANCE)
        return self.value + TOLERANCE - outcome.kl

    def holds(self, outcome: Outcome) -> bool:
        """Return whether the plan keeps the limit, to within `TOLERANCE`."""
        return self.slack(outcome) >= 0


@dataclass(frozen=True, eq=False)
class Problem:
    """One domain's budget, without its α.

    Attributes:
        reference: float64[C], shares that sum to 1.
        synthetic_cap: float64[C], synthetic tokens that may be taken. Both caps are 0 where the
            reference has no share: a token there would make the divergence infinite.
        human_cap: float64[C], human tokens that may be taken.
        synthetic_tokens: synthetic tokens asked for.
        human_tokens: human tokens asked for.
        split: see `solve`.
        outside_reference: tokens of the caps in clusters where the reference has no share.
        cap_of: the synthetic cap for another synthetic total; None where it doesn't depend on it.
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
        """Make a problem of columns and totals.

        Args:
            reference: float64[C], smoothed shares of the clusters; they need not sum to 1. A
                cluster of share 0 gets nothing.
            synthetic_cap: float64[C], synthetic tokens that may be taken, repeats included.
            human_cap: float64[C], human tokens that may be taken, repeats included.
            synthetic_tokens: synthetic tokens to take.
            human_tokens: human tokens to take.
            split: see `solve`.
            cap_of: see `Problem`.

        Raises:
            ValueError: a column or a total is out of range, or the budget is 0 tokens.
        """
        r, a, b = as_columns(reference=reference, synthetic_cap=synthetic_cap, human_cap=human_cap)
        r = normalised(r, "reference")
        for name, value in (("synthetic_tokens", synthetic_tokens), ("human_tokens", human_tokens)):
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}; it must be 0 or more")
        if synthetic_tokens + human_tokens <= 0:
            raise ValueError("the budget is 0 tokens; ask for at least one")
        shared = r > 0
        outside = float((a + b)[~shared].sum())
        a, b = np.where(shared, a, 0.0), np.where(shared, b, 0.0)
        return cls(r, a, b, float(synthetic_tokens), float(human_tokens), split, outside, cap_of)

    @property
    def tokens(self) -> float:
        """Add the tokens of both roles."""
        return self.synthetic_tokens + self.human_tokens

    @property
    def room(self) -> tuple[float, float]:
        """Synthetic and human tokens that the caps hold."""
        return float(self.synthetic_cap.sum()), float(self.human_cap.sum())

    def at(self, alpha: float) -> Outcome:
        """Plan at one α; the totals must be within the caps."""
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
        """Plan at the α nearest to `failing` at which the limit still holds.

        The ITP method (Oliveira & Takahashi 2020, ACM TOMS 47:5) takes a few solves where
        bisection takes thirty, and hardly more than bisection where the figure is steep. SciPy's
        `brentq` is compiled code that may fuse multiplications and additions, and then α has other
        bits on another machine.

        Args:
            limit: the limit.
            holding: an α at which it holds.
            failing: an α, perhaps one at which it doesn't hold.
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
            # The last steps need it to move the interval's other end.
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
        """Return the problem of the same total with another human part.

        Args:
            human_tokens: tokens within `human_range`.
        """
        synthetic = self.tokens - human_tokens
        return replace(
            self,
            synthetic_tokens=synthetic,
            human_tokens=human_tokens,
            synthetic_cap=self._cap(synthetic),
        ).cut_to_caps()  # the subtraction rounds

    def _cap(self, synthetic_tokens: float) -> Floats:
        if self.cap_of is None:
            return self.synthetic_cap
        return np.where(self.reference > 0, self.cap_of(synthetic_tokens), 0.0)

    def cut_to_caps(self) -> Problem:
        """Return the problem with each total cut to what its caps hold."""
        synthetic, human = self.room
        return replace(
            self,
            synthetic_tokens=min(self.synthetic_tokens, synthetic),
            human_tokens=min(self.human_tokens, human),
        )

    def human_range(self) -> tuple[float, float] | None:
        """Return the least and the most human tokens with which the caps hold the total.

        None where the caps can't hold it.
        """
        tokens = self.tokens
        most = min(tokens, float(self.human_cap.sum()))

        def lacking(human: float) -> float:
            return max(tokens - human - float(self._cap(tokens - human).sum()), 0.0)

        if lacking(most) > ROUNDING * tokens:
            return None
        # A cap grows more slowly than its total, so `lacking` falls as human tokens rise.
        if self.cap_of is None:
            least = lacking(0.0)
        else:
            least = edge(most, 0.0, HUMAN_STEP * tokens, lambda human: lacking(human) <= 0)
        return min(least, most), most

    def best_human(self, alpha: float) -> float:
        """Find the least human tokens with which this total comes nearest to π_α.

        The optimal amounts of the clusters need so much beyond the synthetic caps. KL(p ‖ π_α) is
        convex in the human tokens at a fixed total, so it falls up to this point.
        """
        target, zeros = temper(self.reference, alpha), np.zeros_like(self.reference)
        least, most = self.human_range() or (0.0, self.tokens)
        human = self.human_tokens
        for _ in range(1 if self.cap_of is None else 3):  # caps hardly move: three come to rest
            cap = self._cap(self.tokens - human)
            n, _ = waterfill(target, zeros, cap + self.human_cap, self.tokens)
            human = min(max(float(np.maximum(n - cap, 0).sum()), least), most)
        return human


def edge(holding: float, failing: float, step: float, holds: Callable[[float], bool]) -> float:
    """Find, to within `step`, the point nearest to `failing` where a monotone condition holds.

    Args:
        holding: a point where `holds` is true.
        failing: the other end of the interval.
        step: width at which the bisection stops.
        holds: the condition, which changes at most once between the two.
    """
    if holds(failing):
        return failing
    while abs(failing - holding) > step:
        middle = (holding + failing) / 2
        if holds(middle):
            holding = middle
        else:
            failing = middle
    return holding
