"""Domains: the totals of each are fixed first, then each is a budget of its own.

What is planned lies in cells (domain, cluster), and entropies add up by the chain rule,

    H(domain, cluster) = H(domain) + Σ_d share_d · H(cluster | d),

and divergences from the reference likewise. Without domains there is one, and all of this is its
budget. Entropies and divergences are in nats, amounts in tokens.
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
    """Tokens of each domain, `synthetic[D]` and `human[D]`, and what has to be said about them."""

    synthetic: Floats
    human: Floats
    warnings: list[str]

    @property
    def tokens(self) -> Floats:
        return self.synthetic + self.human


@dataclass(frozen=True, eq=False)
class Division:
    """What decides the totals of the domains.

    Attributes:
        names: of the domains.
        natural: float64[D], their shares of the reference, above 0 where there is text to take.
        asked: float64[D], the shares of the tokens that are asked for; NaN where none is.
        synthetic_room, human_room: float64[D], tokens that may be taken, repeats included.
    """

    names: Sequence[str]
    natural: Floats
    asked: Floats
    synthetic_room: Floats
    human_room: Floats

    def divide(
        self, synthetic_tokens: float, human_tokens: float, *, best_effort: bool = False
    ) -> Totals:
        """Synthetic and human tokens for each domain.

        A share that is asked for is met exactly. The other domains are as near to the reference's
        shares as what they hold allows, in KL: the same projection as of a plan's clusters, with
        domains in their place. Human tokens go to every domain in proportion to its tokens, except
        where its text runs out (either the human or the synthetic): the others then get more.

        Args:
            synthetic_tokens, human_tokens: of all domains together.
            best_effort: cut what can't be held, and say so.

        Raises Infeasible, with the numbers that would do.
        """
        a, b = self.synthetic_room, self.human_room
        problem = Problem.of(self.natural, a, b, synthetic_tokens, human_tokens)
        problem, warnings = within_caps(problem, best_effort)
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
            if not best_effort:  # all at once, as what mends one may meet the next
                raise Infeasible("; ".join(map(str, refusals)), **refusals[0].detail)
            warnings += [str(refusal) for refusal in refusals]
            Y = min(max(Y, least), most)
            X = float(fixed.sum()) + rest - Y
        x, y = np.zeros_like(a), np.zeros_like(a)
        given, free = self._given, self._free
        if given.any():
            Y = min(max(Y, least), most)
            amounts, _ = waterfill(np.append(fixed[given], rest), low, high, Y)
            y[given], Y = amounts[:-1], float(amounts[-1])
            x[given] = np.clip(fixed[given] - y[given], 0.0, a[given])
            X = min(max(X - float(x[given].sum()), 0.0), float(a[free].sum()))
            Y = min(Y, float(b[free].sum()))
        if rest > 0 and free.sum() == 1:
            x[free], y[free] = X, Y
        elif rest > 0:
            part = solve(self.natural[free], a[free], b[free], X, Y, split="proportional")
            x[free], y[free] = part.synthetic, part.human
        return Totals(x, y, [*warnings, *self._less_than_natural(x + y, rest)])

    def human_range(self, tokens: float) -> tuple[float, float] | None:
        """Least and most human tokens with which the caps hold a total; None if they can't."""
        fixed, rest, refusals = self._fixed(tokens)
        low, high = self._human_bounds(fixed, rest)
        least, most = float(low.sum()), float(high.sum())
        if refusals or least > most + ROUNDING * tokens:
            return None
        return min(least, most), most

    @property
    def _given(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.asked)

    @property
    def _free(self) -> NDArray[np.bool_]:
        return np.asarray(~self._given & (self.synthetic_room + self.human_room > 0))

    def _fixed(self, tokens: float) -> tuple[Floats, float, list[Infeasible]]:
        """Tokens of the domains with a share, those left to the others, what can't be held."""
        room, given = self.synthetic_room + self.human_room, self._given
        fixed = np.where(given, self.asked * tokens, 0.0)
        refusals = []
        for d in np.flatnonzero(fixed > room * (1 + ROUNDING)).tolist():
            share, held = float(self.asked[d]), float(room[d])
            refusals.append(
                Infeasible(
                    f"domains.{self.names[d]}.share: {share:g} of {tokens:,.0f} tokens is "
                    f"{fixed[d]:,.0f}, and its documents hold {held:,.0f}, repeats included; a "
                    f"share of {_floored(held / tokens):g} would do, or "
                    f"{math.floor(held / share):,} tokens in all",
                    reason="totals",
                    domain=self.names[d],
                    asked=float(fixed[d]),
                    available=held,
                )
            )
        fixed = np.where(given, np.minimum(fixed, room), 0.0)
        rest = max(tokens - float(fixed.sum()), 0.0)
        if given.any() and rest <= ROUNDING * tokens:
            rest = 0.0
        held = float(room[self._free].sum())
        if rest > held * (1 + ROUNDING):
            refusals.append(
                Infeasible(
                    f"domains: {rest:,.0f} of {tokens:,.0f} tokens are left to the domains without "
                    f"a share, whose documents hold {held:,.0f}, repeats included; "
                    + (
                        f"shares that sum to {-_floored(held / tokens - 1):g} would do"
                        if given.any()
                        else f"{held:,.0f} tokens in all would do"
                    ),
                    reason="totals",
                    asked=rest,
                    available=held,
                )
            )
            rest = held
        return fixed, rest, refusals

    def _human_bounds(self, fixed: Floats, rest: float) -> tuple[Floats, Floats]:
        """Human tokens that each domain with a share, and at last the others together, can have."""
        given, free = self._given, self._free
        tokens = np.append(fixed[given], rest)
        a = np.append(self.synthetic_room[given], self.synthetic_room[free].sum())
        b = np.append(self.human_room[given], self.human_room[free].sum())
        low = np.maximum(tokens - a, 0.0)
        return low, np.maximum(np.minimum(tokens, b), low)

    def _less_than_natural(self, tokens: Floats, rest: float) -> list[str]:
        """The domains that don't get what the reference has of them."""
        total = float(tokens.sum())
        others = ~self._given
        natural = np.where(others, self.natural, 0.0)
        if rest <= 0 or not natural.any():
            return []
        wanted = natural / natural.sum() * rest
        return [
            f"domains: {self.names[d]!r} gets {tokens[d] / total:.1%} of the tokens, not "
            f"{wanted[d] / total:.1%} as in the reference: it holds "
            f"{self.synthetic_room[d]:,.0f} synthetic and {self.human_room[d]:,.0f} human tokens, "
            "repeats included"
            for d in np.flatnonzero(others & (tokens < 0.99 * wanted)).tolist()
        ]


