"""Locks that keep a second process out of a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outcross.schemas.config import ConfigError
from outcross.transforms.base import files

LOCK = "lock"
"""Name of a lock's file."""


@contextmanager
def lock(folder: str, refusal: str) -> Iterator[None]:
    """Hold the lock of a folder; the system releases it when the process ends.

    Args:
        folder: folder that exists; on an object store nothing is locked.
        refusal: message of the error.

    Raises:
        ConfigError: when another process holds the lock.
    """
    if not files.is_local(folder):  # object stores have no locks
        yield
        return
    with Path(folder, LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(refusal) from None
        yield
