"""Stage `report`: merges what stages and shards have counted; checks that nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.context import Context, RunError
from pipeline.removals import deduplication
from pipeline.stages.cluster import Clustered
from pipeline.stages.deduplicate import Deduplicated
from pipeline.stages.plan import Planned
from pipeline.stages.select import Selected
from pipeline.stages.sketch import Sketched
from schemas.config import WRITABLE
from schemas.report import (
    Achieved,
    Conservation,
    Figures,
    Prompts,
    Report,
    Shard,
    Stage,
    Verdict,
    Yardstick,
)
from transforms.measures import OFF_SUPPORT, TAIL, ClusterCounts, effective_number
from transforms.problem import TOLERANCE

_DOCUMENTS_A_CELL = 20  # from which rounding to whole documents hardly moves the entropy
_ENTROPY_GAP = 0.01


def conservation(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    not_selected: Mapping[str, NDArray[np.bool_]],
    removed: Sequence[Any],
    written: Sequence[Any],
) -> list[Conservation]:
    """Where every row went; what stands in files is counted from the files.

    Args:
        context: of the run.
        sketched, deduplicated: of the run.
        not_selected: by reason, which documents are kept but not written.
        removed, written: reports of the shards in removed/ and data/.

    Raises:
        RunError: when a row is neither kept, removed nor rejected.
    """
    sketches, kept = sketched.sketches, deduplicated.verdicts.kept
    hi, lo = sketched.fingerprints
    in_removed = _by_source(removed, "documents")
    in_data = _by_source(written, "documents")
    rows = _by_source(written, "rows")
    source_of = np.repeat([unit.source for unit in sketches.units], np.diff(sketches.offsets))
    lines = []
    for number, source in enumerate(context.config.sources):
        reports = [sketches.reports[u.index] for u in sketches.units if u.source == number]
        own = source_of == number
        reasons = {reason: int((chosen & own).sum()) for reason, chosen in not_selected.items()}
        lines.append(
            Conservation(
                source=source.name,
                role=source.role,
                filtered=sum(report.filtered for report in reports),
                read=sum(report.read for report in reports),
                rejected=sum(report.rejected for report in reports),
                distinct=distinct(hi[own], lo[own]),
                removed=in_removed[source.name],
                kept=int((kept & own).sum()),
                written=in_data[source.name],
                not_selected={reason: often for reason, often in reasons.items() if often},
                copies=rows[source.name] - in_data[source.name],
            )
        )
    for line in lines:
        if not line.holds():
            raise RunError(
                f"conservation does not hold for source {line.source!r}: {line.model_dump()}; "
                "read must be kept + removed + rejected, and kept written + not_selected. "
                "Did the input change during the run? Run again with an empty output directory."
            )
    return lines


def distinct(*columns: NDArray[Any]) -> int:
    """How many different rows columns of equal length make together."""
    if len(columns[0]) == 0:
        return 0
    order = np.lexsort(columns)
    differs = [column[order][1:] != column[order][:-1] for column in columns]
    return 1 + int(np.logical_or.reduce(differs).sum())


def prompts(context: Context, sketched: Sketched, deduplicated: Deduplicated) -> list[Prompts]:
    """Answers by prompt, of the sources that name a column of prompts."""
    sources = context.config.sources
    if all(source.prompt_field is None for source in sources):
        return []
    prompt = sketched.sketches.numbers("prompt")
    hi, lo = sketched.fingerprints
    source_of = np.repeat(
        [unit.source for unit in sketched.sketches.units], np.diff(sketched.sketches.offsets)
    )
    lines = []
    for number, source in enumerate(sources):
        if source.prompt_field is None:
            continue
        own = (source_of == number) & (prompt != 0)
        lines.append(
            Prompts(
                source=source.name,
                prompts=distinct(prompt[own]),
                answers=int(own.sum()),
                distinct_answers=distinct(prompt[own], hi[own], lo[own]),
                kept_answers=int((own & deduplicated.verdicts.kept).sum()),
            )
        )
    return lines


def _by_source(reports: Sequence[Any], what: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report["measures"][what])
    return total


def reasons_not_selected(
    sketched: Sketched, deduplicated: Deduplicated, copies: NDArray[np.int32], off: NDArray[Any]
) -> dict[str, NDArray[np.bool_]]:
    """By reason, the documents that are kept but not written."""
    left = deduplicated.verdicts.kept & (copies == 0)
    strange = off & sketched.of_role("synthetic")
    writable = left & sketched.of_role(*WRITABLE)
    return {
        "role exclude": left & sketched.of_role("exclude"),
        "role reference": left & sketched.of_role("reference"),
        "off-support": writable & strange,
        "quota": writable & ~strange,
    }


def run_report(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered,
    planned: Planned,
    selected: Selected,
    removed: Sequence[Any],
    written: Sequence[Any],
) -> Report:
    """The report of a whole run.

    Raises:
        RunError: when rows are lost or the human budget was missed.
    """
    reference = clustered.reference
    off = clustered.kind == OFF_SUPPORT
    reasons = reasons_not_selected(sketched, deduplicated, selected.copies, off)
    lines = conservation(context, sketched, deduplicated, reasons, removed, written)
    shares = reference.shares if reference.human else None
    shards = [_merged(report["measures"]["roles"], clustered) for report in written]
    after_write = _merge_roles(shards, clustered)
    achieved = _achieved(context, sketched, planned, selected, after_write, shares, clustered)
    kept = deduplicated.verdicts.kept
    everything = np.ones(len(kept), bool)
    stages = [
        _stage("read", _by_role(sketched, clustered, everything, ~kept), shares),
        _stage(
            "deduplicate",
            _by_role(sketched, clustered, kept, ~kept),
            shares,
        ),
        _stage("write", after_write, shares),
    ]
    return Report(
        verdict=verdict(context.warnings),
        conservation=lines,
        asked=planned.plan.asked,
        achieved=achieved,
        stages=stages,
        shards=[
            Shard(
                file=report["file"],
                rows=report["rows"],
                bytes=report["bytes"],
                human_share=_human_share(roles),
                figures=Figures(**roles["all"].extract(shares)),
            )
            for report, roles in zip(written, shards, strict=True)
        ],
        deduplication=deduplication(
            context, sketched, deduplicated, clustered if reference.human else None
        ),
        prompts=prompts(context, sketched, deduplicated),
        domains=dict(sorted(_by_source(written, "domains").items())),
        reference=_yardstick(clustered),
    )


def verdict(warnings: Sequence[str]) -> Verdict:
    """The run in a sentence."""
    return Verdict(outcome="done with warnings" if warnings else "done", reasons=list(warnings))


def _by_role(
    sketched: Sketched,
    clustered: Clustered,
    rows: NDArray[np.bool_],
    removed: NDArray[np.bool_],
) -> dict[str, ClusterCounts]:
    counts: dict[str, ClusterCounts] = {}
    for role in WRITABLE:
        chosen = rows & sketched.of_role(role)
        total = _empty(clustered)
        total.add(
            clustered.cluster[chosen],
            sketched.tokens[chosen],
            clustered.kind[chosen],
            clustered.audit[chosen],
            near_duplicates=int(removed[chosen].sum()),
        )
        counts[role] = total
    return _with_all(counts, clustered)


def _empty(clustered: Clustered) -> ClusterCounts:
    return ClusterCounts.empty(clustered.reference.codebook.size, clustered.reference.audit.size)


def _merged(roles: Mapping[str, Any], clustered: Clustered) -> dict[str, ClusterCounts]:
    counts = {role: ClusterCounts.from_json(value) for role, value in roles.items()}
    return _with_all(counts, clustered)


def _merge_roles(
    shards: Sequence[Mapping[str, ClusterCounts]], clustered: Clustered
) -> dict[str, ClusterCounts]:
    return {
        role: reduce(ClusterCounts.merge, (s[role] for s in shards if role in s), _empty(clustered))
        for role in ("synthetic", "human", "all")
    }


def _with_all(counts: dict[str, ClusterCounts], clustered: Clustered) -> dict[str, ClusterCounts]:
    return counts | {"all": reduce(ClusterCounts.merge, counts.values(), _empty(clustered))}


def _stage(
    name: Any, counts: Mapping[str, ClusterCounts], shares: NDArray[np.float64] | None
) -> Stage:
    return Stage(
        name=name,
        roles={
            role: Figures(**total.extract(shares))
            for role, total in counts.items()
            if role == "all" or total.documents.sum()
        },
    )


def _human_share(roles: Mapping[str, ClusterCounts]) -> float | None:
    tokens = int(roles["all"].tokens.sum())
    human = int(roles["human"].tokens.sum()) if "human" in roles else 0
    return human / tokens if tokens else None


def _yardstick(clustered: Clustered) -> Yardstick:
    reference = clustered.reference
    held = int(reference.held_out.classes.sum())
    return Yardstick(
        fingerprint=reference.fingerprint(),
        human=reference.human,
        clusters=reference.codebook.size,
        documents=int(reference.counts.documents.sum()),
        effective_clusters=effective_number(reference.counts.documents),
        tail_mass=int(reference.held_out.classes[TAIL]) / held
        if held and reference.human
        else None,
    )


def _achieved(
    context: Context,
    sketched: Sketched,
    planned: Planned,
    selected: Selected,
    written: Mapping[str, ClusterCounts],
    shares: NDArray[np.float64] | None,
    clustered: Clustered,
) -> Achieved:
    reached = planned.plan.reached
    figures = written["all"].extract(shares)
    candidates = sketched.of_role(*WRITABLE)
    tokens = {role: int(counts.tokens.sum()) for role, counts in written.items()}
    achieved = Achieved(
        tokens=tokens["all"],
        synthetic_tokens=tokens["synthetic"],
        human_tokens=tokens["human"],
        human_share=_human_share(written),
        planned_human_tokens=reached.human_tokens,
        longest_document=int(sketched.tokens[candidates].max(initial=0)),
        entropy=figures.get("token_entropy"),
        planned_entropy=reached.entropy,
        kl=figures.get("kl_to_reference"),
        most_copies=int(selected.copies.max(initial=0)),
    )
    _check_promises(context, sketched, selected.copies, achieved, written)
    return achieved


def _check_promises(
    context: Context,
    sketched: Sketched,
    copies: NDArray[np.int32],
    achieved: Achieved,
    written: Mapping[str, ClusterCounts],
) -> None:
    planned = achieved.planned_human_tokens or 0.0
    if abs(achieved.human_tokens - planned) > achieved.longest_document / 2 + 1e-6 * planned:
        raise RunError(
            f"{achieved.human_tokens:,} human tokens were written where {planned:,.1f} were "
            f"planned: more than half of the longest document ({achieved.longest_document:,} "
            "tokens) apart"
        )
    config = context.config
    caps = config.max_copies.model_dump()
    for role in WRITABLE:
        cap = caps[role]
        most = int(copies[sketched.of_role(role)].max(initial=0))
        if most > cap:
            raise RunError(f"a {role} document was written {most} times; its cap is {cap}")
    if achieved.entropy is None or not achieved.planned_entropy:
        return
    rounding = "the plan keeps to it, whole documents don't quite"
    if config.max_kl is not None and (achieved.kl or 0.0) > config.max_kl + TOLERANCE:
        context.warn(
            f"the KL written, {achieved.kl:.6f}, is above max_kl {config.max_kl}: {rounding}"
        )
    if config.entropy_floor is not None and achieved.entropy < config.entropy_floor - TOLERANCE:
        context.warn(
            f"the entropy written, {achieved.entropy:.6f} nats, is below entropy_floor "
            f"{config.entropy_floor}: {rounding}"
        )
    gap = abs(achieved.entropy - achieved.planned_entropy) / achieved.planned_entropy
    if gap > _ENTROPY_GAP:
        cells = max(int((written["all"].documents > 0).sum()), 1)
        mean = int(written["all"].documents.sum()) / cells
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
