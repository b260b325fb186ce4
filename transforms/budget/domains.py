"""Budgets of several domains: first the totals of each domain, then one budget for each.

A plan fills cells (domain, cluster), and entropies add up by the chain rule,

    H(domain, cluster) = H(domain) + Σ_d share_d · H(cluster | d).

Divergences from the reference add up in the same way. A run without domains has one domain.
Entropies and divergences are in nats, amounts in tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outcross.schemas.plan import FrontierPoint, Regime
from outcross.transforms.budget.budget import within_caps
from outcross.transforms.budget.generations import lasting_error
from outcross.transforms.budget.problem import Outcome, Problem, SyntheticCap
from outcross.transforms.budget.waterfill import (
    Infeasible,
    Solution,
    Split,
    solve,
    waterfill,
)
from outcross.transforms.estimators.entropy import ROUNDING, Floats, entropy, kl, normalised

FRONTIER_SHARES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.20, 0.30)


@dataclass(frozen=True, eq=False)
class Totals:
    """Tokens of each domain.

    Attributes:
        synthetic: float64[D], synthetic tokens.
        human: float64[D], human tokens.
        warnings: domains that get less than their share.
        refusal: refusal of totals that were cut in best effort; None where they were not.
    """

    synthetic: Floats
    human: Floats
    warnings: list[str]
    refusal: Infeasible | None = None

    @property
    def tokens(self) -> Floats:
        """Add the tokens of both roles: float64[D]."""
        return self.synthetic + self.human


@dataclass(frozen=True, eq=False)
class Division:
    """Shares and supply that decide the totals of the domains.

    Attributes:
        names: names of the domains.
        natural: float64[D], their shares of the reference, above 0 where there is text to take.
        asked: float64[D], the shares of the tokens that are asked for; NaN where none is.
        synthetic_room: float64[D], synthetic tokens that may be taken, repeats included.
        human_room: float64[D], human tokens that may be taken, repeats included.
    """

    names: Sequence[str]
    natural: Floats
    asked: Floats
    synthetic_room: Floats
    human_room: Floats

    def divide(
        self, synthetic_tokens: float, human_tokens: float, *, best_effort: bool = False
    ) -> Totals:
        """Divide the totals among the domains.

        A share that is asked for is met exactly. The other domains come as near to the reference's
        shares, in KL, as their supply allows. This is the projection of a plan's clusters, with
        domains in their place. Human tokens go to every domain in proportion to its tokens. Where a
        domain's human or synthetic text runs out, the other domains get more.

        Args:
            synthetic_tokens: synthetic tokens of all domains together.
            human_tokens: human tokens of all domains together.
            best_effort: cut totals and shares to the supply, and warn.

        Raises:
            Infeasible: the supply doesn't hold a total or a share.
        """
        a, b = self.synthetic_room, self.human_room
        problem = Problem.of(self.natural, a, b, synthetic_tokens, human_tokens)
        problem, refused, warnings = within_caps(problem, best_effort)
        X, Y = problem.synthetic_tokens, problem.human_tokens
        fixed, rest, refusals = self._fixed(X + Y)
        low, high = self._human_bounds(fixed, rest)
        least, most = float(low.sum()), float(high.sum())
        rounding = ROUNDING * (X + Y)
        if not least - rounding <= Y <= most + rounding:
            refusals.append(
                Infeasible(
                    f"with these shares the domains hold {least:,.0f} to {most:,.0f} human tokens, "
                    f"and {Y:,.0f} are to be written",
                    reason="totals",
                    asked=Y,
                    least=least,
                    most=most,
                )
            )
        if refusals:
            if not best_effort:  # all together, as mending one may bring up the next
                raise Infeasible("; ".join(map(str, refusals)), **refusals[0].detail)
            warnings += [str(refusal) for refusal in refusals]
            Y = min(max(Y, least), most)
            X = float(fixed.sum()) + rest - Y
        x, y = np.zeros_like(a), np.zeros_like(a)
        shared, free = self._shared, self._free
        if shared.any():
            Y = min(max(Y, least), most)
            amounts, _ = waterfill(np.append(fixed[shared], rest), low, high, Y)
            y[shared], Y = amounts[:-1], float(amounts[-1])
            x[shared] = np.clip(fixed[shared] - y[shared], 0.0, a[shared])
            X = min(max(X - float(x[shared].sum()), 0.0), float(a[free].sum()))
            Y = min(Y, float(b[free].sum()))
        if rest > 0 and free.sum() == 1:
            x[free], y[free] = X, Y
        elif rest > 0:
            part = solve(self.natural[free], a[free], b[free], X, Y, split="proportional")
            x[free], y[free] = part.synthetic, part.human
        return Totals(x, y, [*warnings, *self._less_than_natural(x + y, rest)], refused)

    def human_range(self, tokens: float) -> tuple[float, float] | None:
        """Return the least and the most human tokens with which the caps hold a total.

        None where the caps can't hold it.
        """
        fixed, rest, refusals = self._fixed(tokens)
        low, high = self._human_bounds(fixed, rest)
        least, most = float(low.sum()), float(high.sum())
        if refusals or least > most + ROUNDING * tokens:
            return None
        return min(least, most), most

    @property
    def _shared(self) -> NDArray[np.bool_]:
        """Mark the domains whose share is asked for."""
        return ~np.isnan(self.asked)

    @property
    def _free(self) -> NDArray[np.bool_]:
        """Mark the domains without an asked share that have text."""
        return np.asarray(~self._shared & (self.synthetic_room + self.human_room > 0))

    def _fixed(self, tokens: float) -> tuple[Floats, float, list[Infeasible]]:
        """Fix the tokens of the domains with a share.

        Returns:
            float64[D] of these domains, the tokens left to the other domains, and refusals.
        """
        room, shared = self.synthetic_room + self.human_room, self._shared
        fixed = np.where(shared, self.asked * tokens, 0.0)
        refusals = []
        for d in np.flatnonzero(fixed > room * (1 + ROUNDING)).tolist():
            share, supply = float(self.asked[d]), float(room[d])
            refusals.append(
                Infeasible(
                    f"domains.{self.names[d]}.share: {share:g} of {tokens:,.0f} tokens is "
                    f"{fixed[d]:,.0f}, and its documents hold {supply:,.0f}, repeats included; a "
                    f"share of {_round_down(supply / tokens):g} would do, or "
                    f"{math.floor(supply / share):,} tokens in all",
                    reason="totals",
                    domain=self.names[d],
                    asked=float(fixed[d]),
                    available=supply,
                )
            )
        fixed = np.where(shared, np.minimum(fixed, room), 0.0)
        rest = max(tokens - float(fixed.sum()), 0.0)
        if shared.any() and rest <= ROUNDING * tokens:
            rest = 0.0
        supply = float(room[self._free].sum())
        if rest > supply * (1 + ROUNDING):
            refusals.append(
                Infeasible(
                    f"domains: {rest:,.0f} of {tokens:,.0f} tokens are left to the domains without "
                    f"a share, whose documents hold {supply:,.0f}, repeats included; "
                    + (
                        f"shares that sum to {-_round_down(supply / tokens - 1):g} would do"
                        if shared.any()
                        else f"{supply:,.0f} tokens in all would do"
                    ),
                    reason="totals",
                    asked=rest,
                    available=supply,
                )
            )
            rest = supply
        return fixed, rest, refusals

    def _human_bounds(self, fixed: Floats, rest: float) -> tuple[Floats, Floats]:
        """Bound the human tokens of each domain with a share, and of the other domains together.

        Returns:
            Least and most human tokens. The last entry is that of the other domains.
        """
        shared, free = self._shared, self._free
        tokens = np.append(fixed[shared], rest)
        a = np.append(self.synthetic_room[shared], self.synthetic_room[free].sum())
        b = np.append(self.human_room[shared], self.human_room[free].sum())
        low = np.maximum(tokens - a, 0.0)
        return low, np.maximum(np.minimum(tokens, b), low)

    def _less_than_natural(self, tokens: Floats, rest: float) -> list[str]:
        """Warn of the domains that get less than their share of the reference."""
        total = float(tokens.sum())
        unasked = ~self._shared
        natural = np.where(unasked, self.natural, 0.0)
        if rest <= 0 or not natural.any():
            return []
        wanted = natural / natural.sum() * rest
        return [
            f"domains: {self.names[d]!r} gets {tokens[d] / total:.1%} of the tokens, not "
            f"{wanted[d] / total:.1%} as in the reference: it holds "
            f"{self.synthetic_room[d]:,.0f} synthetic and {self.human_room[d]:,.0f} human tokens, "
            "repeats included"
            for d in np.flatnonzero(unasked & (tokens < 0.99 * wanted)).tolist()
        ]


@dataclass(frozen=True, eq=False)
class DomainProblem:
    """A domain's budget without its totals.

    Attributes:
        reference: float64[C], shares of the clusters within the domain.
        synthetic_cap: maps a synthetic total to the tokens[C] that may be taken.
        human_cap: float64[C], human tokens that may be taken.
        alpha: tempering of the target.
        lifted: whether its tails are lifted; in a domain that is meant to converge they aren't.
        split: see `solve`.
    """

    reference: Floats
    synthetic_cap: SyntheticCap
    human_cap: Floats
    alpha: float
    lifted: bool = True
    split: Split = "fill"

    def with_totals(self, synthetic_tokens: float, human_tokens: float) -> Problem:
        """Make the problem for totals above 0."""
        return Problem.of(
            self.reference,
            self.synthetic_cap(synthetic_tokens),
            self.human_cap,
            synthetic_tokens,
            human_tokens,
            split=self.split,
            cap_of=self.synthetic_cap,
        )


def frontier(
    domains: Sequence[DomainProblem],
    division: Division,
    tokens: float,
    shares: Sequence[float] = FRONTIER_SHARES,
    fresh: bool = True,
) -> list[FrontierPoint]:
    """Compute the entropy and divergence that each human share of a total would reach.

    Args:
        domains: domains in the division's order.
        division: shares and supply of the domains. Its synthetic room is replaced by each point's.
        tokens: synthetic and human tokens together.
        shares: human shares of the total.
        fresh: False if human text comes again in later generations, as that of a ledger does.
    """
    points = []
    for share in shares:
        human = share * tokens
        synthetic = (1 - share) * tokens
        room = np.array([float(domain.synthetic_cap(synthetic).sum()) for domain in domains])
        at_share = replace(division, synthetic_room=room)
        bounds = at_share.human_range(tokens)
        nearest = min(max(human, bounds[0]), bounds[1]) if bounds else None
        try:
            totals = at_share.divide(synthetic, human)
            figures = _frontier_figures(domains, at_share, totals)
        except Infeasible as refusal:
            figures = {"reason": str(refusal)}
        points.append(
            FrontierPoint(
                human_share=share,
                human_tokens=human,
                reachable_human_tokens=nearest,
                reachable="reason" not in figures,
                lasting_error=lasting_error(share, max(tokens, 1.0)) if fresh else None,
                **figures,
            )
        )
    return points


def _frontier_figures(
    domains: Sequence[DomainProblem], division: Division, totals: Totals
) -> dict[str, Any]:
    """Compute the figures of a reachable point: entropies, divergences, regime and price."""
    outcomes: list[Outcome] = []
    entropies, divergences = [], []
    filled = totals.tokens > 0
    for d in np.flatnonzero(filled).tolist():
        domain = domains[d]
        problem = domain.with_totals(float(totals.synthetic[d]), float(totals.human[d]))
        widest = 0.0 if domain.lifted else 1.0
        at = {alpha: problem.at(alpha) for alpha in {domain.alpha, 1.0, widest}}
        outcomes.append(at[domain.alpha])
        divergences.append(at[1.0].kl)
        entropies.append(at[widest].entropy)
    tokens, natural = totals.tokens, division.natural
    regime, price = joint_regime([outcome.solution for outcome in outcomes], tokens[filled])
    return {
        "entropy": chained_entropy(tokens, [outcome.entropy for outcome in outcomes]),
        "kl": chained_kl(tokens, natural, [outcome.kl for outcome in outcomes]),
        "highest_entropy": chained_entropy(tokens, entropies),
        "lowest_kl": chained_kl(tokens, natural, divergences),
        "regime": regime,
        "shadow_price": price,
    }


def _round_down(share: float) -> float:
    """Round a share down to four digits, so that the advised share can be held."""
    return math.floor(share * 10_000 + 1e-6) / 10_000


def chained_entropy(tokens: ArrayLike, entropies: Sequence[float]) -> float:
    """Compute H(domain, cluster) by the chain rule.

    Args:
        tokens: float64[D], tokens of each domain.
        entropies: entropy over clusters of each domain that has tokens, in their order.
    """
    return entropy(tokens) + _mean(tokens, entropies)


def chained_kl(tokens: ArrayLike, natural: ArrayLike, divergences: Sequence[float]) -> float:
    """Compute the KL of (domain, cluster) from the reference by the chain rule.

    Args:
        tokens: float64[D], tokens of each domain.
        natural: float64[D], the domains' shares of the reference.
        divergences: divergence over clusters of each domain that has tokens, in their order.
    """
    return kl(tokens, natural) + _mean(tokens, divergences)


def _mean(tokens: ArrayLike, figures: Sequence[float]) -> float:
    share = normalised(tokens, "tokens")
    return math.fsum(s * figure for s, figure in zip(share[share > 0], figures, strict=True))


def joint_regime(solutions: Sequence[Solution], tokens: ArrayLike) -> tuple[Regime, float]:
    """Find the regime of all domains, and the price of a human token shared out among them.

    One more token, shared out in proportion, saves the mean of the prices, weighted by tokens.

    Args:
        solutions: solutions of the domains that have tokens.
        tokens: float64[n], tokens of these domains.
    """
    prices = [solution.shadow_price for solution in solutions]
    infinite = [price for price in prices if math.isinf(price)]
    price = max(infinite) if infinite else _mean(tokens, prices)
    regimes = {solution.regime for solution in solutions}
    if len(regimes) == 1:  # always so where the human part is drawn
        return regimes.pop(), price
    if price == 0:
        return "slack", price
    return ("human-bound" if price > 0 else "synthetic-bound"), price
