"""Measures any corpus against human text, and says whether a loop may go on with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.commands.job import (
    check_out,
    check_request,
    job,
    manifest,
    sketch_and_deduplicate,
    write_rejects,
)
from outcross.pipeline.engine.artifacts import MANIFEST, WORK
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.corpus import corpus_sources, data_files
from outcross.pipeline.page.document import page
from outcross.pipeline.stages.cluster import Clustered, cluster
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.earlier import ReferencePool
from outcross.pipeline.stages.lengths import dominant
from outcross.pipeline.stages.measure import measure
from outcross.pipeline.stages.report import Rows, conservation, unjudged
from outcross.pipeline.stages.reporting import figures
from outcross.pipeline.stages.reporting.prompts import collapsed_prompts, prompts
from outcross.pipeline.stages.reporting.removals import deduplication
from outcross.pipeline.stages.sketch import Sketched, warnings_of_known
from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.config import Config
from outcross.schemas.gates import Gates, load_gates
from outcross.schemas.report import MEASURED, Report
from outcross.schemas.sources import WRITABLE, Source
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import Verdicts
from outcross.transforms.inputs.places import file_names
from outcross.transforms.measuring.contrast import LEAST_DOCUMENTS
from outcross.transforms.measuring.figures import FigureMaker
from outcross.transforms.measuring.gate import verdict, with_findings
from outcross.transforms.measuring.repeats import group_sizes, repeated_share, repeats_within
from outcross.transforms.reference.reference import copy_reference, load_reference
from outcross.transforms.text.embed import load_default


@dataclass(frozen=True)
class AuditResult:
    """What an audit has made.

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
    """Makes a yardstick of human text: codebooks, densities, thresholds, a pool to compare with.

    Args:
        request: which text, and where to.
        beam_args: Beam's own options.
        progress: shows stages.

    Returns:
        Its fingerprint.

    Raises:
        ConfigError: the request is wrong.
        RunError: the human text could not be read.
    """
    config = request.config()
    with job(config, beam_args, progress, "reference") as (context, started):
        sketched, deduplicated = sketch_and_deduplicate(context)
        for warning in warnings_of_known(sketched):
            context.warn(warning)
        clustered = cluster(context, sketched, deduplicated)
        pool = len(clustered.reference.pool)
        if pool < 2 * LEAST_DOCUMENTS:
            context.warn(
                f"the yardstick has {pool:,} documents to compare with, those that nothing was "
                f"fitted on; audits need {2 * LEAST_DOCUMENTS}, about {4 * LEAST_DOCUMENTS} "
                "different human texts in all"
            )
        copy_reference(clustered.reference_folder, config.out)
        described = manifest(context, sketched, clustered, started, "reference")
        files.write_json(files.join(config.out, MANIFEST), described)
        return clustered.reference.fingerprint()


