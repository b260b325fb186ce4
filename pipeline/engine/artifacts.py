"""Artifacts of stages in the work folder, found by a key of all their inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import xxhash

from outcross.schemas.documents import FORMAT_VERSION
from outcross.schemas.formats import FORMAT, check_versions, versions
from outcross.transforms.base import files

WORK = ".outcross"
MANIFEST = "manifest.json"
"""File that is written last, by stages and runs; a folder with one is finished."""


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
        stats: dict[str, Any] = files.read_json(self.path(MANIFEST))["stats"]
        return stats


def read_manifest(out: str) -> dict[str, Any] | None:
    """Return the manifest.json of a directory; None if no job of outcross has written it.

    Args:
        out: directory with such a file.
    """
    try:
        manifest = files.read_json(files.join(out, MANIFEST))
    except ValueError:  # a file of another program
        return None
    return manifest if isinstance(manifest, dict) and FORMAT in manifest else None


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
