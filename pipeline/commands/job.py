"""What every command begins and ends with: checks, a directory of its own, a manifest."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from outcross.pipeline.commands.estimate import check_disk
from outcross.pipeline.engine.artifacts import MANIFEST, WORK, read_manifest
from outcross.pipeline.engine.locks import lock_file
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.lineage import lock_lineage, within_lineage
from outcross.pipeline.inputs.plans import check_asked
from outcross.pipeline.inputs.standard_input import is_copy, with_standard_input
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.deduplicate import Deduplicated, deduplicate
from outcross.pipeline.stages.earlier import Index, earlier_runs
from outcross.pipeline.stages.filters import check_filters, check_synthetic
from outcross.pipeline.stages.sketch import (
    Sketched,
    check_prompts,
    missing_of_ledger,
    plan_input,
    sketch,
    too_many_rejects,
    warn_of_sources,
)
from outcross.pipeline.stages.write import check_folders
from outcross.schemas.config import Config, band_threshold
from outcross.schemas.documents import FORMAT_VERSION, Unit
from outcross.schemas.formats import versions
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reference.reference import load_reference
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.minhash import lsh_parameters
from outcross.transforms.writing.shards import read_back

Kind = Literal["run", "audit", "reference"]
_COMMANDS = {"run": "run", "audit": "audit", "reference": "reference build"}


@contextmanager
def job(
    config: Config,
    beam_args: Sequence[str],
    progress: StageProgress | None,
    kind: Kind = "run",
    remembers: bool = False,
) -> Iterator[tuple[Context, float]]:
    """What every command begins with: a checked request, and a directory of its own.

    Args:
        config, beam_args, progress: of the command.
        kind: of the job.
        remembers: whether it is a run or its plan. It then works with its lineage, if there is
            one, which is this job's alone until the end; and its files have to fit the disk.
    """
    shared = config.lineage if remembers else None
    with nullcontext() if shared is None else lock_lineage(shared):
        lineage = None
        if shared is not None:
            config, lineage = within_lineage(config)
        check_out(config.out, kind)
        config = with_standard_input(config)
        context = Context(config, beam_args, progress or StageProgress(), lineage=lineage)
        inputs = check_request(config, kind)
        if remembers:
            check_disk(config, inputs)
        _note_replaced(context, kind)
        with alone(config.out):
            for warning in [] if lineage is None else lineage.warnings:
                context.warn(warning)
            yield context, time.time()


def _note_replaced(context: Context, kind: Kind) -> None:
    config = context.config
    path = files.join(config.out, MANIFEST)
    if kind != "run" and files.exists(path):
        before = files.read_json(path)["configuration"]
        if before != config.model_dump(mode="json", exclude_unset=True):
            context.progress.say(f"note: the result of another request in {config.out} is replaced")


def check_request(config: Config, kind: Kind = "run") -> list[Unit]:
    """Checks all that can be checked without reading the sources.

    Returns:
        The files of all sources, each as one piece.

    Raises:
        ConfigError: naming the key, what was found and what would be right.
    """
    check_out(config.out, kind)
    check_folders(config.out)
    if config.plan is not None:
        check_asked(config, config.plan)
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
    units = plan_units(config.sources, unit_bytes=1 << 62)
    for unit in units:
        for piece in unit.pieces:
            if _inside(piece.file, config.out) and not is_copy(piece.file, config.out):
                raise ConfigError(
                    f"source {config.sources[unit.source].name!r}: files: "
                    f"{files.printable(piece.file)!r} lies in "
                    f"out = {config.out!r}, whose files a run replaces; choose another out"
                )
    return units


@contextmanager
def alone(out: str) -> Iterator[None]:
    """Keeps a second run out of the same directory; the system lets go of it with the process.

    Raises:
        ConfigError: when another run is at work there.
    """
    files.make_folder(files.join(out, WORK))
    if not files.is_local(out):  # object stores have no locks
        yield
        return
    message = f"out: another run is at work in {out}; wait for it, or choose another directory"
    with lock_file(files.join(out, WORK, "lock"), message):
        yield


def check_out(out: str, kind: Kind) -> None:
    """A directory that holds something else is never written into.

    Args:
        out: the directory.
        kind: of the job that wants to write there.

    Raises:
        ConfigError: when it holds other files, or what another kind of job has made.
    """
    path = files.join(out, MANIFEST)
    if files.exists(path):
        manifest = read_manifest(out)
        if manifest is None:
            raise ConfigError(f"out: {path} is not of an outcross run; choose another directory")
        if (made := manifest.get("kind", "run")) != kind:
            raise ConfigError(
                f"out: {out} holds what `outcross {_COMMANDS.get(made, made)}` has made; choose "
                "another directory"
            )
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


def sketch_and_deduplicate(
    context: Context, embedded: bool = True, beside: Sequence[Index] = ()
) -> tuple[Sketched, Deduplicated]:
    """Sketches the sources, and settles who repeats whom.

    Args:
        context: of the run.
        embedded: whether embeddings are made, for the stages after `deduplicate`.
        beside: further texts whose repeats go.

    Raises:
        ConfigError: there is nothing to read.
        RunError: too much of it could not be read.
    """
    units, identities = plan_input(context.config)
    sketched = sketch(context, units, identities, embedded)
    warn_of_sources(sketched)
    check_filters(sketched)
    if (told := missing_of_ledger(sketched)) is not None:
        raise RunError(told)
    if (told := too_many_rejects(sketched)) is not None:
        # A result that stands there keeps its own rejects.
        out = context.config.out
        finished = files.exists(files.join(out, MANIFEST))
        path = write_rejects(sketched, files.join(out, WORK) if finished else out)
        raise RunError(f"{told}\nAll that could not be read is in {path}.")
    if len(sketched.sketches) == 0:
        raise ConfigError("sources: there is no row with a text in any of them")
    check_synthetic(sketched)
    check_prompts(sketched)
    return sketched, deduplicate(context, sketched, beside)


def write_rejects(sketched: Sketched, out: str) -> str:
    """Writes rejects/ below `out`, reads it back, and returns the file's path."""
    files.make_folder(files.join(out, "rejects"))
    config = sketched.context.config
    table = sketched.sketches.rejects(config.sources)
    if not config.texts:
        raw = table.schema.get_field_index("raw")
        table = table.set_column(raw, table.schema.field(raw), pa.nulls(len(table), pa.binary()))
    path = files.join(out, "rejects", "rejects.parquet")
    files.write_table(path, table)
    read_back(path, table.num_rows)
    return path


