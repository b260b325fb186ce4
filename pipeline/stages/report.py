"""Stage `report`: the report of a run, a deduplication or an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outcross.pipeline.stages.audited import Audited
from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.measure import AnyMeasured, Measured
from outcross.pipeline.stages.reporting import figures
from outcross.pipeline.stages.reporting.achieved import (
    achieved_by_dedup,
    measure_achieved,
    missed,
)
from outcross.pipeline.stages.reporting.clusters import with_examples
from outcross.pipeline.stages.reporting.conservation import conservation, pieces
from outcross.pipeline.stages.reporting.dominance import dominant
from outcross.pipeline.stages.reporting.gain import measure_gain
from outcross.pipeline.stages.reporting.prompts import collapsed_prompts, prompts
from outcross.pipeline.stages.reporting.quotes import Quoting
from outcross.pipeline.stages.reporting.removals import deduplication
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.pipeline.stages.write import Written
from outcross.schemas.config import Config, tokenizer_of
from outcross.schemas.figures import Figures
from outcross.schemas.gates import Gates
from outcross.schemas.lineage import LineageReport
from outcross.schemas.report import ProvenanceReport, Report, Verdict
from outcross.schemas.sources import agreed_provenance
from outcross.transforms.measuring.gate import verdict, with_findings, with_prompts
from outcross.transforms.measuring.grouping import JUDGED
from outcross.transforms.measuring.repeats import repeated_share
from outcross.transforms.measuring.wording import CollapsedPrompts


def run_gates(gates: Gates, copies: int) -> Gates:
    """Return the gates that judge the output of a run.

    The request decides how far the clusters are from human text, as alpha raises the tails. So
    only the second codebook is judged, which the plan doesn't see. Planned copies repeat
    themselves, and with them their phrases and openings.

    Args:
        gates: gates of the request.
        copies: most copies of a document.
    """
    ungated = ["js", "near_duplicates"]
    if copies > 1:
        ungated += ["self_repetition", "openings"]
    return gates.model_copy(update=dict.fromkeys(ungated))


def run_report(measured: Measured[Written[Selected]], lineage: LineageReport | None) -> Report:
    """Return the report of a run.

    Args:
        measured: result of `measure`.
        lineage: the run's place in its lineage; None without one.

    Raises:
        RunError: when rows are lost or the human budget was missed.
    """
    written = measured.corpus
    lines = conservation(written, measured.counted)
    achieved = measure_achieved(measured)
    selected, plan = written.selected, written.selected.planned.plan
    tokens = achieved.tokens, achieved.human_tokens, achieved.longest_document
    findings = missed(written.config, plan, *tokens)
    findings += dominant(measured.counted)
    return _report(
        written,
        measured.counted,
        measured.quoting,
        measured,
        findings,
        kind="run",
        conservation=lines,
        asked=plan.asked,
        achieved=achieved,
        too_long=selected.ranking.too_long.facts,
        gain=measure_gain(selected, measured.counted),
        lineage=lineage,
        pieces=pieces(written),
    )


def dedup_report(written: Written[Kept], quoting: Quoting) -> Report:
    """Return the report of a deduplication: nothing is measured or judged.

    Args:
        written: result of `write`.
        quoting: lookup of the texts that the report shows.

    Raises:
        RunError: when rows are lost.
    """
    return _report(
        written,
        written.counted,
        quoting,
        None,
        [],
        kind="dedup",
        conservation=conservation(written, written.counted),
        asked=None,
        achieved=achieved_by_dedup(written.counted),
    )


def audit_report(measured: Measured[Audited]) -> Report:
    """Return the report of an audit.

    Raises:
        RunError: when rows are lost.
    """
    audited = measured.corpus
    return _report(
        audited,
        measured.counted,
        measured.quoting,
        measured,
        dominant(measured.counted),
        kind="audit",
        conservation=conservation(audited, measured.counted),
        asked=None,
        achieved=None,
    )


def _report(
    corpus: Written[Selected] | Written[Kept] | Audited,
    counted: Counted,
    quoting: Quoting,
    measured: AnyMeasured | None,
    findings: Sequence[str],
    **parts: Any,
) -> Report:
    """Assemble a report.

    Args:
        corpus: documents that were written or audited.
        counted: result of `count` for them.
        quoting: lookup of the texts that the report shows.
        measured: result of `measure`; None if the job measures nothing.
        findings: faults of the corpus that no measure shows, the most pressing first.
        parts: parts of the report that depend on the kind of job.
    """
    quotes = quoting.quotes()
    judging = measured is not None and measured.clustered.reference.human
    provenance = _provenance(corpus.config, measured.gates if measured and judging else None)
    answers = prompts(counted, quoting.compared, quotes)
    classified = None
    if measured is None:
        parts |= {"stages": [], "shards": [], "domains": [], "clusters": []}
        parts |= {"judged": None, "reference": None}
        result = Verdict(
            outcome="done",
            sentence="Done; nothing was judged, as `dedup` only removes what repeats.",
            reasons=[],
            warnings=corpus.context.warnings,
        )
    else:
        reference = measured.clustered.reference
        classified = measured.clustered if reference.human else None
        stages = figures.stages(measured, quotes.sample)
        judged = _judged(measured, stages[-1].roles["all"])
        result = _verdict(measured, judged, collapsed_prompts(measured, answers))
        parts |= {
            "known_words": figures.known_words(measured.sketched),
            "embedder": figures.embedder_facts(measured.sketched),
            "stages": stages,
            "judged": judged,
            "shards": figures.shards(measured),
            "domains": figures.domains(measured),
            "clusters": with_examples(quoting.clusters, quotes.examples),
            "reference": figures.reference_facts(reference),
        }
    return Report(
        verdict=with_findings(_with_limits(result, provenance), findings),
        provenance=provenance,
        deduplication=deduplication(corpus.deduplicated, classified, quotes.removals),
        prompts=answers,
        tokenizer=tokenizer_of(corpus.config),
        **parts,
    )


def _provenance(config: Config, gates: Gates | None) -> ProvenanceReport | None:
    """Describe how the synthetic text was made, and the limits that this sets.

    Args:
        config: configuration of the run or audit.
        gates: gates that judge, with the limits for the provenance; None where none judges.
    """
    if all(source.provenance is None for source in config.sources):
        return None
    provenance = agreed_provenance(config.sources)
    limits = [] if gates is None else gates.limits_of(provenance)
    return ProvenanceReport(provenance=provenance, limits=limits)


def _with_limits(result: Verdict, provenance: ProvenanceReport | None) -> Verdict:
    """Return a verdict whose reasons name the limits for a provenance."""
    if provenance is None or not provenance.limits:
        return result
    limits = f"limits for {provenance.provenance} text: {', '.join(provenance.limits)}"
    return result.model_copy(update={"reasons": [*result.reasons, limits]})


def _judged(measured: AnyMeasured, last: Figures) -> Figures | None:
    """Return the figures that the gates judge; None without human text to judge by.

    Args:
        measured: result of `measure`.
        last: figures of all documents after the last stage.
    """
    if not measured.clustered.reference.human:
        return None
    if measured.partly_judged:
        result = measured.maker.figures(measured.load(JUDGED))
    else:
        result = last.model_copy(update={"zstd_ratio": None})
    if isinstance(measured.corpus, Audited):
        repeats = figures.near_duplicates(measured.corpus.groups, measured.clustered.reference)
        result = figures.with_measures(result, [repeats])
    return figures.with_measures(result, figures.judge(result.measures, measured))


def _verdict(
    measured: AnyMeasured,
    judged: Figures | None,
    collapsed: CollapsedPrompts | None,
) -> Verdict:
    """Return the verdict of the gates, or what can be said without human text."""
    warnings = measured.context.warnings
    if judged is not None:
        return verdict(judged.measures, warnings, measured.gates, collapsed)
    sentence = "Done; nothing was judged, as there is no human text to judge by."
    if isinstance(measured.corpus, Audited):
        groups = measured.corpus.groups
        repeated, _ = repeated_share(groups, int(groups.prod(axis=1).sum()))
        if repeated:
            sentence += f" {repeated:.1%} of the documents repeat another one."
    result = Verdict(outcome="done", sentence=sentence, reasons=[], warnings=list(warnings))
    return result if collapsed is None else with_prompts(result, collapsed)
