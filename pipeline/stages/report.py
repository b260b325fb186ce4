"""Stage `report`: merges what stages and shards have counted; checks that nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.lengths import dominant
from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.reporting import figures
from outcross.pipeline.stages.reporting.achieved import measure_achieved, missed
from outcross.pipeline.stages.reporting.prompts import collapsed_prompts, prompts
from outcross.pipeline.stages.reporting.removals import deduplication
from outcross.pipeline.stages.select import Selected
from outcross.pipeline.stages.sketch import Sketched
from outcross.schemas.figures import Figures
from outcross.schemas.gates import Gates
from outcross.schemas.lineage import LineageReport
from outcross.schemas.report import Conservation, Report, Verdict
from outcross.schemas.sources import WRITABLE
from outcross.transforms.dedup.order import count_distinct
from outcross.transforms.estimators.richness import OFF_SUPPORT
from outcross.transforms.measuring.figures import FigureMaker
from outcross.transforms.measuring.gate import verdict, with_findings, with_prompts
from outcross.transforms.measuring.wording import CollapsedPrompts


@dataclass(frozen=True)
class Rows:
    """Rows of each source, by its name.

    Attributes:
        removed: that deduplication took.
        written: documents that stand in data/.
        rows: rows in data/, copies included.
    """

    removed: Mapping[str, int]
    written: Mapping[str, int]
    rows: Mapping[str, int]

    @classmethod
    def of_files(cls, removed: Sequence[Any], written: Sequence[Any]) -> Rows:
        """As the files have them that were written.

        Args:
            removed, written: reports of the shards in removed/ and data/.
        """
        return cls(
            _by_source(removed, "documents"),
            _by_source(written, "documents"),
            _by_source(written, "rows"),
        )

    @classmethod
    def of_verdicts(cls, sketched: Sketched, deduplicated: Deduplicated) -> Rows:
        """Where nothing is written."""
        gone, sketches = ~deduplicated.verdicts.kept, sketched.sketches
        removed: Counter[str] = Counter()
        for unit, part in sketches.per_unit(gone):
            removed[sketched.context.config.sources[unit.source].name] += int(part.sum())
        return cls(removed, Counter(), Counter())


def conservation(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    not_selected: Mapping[str, NDArray[np.bool_]],
    counted: Rows,
) -> list[Conservation]:
    """Where every row went; what stands in files is counted from the files.

    Args:
        context: of the run.
        sketched, deduplicated: of the run.
        not_selected: by reason, which documents are kept but not written.
        counted: what became of the others.

    Raises:
        RunError: when a row is neither kept, removed nor rejected.
    """
    sketches, kept = sketched.sketches, deduplicated.verdicts.kept
    hi, lo = sketched.fingerprints
    source_of = np.repeat([unit.source for unit in sketches.units], np.diff(sketches.offsets))
    lines = []
    for number, source in enumerate(context.config.sources):
        reports = [sketches.reports[u.index] for u in sketches.units if u.source == number]
        own = source_of == number
        reasons = {reason: int((chosen & own).sum()) for reason, chosen in not_selected.items()}
        written = counted.written.get(source.name, 0)
        lines.append(
            Conservation(
                source=source.name,
                role=source.role,
                filtered=sum(report.filtered for report in reports),
                read=sum(report.read for report in reports),
                rejected=sum(report.rejected for report in reports),
                distinct=count_distinct(hi[own], lo[own]),
                removed=counted.removed.get(source.name, 0),
                kept=int((kept & own).sum()),
                written=written,
                not_selected={reason: often for reason, often in reasons.items() if often},
                copies=counted.rows.get(source.name, 0) - written,
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


def _by_source(reports: Sequence[Any], what: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report["measures"][what])
    return total


def reasons_not_selected(
    sketched: Sketched,
    deduplicated: Deduplicated,
    copies: NDArray[np.int32],
    off: NDArray[Any],
    beyond: NDArray[np.bool_],
    too_long: NDArray[np.bool_],
) -> dict[str, NDArray[np.bool_]]:
    """By reason, the documents that are kept but not written.

    Args:
        sketched, deduplicated: of the run.
        copies: int32[n], how often each is written.
        off: bool[n], which are off-support.
        beyond: bool[n], which are no candidates, as nearer sources hold enough.
        too_long: bool[n], which are left out for their length.
    """
    left = deduplicated.verdicts.kept & (copies == 0)
    strange = off & sketched.of_role("synthetic") & ~beyond
    writable = left & sketched.of_role(*WRITABLE) & ~beyond & ~too_long
    return {
        "too long": left & too_long,
        "archive": left & beyond,
        "role exclude": left & sketched.of_role("exclude"),
        "role reference": left & sketched.of_role("reference"),
        "off-support": writable & strange,
        "quota": writable & ~strange,
    }


def run_gates(gates: Gates, copies: NDArray[np.int32]) -> Gates:
    """Return the gates that judge what a run has written.

    How far the clusters are from human text is what the plan was asked for (alpha lifts the tails);
    the second codebook says whether that holds beyond its own. What repeats in data/ are copies
    that were planned, and with them their phrases and openings.

    Args:
        gates: of the request.
        copies: int32[n], how often each document is written.
    """
    ungated = ["js", "near_duplicates"]
    if copies.max(initial=0) > 1:
        ungated += ["self_repetition", "openings"]
    return gates.model_copy(update=dict.fromkeys(ungated))


def run_report(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered,
    ranking: Ranking,
    planned: Planned,
    selected: Selected,
    measured: Measured,
    gates: Gates,
    removed: Sequence[Any],
    written: Sequence[Any],
    lineage: LineageReport | None,
) -> Report:
    """The report of a whole run.

    Raises:
        RunError: when rows are lost or the human budget was missed.
    """
    reference, copies = clustered.reference, selected.copies
    gates = run_gates(gates, copies)
    off = clustered.kind == OFF_SUPPORT
    long = ranking.too_long
    beyond = sketched.of_role("synthetic") & deduplicated.verdicts.kept & ~ranking.candidate
    beyond &= ~long.rows
    reasons = reasons_not_selected(sketched, deduplicated, copies, off, beyond, long.rows)
    counted = Rows.of_files(removed, written)
    lines = conservation(context, sketched, deduplicated, reasons, counted)
    last = measured.last
    achieved = measure_achieved(context, sketched, clustered, planned, selected, last)
    maker = FigureMaker(reference)
    stages = [
        figures.stage("read", measured.roles("read"), maker),
        figures.stage("deduplicate", measured.roles("deduplicate"), maker),
        figures.stage("write", last, maker),
    ]
    everything = stages[-1].roles
    everything["all"] = figures.add_zstd(everything["all"], context, sketched, copies)
    found = None
    if reference.human:
        found = maker.figures(measured.judged)
        measures = figures.judge(found.measures, gates, sketched, reference)
        found = figures.with_measures(found, measures)
    answers = prompts(context, sketched, deduplicated.verdicts, embedded=True)
    collapsed = collapsed_prompts(context, answers, bool(measured.open.all()))
    findings = [
        *missed(
            context.config,
            planned.plan,
            achieved.tokens,
            achieved.human_tokens,
            achieved.longest_document,
        ),
        *dominant(sketched, deduplicated, copies),
    ]
    return Report(
        kind="run",
        verdict=with_findings(_verdict(found, context.warnings, gates, collapsed), findings),
        conservation=lines,
        known_words=figures.known_words(sketched),
        asked=planned.plan.asked,
        achieved=achieved,
        too_long=long.facts,
        stages=stages,
        judged=found,
        shards=figures.shards(measured, written, maker),
        deduplication=deduplication(
            context, sketched, deduplicated, clustered if reference.human else None
        ),
        prompts=answers,
        domains=figures.domains(measured, gates, maker),
        clusters=figures.clusters(context, sketched, clustered, last["all"], copies),
        reference=figures.yardstick(reference),
        lineage=lineage,
    )


def _verdict(
    found: Figures | None,
    warnings: Sequence[str],
    gates: Gates,
    collapsed: CollapsedPrompts | None,
) -> Verdict:
    if found is not None:
        return verdict(found.measures, warnings, gates, collapsed)
    return unjudged(warnings, prompts=collapsed)


def unjudged(
    warnings: Sequence[str], repeated: float = 0.0, prompts: CollapsedPrompts | None = None
) -> Verdict:
    """Return the verdict where there is no human text to judge by.

    Args:
        warnings: what was noticed.
        repeated: share of the documents that repeat another one, if it is to be named.
        prompts: those that have collapsed, where prompts are known.
    """
    sentence = "Done; nothing was judged, as there is no human text to judge by."
    if repeated:
        sentence += f" {repeated:.1%} of the documents repeat another one."
    result = Verdict(outcome="done", sentence=sentence, reasons=[], warnings=list(warnings))
    return result if prompts is None else with_prompts(result, prompts)
