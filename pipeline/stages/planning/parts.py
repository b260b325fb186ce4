"""A domain's part of the budget: what is wanted of it, what there is, and its own solution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.schemas import plan as face
from outcross.schemas.budget import DomainPolicy, MaxCopies
from outcross.schemas.config import Config, repeat_caps
from outcross.transforms.budget.budget import Budget, plan_problem
from outcross.transforms.budget.problem import Problem
from outcross.transforms.budget.waterfill import Infeasible, Split, least_repeats
from outcross.transforms.estimators.entropy import entropy


@dataclass(frozen=True)
class Part:
    """A domain's part of the budget: what is wanted of it, and what there is.

    Attributes:
        policy, supply: of the domain.
        caps: how often its documents may appear.
        mode: what becomes of off-support text.
        alpha: the tempering that it begins with.
        split: whether the human part is a choice, or drawn.
    """

    policy: DomainPolicy
    supply: DomainSupply
    caps: MaxCopies
    mode: str
    alpha: float
    split: Split

    @classmethod
    def of(cls, config: Config, supply: DomainSupply) -> Part:
        policy = config.domains.get(supply.name, DomainPolicy())
        open_ = policy.kind == "open"
        alpha = config.alpha if policy.alpha is None else policy.alpha
        return cls(
            policy,
            supply,
            repeat_caps(config) if open_ else MaxCopies(synthetic=1, human=1),
            config.off_support,
            alpha if open_ else 1.0,
            "fill" if config.lineage is None else "drawn",
        )

    @property
    def human_cap(self) -> NDArray[np.float64]:
        return self.caps.human * self.supply.human

    def synthetic_cap(self, tokens: float) -> NDArray[np.float64]:
        """Synthetic tokens that may be taken, for a total."""
        return self.synthetic_caps(tokens)[0]

    def synthetic_caps(self, tokens: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Synthetic tokens that may be taken, and off-support ones among them, for a total."""
        off = self.supply.off_support_cap(self.mode, tokens, self.caps.synthetic)
        return self.caps.synthetic * self.supply.synthetic + off, off


@dataclass(frozen=True)
class Drawn:
    """A domain's human part that was drawn: float64[C] of fresh text and of a ledger's."""

    fresh: NDArray[np.float64]
    ledger: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        return self.fresh + self.ledger


@dataclass(frozen=True)
class Solved:
    """A domain's budget, solved.

    Attributes:
        part: what was to be solved.
        synthetic_cap, off_cap: float64[C], tokens that may be taken, and off-support among them.
        synthetic_tokens, human_tokens: that it comes to.
        budget: None where it gets no tokens.
        ledger: float64[C], human tokens that come from a ledger.
    """

    part: Part
    synthetic_cap: NDArray[np.float64]
    off_cap: NDArray[np.float64]
    synthetic_tokens: float
    human_tokens: float
    budget: Budget | None
    ledger: NDArray[np.float64]

    @property
    def tokens(self) -> float:
        return self.synthetic_tokens + self.human_tokens

    @property
    def alpha(self) -> float:
        return self.part.alpha if self.budget is None else self.budget.alpha

    @property
    def amounts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Synthetic and human tokens by cluster."""
        if self.budget is None:
            nothing = np.zeros_like(self.off_cap)
            return nothing, nothing
        return self.budget.solution.synthetic, self.budget.solution.human


def solve_part(
    config: Config,
    part: Part,
    synthetic_cap: NDArray[np.float64],
    off_cap: NDArray[np.float64],
    synthetic: float,
    human: float,
    drawn: Drawn | None = None,
) -> Solved:
    """One domain's budget, by itself.

    Args:
        config: of the run.
        part: of the domain.
        synthetic_cap, off_cap: float64[C], of `Part.synthetic_caps`.
        synthetic, human: the domain's tokens.
        drawn: the human part, where it is no choice.

    Raises:
        Infeasible: naming the domain where there are any.
    """
    ledger = np.zeros_like(off_cap) if drawn is None else drawn.ledger
    human_cap, split = part.human_cap, part.split
    if drawn is not None:
        human_cap, asked = drawn.total, synthetic + human
        human = float(human_cap.sum())
        synthetic = min(max(asked - human, 0.0), float(synthetic_cap.sum()))
    if synthetic + human <= 0:
        return Solved(part, synthetic_cap, off_cap, 0.0, 0.0, None, ledger)
    there = part.supply
    floor = config.entropy_floor if part.policy.entropy_floor is None else part.policy.entropy_floor
    try:
        budget = plan_problem(
            Problem.of(
                there.shares,
                synthetic_cap,
                human_cap,
                synthetic,
                human,
                split=split,
                cap_of=part.synthetic_cap,
            ),
            alpha=part.alpha,
            entropy_floor=floor,
            max_kl=config.max_kl,
            best_effort=config.best_effort,
        )
    except Infeasible as refusal:
        if config.domains:
            raise Infeasible(f"domains.{there.name}: {refusal}", **refusal.detail) from None
        raise
    solution = least_repeats(
        budget.solution, there.synthetic + off_cap, there.human, synthetic_cap, human_cap
    )
    budget = replace(budget, solution=solution)
    return Solved(
        part,
        synthetic_cap,
        off_cap,
        float(solution.synthetic.sum()),
        float(solution.human.sum()),
        budget,
        ledger,
    )


def domain_plan(solved: Solved, supply: Supply, tokens: float) -> face.DomainPlan:
    """What plan.json says of a domain.

    Args:
        solved: the domain.
        supply: of all domains.
        tokens: of all domains.
    """
    there, budget, human = solved.part.supply, solved.budget, supply.human_reference
    return face.DomainPlan(
        name=there.name,
        kind=solved.part.policy.kind,
        share=solved.tokens / tokens,
        reference_share=there.reference_share,
        tokens=solved.tokens,
        synthetic_tokens=solved.synthetic_tokens,
        human_tokens=solved.human_tokens,
        max_copies=solved.part.caps,
        alpha=solved.alpha,
        entropy=None if budget is None else budget.entropy,
        kl=None if budget is None or not human else budget.kl,
        reference_entropy=entropy(there.shares) if human else None,
        regime=None if budget is None else budget.solution.regime,
        shadow_price=None if budget is None else budget.solution.shadow_price,
    )


def domain_quotas(solved: Solved) -> list[face.Quota]:
    """Splits each cluster's synthetic quota: off-support documents get no more than their part."""
    there, off_cap, cap = solved.part.supply, solved.off_cap, solved.part.caps.synthetic
    x, y = solved.amounts
    held = there.synthetic + there.off_support
    off = np.minimum(off_cap, x * there.off_support / np.maximum(held, 1.0))
    off = np.maximum(off, x - cap * there.synthetic)
    off = np.clip(off, 0.0, off_cap)
    columns = {
        "reference_share": there.reference_share * there.shares,
        "synthetic_available": there.synthetic,
        "human_available": there.human,
        "off_support_available": there.off_support,
        "synthetic": np.maximum(x - off, 0.0),
        "synthetic_off_support": off,
        "human": y,
        "human_ledger": solved.ledger,
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        face.Quota(domain=there.name, cluster=c, **dict(zip(columns, row, strict=True)))
        for c, row in enumerate(rows)
    ]
