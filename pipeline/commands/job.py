"""Frame of every command: checks of the request, a folder of its own, a manifest."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal

from outcross.pipeline.commands.estimate import check_disk
from outcross.pipeline.engine.artifacts import MANIFEST, WORK, read_manifest
from outcross.pipeline.engine.locks import check_writable, lock
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.engine.recorded_options import recorded_options
from outcross.pipeline.inputs.absolute import with_absolute_paths
from outcross.pipeline.inputs.lineage import lock_lineage, within_lineage
from outcross.pipeline.inputs.plans import check_asked, with_plan
from outcross.pipeline.inputs.standard_input import is_copy, with_standard_input
from outcross.pipeline.inputs.tokenizer import check_reference, read_given, with_tokenizer
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.earlier import earlier_runs
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.write import check_folders
from outcross.schemas.config import Config, band_threshold, tokenizer_of
from outcross.schemas.documents import FORMAT_VERSION, Unit
from outcross.schemas.formats import versions
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.stores import use_options
from outcross.transforms.base.visible import visible_name
from outcross.transforms.encoders.load import load_model
from outcross.transforms.inputs.magic import is_compressed
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reference.reference import Reference, load_reference
from outcross.transforms.text.minhash import lsh_parameters

Kind = Literal["run", "audit", "reference", "export"]
_COMMANDS = {
    "run": "run",
    "audit": "audit",
    "reference": "reference build",
    "export": "export",
}


@contextmanager
def job(
    config: Config,
    beam_args: Sequence[str],
    progress: StageProgress | None,
    kind: Kind = "run",
    remembers: bool = False,
) -> Iterator[Context]:
    """Check a request, and lock its output folder while the command works.

    Args:
        config: configuration of the job.
        beam_args: Beam's own options.
        progress: output that shows the stages; None for the default.
        kind: kind of the job.
        remembers: True for a run or its plan. It works with its lineage, if there is one, and
            locks it. Its files have to fit the disk.

    Yields:
        The context of the stages. Its configuration has the sources that the lineage adds, and
        the settings that the plan brings.

    Raises:
        ConfigError: when the request is wrong, or another job is at work in the folder.
        WriteError: when a disk is full or protected.
    """
    progress = progress or StageProgress()
    use_options(beam_args)
    if beam_args:  # they may name an engine whose workers have another working directory
        config = with_absolute_paths(config)
    shared = config.lineage if remembers else None
    confirm: list[Callable[[], None]] = []
    tokenizer = read_given(config.tokenizer)
    with _going_on(config), ExitStack() as locks:
        lineage = None
        if shared is not None:
            confirm.append(locks.enter_context(lock_lineage(shared, progress.say)))
            config, lineage = within_lineage(config, tokenizer)
        check_out(config.out, kind)
        load_model(config.embedder)  # before standard input is read, which can't be read again
        config = with_tokenizer(with_standard_input(config), tokenizer)
        inputs = check_request(config, kind)
        context = Context(with_plan(config), beam_args, progress, lineage, confirm)
        _ = context.options  # a wrong one is refused before any work
        if remembers:
            check_disk(config, inputs)
        _note_replaced(context, kind)
        confirm.append(locks.enter_context(lock_out(config.out, progress.say)))
        files.delete_leftovers(config.out)
        if tokenizer is not None:
            tokenizer.save(config.out)
        for warning in [*empty_archives(inputs), *([] if lineage is None else lineage.warnings)]:
            context.warn(warning)
        yield context


def empty_archives(inputs: Sequence[Unit]) -> list[str]:
    """Return a warning of compressed files without a byte, which is no compressed file at all.

    They are read as empty, because some programs write them so.

    Args:
        inputs: files of all sources.
    """
    pieces = [piece for unit in inputs for piece in unit.pieces]
    names = [visible_name(p.file) for p in pieces if not p.bytes and is_compressed(p.file)]
    if not names:
        return []
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return [
        f"{', '.join(names[:3])}{more}: no bytes, which no compressed file has; read as empty. If "
        "a copy was cut off, get it again"
    ]


@contextmanager
def _going_on(config: Config) -> Iterator[None]:
    """Tell in the error of a full or protected disk which key names another place."""
    try:
        yield
    except files.WriteError as error:
        message, other = str(error), ", or choose another `out`"
        if config.lineage is not None and message.startswith(visible_name(config.lineage)):
            other = ""  # other runs share it
        elif not config.out.startswith(gettempdir()) and message.startswith(gettempdir()):
            other = ", or name a folder on another disk by TMPDIR"
        raise files.WriteError(
            f"{message}{other}; the same command goes on from here, without doing finished work "
            "again"
        ) from error


def _note_replaced(context: Context, kind: Kind) -> None:
    """Print a note where the result of another request will be replaced."""
    config = context.config
    path = files.join(config.out, MANIFEST)
    if kind not in ("run", "export") and files.exists(path):  # these say more of it themselves
        before = (read_manifest(config.out) or {}).get("configuration")
        if before != config.model_dump(mode="json", exclude_unset=True):
            context.progress.say(f"note: the result of another request in {config.out} is replaced")


def check_request(config: Config, kind: Kind = "run") -> list[Unit]:
    """Check all that can be checked without reading the sources.

    Args:
        config: configuration of the job.
        kind: kind of the job.

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
            f"near_threshold: {config.num_perm} permutations are too few for bands that find "
            f"similarities of {band_threshold(config)} and more; lower it, or raise num_perm"
        ) from None
    load_model(config.embedder)
    earlier_runs(config)
    if config.reference is not None:
        reference = load_reference(config.reference, key=config.embedder)
        check_reference(config.reference, reference, tokenizer_of(config))
    for source in config.sources:
        for folder in source.files:
            if files.is_local(folder) and Path(folder).is_dir() and _inside(config.out, folder):
                raise ConfigError(
                    f"source {source.name!r}: files: {files.as_utf8(folder)!r} has "
                    f"out = {config.out!r} in it, so the next command would read the result as "
                    "input; choose another out"
                )
    units = plan_units(config.sources, unit_bytes=1 << 62)
    for unit in units:
        for piece in unit.pieces:
            if _inside(piece.file, config.out) and not is_copy(piece.file, config.out):
                raise ConfigError(
                    f"source {config.sources[unit.source].name!r}: files: "
                    f"{files.as_utf8(piece.file)!r} lies in "
                    f"out = {config.out!r}, whose files a run replaces; choose another out"
                )
    return units


