"""Written tokens, copies and entropies against the plan, and the checks of its promises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.reporting import figures
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.write import Written
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.plan import DomainPlan, Plan
from outcross.schemas.report import Achieved, AchievedDomain
from outcross.schemas.sources import WRITABLE
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.visible import visible_name
from outcross.transforms.budget.generations import lasting_error
from outcross.transforms.budget.problem import TOLERANCE
from outcross.transforms.estimators.entropy import ROUNDING, entropy, kl
from outcross.transforms.measuring.totals import ROLES, CellSums

_DOCUMENTS_A_CELL = 20  # from here on rounding to whole documents hardly moves the entropy
_ENTROPY_GAP = 0.01


@dataclass(frozen=True)
class _Cells:
    """Written documents in the cells of the plan; its D domains, its C clusters and two roles.

    Attributes:
        tokens: int64[D, 2, C], tokens of all copies; roles as in `ROLES`.
        rows: int64[D, 2, C], copies.
        copies: int64[D, 2], most copies of a document.
    """

    tokens: NDArray[np.int64]
    rows: NDArray[np.int64]
    copies: NDArray[np.int64]

    @classmethod
    def of(cls, selected: Selected, counted: Counted) -> _Cells:
        """Return the cells of a run's documents."""
        clusters = selected.clustered.reference.codebook.size
        names = sorted({*selected.config.domains, OTHERS})
        nothing = CellSums.empty(clusters)
        cells = [
            counted.totals.cells.get(names.index(domain.name), nothing)
            for domain in selected.planned.plan.domains
        ]
        return cls(
            *(np.stack([getattr(sums, name) for sums in cells]) for name in cls.__annotations__)
        )

    @property
    def by_cell(self) -> NDArray[np.float64]:
        """Array float64[D, C]: tokens by domain and cluster."""
        return self.tokens.sum(axis=1).astype(np.float64)


def measure_achieved(measured: Measured[Written[Selected]]) -> Achieved:
    """Compare the documents of data/ with the plan.

    Raises:
        RunError: when the budget was missed, or a document has too many copies.
    """
    selected, counted, last = measured.corpus.selected, measured.counted, measured.last
    plan, context = selected.planned.plan, selected.context
    tokens = {role: int(part.counts.tokens.sum()) for role, part in last.items()}
    cells, share = _Cells.of(selected, counted), figures.human_share(last)
    by_cell = cells.by_cell
    human_reference = selected.clustered.reference.human
    shares = [quota.reference_share for quota in plan.quotas]
    achieved = Achieved(
        tokens=tokens["all"],
        synthetic_tokens=tokens["synthetic"],
        human_tokens=tokens["human"],
        human_share=share,
        planned_human_tokens=plan.reached.human_tokens,
        planned_tokens=plan.reached.tokens,
        longest_document=counted.longest,
        entropy=_entropy(by_cell),
        planned_entropy=plan.reached.entropy,
        domain_entropy=_entropy(by_cell.sum(axis=1)),
        kl=kl(by_cell.ravel(), shares) if human_reference and by_cell.any() else None,
        domains=[_domain(cells, number, domain) for number, domain in enumerate(plan.domains)],
        most_copies=counted.copies,
        lasting_error=None
        if share is None or plan.reached.ledger_tokens
        else lasting_error(share, tokens["all"]),
    )
    _check_promises(selected, cells, achieved)
    _check_limits(context, achieved)
    _check_entropy(context, cells, achieved)
    return achieved


def achieved_by_dedup(counted: Counted) -> Achieved:
    """Report the tokens that `dedup` has kept."""
    tokens = {role: counted.tokens(role) for role in WRITABLE}
    total = sum(tokens.values())
    return Achieved(
        tokens=total,
        synthetic_tokens=tokens["synthetic"],
        human_tokens=tokens["human"],
        human_share=tokens["human"] / total if total else None,
        planned_human_tokens=None,
        longest_document=counted.longest,
        entropy=None,
        planned_entropy=None,
        kl=None,
        most_copies=counted.copies,
    )


def _entropy(tokens: NDArray[np.float64]) -> float | None:
    return entropy(tokens.ravel()) if tokens.any() else None


def _domain(cells: _Cells, number: int, planned: DomainPlan) -> AchievedDomain:
    """Compare the documents of a domain with its plan.

    Args:
        cells: written documents.
        number: place of the domain.
        planned: plan of the domain.
    """
    by_cell = cells.by_cell
    tokens = by_cell[number]
    return AchievedDomain(
        name=planned.name,
        kind=planned.kind,
        tokens=int(tokens.sum()),
        share=float(tokens.sum()) / max(float(by_cell.sum()), 1.0),
        human_tokens=int(cells.tokens[number, ROLES.index("human")].sum()),
        planned_tokens=planned.tokens,
        planned_human_tokens=planned.human_tokens,
        entropy=_entropy(tokens),
        planned_entropy=planned.entropy,
    )


