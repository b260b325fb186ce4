"""Commands `run`, `plan` and `dedup`: the same from Python and from the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outcross.pipeline.commands.generation import commit, lineage_report
from outcross.pipeline.commands.job import job, manifest
from outcross.pipeline.commands.post import post
from outcross.pipeline.engine.artifacts import MANIFEST
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.page.card import dataset_card
from outcross.pipeline.page.croissant import croissant
from outcross.pipeline.page.dataset import Dataset
from outcross.pipeline.page.document import page
from outcross.pipeline.page.openlineage import event
from outcross.pipeline.stages.cluster import cluster
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import deduplicate
from outcross.pipeline.stages.measure import write_and_measure
from outcross.pipeline.stages.plan import plan as plan_stage
from outcross.pipeline.stages.provenance import gates_for_sources
from outcross.pipeline.stages.rank import rank
from outcross.pipeline.stages.report import dedup_report, run_gates, run_report
from outcross.pipeline.stages.reporting.achieved import check_budget
from outcross.pipeline.stages.reporting.quotes import Quoting
from outcross.pipeline.stages.select import keep, select
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.pipeline.stages.sketch import sketch
from outcross.pipeline.stages.sources import write_rejects
from outcross.pipeline.stages.write import Written, write
from outcross.schemas.config import Config
from outcross.schemas.gates import load_gates
from outcross.schemas.plan import Plan
from outcross.schemas.report import Report
from outcross.transforms.base import files
from outcross.transforms.reference.reference import copy_reference, reference_files

PLAN = "plan.json"


@dataclass(frozen=True)
class RunResult:
    """Result of a run.

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
    """Curate a corpus: sketch, deduplicate, cluster, plan, select, write, report.

    Args:
        config: configuration of the run.
        beam_args: Beam's own options, such as ["--runner", "FlinkRunner"].
        progress: output that shows the stages; by default a bar on a terminal, else lines.

    Raises:
        ConfigError: when the request is wrong or can't be met.
        RunError: when the run could not be finished.
    """
    gates = load_gates(config.gates)
    with job(config, beam_args, progress, remembers=True) as context:
        out = context.config.out
        planned = plan_stage(rank(cluster(deduplicate(sketch(context)))))
        selected, counted = select(planned)
        check_budget(selected, counted)
        # Write only after the check: a request that can't be met must not change an earlier result.
        write_rejects(selected.sketched, out)
        plan = planned.plan
        files.write_bytes(files.join(out, PLAN), plan.to_json())
        gates = gates_for_sources(gates.of_run(context.config.domains), context)
        gates = run_gates(gates, counted.copies)
        measured = write_and_measure(selected, counted, gates)
        with context.progress.stage("report"):
            report = context.shown(run_report(measured, lineage_report(selected)))
        copy_reference(selected.clustered.reference_folder, files.join(out, "reference"))
        ended = _finish(measured.corpus, report)
        commit(selected, 0 if report.achieved is None else report.achieved.tokens)
        _post(context, ended)
        return RunResult(out, report, plan)


def plan(
    config: Config, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> Plan:
    """Plan a run: where its tokens come from, and what other human shares would reach.

    A later run in the same folder reuses the sketches. Arguments and errors are those of `run`.
    """
    with job(config, beam_args, progress, remembers=True) as context:
        planned = plan_stage(rank(cluster(deduplicate(sketch(context)))))
        out = context.config.out
        if not files.exists(files.join(out, MANIFEST)):  # else plan.json belongs to the result
            files.write_bytes(files.join(out, PLAN), planned.plan.to_json())
        return planned.plan


def dedup(
    config: Config, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> RunResult:
    """Deduplicate a corpus: sketch it, decide, and write the kept documents.

    Arguments and errors are those of `run`.
    """
    with job(config, beam_args, progress) as context:
        out = context.config.out
        embedded = context.config.semantic_threshold is not None
        kept, counted = keep(deduplicate(sketch(context, embedded)))
        write_rejects(kept.sketched, out)
        quoting = Quoting(counted, measured=False)
        written = write(kept, counted, [quoting])
        stale = [files.join(out, PLAN)]
        reference = files.join(out, "reference")
        stale += [files.join(reference, name) for name in reference_files(reference)]
        files.delete_files([path for path in stale if files.exists(path)])
        report = context.shown(dedup_report(written, quoting))
        _post(context, _finish(written, report))
        return RunResult(out, report, None)


def exit_code(config: Config, report: Report) -> int:
    """Return the exit code of the command for the verdict: 3 if a gate stops it, else 0."""
    return 3 if config.gate and report.verdict.outcome == "stop" else 0


def _finish(written: Written[Selected] | Written[Kept], report: Report) -> dict[str, Any]:
    """Write the reports, the descriptions of the corpus and, last, manifest.json.

    Args:
        written: result of `write`.
        report: report of the run.

    Returns:
        The contents of openlineage.json.
    """
    config, selected = written.config, written.selected
    written.sketched.context.confirm_locks()
    out, plan, reference = config.out, None, None
    if isinstance(selected, Selected):
        plan, reference = selected.planned.plan, selected.clustered.reference
    data = (report.model_dump_json(indent=2) + "\n").encode()
    files.write_bytes(files.join(out, "report.json"), data)
    described = manifest(written.sketched, reference)
    # Folders that later runs read when they name this run in `against`.
    work = {
        "sketch": written.sketched.artifact.folder,
        "verdicts": written.deduplicated.folder,
        "selection": selected.folder,
    }
    described["work"] = {name: path[len(files.join(out, "")) :] for name, path in work.items()}
    described["outputs"] = [
        {"file": f"{folder}/{shard['file']}"}
        | {name: shard[name] for name in ("rows", "bytes", "sha256")}
        for folder, shards in (("data", written.files), ("removed", written.removed))
        for shard in shards
    ]
    files.write_bytes(files.join(out, "report.html"), page(report, plan, described).encode())
    dataset = Dataset.load(config, report, described)
    ended = event(dataset, exit_code(config, report))
    files.write_bytes(files.join(out, "README.md"), dataset_card(dataset).encode())
    files.write_json(files.join(out, "croissant.json"), croissant(dataset))
    files.write_json(files.join(out, "openlineage.json"), ended)
    files.write_json(files.join(out, MANIFEST), described)
    return ended


def _post(context: Context, ended: dict[str, Any]) -> None:
    """Post an event to the address of the configuration, if it has one."""
    url = context.config.openlineage_url
    if url is not None and (warning := post(ended, url)) is not None:
        context.warn(warning)
