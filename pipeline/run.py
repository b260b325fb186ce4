"""Runs jobs: curate a corpus, plan it, or deduplicate it; the same from Python and the console."""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import MANIFEST, WORK, Artifact, artifact
from pipeline.card import dataset_card
from pipeline.context import Context, RunError
from pipeline.earlier import earlier_runs
from pipeline.progress import StageProgress
from pipeline.removals import deduplication
from pipeline.stages.cluster import Clustered, cluster
from pipeline.stages.deduplicate import Deduplicated, deduplicate, removed_output
from pipeline.stages.plan import Planned
from pipeline.stages.plan import plan as plan_stage
from pipeline.stages.report import (
    conservation,
    prompts,
    reasons_not_selected,
    run_report,
    verdict,
)
from pipeline.stages.select import select
from pipeline.stages.sketch import (
    Sketched,
    check_prompts,
    plan_input,
    sketch,
    too_many_rejects,
    warn_of_sources,
)
from pipeline.stages.write import Output, write_shards
from schemas.config import WRITABLE, Config, ConfigError, band_threshold
from schemas.documents import FORMAT_VERSION, Unit
from schemas.plan import Plan
from schemas.report import Achieved, Report
from transforms import files
from transforms.aligned import save_aligned
from transforms.embed import load_default
from transforms.identity import file_names
from transforms.layouts import Folders, KeptLayout
from transforms.minhash import lsh_parameters
from transforms.read import plan_units
from transforms.reference import REFERENCE_FILES, load_reference
from transforms.shards import count_shards, row_group

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
    with _job(config, beam_args, progress) as (context, started):
        sketched, deduplicated = _deduplicated(context)
        clustered = cluster(context, sketched, deduplicated)
        planned = plan_stage(context, sketched, deduplicated, clustered)
        selected = select(context, sketched, deduplicated, clustered, planned)
        # Only now, as a request that can't be met leaves an earlier result alone.
        _write_rejects(sketched, config.out)
        _write_plan(config.out, planned.plan)
        layout = _layout(
            context, sketched, deduplicated, selected.folder, planned.plan.shards, clustered
        )
        done = artifact(config.out, "write", select=selected.artifact.key, text_out=config.text_out)
        copies = selected.copies
        removed, written = _write(context, sketched, deduplicated, layout, copies, done)
        report = run_report(
            context, sketched, deduplicated, clustered, planned, selected, removed, written
        )
        files.make_folder(files.join(config.out, "reference"))
        for path in _reference_files(config.out):
            made = files.join(clustered.reference_folder, path.rpartition("/")[2])
            files.write_bytes(path, files.read_bytes(made))
        work = _Work(sketched, deduplicated, selected.folder)
        _finish(context, work, report, removed, written, started, clustered)
        return RunResult(config.out, report, planned.plan)


