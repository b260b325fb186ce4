"""Choose the folder of compiled kernels: next to the code, in the home, or a temporary one."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"
NAME = "outcross-kernels"
_ROOM = "text"  # the room of most kernels


def writable(folder: Path) -> bool:
    """Return whether a folder takes new files; create it if it is missing."""
    if not folder.is_absolute():  # an unknown home stays `~`
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def code_folder() -> Path:
    """Return the folder next to the code, numba's first choice."""
    return Path(__file__).resolve().parents[1] / _ROOM / "__pycache__"


def user_folder() -> Path:
    """Return the folder in the home, numba's second choice."""
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches"), "numba")
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"), "numba")


def _temporary() -> Path:
    """Return a temporary folder that belongs to this user alone; later runs use it again.

    Numba executes the files of its cache, so a folder that other users can write is refused.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir(), f"{NAME}-{user}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022
    if private and status.st_uid == user and writable(folder):
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))


def place_cache() -> str | None:
    """Give numba a temporary folder for compiled kernels where it would fail without one.

    Returns:
        The temporary folder; None where kernels have a lasting folder, or the user named one.
    """
    if os.environ.get(_VARIABLE):
        return None
    if writable(code_folder()) or writable(user_folder()):
        return None
    folder = str(_temporary())
    os.environ[_VARIABLE] = folder  # child processes inherit it
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = folder
    return folder


def is_empty() -> bool:
    """Return whether numba's cache holds no kernel of this package yet."""
    named = os.environ.get(_VARIABLE)
    if named:
        places = Path(named).glob(f"{_ROOM}_*/*.nbi")
    elif writable(code_folder()):
        places = code_folder().glob("*.nbi")
    else:
        places = user_folder().glob(f"{_ROOM}_*/*.nbi")
    return next(places, None) is None


# Typing a kernel makes thousands of messages that nobody reads. Colouring them takes time.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")

TEMPORARY = place_cache()
"""The temporary folder of compiled kernels; None where they have a lasting one."""
