"""The exact projection of a plan onto its caps and totals, and the measures it is judged by.

    minimise    KL(p ‖ π),   p_c = (x_c + y_c)/T
    subject to  0 ≤ x_c ≤ a_c,  0 ≤ y_c ≤ b_c,  Σx = X,  Σy = Y,  T = X + Y

x are synthetic, y human tokens. The optimum fills the clusters as water fills vessels of width π_c:
to one level θ where the roles can stand in for each other, to a level each where one is too scarce.
Entropies and divergences are in nats, amounts in tokens. All figures are the same bits on every
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


class Infeasible(ValueError):  # noqa: N818 - the caller speaks of a state, not of an error
    """A budget that can't be met.

    `detail` holds the numbers behind the message: always `reason` ("totals", "entropy_floor",
    "max_kl" or "interval"), and what was asked, what can be reached and what would do.
    """

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, eq=False)
class Solution:
    """Tokens to take: `synthetic[C]`, `human[C]`, and what binds them.

    A cluster between its bounds has n_c = θ·π_c. `shadow_price` is ln(θ_synthetic/θ_human): by how
    many nats, times 1/T, KL(p ‖ π) falls for each synthetic token that is exchanged for a human
    one. It is 0 in slack, negative where it is synthetic text that is scarce, and infinite where
    the first token would go to a cluster that has none. Where the human part is drawn, the price is
    that of a human token that is spread like the others.
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
    weights, low, high = as_columns(weights=weights, low=low, high=high)
    if (wrong := np.flatnonzero(low > high)).size:
        c = wrong[0]
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
    with np.errstate(over="ignore"):  # an infinite break point is one that is never reached
        starts, ends = lows / w, highs / w
    marks = np.sort(np.concatenate([starts, ends]))
    if total >= most:
        return high, float(marks[-1])
    wanted = total - float(low[~movable].sum())

    def poured(theta: float) -> float:
        return float(np.clip(theta * w, lows, highs).sum())

    # Rounding is monotone, so the computed sum is too and the bisection can't be misled.
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
    """π_α ∝ r^α over the clusters that the reference has; they sum to 1. α = 0 is uniform.

    Raises ValueError for a negative α or a reference without mass.
    """
    (r,) = as_columns(reference=reference)
    if not (alpha >= 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha is {alpha}; it must be 0 or more")
    there = r > 0
    if not there.any():
        raise ValueError("the reference has no mass in any cluster")
    logs = log(r[there])
    target = np.zeros_like(r)
    target[there] = exp(alpha * (logs - logs.max()))
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
    the generator is most deficient; "proportional" gives every cluster the same human share. With
    "drawn" the human part is not free at all: it is an even share of what `human_cap` holds, as a
    ledger gives it, and the synthetic part is the best beside it.

    Raises Infeasible where the caps can't hold a total.
    """
    pi, a, b = as_columns(target=target, synthetic_cap=synthetic_cap, human_cap=human_cap)
    X, Y = float(synthetic_tokens), float(human_tokens)
    if split == "drawn":
        return _beside_drawn(pi, a, b, X, Y)
    n, theta = waterfill(pi, np.zeros_like(pi), a + b, X + Y)
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
        raise ValueError(f"split is {split!r}; it must be 'fill', 'proportional' or 'drawn'")
    return Solution(x, y, "slack", 0.0, theta, theta)


def least_repeats(
    solution: Solution,
    synthetic_once: ArrayLike,
    human_once: ArrayLike,
    synthetic_cap: ArrayLike,
    human_cap: ArrayLike,
) -> Solution:
    """The same totals per cluster, split so that as few tokens as possible are repeats.

    In slack the split is free. With n = x + y given, the repeats (x − S)⁺ + (n − x − H)⁺ are fewest
    for x between S and n − H, and grow as fast as x leaves that interval; inside it, or inside what
    lies beyond it where the totals force it out, the synthetic corpus is sampled as evenly as can
    be. In the other regimes the solution is the only one, and is returned as it is.

    Args:
        solution: from `solve`.
        synthetic_once, human_once: tokens[C] S and H of the documents, each once.
        synthetic_cap, human_cap: tokens[C], the caps that it was solved with.
    """
    if solution.regime != "slack":
        return solution
    once, others, a, b = as_columns(
        synthetic_once=synthetic_once,
        human_once=human_once,
        synthetic_cap=synthetic_cap,
        human_cap=human_cap,
    )
    n, X = solution.total, float(solution.synthetic.sum())
    low = np.minimum(np.maximum(n - b, 0.0), a)
    high = np.maximum(np.minimum(a, n), low)
    first = np.clip(np.minimum(once, n - others), low, high)
    last = np.clip(np.maximum(once, n - others), low, high)
    if float(first.sum()) > X:
        last, first = first, low
    elif float(last.sum()) < X:
        first, last = last, high
    X = min(max(X, float(first.sum())), float(last.sum()))
    x, _ = waterfill(a, first, last, X)
    return replace(solution, synthetic=x, human=np.clip(n - x, 0.0, b))


def _log_ratio(above: float, below: float) -> float:
    """ln(above/below), ±∞ where one of them is 0."""
    if above == 0 or below == 0:
        return math.inf if below == 0 else -math.inf
    return float(log(above) - log(below))


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


def _beside_drawn(pi: Floats, a: Floats, b: Floats, X: float, Y: float) -> Solution:
    """The synthetic part beside a human one that is an even share of b: n = clip(θπ, y, y + a).

    A human token more is spread like the others, so it is worth what it lifts on average: its price
    is ln θ − Σ (y_c/Y) ln(n_c/π_c), below 0 where human text lies where there is enough already.
    """
    held = float(b.sum())
    if held * (1 + ROUNDING) < Y:
        raise Infeasible(
            f"{Y:,.0f} human tokens were asked; there are {held:,.0f}",
            reason="totals",
            asked=Y,
            least=0.0,
            most=held,
        )
    y = b * (Y / held) if held else np.zeros_like(b)
    n, theta = waterfill(pi, y, y + a, X + Y)
    there, price = y > 0, 0.0
    if there.any() and theta > 0:
        lifted = log(n[there]) - log(pi[there])
        price = float(log(theta)) - float((y[there] * lifted).sum()) / float(y.sum())
    return Solution(np.clip(n - y, 0.0, a), y, "drawn", price, theta, theta)


def _share_out(weights: Floats, n: Floats, cap: Floats, other_cap: Floats, total: float) -> Floats:
    """A role's part of the totals n that leaves the other role within its cap."""
    low = np.minimum(np.maximum(n - other_cap, 0.0), cap)
    high = np.maximum(np.minimum(cap, n), low)
    # Slack is judged with a tolerance, so the total may lie beside what the bounds hold by as much.
    total = min(max(total, float(low.sum())), float(high.sum()))
    return waterfill(weights, low, high, total)[0]