def plan(
    config: Config, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> Plan:
    """What a run would take from where, and what other human shares would reach.

    Arguments and errors are those of `run`. What it has sketched, a later run doesn't do again.
    """
    with _job(config, beam_args, progress) as (context, _):
        sketched, deduplicated = _deduplicated(context)
        clustered = cluster(context, sketched, deduplicated)
        planned: Planned = plan_stage(context, sketched, deduplicated, clustered)
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
    with _job(config, beam_args, progress) as (context, started):
        sketched, deduplicated = _deduplicated(context, embedded=False)
        _write_rejects(sketched, config.out)
        done = artifact(
            config.out, "keep", deduplicate=deduplicated.artifact.key, text_out=config.text_out
        )
        kept = deduplicated.verdicts.kept & sketched.of_role(*WRITABLE)
        copies = kept.astype(np.int32)
        save_aligned(done.subfolder("selection"), sketched.sketches, {"copies": copies})
        size = int(sketched.sketches.numbers("size")[kept].sum())
        shards = count_shards(size, config.shard_mb)
        layout = _layout(context, sketched, deduplicated, done.path("selection"), shards, None)
        removed, written = _write(context, sketched, deduplicated, layout, copies, done)
        stale = [files.join(config.out, PLAN), *_reference_files(config.out)]
        files.delete_files([path for path in stale if files.exists(path)])
        none = np.zeros(len(copies), bool)
        reasons = reasons_not_selected(sketched, deduplicated, copies, none)
        tokens = {
            role: int(sketched.tokens[kept & sketched.of_role(role)].sum()) for role in WRITABLE
        }
        total = sum(tokens.values())
        report = Report(
            verdict=verdict(context.warnings),
            conservation=conservation(context, sketched, deduplicated, reasons, removed, written),
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
            shards=[],
            deduplication=deduplication(context, sketched, deduplicated, None),
            prompts=prompts(context, sketched, deduplicated),
            domains={},
            reference=None,
        )
        work = _Work(sketched, deduplicated, done.path("selection"))
        _finish(context, work, report, removed, written, started, None)
        return RunResult(config.out, report, None)


@contextmanager
def _job(
    config: Config, beam_args: Sequence[str], progress: StageProgress | None
) -> Iterator[tuple[Context, float]]:
    """What every command begins with: a checked request, and a directory of its own."""
    context = Context(config, beam_args, progress or StageProgress())
    check_request(config)
    with _held(config.out):
        yield context, time.time()


def check_request(config: Config) -> list[Unit]:
    """Checks all that can be checked without reading the sources.

    Returns:
        The files of all sources, each as one unit.

    Raises:
        ConfigError: naming the key, what was found and what would be right.
    """
    _check_out(config.out)
    try:
        lsh_parameters(band_threshold(config), config.num_perm)
    except ValueError:
        raise ConfigError(
            f"near_threshold: {config.num_perm} permutations can't tell similarities from "
            f"{band_threshold(config)} on apart; lower it, or raise num_perm"
        ) from None
    earlier_runs(config)
    if config.reference is not None:
        load_reference(config.reference, load_default().fingerprint)
    found = plan_units(config.sources, unit_bytes=1 << 62)
    for file in found:
        if _inside(file.file, config.out):
            raise ConfigError(
                f"source {config.sources[file.source].name!r}: files: {file.file!r} lies in "
                f"out = {config.out!r}, whose files a run replaces; choose another out"
            )
    return found


@contextmanager
def _held(out: str) -> Iterator[None]:
    """Keeps a second run out of the same directory; the system lets go of it with the process.

    Raises:
        ConfigError: when another run is at work there.
    """
    files.make_folder(files.join(out, WORK))
    if not files.is_local(out):  # object stores have no locks
        yield
        return
    with Path(out, WORK, "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"out: another run is at work in {out}; wait for it, or choose another directory"
            ) from None
        yield


def _check_out(out: str) -> None:
    """A directory that holds something else is never written into."""
    if files.exists(files.join(out, WORK)) or not files.exists(out):
        return
    if files.is_local(out):
        if not Path(out).is_dir():
            raise ConfigError(f"out: {out} is a file; a directory is expected")
        other = any(names for _, _, names in os.walk(out))
    else:
        other = any(files.list_files(files.join(out, glob)) for glob in ("*", "*/*"))
    if files.exists(files.join(out, MANIFEST)):
        raise ConfigError(
            f"out: {out} holds the result of a run that has lost its {WORK}, without which no "
            "other goes on from it; choose another directory, or delete this one"
        )
    if other:
        raise ConfigError(
            f"out: {out} holds files that are not of an outcross run; choose an empty directory"
        )


def _inside(path: str, folder: str) -> bool:
    if files.is_local(path) and files.is_local(folder):
        return Path(path).resolve().is_relative_to(Path(folder).resolve())
    return path.startswith(folder.rstrip("/") + "/")


def _deduplicated(context: Context, embedded: bool = True) -> tuple[Sketched, Deduplicated]:
    units, identities = plan_input(context.config)
    sketched = sketch(context, units, identities, embedded)
    warn_of_sources(sketched)
    if (told := too_many_rejects(sketched)) is not None:
        # A result that stands there keeps its own rejects.
        out = context.config.out
        finished = files.exists(files.join(out, MANIFEST))
        path = _write_rejects(sketched, files.join(out, WORK) if finished else out)
        raise RunError(
            f"{told}\nAll of them are in {path}; mend the input, or raise --max-reject-share."
        )
    if len(sketched.sketches) == 0:
        raise ConfigError("sources: there is no row with a text in any of them")
    check_prompts(sketched)
    return sketched, deduplicate(context, sketched)


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
    data = Output("data", layout, layout.shards, rows, done, context.config.text_out)
    outputs = [removed_output(sketched, deduplicated), data]
    return write_shards(context, outputs, sketched.units(*WRITABLE, "reference"))


def _write_rejects(sketched: Sketched, out: str) -> str:
    """Writes rejects/ below `out`, and returns the file's path."""
    files.make_folder(files.join(out, "rejects"))
    names = file_names(sketched.sketches.units)
    table = sketched.sketches.rejects(sketched.context.config.sources, names)
    path = files.join(out, "rejects", "rejects.parquet")
    files.write_table(path, table)
    return path


def _reference_files(out: str) -> list[str]:
    return [files.join(out, "reference", name) for name in REFERENCE_FILES]


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
        files=file_names(sketches.units),
        bases=sketches.row_bases().tolist(),
        folders=Folders(
            sketches=sketches.folder,
            verdicts=deduplicated.folder,
            assignments=None if clustered is None else clustered.folder,
            selection=selection,
        ),
        reference=None
        if clustered is None
        else (
            clustered.reference.thresholds,
            clustered.reference.codebook.size,
            clustered.reference.audit.size,
        ),
        shards=shards,
        seed=context.config.seed,
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
) -> None:
    """Writes report.json, README.md and, last, manifest.json."""
    config, out, sketched = context.config, context.config.out, work.sketched
    files.write_bytes(
        files.join(out, "report.json"), (report.model_dump_json(indent=2) + "\n").encode()
    )
    files.write_bytes(files.join(out, "README.md"), dataset_card(config, report).encode())
    packages = ("apache-beam", "faiss-cpu", "numba", "numpy", "pyarrow", "datasketch")
    inputs: dict[str, Any] = {}
    for unit in sketched.sketches.units:
        file = inputs.setdefault(
            unit.file, {"sources": [], "rows": 0, "identity": sketched.identities[unit.file]}
        )
        if config.sources[unit.source].name not in file["sources"]:
            file["sources"].append(config.sources[unit.source].name)
        file["rows"] += sketched.sketches.reports[unit.index].rows
    manifest = {
        "format_version": FORMAT_VERSION,
        "versions": {
            "outcross": version("outcross"),
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        "configuration": config.model_dump(mode="json", exclude_unset=True),
        "seed": config.seed,
        "workers": config.workers,
        "beam_options": list(context.beam_args),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        "stage_seconds": context.progress.seconds,
        "host": platform.node(),
        "embedder": load_default().fingerprint,
        "reference": None if clustered is None else clustered.reference.fingerprint(),
        "work": work.folders(out),
        "inputs": inputs,
        "outputs": [
            {"file": f"{folder}/{shard['file']}"}
            | {name: shard[name] for name in ("rows", "bytes", "sha256")}
            for folder, shards in (("data", written), ("removed", removed))
            for shard in shards
        ],
    }
    files.write_json(files.join(out, MANIFEST), manifest)
