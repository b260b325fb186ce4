"""Domains of the budget: their request, their supply and their solution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.schemas import plan as face
from outcross.schemas.budget import DomainPolicy, MaxCopies
from outcross.schemas.config import Config, repeat_caps
from outcross.transforms.base.visible import visible_name
from outcross.transforms.budget.budget import Budget, plan_problem
from outcross.transforms.budget.problem import Problem
from outcross.transforms.budget.waterfill import Infeasible, Split, least_repeats
from outcross.transforms.estimators.entropy import entropy


@dataclass(frozen=True)
class Part:
    """Request and supply of a domain.

    Attributes:
        policy: policy of the domain.
        supply: supply of the domain.
        caps: most copies of its documents.
        mode: treatment of off-support text: keep, cap or drop.
        alpha: tempering at the beginning.
        split: "fill" if the human part is a choice, "drawn" if it is given.
    """

    policy: DomainPolicy
    supply: DomainSupply
    caps: MaxCopies
    mode: str
    alpha: float
    split: Split

    @classmethod
    def of(cls, config: Config, supply: DomainSupply) -> Part:
        """Return the part of a domain.

        Args:
            config: configuration of the run.
            supply: supply of the domain.
        """
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
        """Array float64[C]: human tokens that may be taken."""
        return self.caps.human * self.supply.human

    def synthetic_cap(self, tokens: float) -> NDArray[np.float64]:
        """Return float64[C]: the synthetic tokens that may be taken.

        Args:
            tokens: synthetic tokens of the domain.
        """
        return self.synthetic_caps(tokens)[0]

    def synthetic_caps(self, tokens: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the synthetic tokens that may be taken, and the off-support ones among them.

        Args:
            tokens: synthetic tokens of the domain.

        Returns:
            float64[C] twice.
        """
        off = self.supply.off_support_cap(self.mode, tokens, self.caps.synthetic)
        return self.caps.synthetic * self.supply.synthetic + off, off


@dataclass(frozen=True)
class Drawn:
    """Human part of a domain, drawn before the budget is solved.

    Attributes:
        fresh: float64[C], tokens of fresh text.
        ledger: float64[C], tokens of the ledger.
    """

    fresh: NDArray[np.float64]
    ledger: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Array float64[C]: tokens of both origins."""
        return self.fresh + self.ledger


@dataclass(frozen=True)
class Solved:
    """Solution of a domain.

    Attributes:
        part: request and supply of the domain.
        synthetic_cap: float64[C], synthetic tokens that may be taken.
        off_cap: float64[C], off-support tokens among them.
        synthetic_tokens: synthetic tokens of the solution.
        human_tokens: human tokens of the solution.
        budget: the domain's budget; None where it gets no tokens.
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
        """Number of tokens of both roles."""
        return self.synthetic_tokens + self.human_tokens

    @property
    def alpha(self) -> float:
        """Tempering of the solution."""
        return self.part.alpha if self.budget is None else self.budget.alpha

    @property
    def amounts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pair of arrays float64[C]: synthetic and human tokens by cluster."""
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
    """Solve the budget of one domain.

    Args:
        config: configuration of the run.
        part: request and supply of the domain.
        synthetic_cap: float64[C], synthetic tokens that may be taken.
        off_cap: float64[C], off-support tokens among them.
        synthetic: synthetic tokens of the domain.
        human: human tokens of the domain.
        drawn: the human part where it is drawn; None where it is a choice.

    Raises:
        Infeasible: when the request can't be met; names the domain where there are several.
    """
    ledger = np.zeros_like(off_cap) if drawn is None else drawn.ledger
    human_cap, split = part.human_cap, part.split
    if drawn is not None:
        human_cap, total = drawn.total, synthetic + human
        human = float(human_cap.sum())
        synthetic = min(max(total - human, 0.0), float(synthetic_cap.sum()))
    if synthetic + human <= 0:
        return Solved(part, synthetic_cap, off_cap, 0.0, 0.0, None, ledger)
    supply = part.supply
    floor = config.entropy_floor if part.policy.entropy_floor is None else part.policy.entropy_floor
    try:
        budget = plan_problem(
            Problem.of(
                supply.shares,
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
            raise Infeasible(
                f"domains.{visible_name(supply.name)}: {refusal}", **refusal.detail
            ) from None
        raise
    solution = least_repeats(
        budget.solution, supply.synthetic + off_cap, supply.human, synthetic_cap, human_cap
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
    """Describe a domain for plan.json.

    Args:
        solved: solution of the domain.
        supply: supply of all domains.
        tokens: tokens of all domains.
    """
    domain, budget, human = solved.part.supply, solved.budget, supply.human_reference
    return face.DomainPlan(
        name=domain.name,
        kind=solved.part.policy.kind,
        share=solved.tokens / tokens,
        reference_share=domain.reference_share,
        tokens=solved.tokens,
        synthetic_tokens=solved.synthetic_tokens,
        human_tokens=solved.human_tokens,
        max_copies=solved.part.caps,
        alpha=solved.alpha,
        entropy=None if budget is None else budget.entropy,
        kl=None if budget is None or not human else budget.kl,
        reference_entropy=entropy(domain.shares) if human else None,
        regime=None if budget is None else budget.solution.regime,
        shadow_price=None if budget is None else budget.solution.shadow_price,
    )


def domain_quotas(solved: Solved) -> list[face.Quota]:
    """Return the quotas of a domain; off-support documents get no more than their share.

    Args:
        solved: solution of the domain.
    """
    supply, off_cap, cap = solved.part.supply, solved.off_cap, solved.part.caps.synthetic
    x, y = solved.amounts
    total = supply.synthetic + supply.off_support
    off = np.minimum(off_cap, x * supply.off_support / np.maximum(total, 1.0))
    off = np.maximum(off, x - cap * supply.synthetic)
    off = np.clip(off, 0.0, off_cap)
    columns = {
        "reference_share": supply.reference_share * supply.shares,
        "synthetic_available": supply.synthetic,
        "human_available": supply.human,
        "off_support_available": supply.off_support,
        "synthetic": np.maximum(x - off, 0.0),
        "synthetic_off_support": off,
        "human": y,
        "human_ledger": solved.ledger,
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        face.Quota(domain=supply.name, cluster=c, **dict(zip(columns, row, strict=True)))
        for c, row in enumerate(rows)
    ]
