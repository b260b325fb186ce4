"""Removal of the work that no result needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from outcross.pipeline.commands.job import lock_out
from outcross.pipeline.engine.artifacts import MANIFEST, WORK, read_manifest
from outcross.schemas.cleaning import Cleaning, Piece
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

_NOTES = ("lock", "data.key", "removed.key")
"""Small files by which later runs know what the directory holds."""

_AFTER = "commit-"  # the one stage that ends after the result is written


def clean(out: str, everything: bool = False, dry_run: bool = False) -> Cleaning:
    """Remove the work of a run, an audit or a reference that no result needs.

    The sketches, the verdicts and the selection of a finished run stay: `explain`, `against` and
    the next run read them. Without a result all work stays, so that the same command goes on.

    Args:
        out: output directory.
        everything: also remove work that is newer than the result, or has none yet.
        dry_run: remove nothing.

    Raises:
        ConfigError: when the directory is not an output of outcross, is in an object store, or a
            run is at work there.
    """
    folders = [_work_folder(out), *_reference_work(out)]
    removed: list[Path] = []
    unfinished: list[Path] = []
    with lock_out(out):
        for folder in folders:
            unneeded = list(_unneeded(folder))
            waiting = [] if everything else _newer(folder, unneeded)
            # Newer work was made from older work, so both stay or both go.
            (unfinished if waiting else removed).extend(unneeded)
        result = Cleaning(
            out=out,
            dry_run=dry_run,
            removed=_pieces(out, removed),
            removed_bytes=sum(map(_size, removed)),
            kept_bytes=sum(map(_size, folders)) - sum(map(_size, removed)),
            unfinished=_pieces(out, unfinished),
        )
        if not dry_run:
            for path in removed:
                _delete(path)
    return result


def _work_folder(out: str) -> Path:
    """Return the work folder of an output directory.

    Raises:
        ConfigError: for the reasons that `clean` gives.
    """
    if not files.is_local(out):
        raise ConfigError(
            f"clean: {out} is in an object store; only folders of this machine are cleaned. Delete "
            f"{files.join(out, WORK)} with the store's own tools; `explain` and `against` need it"
        )
    work = Path(out, WORK)
    if not Path(out).is_dir():
        raise ConfigError(f"clean: {out} is no directory; give the output directory of a run")
    if work.is_symlink():
        raise ConfigError(
            f"clean: {work} is a link to {work.readlink()}; links are not followed, so clean that "
            "folder by hand"
        )
    is_output = not Path(out, MANIFEST).exists() or read_manifest(out) is not None
    if not is_output or not work.is_dir():
        raise ConfigError(
            f"clean: {out} is not an output directory of outcross: it holds "
            + (f"no {WORK}" if is_output else f"a {MANIFEST} of another program")
            + "; give the `out` of a run, an audit or a reference"
        )
    return work


def _reference_work(out: str) -> list[Path]:
    """Return the work folder of the reference that an audit made; none without one."""
    folder = Path(out, "reference")
    work = folder / WORK
    linked = folder.is_symlink() or work.is_symlink()
    return [work] if work.is_dir() and not linked else []


def _unneeded(work: Path) -> Iterator[Path]:
    """Yield the files and folders of the work that no result needs, the outermost ones."""
    manifest = read_manifest(str(work.parent)) if (work.parent / MANIFEST).exists() else None
    needed = [work / name for name in _NOTES]
    needed += [work.parent / path for path in (manifest or {}).get("work", {}).values()]

    def below(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path in needed:
                continue
            if not path.is_symlink() and any(path in target.parents for target in needed):
                yield from below(path)
            else:
                yield path

    yield from below(work)


def _newer(work: Path, paths: list[Path]) -> list[Path]:
    """Return the paths that are newer than the result; all of them without a result."""
    result = work.parent / MANIFEST
    if not result.exists():
        return paths
    written = result.stat().st_mtime_ns
    return [
        path
        for path in paths
        if not path.name.startswith(_AFTER)
        and not path.is_symlink()  # work is never a link
        and any(file.lstat().st_mtime_ns > written for file in _files(path))
    ]


def _files(path: Path) -> Iterator[Path]:
    """Yield the files of a folder, and links without following them."""
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path, followlinks=False):
        yield from (Path(folder, name) for name in names)


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in _files(path) if not file.is_symlink())


def _pieces(out: str, paths: list[Path]) -> list[Piece]:
    return [Piece(path=str(path.relative_to(out)), bytes=_size(path)) for path in paths]


def _delete(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)
