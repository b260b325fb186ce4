"""Runs jobs: curate a corpus, plan it, or deduplicate it; the same from Python and the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.commands.generation import commit, lineage_report
from outcross.pipeline.commands.job import job, manifest, sketch_and_deduplicate, write_rejects
from outcross.pipeline.engine.artifacts import MANIFEST, Artifact, artifact
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.page.card import dataset_card
from outcross.pipeline.page.document import page
from outcross.pipeline.stages.cluster import Clustered, cluster
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated, removed_output
from outcross.pipeline.stages.measure import measure
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.plan import plan as plan_stage
from outcross.pipeline.stages.rank import rank
from outcross.pipeline.stages.report import Rows, conservation, reasons_not_selected, run_report
from outcross.pipeline.stages.reporting.achieved import check_budget
from outcross.pipeline.stages.reporting.prompts import prompts
from outcross.pipeline.stages.reporting.removals import deduplication
from outcross.pipeline.stages.select import select
from outcross.pipeline.stages.sketch import Sketched
from outcross.pipeline.stages.write import Output, write_shards
from outcross.schemas.config import Config
from outcross.schemas.gates import load_gates
from outcross.schemas.plan import Plan
from outcross.schemas.report import Achieved, Report, Verdict
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.reference.reference import REFERENCE_FILES, copy_reference
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.writing.layouts import Folders, KeptLayout
from outcross.transforms.writing.shards import count_shards, row_group

PLAN = "plan.json"


@dataclass(frozen=True)
class RunResult:
    """What a run has made.

    Attributes:
        out: the output directory.
        report: the contents of report.json.
        plan: the contents of plan.json; None after `dedup`.
    """

    out: str
    report: Report
    plan: Plan | None


def run(
    config: Config, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> RunResult:
    """Curates a corpus: sketch, deduplicate, cluster, plan, select, write, report.

    Args:
        config: what to do.
        beam_args: Beam's own options, such as ["--runner", "FlinkRunner"].
        progress: shows stages; by default a bar on a terminal and lines elsewhere.

    Raises:
        ConfigError: the request is wrong or can't be met.
        RunError: the run could not be finished.
    """
    gates = load_gates(config.gates)
    with job(config, beam_args, progress, remembers=True) as (context, started):
        sketched, deduplicated = sketch_and_deduplicate(context)
        clustered = cluster(context, sketched, deduplicated)
        ranking = rank(context, sketched, deduplicated, clustered)
        planned = plan_stage(context, sketched, deduplicated, clustered, ranking)
        gates = gates.of_run(context.config.domains)  # those of the plan, where one was given
        selected = select(context, sketched, clustered, ranking, planned)
        check_budget(context, sketched, planned, selected)
        # Only now, as a request that can't be met leaves an earlier result alone.
        write_rejects(sketched, config.out)
        _write_plan(config.out, planned.plan)
        copies = selected.copies
        rows = int((np.minimum(copies, 1) if config.copies == "weights" else copies).sum())
        shards = max(1, min(planned.plan.shards, rows))
        layout = _layout(context, sketched, deduplicated, selected.folder, shards, clustered)
        done = artifact(
            config.out, "write", select=selected.artifact.key, text_out=sketched.text_out
        )
        removed, written = _write(context, sketched, deduplicated, layout, copies, done)
        measured = measure(
            context,
            sketched,
            deduplicated,
            clustered,
            copies,
            gates,
            None,
            shards,
        )
        with context.progress.stage("report"):
            report = run_report(
                context,
                sketched,
                deduplicated,
                clustered,
                ranking,
                planned,
                selected,
                measured,
                gates,
                removed,
                written,
                lineage_report(context, sketched, ranking, planned, selected),
            )
        report = context.shown(report)
        copy_reference(clustered.reference_folder, files.join(config.out, "reference"))
        work = _Work(sketched, deduplicated, selected.folder)
        _finish(context, work, report, removed, written, started, clustered, planned.plan)
        tokens = 0 if report.achieved is None else report.achieved.tokens
        commit(context, sketched, deduplicated, clustered, ranking, selected, tokens)
        return RunResult(config.out, report, planned.plan)


def plan(
    config: Config, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> Plan:
    """What a run would take from where, and what other human shares would reach.

    Arguments and errors are those of `run`. What it has sketched, a later run doesn't do again.
    """
    with job(config, beam_args, progress, remembers=True) as (context, _):
        sketched, deduplicated = sketch_and_deduplicate(context)
        clustered = cluster(context, sketched, deduplicated)
        ranking = rank(context, sketched, deduplicated, clustered)
        planned: Planned = plan_stage(context, sketched, deduplicated, clustered, ranking)
        if not files.exists(
            files.join(config.out, MANIFEST)
        ):  # else it is the plan of what is there
            _write_plan(config.out, planned.plan)
        return planned.plan


def dedup(
    config: Config, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> RunResult:
    """Sketches, deduplicates and writes what is kept, nothing else.

    Arguments and errors are those of `run`.
    """
    with job(config, beam_args, progress) as (context, started):
        sketched, deduplicated = sketch_and_deduplicate(context, embedded=False)
        write_rejects(sketched, config.out)
        done = artifact(
            config.out, "keep", deduplicate=deduplicated.artifact.key, text_out=sketched.text_out
        )
        kept = deduplicated.verdicts.kept & sketched.of_role(*WRITABLE)
        copies = kept.astype(np.int32)
        save_aligned(done.subfolder("selection"), sketched.sketches, {"copies": copies})
        size = int(sketched.sketches.numbers("size")[kept].sum())
        shards = count_shards(size, config.shard_mb, int(kept.sum()))
        layout = _layout(context, sketched, deduplicated, done.path("selection"), shards, None)
        removed, written = _write(context, sketched, deduplicated, layout, copies, done)
        stale = [files.join(config.out, PLAN)]
        stale += [files.join(config.out, "reference", name) for name in REFERENCE_FILES]
        files.delete_files([path for path in stale if files.exists(path)])
        none = np.zeros(len(copies), bool)
        reasons = reasons_not_selected(sketched, deduplicated, copies, none, none, none)
        tokens = {
            role: int(sketched.tokens[kept & sketched.of_role(role)].sum()) for role in WRITABLE
        }
        total = sum(tokens.values())
        whole = Report(
            verdict=Verdict(
                outcome="done",
                sentence="Done; nothing was judged, as `dedup` only removes what repeats.",
                reasons=[],
                warnings=context.warnings,
            ),
            conservation=conservation(
                context, sketched, deduplicated, reasons, Rows.of_files(removed, written)
            ),
            kind="dedup",
            asked=None,
            achieved=Achieved(
                tokens=total,
                synthetic_tokens=tokens["synthetic"],
                human_tokens=tokens["human"],
                human_share=tokens["human"] / total if total else None,
                planned_human_tokens=None,
                longest_document=int(sketched.tokens[kept].max(initial=0)),
                entropy=None,
                planned_entropy=None,
                kl=None,
                most_copies=int(copies.max(initial=0)),
            ),
            stages=[],
            judged=None,
            shards=[],
            deduplication=deduplication(context, sketched, deduplicated, None),
            prompts=prompts(context, sketched, deduplicated.verdicts, embedded=False),
            domains=[],
            clusters=[],
            reference=None,
        )
        report = context.shown(whole)
        work = _Work(sketched, deduplicated, done.path("selection"))
        _finish(context, work, report, removed, written, started, None, None)
        return RunResult(config.out, report, None)


def _write(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    layout: KeptLayout,
    copies: NDArray[np.int32],
    done: Artifact,
) -> list[list[Any]]:
    """Writes removed/ and data/, and returns their shards' reports."""
    rows = row_group(sketched.sketches.numbers("size")[copies > 0])
    data = Output("data", layout, layout.shards, rows, done, sketched.text_out)
    outputs = [removed_output(sketched, deduplicated), data]
    return write_shards(context, outputs, sketched.units(*WRITABLE, "reference"))