def audit(
    request: AuditRequest, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> AuditResult:
    """Measures a corpus, file by file, and judges it where there is a yardstick of human text.

    What repeats itself in the corpus, or repeats the yardstick's text, is counted and then left out
    of all other figures.

    Args:
        request: what to measure, and against what.
        beam_args: Beam's own options.
        progress: shows stages.

    Raises:
        ConfigError: the request is wrong.
        RunError: the corpus could not be read.
    """
    gates = load_gates(request.gates)
    progress = progress or StageProgress()
    check_out(request.out, "audit")
    sources = corpus_sources(request)
    reference = request.reference
    if request.human:
        reference = files.join(request.out, "reference")
        yardstick = request.reference_request(reference)
        check_request(_config(request, sources, None), "audit")  # before work is done for one
        check_request(yardstick.config(), "reference")
        files.make_folder(files.join(request.out, WORK))  # it is ours from here on
        build_reference(yardstick, beam_args, progress)
    elif reference is None and len(request.paths) == 1:
        reference = _own_yardstick(request.paths[0])
        if reference is not None:
            progress.say(f"note: measured on the run's own yardstick, {reference}")
    config = _config(request, sources, reference)
    with job(config, beam_args, progress, "audit") as (context, started):
        beside = [] if reference is None else [ReferencePool(reference)]
        sketched, deduplicated = sketch_and_deduplicate(context, beside=beside)
        for warning in warnings_of_known(sketched):
            context.warn(warning)
        clustered = cluster(context, sketched, deduplicated, audited=True)
        write_rejects(sketched, config.out)
        report = context.shown(_report(context, sketched, deduplicated, clustered, gates))
        described = manifest(context, sketched, clustered, started, "audit")
        write_report(config.out, report, described)
        files.write_json(files.join(config.out, MANIFEST), described)
        return AuditResult(config.out, report)


def _own_yardstick(path: str) -> str | None:
    """Of a run whose output is audited, if it was made from human text."""
    folder = files.join(path, "reference")
    if not files.exists(files.join(folder, "reference.json")) or not data_files(path):
        return None
    return folder if load_reference(folder, load_default().fingerprint).human else None


def write_report(out: str, report: Report, described: dict[str, Any]) -> None:
    """Writes report.json and report.html."""
    data = report.model_dump_json(indent=2) + "\n"
    files.write_bytes(files.join(out, "report.json"), data.encode())
    files.write_bytes(files.join(out, "report.html"), page(report, None, described).encode())


def _config(request: AuditRequest, sources: list[Source], reference: str | None) -> Config:
    settings: dict[str, Any] = {}
    if reference is not None:  # texts are compared with its pool as it was signed
        made = load_reference(reference, load_default().fingerprint)
        settings = {"ngram": made.ngram, "num_perm": made.num_perm, "reference": reference}
    return Config(
        out=request.out,
        seed=request.seed,
        workers=request.workers,
        max_reject_share=request.max_reject_share,
        texts=request.texts,
        on_broken_file=request.on_broken_file,
        gates=request.gates,
        text_out=None,
        sources=sources,
        **settings,
    )


def _report(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered,
    gates: Gates,
) -> Report:
    reference = clustered.reference
    kept = deduplicated.verdicts.kept
    known = np.zeros(len(kept), bool)
    if reference.human:  # the human part of a run's output is meant to be there
        known = kept & sketched.of_role("synthetic") & reference.holds(*sketched.fingerprints)
    if known.any():
        context.warn(
            f"{int(known.sum()):,} of {int(kept.sum()):,} documents stand word for word in the "
            "yardstick, and are left out of all figures"
        )
    copies = (kept & ~known).astype(np.int32)
    audited = _files(sketched)
    measured = measure(
        context, sketched, deduplicated, clustered, copies, gates, audited.shard, len(audited.files)
    )
    maker = FigureMaker(reference)
    last = measured.last
    with context.progress.stage("report"):
        stages = [
            figures.stage("read", measured.roles("read"), maker),
            figures.stage("deduplicate", last, maker),
        ]
        every = stages[-1].roles
        every["all"] = figures.add_zstd(every["all"], context, sketched, copies)
        found = None
        groups = group_sizes(deduplicated.verdicts, sketched.of_role(*WRITABLE) & measured.open)
        repeated, _ = repeated_share(groups, int(groups.prod(axis=1).sum()))
        if reference.human:
            found = maker.figures(measured.judged)
            repeats = figures.near_duplicates(groups, reference)
            found = figures.with_measures(found, [repeats])
            measures = figures.judge(found.measures, gates, sketched, reference)
            found = figures.with_measures(found, measures)
        answers = prompts(context, sketched, deduplicated.verdicts, embedded=True)
        collapsed = collapsed_prompts(context, answers, bool(measured.open.all()))
        said = (
            unjudged(context.warnings, repeated, collapsed)
            if found is None
            else verdict(found.measures, context.warnings, gates, collapsed)
        )
        return Report(
            kind="audit",
            verdict=with_findings(said, dominant(sketched, deduplicated, copies)),
            known_words=figures.known_words(sketched),
            conservation=conservation(
                context,
                sketched,
                deduplicated,
                {MEASURED: copies > 0, "stands in the human reference": known},
                Rows.of_verdicts(sketched, deduplicated),
            ),
            asked=None,
            achieved=None,
            stages=stages,
            judged=found,
            shards=figures.shards(
                measured,
                audited.described(copies, deduplicated.verdicts),
                maker,
            ),
            deduplication=deduplication(
                context, sketched, deduplicated, clustered if reference.human else None
            ),
            prompts=answers,
            domains=figures.domains(measured, gates, maker),
            clusters=figures.clusters(context, sketched, clustered, last["all"], copies),
            reference=figures.yardstick(reference),
        )


@dataclass(frozen=True)
class _Files:
    """The audited files as shards.

    Attributes:
        files: their names.
        sizes: bytes of each.
        shard: int64[n], number of the file of each of the n documents.
    """

    files: list[str]
    sizes: list[int]
    shard: NDArray[np.int64]

    def described(self, copies: NDArray[np.int32], verdicts: Verdicts) -> list[dict[str, Any]]:
        """Return what `figures.shards` wants to know of each file.

        Args:
            copies: int32[n], 1 for each measured document, else 0.
            verdicts: of the n documents.
        """
        total = len(self.files)
        columns = {
            "file": self.files,
            "read": np.bincount(self.shard, minlength=total).tolist(),
            "rows": np.bincount(self.shard[copies > 0], minlength=total).tolist(),
            "bytes": self.sizes,
            "near_duplicates": repeats_within(verdicts, self.shard, total).tolist(),
        }
        return [
            dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)
        ]


def _files(sketched: Sketched) -> _Files:
    # A file that several sources read is one shard.
    sketches = sketched.sketches
    names = {path: name for (_, path), name in file_names(sketches.units).items()}
    number = {path: place for place, path in enumerate(names)}
    sizes = [0] * len(number)
    seen: set[tuple[str, int]] = set()
    shard: list[int] = []
    rows: list[int] = []
    for unit, report in zip(sketches.units, sketches.reports, strict=True):
        for piece in unit.pieces:
            shard.append(number[piece.file])
            if (part := (piece.file, piece.start)) not in seen:
                seen.add(part)
                sizes[number[piece.file]] += piece.bytes
        rows += report.piece_rows
    of_each = np.repeat(np.array(shard, np.int64), np.array(rows, np.int64))
    return _Files(list(names.values()), sizes, of_each)