@dataclass(frozen=True, eq=False)
class DomainProblem:
    """A domain's budget without its totals: r_d[C], caps[C], and its α.

    Attributes:
        synthetic_cap: for each synthetic total.
        lifted: whether its tails are lifted; in a domain that is meant to converge they aren't.
        split: of `solve`.
    """

    reference: Floats
    synthetic_cap: SyntheticCap
    human_cap: Floats
    alpha: float
    lifted: bool = True
    split: Split = "fill"

    def with_totals(self, synthetic_tokens: float, human_tokens: float) -> Problem:
        """The problem for totals above 0."""
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
) -> list[FrontierPoint]:
    """What each human share would reach with `tokens` in all.

    Args:
        domains: in the division's order.
        division: of the totals; its synthetic room is that of each point's own total.
        tokens: synthetic and human ones together.
        shares: human ones.
    """
    points = []
    for share in shares:
        human = share * tokens
        synthetic = (1 - share) * tokens
        room = np.array([float(domain.synthetic_cap(synthetic).sum()) for domain in domains])
        there = replace(division, synthetic_room=room)
        bounds = there.human_range(tokens)
        nearest = min(max(human, bounds[0]), bounds[1]) if bounds else None
        try:
            totals = there.divide(synthetic, human)
            figures = _frontier_figures(domains, there, totals)
        except Infeasible as refusal:
            figures = {"reason": str(refusal)}
        points.append(
            FrontierPoint(
                human_share=share,
                human_tokens=human,
                reachable_human_tokens=nearest,
                reachable="reason" not in figures,
                **figures,
            )
        )
    return points


def _frontier_figures(
    domains: Sequence[DomainProblem], division: Division, totals: Totals
) -> dict[str, Any]:
    """Compute the figures of a reachable point: entropies, divergences, regime and price."""
    at_own: list[Outcome] = []
    highest, nearest = [], []
    filled = totals.tokens > 0
    for d in np.flatnonzero(filled).tolist():
        domain = domains[d]
        problem = domain.with_totals(float(totals.synthetic[d]), float(totals.human[d]))
        at_own.append(problem.at(domain.alpha))
        nearest.append(problem.at(1.0).kl)
        highest.append(problem.at(0.0 if domain.lifted else 1.0).entropy)
    tokens, natural = totals.tokens, division.natural
    regime, price = binding([outcome.solution for outcome in at_own], tokens[filled])
    return {
        "entropy": chained_entropy(tokens, [outcome.entropy for outcome in at_own]),
        "kl": chained_kl(tokens, natural, [outcome.kl for outcome in at_own]),
        "highest_entropy": chained_entropy(tokens, highest),
        "lowest_kl": chained_kl(tokens, natural, nearest),
        "regime": regime,
        "shadow_price": price,
    }


def _floored(share: float) -> float:
    """A share to four digits, and no more than it is: what would do has to do."""
    return math.floor(share * 10_000 + 1e-6) / 10_000


def chained_entropy(tokens: ArrayLike, entropies: Sequence[float]) -> float:
    """H(domain, cluster), by the chain rule.

    Args:
        tokens: float64[D], of each domain.
        entropies: over clusters, of the domains that have tokens, in their order.
    """
    return entropy(tokens) + _mean(tokens, entropies)


def chained_kl(tokens: ArrayLike, natural: ArrayLike, divergences: Sequence[float]) -> float:
    """KL of (domain, cluster) from the reference, by the chain rule.

    Args:
        tokens: float64[D], of each domain.
        natural: float64[D], the domains' shares of the reference.
        divergences: over clusters, of the domains that have tokens, in their order.
    """
    return kl(tokens, natural) + _mean(tokens, divergences)


def _mean(tokens: ArrayLike, figures: Sequence[float]) -> float:
    share = normalised(tokens, "tokens")
    return math.fsum(s * figure for s, figure in zip(share[share > 0], figures, strict=True))


def binding(solutions: Sequence[Solution], tokens: ArrayLike) -> tuple[Regime, float]:
    """What binds domains together, and the price of a human token that is shared out among them.

    A token more in each domain's proportion saves the mean of their prices, weighted by tokens.

    Args:
        solutions: of the domains that have tokens.
        tokens: float64, theirs.
    """
    prices = [solution.shadow_price for solution in solutions]
    infinite = [price for price in prices if math.isinf(price)]
    price = max(infinite) if infinite else _mean(tokens, prices)
    regimes = {solution.regime for solution in solutions}
    if len(regimes) == 1:  # as where the human part is drawn: then it is of every domain
        return regimes.pop(), price
    if price == 0:
        return "slack", price
    return ("human-bound" if price > 0 else "synthetic-bound"), price
