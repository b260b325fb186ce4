"""Copy standard input to a file of the work folder, once and completely."""

from __future__ import annotations

import shutil
import sys
from typing import BinaryIO

from outcross.pipeline.engine.artifacts import WORK
from outcross.schemas.config import Config
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.inputs.input_files import STANDARD_INPUT

_NAME = "standard-input"


def with_standard_input(config: Config) -> Config:
    """Copy standard input, and return the configuration with the copy in place of -.

    Args:
        config: configuration of a job that may write its output directory.

    Raises:
        ConfigError: - is named twice, or nothing is piped into standard input.
    """
    named = [source for source in config.sources if STANDARD_INPUT in source.files]
    if not named:
        return config
    if len(named) > 1 or named[0].files.count(STANDARD_INPUT) > 1:
        raise ConfigError("sources: - is named twice; standard input can be read once")
    if sys.stdin is None or sys.stdin.isatty():
        raise ConfigError("sources: - is named, but nothing is piped into standard input")
    path = _copy(config.out, named[0].format or "jsonl")
    files.make_folder(files.join(config.out, WORK))
    files.write_whole(path, _pour)
    paths = [path if name == STANDARD_INPUT else name for name in named[0].files]
    changed = named[0].model_copy(update={"files": paths})
    sources = [changed if source is named[0] else source for source in config.sources]
    return config.model_copy(update={"sources": sources})


def is_copy(path: str, out: str) -> bool:
    """Return whether a file is a job's copy of standard input.

    Args:
        path: path of the file.
        out: output directory of the job.
    """
    return path.startswith(_copy(out, ""))


def _copy(out: str, kind: str) -> str:
    return files.join(files.absolute_path(out), WORK, f"{_NAME}.{kind}")


def _pour(sink: BinaryIO) -> None:
    shutil.copyfileobj(sys.stdin.buffer, sink, 1 << 20)
