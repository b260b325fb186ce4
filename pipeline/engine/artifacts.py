"""What stages leave in the work directory, found again by a key of all that went into it."""

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
"""Written last, of a stage as of a run: what has one is finished."""


@dataclass(frozen=True)
class Artifact:
    """The folder of a stage with one key.

    Attributes:
        folder: where the stage's files are.
        key: a hash of the stage's own configuration, its inputs' keys and the versions of
            format and texts.
    """

    folder: str
    key: str

    def path(self, *parts: str) -> str:
        return files.join(self.folder, *parts)

    def subfolder(self, name: str) -> str:
        """A folder in the artifact, made if need be."""
        path = self.path(name)
        files.make_folder(path)
        return path

    @property
    def finished(self) -> bool:
        return files.exists(self.path(MANIFEST))

    def finish(self, stats: dict[str, Any] | None = None) -> None:
        """Marks the stage as done; a later run with the same key skips it."""
        files.write_json(self.path(MANIFEST), {"key": self.key, "stats": stats or {}})

    def stats(self) -> dict[str, Any]:
        """What the finished stage said of itself."""
        stats: dict[str, Any] = files.read_json(self.path(MANIFEST))["stats"]
        return stats


def read_manifest(out: str) -> dict[str, Any] | None:
    """What stands in a directory's manifest.json; None if no job of outcross has written it.

    Args:
        out: a directory that has one.
    """
    try:
        found = files.read_json(files.join(out, MANIFEST))
    except ValueError:  # it is somebody else's, and no JSON
        return None
    return found if isinstance(found, dict) and FORMAT in found else None


def check_manifest(key: str, out: str, manifest: dict[str, Any], instead: str = "") -> None:
    """Refuse a run that another version has made.

    Args:
        key: of the request that names the run.
        out: the run's output directory.
        manifest: from `read_manifest`.
        instead: what else helps.

    Raises:
        ConfigError: naming the file, both versions and the command that makes the run anew.
    """
    remedy = (
        "make the run anew: `outcross run again.yaml` (or `dedup`, as it was), where again.yaml "
        f"holds the `configuration` that stands in this file{instead}"
    )
    check_versions(key, files.join(out, MANIFEST), manifest, versions(FORMAT_VERSION), remedy)


def artifact(out: str, stage: str, **parts: Any) -> Artifact:
    """The artifact of a stage in a run's work directory.

    Args:
        out: the run's output directory.
        stage: name of the stage.
        parts: everything that the stage's result depends on, as JSON values.
    """
    decides = [versions(FORMAT_VERSION), stage, parts]
    canonical = json.dumps(decides, sort_keys=True, ensure_ascii=True)
    key = str(xxhash.xxh3_128_hexdigest(canonical.encode()))
    folder = files.join(out, WORK, f"{stage}-{key[:16]}")
    files.make_folder(folder)
    return Artifact(folder, key)
