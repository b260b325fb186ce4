"""Audits: measure a corpus against human text, and judge it; build a reference for audits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outcross.pipeline.commands.job import (
    check_out,
    check_request,
    job,
    manifest,
)
from outcross.pipeline.engine.artifacts import MANIFEST, WORK, read_manifest
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.corpus import corpus_sources, data_files
from outcross.pipeline.inputs.tokenizer import tokenizer_of_run
from outcross.pipeline.page.document import page
from outcross.pipeline.stages.audited import read_corpus
from outcross.pipeline.stages.cluster import cluster
from outcross.pipeline.stages.count import count
from outcross.pipeline.stages.deduplicate import deduplicate
from outcross.pipeline.stages.earlier import ReferencePool
from outcross.pipeline.stages.measure import measure
from outcross.pipeline.stages.provenance import gates_for_sources
from outcross.pipeline.stages.report import audit_report
from outcross.pipeline.stages.sketch import sketch
from outcross.pipeline.stages.sources import warnings_of_known, write_rejects
from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.config import Config
from outcross.schemas.gates import load_gates
from outcross.schemas.report import Report
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.base.stores import use_options
from outcross.transforms.measuring.contrast import LEAST_DOCUMENTS
from outcross.transforms.reference.reference import copy_reference, load_reference


@dataclass(frozen=True)
class AuditResult:
    """Result of an audit.

    Attributes:
        out: directory of report.json and report.html.
        report: the contents of report.json.
    """

    out: str
    report: Report


def build_reference(
    request: ReferenceRequest,
    beam_args: Sequence[str] = (),
    progress: StageProgress | None = None,
) -> str:
    """Make a reference of human text: codebooks, densities, thresholds, a pool to compare with.

    Args:
        request: human text and output folder.
        beam_args: Beam's own options.
        progress: output that shows the stages.

    Returns:
        The fingerprint of the reference.

    Raises:
        ConfigError: when the request is wrong.
        RunError: when the human text could not be read.
    """
    config = request.config()
    with job(config, beam_args, progress, "reference") as context:
        deduplicated = deduplicate(sketch(context))
        for warning in warnings_of_known(deduplicated.sketched):
            context.warn(warning)
        clustered = cluster(deduplicated)
        pool = len(clustered.reference.pool)
        if pool < 2 * LEAST_DOCUMENTS:
            context.warn(
                f"the reference has {pool:,} documents to compare with, which were held out; "
                f"audits need {2 * LEAST_DOCUMENTS}, about {4 * LEAST_DOCUMENTS} different human "
                "texts in all"
            )
        context.confirm_locks()
        copy_reference(clustered.reference_folder, config.out)
        described = manifest(clustered.sketched, clustered.reference, "reference")
        files.write_json(files.join(config.out, MANIFEST), described)
        return clustered.reference.fingerprint()


def audit(
    request: AuditRequest, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> AuditResult:
    """Measure a corpus file by file, and judge it where there is a reference of human text.

    Documents that repeat others, or texts of the reference, are counted. All other figures leave
    them out.

    Args:
        request: corpus to measure, and the reference or human text to measure it against.
        beam_args: Beam's own options.
        progress: output that shows the stages.

    Raises:
        ConfigError: when the request is wrong.
        RunError: when the corpus could not be read.
    """
    gates = load_gates(request.gates)
    progress = progress or StageProgress()
    use_options(beam_args)
    check_out(request.out, "audit")
    sources = corpus_sources(request)
    reference = request.reference
    if request.human:
        reference = files.join(request.out, "reference")
        human = request.reference_request(reference)
        check_request(_config(request, sources, None), "audit")  # before the reference is made
        check_request(human.config(), "reference")
        files.make_folder(files.join(request.out, WORK))  # claims the folder for this audit
        build_reference(human, beam_args, progress)
    elif reference is None and len(request.paths) == 1:
        as_run = _as_run(request)
        reference = _run_reference(request.paths[0], as_run.embedder)
        if reference is not None:
            progress.say(f"note: measured on the run's own reference, {reference}")
            for key in ("embedder", "tokenizer"):
                if getattr(as_run, key) != getattr(request, key):
                    progress.say(f"note: {key} is that of the run, {getattr(as_run, key)}")
            request = as_run
    config = _config(request, sources, reference)
    with job(config, beam_args, progress, "audit") as context:
        indices = [] if reference is None else [ReferencePool(reference)]
        deduplicated = deduplicate(sketch(context), indices)
        for warning in warnings_of_known(deduplicated.sketched):
            context.warn(warning)
        gates = gates_for_sources(gates, context)
        audited = read_corpus(cluster(deduplicated, audited=True), gates)
        write_rejects(audited.sketched, config.out)
        measured = measure(audited, count(audited), gates)
        with context.progress.stage("report"):
            report = context.shown(audit_report(measured))
        described = manifest(audited.sketched, audited.clustered.reference, "audit")
        context.confirm_locks()
        _write_report(config.out, report, described)
        files.write_json(files.join(config.out, MANIFEST), described)
        return AuditResult(config.out, report)


def _as_run(request: AuditRequest) -> AuditRequest:
    """Return the request with embedder and tokenizer of the run that wrote its path.

    Keys that the request gives stay. If the run's tokenizer has changed since or is gone, its copy
    in the run's work folder counts.
    """
    out = request.paths[0]
    described = read_manifest(out) if files.exists(files.join(out, MANIFEST)) else None
    if described is None:
        return request
    keys: dict[str, Any] = {}
    embedder = described.get("configuration", {}).get("embedder")
    if request.embedder is None and embedder is not None:
        keys["embedder"] = embedder
    if request.tokenizer is None and "tokenizer" in described:
        keys["tokenizer"] = tokenizer_of_run(out, described)[0]
    return request.model_copy(update=keys)


def _run_reference(path: str, embedder: str | None) -> str | None:
    """Return the folder of a run's reference, if it was made of human text.

    Args:
        path: output directory of the run.
        embedder: the request's key of that name.
    """
    folder = files.join(path, "reference")
    if not files.exists(files.join(folder, "reference.json")) or not data_files(path):
        return None
    return folder if load_reference(folder, key=embedder).human else None


def _write_report(out: str, report: Report, described: dict[str, Any]) -> None:
    """Write report.json and report.html."""
    data = report.model_dump_json(indent=2) + "\n"
    files.write_bytes(files.join(out, "report.json"), data.encode())
    files.write_bytes(files.join(out, "report.html"), page(report, None, described).encode())


def _config(request: AuditRequest, sources: list[Source], reference: str | None) -> Config:
    """Return the configuration of an audit.

    Args:
        request: request of the audit.
        sources: sources of the corpus.
        reference: folder of the reference; None without one.
    """
    settings: dict[str, Any] = {}
    if reference is not None:  # its pool has signatures with these settings
        loaded = load_reference(reference, key=request.embedder)
        settings = {"ngram": loaded.ngram, "num_perm": loaded.num_perm, "reference": reference}
    return Config(
        out=request.out,
        seed=request.seed,
        workers=request.workers,
        max_reject_share=request.max_reject_share,
        texts=request.texts,
        embedder=request.embedder,
        tokenizer=request.tokenizer,
        on_broken_file=request.on_broken_file,
        gates=request.gates,
        text_out=None,
        sources=sources,
        **settings,
    )
