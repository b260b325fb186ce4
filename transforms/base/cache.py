"""Where compiled kernels are kept: beside the code, in the home, else in a temporary folder."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"
_NAME = "outcross-kernels"
_ROOM = "text"  # the room of most kernels


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if need be."""
    if not folder.is_absolute():  # a home that nobody knows stays `~`
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _of_code() -> Path:
    """Return the folder beside the code, which numba takes first."""
    return Path(__file__).resolve().parents[1] / _ROOM / "__pycache__"


def _of_user() -> Path:
    """Return the folder that numba takes where it can't write beside the code."""
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches"), "numba")
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"), "numba")


def _temporary() -> Path:
    """Return a temporary folder of this user alone; the next run finds it again.

    What numba reads from a cache it runs, so a folder that others can write is never taken.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir(), f"{_NAME}-{user}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix=f"{_NAME}-"))
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
    if private and found.st_uid == user and writable(folder):
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{_NAME}-"))


def place_cache() -> str | None:
    """Give numba a folder for compiled kernels where it would find none, and refuse to work.

    Returns:
        The temporary folder; None where kernels can be kept for good, or the user says where.
    """
    if os.environ.get(_VARIABLE):
        return None
    if writable(_of_code()) or writable(_of_user()):
        return None
    folder = str(_temporary())
    os.environ[_VARIABLE] = folder  # for processes that this one starts, too
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = folder
    return folder


def is_empty() -> bool:
    """Whether no kernel of ours is kept yet where numba looks for them."""
    named = os.environ.get(_VARIABLE)
    if named:
        places = Path(named).glob(f"{_ROOM}_*/*.nbi")
    elif writable(_of_code()):
        places = _of_code().glob("*.nbi")
    else:
        places = _of_user().glob(f"{_ROOM}_*/*.nbi")
    return next(places, None) is None


TEMPORARY = place_cache()
"""The temporary folder that kernels are kept in, if they are."""