def manifest(
    context: Context,
    sketched: Sketched,
    clustered: Clustered | None,
    started: float,
    kind: Kind = "run",
) -> dict[str, Any]:
    """What manifest.json says of every job: versions, configuration, inputs, times.

    Args:
        context, sketched, clustered: of the job; None where nothing was clustered.
        started: seconds since 1970.
        kind: of the job.
    """
    config = context.config
    packages = ("apache-beam", "faiss-cpu", "numba", "numpy", "pyarrow", "datasketch")
    inputs: dict[str, Any] = {}
    for unit in sketched.sketches.units:
        name = config.sources[unit.source].name
        rows = sketched.sketches.reports[unit.index].piece_rows
        for piece, count in zip(unit.pieces, rows, strict=True):
            identity = sketched.identities[piece.file]
            file = inputs.setdefault(piece.file, {"sources": [], "rows": 0, "identity": identity})
            if name not in file["sources"]:
                file["sources"].append(name)
            file["rows"] += count
    return {
        **versions(FORMAT_VERSION),
        "kind": kind,
        "versions": {
            "outcross": version("outcross"),
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        "configuration": config.model_dump(mode="json", exclude_unset=True),
        "text_out": sketched.text_out,
        "seed": config.seed,
        "workers": config.workers,
        "beam_options": list(context.beam_args),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        "stage_seconds": context.progress.seconds,
        "host": platform.node(),
        "embedder": load_default().fingerprint,
        "reference": None if clustered is None else clustered.reference.fingerprint(),
        "inputs": inputs,
    }
