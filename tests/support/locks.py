"""Locks that are lost while a command works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from outcross.pipeline.engine.leases import LostLockError


def losing_lock(lost: list[bool]) -> Callable[..., AbstractContextManager[Callable[[], None]]]:
    """Return a replacement of a lock, which is lost as soon as the list holds something."""

    @contextmanager
    def lock(*_: Any) -> Iterator[Callable[[], None]]:
        def confirm() -> None:
            if lost:
                raise LostLockError("the lock is lost")

        yield confirm

    return lock