@contextmanager
def lock_out(out: str, say: Callable[[str], None] = print) -> Iterator[Callable[[], None]]:
    """Keep a second job out of an output folder.

    Args:
        out: the folder.
        say: function that prints a line, where the wait for a left lock takes seconds.

    Yields:
        A function that raises LostLockError if the lock is lost.

    Raises:
        ConfigError: when another job is at work there.
    """
    files.make_folder(files.join(out, WORK))
    busy, advice = (
        f"out: another run is at work in {out}",
        "wait for it, or choose another directory",
    )
    with lock(files.join(out, WORK, "lock"), busy, advice, say) as confirm:
        yield confirm


def check_out(out: str, kind: Kind) -> None:
    """Refuse an output folder that holds something else.

    Args:
        out: the folder.
        kind: kind of the job that will write there.

    Raises:
        ConfigError: when it holds other files, or the result of another kind of job.
    """
    check_writable("out", out)
    if files.is_local(out) and Path(out, WORK).is_dir():
        check_writable("out", files.join(out, WORK))
    path = files.join(out, MANIFEST)
    if files.exists(path):
        manifest = read_manifest(out)
        if manifest is None:
            raise ConfigError(f"out: {path} is not of an outcross run; choose another directory")
        if (earlier := manifest.get("kind", "run")) != kind:
            raise ConfigError(
                f"out: {out} holds what `outcross {_COMMANDS.get(earlier, earlier)}` has made; "
                "choose another directory"
            )
    if files.is_local(out):
        if Path(out).is_symlink() and not files.exists(out):
            raise ConfigError(
                f"out: {out} is a link to {os.readlink(out)}, which is not there; make that "
                "directory, or choose another one"
            )
        if files.exists(files.join(out, WORK)) or not files.exists(out):
            return
        if not Path(out).is_dir():
            raise ConfigError(f"out: {out} is a file; a directory is expected")
        filled = any(names for _, _, names in os.walk(out))
    else:  # folders are parts of names there; an audit first makes a reference in one
        names = files.list_files(files.join(out, "**"))
        if any(f"/{WORK}/" in name for name in names):
            return
        filled = bool(names)
    if files.exists(files.join(out, MANIFEST)):
        raise ConfigError(
            f"out: {out} holds the result of a run that has lost its {WORK}, without which no "
            "other goes on from it; choose another directory, or delete this one"
        )
    if filled:
        raise ConfigError(
            f"out: {out} holds files that are not of an outcross run; choose an empty directory"
        )


def _inside(path: str, folder: str) -> bool:
    if files.is_local(path) and files.is_local(folder):
        return Path(path).resolve().is_relative_to(Path(folder).resolve())
    return path.startswith(folder.rstrip("/") + "/")


def manifest(sketched: Sketched, reference: Reference | None, kind: Kind = "run") -> dict[str, Any]:
    """Return the contents of manifest.json: versions, configuration, inputs and times.

    Args:
        sketched: result of `sketch`.
        reference: reference of the job; None if it has none.
        kind: kind of the job.
    """
    context, config = sketched.context, sketched.config
    tokenizer = tokenizer_of(config)
    packages = ("apache-beam", "faiss-cpu", "numba", "numpy", "pyarrow")
    model = load_model(config.embedder)
    inputs: dict[str, Any] = {}
    for unit in sketched.sketches.documents:
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
        "beam_options": recorded_options(context.beam_args),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(context.started)),
        "seconds": round(time.time() - context.started, 3),
        "stage_seconds": context.progress.seconds,
        "pipelines": len(context.pipelines),
        "shuffled_bytes": {stage: count for stage, count in context.shuffled.items() if count},
        "host": platform.node(),
        "embedder": model.fingerprint,
        "embedder_model": {
            "name": model.name,
            "revision": model.revision,
            "build": model.build or None,
            "files": model.sha256,
        },
        "reference": None if reference is None else reference.fingerprint(),
        **({} if tokenizer is None else {"tokenizer": tokenizer.model_dump()}),
        "inputs": inputs,
    }
