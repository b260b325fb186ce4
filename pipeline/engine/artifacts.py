"""Artifacts of stages in the work folder, found by a key of all their inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import xxhash

from outcross.schemas.config import Config, parse
from outcross.schemas.documents import FORMAT_VERSION
from outcross.schemas.formats import FORMAT, check_versions, versions
from outcross.transforms.base import damage, files

WORK = damage.WORK
MANIFEST = "manifest.json"
"""File that is written last, by stages and runs; a folder with one is finished."""
TOKENS = "tokens.json"
"""File that describes an export."""
EXPORT = "tokens"
"""Folder of an export in its run's output directory, if the request names no other."""


@dataclass(frozen=True)
class Artifact:
    """Folder of a stage's files.

    Attributes:
        folder: path of the folder.
        key: hash of the stage's configuration, its inputs' keys and the versions of format and
            texts.
    """

    folder: str
    key: str

    def path(self, *parts: str) -> str:
        """Return a path below the folder."""
        return files.join(self.folder, *parts)

    def subfolder(self, name: str) -> str:
        """Return the path of a folder in the artifact, after creating it if it is missing."""
        path = self.path(name)
        files.make_folder(path)
        return path

    @property
    def finished(self) -> bool:
        """True if the stage has finished."""
        return files.exists(self.path(MANIFEST))

    def finish(self, stats: dict[str, Any] | None = None) -> None:
        """Mark the stage as finished, so that a later run with the same key skips it.

        Args:
            stats: results of the stage as JSON values.
        """
        files.write_json(self.path(MANIFEST), {"key": self.key, "stats": stats or {}})

    def stats(self) -> dict[str, Any]:
        """Return the results that the finished stage gave to `finish`."""

        def checked(data: bytes) -> dict[str, Any]:
            manifest = json.loads(data)
            if manifest["key"] != self.key:
                raise ValueError("it is of another folder")
            return dict(manifest["stats"])

        return files.read_as(self.path(MANIFEST), checked)


def read_manifest(out: str) -> dict[str, Any] | None:
    """Return the manifest.json of a directory; None if no job of outcross has written it.

    Args:
        out: directory with such a file.

    Raises:
        DamagedError: a job has written it, as its work folder shows, and it can't be read.
    """
    try:
        manifest = files.read_json(files.join(out, MANIFEST))
    except damage.DamagedError:
        if has_work(out):
            raise
        return None  # a file of another program
    return manifest if isinstance(manifest, dict) and FORMAT in manifest else None


def has_work(out: str) -> bool:
    """Return whether a directory holds the work of a job."""
    if files.is_local(out):
        return files.exists(files.join(out, WORK))
    return any(f"/{WORK}/" in name for name in files.list_files(files.join(out, "**")))


def run_configuration(out: str, manifest: dict[str, Any]) -> Config:
    """Return the configuration that a manifest.json holds.

    Args:
        out: directory of the file.
        manifest: result of `read_manifest`.

    Raises:
        DamagedError: it holds none.
    """
    with damage.reading(files.join(out, MANIFEST)):
        return parse(manifest["configuration"])


def work_folder(out: str, manifest: dict[str, Any], name: str) -> str:
    """Return a folder of the work that a manifest.json names: "sketch", "verdicts", "selection".

    Args:
        out: directory of the file.
        manifest: result of `read_manifest`.
        name: name of the folder.

    Raises:
        DamagedError: it names none.
    """
    with damage.reading(files.join(out, MANIFEST)):
        return files.join(out, manifest["work"][name])


def check_manifest(key: str, out: str, manifest: dict[str, Any], instead: str = "") -> None:
    """Refuse a run that was written by another version.

    Args:
        key: configuration key that names the run.
        out: output directory of the run.
        manifest: result of `read_manifest`.
        instead: another remedy, for the message.

    Raises:
        ConfigError: the versions differ; the message names the file, both versions and the
            command that makes the run again.
    """
    remedy = (
        "make the run anew: `outcross run again.yaml` (or `dedup`, as it was), where again.yaml "
        f"holds the `configuration` that stands in this file{instead}"
    )
    check_versions(key, files.join(out, MANIFEST), manifest, versions(FORMAT_VERSION), remedy)


def artifact(out: str, stage: str, **parts: Any) -> Artifact:
    """Return the artifact of a stage in a run's work folder.

    Args:
        out: output directory of the run.
        stage: name of the stage.
        parts: all values that the stage's result depends on, as JSON values.
    """
    inputs = [versions(FORMAT_VERSION), stage, parts]
    canonical = json.dumps(inputs, sort_keys=True, ensure_ascii=True)
    key = str(xxhash.xxh3_128_hexdigest(canonical.encode()))
    folder = files.join(out, WORK, f"{stage}-{key[:16]}")
    files.make_folder(folder)
    return Artifact(folder, key)