def _write_plan(out: str, made: Plan) -> None:
    files.write_bytes(files.join(out, PLAN), made.to_json())


def _layout(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    selection: str,
    shards: int,
    clustered: Clustered | None,
) -> KeptLayout:
    sketches = sketched.sketches
    return KeptLayout(
        union=sketched.union,
        sources=context.config.sources,
        places=sketches.places,
        folders=Folders(
            sketches=sketches.folder,
            verdicts=deduplicated.folder,
            assignments=None if clustered is None else clustered.folder,
            selection=selection,
        ),
        shards=shards,
        seed=context.config.seed,
        weighted=context.config.copies == "weights",
    )


@dataclass(frozen=True)
class _Work:
    """What a finished run leaves for later ones that name it in `against`."""

    sketched: Sketched
    deduplicated: Deduplicated
    selection: str

    def folders(self, out: str) -> dict[str, str]:
        """Below the output directory."""
        whole = {
            "sketch": self.sketched.artifact.folder,
            "verdicts": self.deduplicated.folder,
            "selection": self.selection,
        }
        return {what: path[len(files.join(out, "")) :] for what, path in whole.items()}


def _finish(
    context: Context,
    work: _Work,
    report: Report,
    removed: Sequence[Any],
    written: Sequence[Any],
    started: float,
    clustered: Clustered | None,
    planned: Plan | None,
) -> None:
    """Writes report.json, report.html, README.md and, last, manifest.json."""
    config, out, sketched = context.config, context.config.out, work.sketched
    files.write_bytes(
        files.join(out, "report.json"), (report.model_dump_json(indent=2) + "\n").encode()
    )
    files.write_bytes(files.join(out, "README.md"), dataset_card(config, report).encode())
    described = manifest(context, sketched, clustered, started)
    described |= {
        "work": work.folders(out),
        "outputs": [
            {"file": f"{folder}/{shard['file']}"}
            | {name: shard[name] for name in ("rows", "bytes", "sha256")}
            for folder, shards in (("data", written), ("removed", removed))
            for shard in shards
        ],
    }
    files.write_bytes(files.join(out, "report.html"), page(report, planned, described).encode())
    files.write_json(files.join(out, MANIFEST), described)
