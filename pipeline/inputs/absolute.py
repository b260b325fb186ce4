"""Paths of a configuration for workers of other processes, which may have another folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from outcross.schemas.config import Config
from outcross.transforms.base import files
from outcross.transforms.inputs.input_files import STANDARD_INPUT


def with_absolute_paths(config: Config) -> Config:
    """Return a configuration whose local paths don't depend on the working directory.

    Workers of an engine may be started in another folder than the command. Addresses of object
    stores and hubs stay as they are.

    Args:
        config: configuration of a job.
    """
    changed: dict[str, Any] = {
        key: files.absolute_path(path)
        for key in ("out", "lineage", "reference")
        if (path := getattr(config, key)) is not None
    }
    changed["against"] = [files.absolute_path(path) for path in config.against]
    changed["sources"] = [
        source.model_copy(update={"files": [_absolute_file(path) for path in source.files]})
        for source in config.sources
    ]
    if config.embedder is not None:
        kind, _, place = config.embedder.partition(":")
        folder, mark, name = place.partition("#")
        for path, rest in ((place, ""), (folder, mark + name)):
            if Path(path).is_dir():
                changed["embedder"] = f"{kind}:{files.absolute_path(path)}{rest}"
                break
    asked = config.model_fields_set
    return config.model_copy(update={key: value for key, value in changed.items() if key in asked})


def _absolute_file(path: str) -> str:
    return path if path == STANDARD_INPUT else files.absolute_path(path)
