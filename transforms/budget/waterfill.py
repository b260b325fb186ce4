"""The exact projection of a plan onto its caps and totals.

    minimise    KL(p ‖ π),   p_c = (x_c + y_c)/T
    subject to  0 ≤ x_c ≤ a_c,  0 ≤ y_c ≤ b_c,  Σx = X,  Σy = Y,  T = X + Y

x are synthetic, y human tokens. The optimum fills the clusters as water fills vessels of width π_c.
If no role is scarce, both roles have the same level θ. If one is scarce, each has its own level.

Entropies and divergences are in nats, amounts in tokens. All figures have the same bits on every
machine.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from outcross.schemas.plan import Regime
from outcross.transforms.estimators.entropy import ROUNDING, Floats, as_columns, exp, log

Split = Literal["fill", "proportional", "drawn"]


class Infeasible(ValueError):  # noqa: N818 - a state, not an error
    """A budget that can't be met.

    Attributes:
        detail: numbers behind the message: always `reason` ("caps", "totals", "entropy_floor",
            "max_kl" or "interval"), and the amounts that were asked for and can be reached.
    """

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, eq=False)
class Solution:
    """Tokens to take from each cluster, and the levels that they are filled to.

    A cluster between its bounds has n_c = θ·π_c.

    Attributes:
        synthetic: float64[C], synthetic tokens.
        human: float64[C], human tokens.
        regime: the scarce role; see `Regime`.
        shadow_price: ln(θ_synthetic/θ_human). One human token in place of a synthetic one lowers
            KL(p ‖ π) by shadow_price/T nats. It is 0 in slack and negative if synthetic text is
            scarce. It is infinite if the first token would go to a cluster without text. In regime
            "drawn" it is the price of one more human token that is spread like the others.
        theta_synthetic: θ of the synthetic tokens.
        theta_human: θ of the human tokens.
    """

    synthetic: Floats
    human: Floats
    regime: Regime
    shadow_price: float
    theta_synthetic: float
    theta_human: float

    @property
    def total(self) -> Floats:
        """Add the tokens of both roles by cluster: float64[C]."""
        return self.synthetic + self.human


def waterfill(
    weights: ArrayLike, low: ArrayLike, high: ArrayLike, total: float
) -> tuple[Floats, float]:
    """Find θ and n_c = clip(θ·weights_c, low_c, high_c) with Σn = total.

    Σn is piecewise linear in θ with 2C break points. A bisection over the sorted break points finds
    the piece, and θ is solved in it: exact, O(C log C).

    Args:
        weights: float64[C]; a cluster of weight 0 stays at `low`.
        low: float64[C], least amounts.
        high: float64[C], greatest amounts.
        total: sum of the amounts.

    Returns:
        n, float64[C], and θ. Where several θ give the same n, θ is the largest of them that is a
        break point: the level at which the next token would be placed.

    Raises:
        ValueError: a lower bound is above the upper one.
        Infeasible: no θ gives the total.
    """
    weights, low, high = as_columns(weights=weights, low=low, high=high)
    if (wrong := low > high).any():
        c = int(wrong.argmax())
        raise ValueError(f"low[{c}] = {low[c]} is above high[{c}] = {high[c]}")
    high = np.where(weights > 0, high, low)
    least, most = float(low.sum()), float(high.sum())
    if not least - ROUNDING * most <= total <= most + ROUNDING * most:
        raise Infeasible(
            f"{total:,.0f} tokens were asked; the bounds hold {least:,.0f} to {most:,.0f}",
            reason="totals",
            asked=total,
            least=least,
            most=most,
        )
    movable = high > low
    if not movable.any():
        return low.copy(), 0.0
    w, lows, highs = weights[movable], low[movable], high[movable]
    with np.errstate(over="ignore"):  # no θ reaches an infinite break point
        starts, ends = lows / w, highs / w
    marks = np.sort(np.concatenate([starts, ends]))
    if total >= most:
        return high, float(marks[-1])
    wanted = total - float(low[~movable].sum())

    def poured(theta: float) -> float:
        return float(np.minimum(np.maximum(theta * w, lows), highs).sum())

    # Rounding keeps the order of sums, so the computed sum never falls as θ grows.
    above = bisect_right(marks, wanted, lo=1, key=poured)
    theta = float(marks[above - 1])
    if above < len(marks):
        next_mark = float(marks[above])
        at_end, at_start = ends <= theta, starts >= next_mark
        free = ~(at_end | at_start)
        if free.any():
            settled = float(highs[at_end].sum()) + float(lows[at_start].sum())
            theta = min(max((wanted - settled) / float(w[free].sum()), theta), next_mark)
    filled = low.copy()
    filled[movable] = np.clip(theta * w, lows, highs)
    return filled, theta


def temper(reference: ArrayLike, alpha: float) -> Floats:
    """Return π_α ∝ r^α, which sums to 1; α = 0 is uniform over the reference's clusters.

    Args:
        reference: float64[C], shares r of any scale.
        alpha: exponent, 0 or more.

    Raises:
        ValueError: α is negative or the reference has no mass.
    """
    (r,) = as_columns(reference=reference)
    if not (alpha >= 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha is {alpha}; it must be 0 or more")
    shared = r > 0
    if not shared.any():
        raise ValueError("the reference has no mass in any cluster")
    logs = log(r[shared])
    target = np.zeros_like(r)
    target[shared] = exp(alpha * (logs - logs.max()))
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
    """Find the tokens nearest to the target, in KL, that meet the caps and both totals.

    Args:
        target: float64[C], π.
        synthetic_cap: float64[C], synthetic tokens that may be taken.
        human_cap: float64[C], human tokens that may be taken.
        synthetic_tokens: X, synthetic tokens to take.
        human_tokens: Y, human tokens to take.
        split: how tokens of a cluster are split in slack, where any split is optimal. "fill"
            samples the synthetic corpus as evenly as possible, so that human text goes where the
            generator is most deficient. "proportional" gives every cluster the same human share.
            "drawn" fixes the human part: the same share of `human_cap` in every cluster.

    Raises:
        Infeasible: the caps allow fewer tokens than a total needs.
        ValueError: the columns differ in length, or the split is unknown.
    """
    pi, a, b = as_columns(target=target, synthetic_cap=synthetic_cap, human_cap=human_cap)
    X, Y = float(synthetic_tokens), float(human_tokens)
    if split == "drawn":
        return _solve_drawn(pi, a, b, X, Y)
    n, theta = waterfill(pi, np.zeros_like(pi), a + b, X + Y)
    rounding = ROUNDING * (X + Y)
    # Only one of the next two conditions can be true: Σ(n−b)⁺ ≤ Σmin(n, a) = T − Σ(n−a)⁺.
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
        raise ValueError(f"split is {split!r}; it must be 'fill', 'proportional' or 'drawn'")
    return Solution(x, y, "slack", 0.0, theta, theta)


def least_repeats(
    solution: Solution,
    synthetic_once: ArrayLike,
    human_once: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
) -> Solution:
    """Split the clusters' totals so that as few tokens as possible are repeats.

    In slack the split is free. With n = x + y given, the repeats (x − S)⁺ + (n − x − H)⁺ are fewest
    for x between S and n − H, and grow with x's distance from that interval. Within these bounds
    the synthetic corpus is sampled as evenly as possible. In the other regimes there is only one
    solution, which is returned unchanged.

    Args:
        solution: solution from `solve`.
        synthetic_once: float64[C], S, synthetic tokens of the documents, each once.
        human_once: float64[C], H, human tokens of the documents, each once.
        synthetic_cap: float64[C], argument of `solve`.
        human_cap: float64[C], argument of `solve`.
    """
    if solution.regime != "slack":
        return solution
    S, H, a, b = as_columns(
        synthetic_once=synthetic_once,
        human_once=human_once,
        synthetic_cap=synthetic_cap,
        human_cap=human_cap,
    )
    n, X = solution.total, float(solution.synthetic.sum())
    low = np.minimum(np.maximum(n - b, 0.0), a)
    high = np.maximum(np.minimum(a, n), low)
    first = np.clip(np.minimum(S, n - H), low, high)
    last = np.clip(np.maximum(S, n - H), low, high)
    if float(first.sum()) > X:
        last, first = first, low
    elif float(last.sum()) < X:
        first, last = last, high
    X = min(max(X, float(first.sum())), float(last.sum()))
    x, _ = waterfill(a, first, last, X)
    return replace(solution, synthetic=x, human=np.clip(n - x, 0.0, b))


def _log_ratio(above: float, below: float) -> float:
    """Return ln(above/below), ±∞ where one of them is 0."""
    if above == 0 or below == 0:
        return math.inf if below == 0 else -math.inf
    return float(log(above) - log(below))


def _two_levels(
    pi: Floats, plenty_cap: Floats, scarce_cap: Floats, plenty: float, scarce: float
) -> tuple[Floats, Floats, float, float]:
    """Fill each role to its own level θ, because the total of the scarce role limits the plan.

    The plentiful role alone follows π up to its caps. The scarce role lifts the lowest clusters
    that its caps allow. The result is optimal because the scarce role's level is the lower one.
    """
    filled, high = waterfill(pi, np.zeros_like(pi), plenty_cap, plenty)
    lifted, low = waterfill(
        pi, plenty_cap, plenty_cap + scarce_cap, float(plenty_cap.sum()) + scarce
    )
    return filled, np.clip(lifted - plenty_cap, 0.0, scarce_cap), high, low


def _solve_drawn(pi: Floats, a: Floats, b: Floats, X: float, Y: float) -> Solution:
    """Plan the synthetic part for a human part that is an even share of b: n = clip(θπ, y, y + a).

    One more human token is spread like the others, so its price is an average:
    ln θ − Σ (y_c/Y) ln(n_c/π_c). It is negative if human text is in clusters that are full.
    """
    supply = float(b.sum())
    if supply * (1 + ROUNDING) < Y:
        raise Infeasible(
            f"{Y:,.0f} human tokens were asked; there are {supply:,.0f}",
            reason="totals",
            asked=Y,
            least=0.0,
            most=supply,
        )
    y = b * (Y / supply) if supply else np.zeros_like(b)
    n, theta = waterfill(pi, y, y + a, X + Y)
    price, spread = 0.0, y if Y > 0 else b  # the first human token is spread like all others
    drawn = spread > 0
    if drawn.any() and theta > 0:
        if (n[drawn] == 0).any():
            price = math.inf
        else:
            level = log(n[drawn]) - log(pi[drawn])
            price = float(log(theta)) - float((spread[drawn] * level).sum()) / float(spread.sum())
    return Solution(np.clip(n - y, 0.0, a), y, "drawn", price, theta, theta)


def _share_out(weights: Floats, n: Floats, cap: Floats, other_cap: Floats, total: float) -> Floats:
    """Split a role's total over the clusters so that the other role stays within its cap."""
    low = np.minimum(np.maximum(n - other_cap, 0.0), cap)
    high = np.maximum(np.minimum(cap, n), low)
    # Slack is tested with a tolerance, so the total may be outside the bounds by as much.
    total = min(max(total, float(low.sum())), float(high.sum()))
    return waterfill(weights, low, high, total)[0]