def check_budget(selected: Selected, counted: Counted) -> None:
    """Compare the selection with the request, before any of it is written.

    With `best_effort` a miss is a reason of the verdict.

    Args:
        selected: result of `select`.
        counted: result of `count` for it.

    Raises:
        ConfigError: when the tokens or the human part are missed.
    """
    config, tokens = selected.config, counted.tokens(*WRITABLE)
    plan, human = selected.planned.plan, counted.tokens("human")
    misses = missed(config, plan, tokens, human, counted.longest)
    if misses and not config.best_effort:
        raise ConfigError(
            f"{misses[0]}; ask for another amount, or take the nearest there is with best_effort"
        )


def missed(config: Config, plan: Plan, tokens: int, human: int, longest: int) -> list[str]:
    """Compare tokens with the request, to within half of the longest document.

    Amounts that the request leaves open are compared with the plan. With a lineage the human part
    is drawn before the plan, which warns where it is less than was asked.

    Args:
        config: configuration of the run.
        plan: plan of the run.
        tokens: tokens that are written.
        human: human tokens that are written.
        longest: tokens of the longest document that is written.

    Returns:
        A sentence for each amount that is missed.
    """
    total = plan.reached.tokens if config.tokens is None else float(config.tokens)
    part, key = plan.reached.human_tokens, "human_share"
    if config.human_tokens is not None:
        key = "human_tokens"
    if config.lineage is None and config.human_tokens is not None:
        part = float(config.human_tokens)
    elif config.lineage is None and "human_share" in config.model_fields_set:
        part = config.human_share * total
    misses = []
    for name, role, written, wanted, planned in (
        ("tokens", "", tokens, total, plan.reached.tokens),
        (key, " human", human, part, plan.reached.human_tokens),
    ):
        if abs(written - wanted) <= longest / 2 + ROUNDING * wanted:
            continue
        why = (
            "as the plan holds no more (see the warnings)"
            if abs(written - planned) <= longest / 2 + ROUNDING * planned
            else "and no document fits what is missing (half of the longest one written is "
            f"{longest / 2:,.0f})"
        )
        misses.append(
            f"{name}: {written:,}{role} tokens are written where {wanted:,.0f} were to be, {why}"
        )
    return misses


def _check_promises(selected: Selected, cells: _Cells, achieved: Achieved) -> None:
    """Refuse a result that misses the budget or has too many copies of a document."""
    config, plan = selected.config, selected.planned.plan
    written = achieved.tokens, achieved.human_tokens, achieved.longest_document
    misses = missed(config, plan, *written)
    if misses and not config.best_effort:
        raise RunError(misses[0])
    for role in WRITABLE:
        for number, domain in enumerate(plan.domains):
            most = int(cells.copies[number, ROLES.index(role)])
            cap = getattr(domain.max_copies, role)
            if most > cap:
                where = "" if len(plan.domains) == 1 else f" of the domain {domain.name!r}"
                raise RunError(
                    f"a {role} document{where} was written {most} times; its cap is {cap}"
                )


def _check_limits(context: Context, achieved: Achieved) -> None:
    """Warn where rounding to whole documents breaks `max_kl` or `entropy_floor`."""
    config = context.config
    if achieved.entropy is None or not achieved.planned_entropy:
        return
    rounding = "the plan keeps to it, whole documents don't quite"
    if config.max_kl is not None and (achieved.kl or 0.0) > config.max_kl + TOLERANCE:
        context.warn(
            f"the KL written, {achieved.kl:.6f}, is above max_kl {config.max_kl}: {rounding}"
        )
    floors = [("", config.entropy_floor, achieved.entropy)]
    for domain in achieved.domains:
        policy = config.domains.get(domain.name)
        if policy is not None and domain.entropy is not None:
            floors.append(
                (f"domains.{visible_name(domain.name)}: ", policy.entropy_floor, domain.entropy)
            )
    for where, floor, reached in floors:
        if floor is not None and reached < floor - TOLERANCE:
            context.warn(
                f"{where}the entropy written, {reached:.6f} nats, is below entropy_floor "
                f"{floor}: {rounding}"
            )


def _check_entropy(context: Context, cells: _Cells, achieved: Achieved) -> None:
    """Warn where the entropy of the written documents is far from the plan's, and say why."""
    if achieved.entropy is None or not achieved.planned_entropy:
        return
    gap = abs(achieved.entropy - achieved.planned_entropy) / achieved.planned_entropy
    if gap > _ENTROPY_GAP:
        mean = int(cells.rows.sum()) / int(cells.rows.sum(axis=1).astype(bool).sum())
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
