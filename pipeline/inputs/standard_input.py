"""Standard input as a file: it is copied once, whole, to the work folder."""

from __future__ import annotations

import os
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
    """Return the configuration with a copy of standard input in place of -.

    Args:
        config: of a job whose output directory may be written.

    Raises:
        ConfigError: when several sources read it, or there is none.
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
    there = [path if name == STANDARD_INPUT else name for name in named[0].files]
    changed = named[0].model_copy(update={"files": there})
    sources = [changed if source is named[0] else source for source in config.sources]
    return config.model_copy(update={"sources": sources})


def is_copy(path: str, out: str) -> bool:
    """Return whether a file is the copy that a job has made.

    Args:
        path: of the file.
        out: output directory of the job.
    """
    return path.startswith(_copy(out, ""))


def _copy(out: str, kind: str) -> str:
    whole = os.path.abspath(out) if files.is_local(out) else out
    return files.join(whole, WORK, f"{_NAME}.{kind}")


def _pour(sink: BinaryIO) -> None:
    shutil.copyfileobj(sys.stdin.buffer, sink, 1 << 20)
