"""What was written against the plan: tokens, copies and entropies, and the promises about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.reporting import figures
from outcross.pipeline.stages.select import Selected
from outcross.pipeline.stages.sketch import Sketched
from outcross.schemas.config import Config
from outcross.schemas.plan import DomainPlan, Plan
from outcross.schemas.report import Achieved, AchievedDomain
from outcross.schemas.sources import WRITABLE
from outcross.schemas.user_input import ConfigError
from outcross.transforms.budget.problem import TOLERANCE
from outcross.transforms.estimators.entropy import ROUNDING, entropy, kl
from outcross.transforms.measuring.diversity import Diversity

_DOCUMENTS_A_CELL = 20  # from which rounding to whole documents hardly moves the entropy
_ENTROPY_GAP = 0.01


@dataclass(frozen=True)
class _Written:
    """Documents that were written, as columns of n rows, in the cells of the plan.

    Attributes:
        copies: int64[n], at least 1.
        tokens: int64[n], of all copies together.
        domain, cluster: int64[n], places in the plan.
        human: bool[n].
        shape: how many domains and clusters there are.
    """

    copies: NDArray[np.int64]
    tokens: NDArray[np.int64]
    domain: NDArray[np.int64]
    cluster: NDArray[np.int64]
    human: NDArray[np.bool_]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls, sketched: Sketched, clustered: Clustered, copies: NDArray[np.int32], made: Plan
    ) -> _Written:
        rows = np.flatnonzero(copies)
        domain = sketched.domains([one.name for one in made.domains])
        often = copies[rows].astype(np.int64)
        return cls(
            often,
            often * sketched.tokens[rows],
            domain[rows].astype(np.int64),
            clustered.cluster[rows].astype(np.int64),
            sketched.of_role("human")[rows],
            (len(made.domains), clustered.reference.codebook.size),
        )

    @property
    def cell(self) -> NDArray[np.int64]:
        return self.domain * self.shape[1] + self.cluster

    @property
    def by_cell(self) -> NDArray[np.float64]:
        """float64[D, C], tokens."""
        counted = np.bincount(self.cell, self.tokens, self.shape[0] * self.shape[1])
        return counted.astype(np.float64).reshape(self.shape)

    def most_copies(self, domain: int, human: bool) -> int:
        return int(self.copies[(self.domain == domain) & (self.human == human)].max(initial=0))


def measure_achieved(
    context: Context,
    sketched: Sketched,
    clustered: Clustered,
    planned: Planned,
    selected: Selected,
    written: Mapping[str, Diversity],
) -> Achieved:
    """What stands in data/, against the plan.

    Raises:
        RunError: when the budget was missed, or a document stands there too often.
    """
    made = planned.plan
    tokens = {role: int(part.counts.tokens.sum()) for role, part in written.items()}
    found = _Written.of(sketched, clustered, selected.copies, made)
    cells = found.by_cell
    shares = [quota.reference_share for quota in made.quotas]
    achieved = Achieved(
        tokens=tokens["all"],
        synthetic_tokens=tokens["synthetic"],
        human_tokens=tokens["human"],
        human_share=figures.human_share(written),
        planned_human_tokens=made.reached.human_tokens,
        planned_tokens=made.reached.tokens,
        longest_document=int(sketched.tokens[selected.copies > 0].max(initial=0)),
        entropy=_entropy(cells),
        planned_entropy=made.reached.entropy,
        domain_entropy=_entropy(cells.sum(axis=1)),
        kl=kl(cells.ravel(), shares) if clustered.reference.human and cells.any() else None,
        domains=[
            _domain(
                one, own, int(found.tokens[found.human & (found.domain == number)].sum()), cells
            )
            for number, (one, own) in enumerate(zip(made.domains, cells, strict=True))
        ],
        most_copies=int(selected.copies.max(initial=0)),
    )
    _check_promises(context, found, made, achieved)
    _check_limits(context, achieved)
    _check_entropy(context, found, achieved)
    return achieved


def _entropy(tokens: NDArray[np.float64]) -> float | None:
    return entropy(tokens.ravel()) if tokens.any() else None


def _domain(
    planned: DomainPlan, own: NDArray[np.float64], human: int, cells: NDArray[np.float64]
) -> AchievedDomain:
    return AchievedDomain(
        name=planned.name,
        kind=planned.kind,
        tokens=int(own.sum()),
        share=float(own.sum()) / max(float(cells.sum()), 1.0),
        human_tokens=human,
        planned_tokens=planned.tokens,
        planned_human_tokens=planned.human_tokens,
        entropy=_entropy(own),
        planned_entropy=planned.entropy,
    )


def check_budget(
    context: Context, sketched: Sketched, planned: Planned, selected: Selected
) -> None:
    """Check what was chosen against what was asked, before any of it is written.

    With `best_effort` what is missed is a warning.

    Args:
        context, sketched, planned, selected: of the run.

    Raises:
        ConfigError: when the tokens or the human part are missed.
    """
    chosen = selected.copies * sketched.tokens
    longest = int(sketched.tokens[selected.copies > 0].max(initial=0))
    human = int(chosen[sketched.of_role("human")].sum())
    said = missed(context.config, planned.plan, int(chosen.sum()), human, longest)
    if said and not context.config.best_effort:
        raise ConfigError(
            f"{said[0]}; ask for another amount, or take the nearest there is with best_effort"
        )
    for line in said:
        context.warn(line)


def missed(config: Config, plan: Plan, tokens: int, human: int, longest: int) -> list[str]:
    """Say where tokens differ from what was asked by more than half of the longest document.

    What wasn't asked for is compared with what the plan has by default. With a lineage the human
    part is drawn before the plan, which says where it is less than was asked.

    Args:
        config: of the run.
        plan: of the run.
        tokens, human: that are written.
        longest: tokens of the longest document that is written.
    """
    total = plan.reached.tokens if config.tokens is None else float(config.tokens)
    part, key = plan.reached.human_tokens, "human_share"
    if config.human_tokens is not None:
        key = "human_tokens"
    if config.lineage is None and config.human_tokens is not None:
        part = float(config.human_tokens)
    elif config.lineage is None and "human_share" in config.model_fields_set:
        part = config.human_share * total
    said = []
    for name, what, written, wanted in (
        ("tokens", "", tokens, total),
        (key, " human", human, part),
    ):
        if abs(written - wanted) > longest / 2 + ROUNDING * wanted:
            said.append(
                f"{name}: {written:,}{what} tokens are written where {wanted:,.0f} were to be, and "
                f"no document fits what is missing (half of the longest one written is "
                f"{longest / 2:,.0f})"
            )
    return said


def _check_promises(context: Context, found: _Written, made: Plan, achieved: Achieved) -> None:
    config = context.config
    said = missed(config, made, achieved.tokens, achieved.human_tokens, achieved.longest_document)
    if said and not config.best_effort:
        raise RunError(said[0])
    for role in WRITABLE:
        for number, one in enumerate(made.domains):
            most, cap = found.most_copies(number, role == "human"), getattr(one.max_copies, role)
            if most > cap:
                where = "" if len(made.domains) == 1 else f" of the domain {one.name!r}"
                raise RunError(
                    f"a {role} document{where} was written {most} times; its cap is {cap}"
                )


def _check_limits(context: Context, achieved: Achieved) -> None:
    config = context.config
    if achieved.entropy is None or not achieved.planned_entropy:
        return
    rounding = "the plan keeps to it, whole documents don't quite"
    if config.max_kl is not None and (achieved.kl or 0.0) > config.max_kl + TOLERANCE:
        context.warn(
            f"the KL written, {achieved.kl:.6f}, is above max_kl {config.max_kl}: {rounding}"
        )
    floors = [("", config.entropy_floor, achieved.entropy)]
    for one in achieved.domains:
        policy = config.domains.get(one.name)
        if policy is not None and one.entropy is not None:
            floors.append((f"domains.{one.name}: ", policy.entropy_floor, one.entropy))
    for where, floor, reached in floors:
        if floor is not None and reached < floor - TOLERANCE:
            context.warn(
                f"{where}the entropy written, {reached:.6f} nats, is below entropy_floor "
                f"{floor}: {rounding}"
            )


def _check_entropy(context: Context, found: _Written, achieved: Achieved) -> None:
    if achieved.entropy is None or not achieved.planned_entropy:
        return
    gap = abs(achieved.entropy - achieved.planned_entropy) / achieved.planned_entropy
    if gap > _ENTROPY_GAP:
        mean = int(found.copies.sum()) / len(np.unique(found.cell))
        why = (
            f"clusters hold {mean:.1f} documents on average, too few for whole documents to meet "
            "their quotas"
            if mean < _DOCUMENTS_A_CELL
            else "documents are too unequal in length for their clusters' quotas"
        )
        context.warn(
            f"the entropy written, {achieved.entropy:.4f} nats, is {gap:.1%} off the plan's "
            f"{achieved.planned_entropy:.4f}: {why}"
        )
