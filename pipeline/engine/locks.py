"""Locks that keep a second run out of a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outcross.schemas.config import ConfigError


@contextmanager
def lock_file(path: str, message: str) -> Iterator[None]:
    """Hold the lock of a file; the system releases it when the process ends.

    Args:
        path: local path of the file.
        message: message of the error.

    Raises:
        ConfigError: another process holds the lock.
    """
    with Path(path).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(message) from None
        yield
