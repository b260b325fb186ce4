"""Locks that keep a second run out of a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from outcross.pipeline.engine.leases import Lease
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.stores import conditional_object
from outcross.transforms.base.visible import visible_name


def check_writable(key: str, folder: str) -> None:
    """Refuse a local folder in which this user can't create files.

    Args:
        key: configuration key or option that names the folder.
        folder: path of the folder, which may not exist yet.

    Raises:
        ConfigError: naming the folder, the cause and the cure.
    """
    if not files.is_local(folder):
        return
    present = Path(files.absolute_path(folder))
    while not os.path.lexists(present):
        present = present.parent
    if not present.is_dir():
        if str(present) == files.absolute_path(folder):
            return  # each command has its own message for a file in place of a folder
        why = f"{present} is a file"
    elif os.access(present, os.W_OK | os.X_OK):
        return
    elif os.statvfs(present).f_flag & os.ST_RDONLY:
        why = f"{present} lies on a read-only file system"
    else:
        why = f"this user has no permission to write in {present}"
    raise ConfigError(
        f"{key}: {visible_name(folder)} can't be written: {visible_name(why)}; choose "
        "another directory, or allow this user to write there"
    )


@contextmanager
def another_place(key: str) -> Iterator[None]:
    """Name the option for another place in the error of a full or protected disk.

    Args:
        key: option that names the file which the body of the `with` statement writes.

    Raises:
        WriteError: the file can't be written.
    """
    try:
        yield
    except files.WriteError as error:
        raise files.WriteError(f"{error}, or choose another `{key}`") from error


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


@contextmanager
def lock(
    path: str, busy: str, advice: str, say: Callable[[str], None] = print
) -> Iterator[Callable[[], None]]:
    """Hold a lock on this machine's disk or on an object store.

    Stores other than gs:// and s3:// have no locks.

    Args:
        path: path of the lock file or object.
        busy: beginning of the error if another command holds the lock.
        advice: what to do then.
        say: function that prints a line, where the wait for a left lock takes seconds.

    Yields:
        A function that raises LostLockError if the lock is lost.

    Raises:
        ConfigError: another command holds the lock.
        StoreError: the store doesn't answer or refuses.
    """
    if files.is_local(path):
        with lock_file(path, f"{busy}; {advice}"):
            yield lambda: None
        return
    stored = conditional_object(path)
    if stored is None:
        yield lambda: None
        return
    with Lease(path, stored).hold(busy, advice, say) as confirm:
        yield confirm
