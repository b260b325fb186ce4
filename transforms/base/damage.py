"""Stored files that can't be read any more: errors that name the file, the fault and the cure."""

from __future__ import annotations

import errno
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.visible import visible_name

WORK = ".outcross"
"""Folder with the work of a command, inside of its output directory."""

LINEAGE_CURE = "bring it back from a copy of the lineage"

_BROKEN = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError),
    *(pa.ArrowException, zipfile.BadZipFile),
)
"""Errors of readers of damaged bytes."""
_SIZE = re.compile(r"size (\d+)")


class DamagedError(RuntimeError):
    """A stored file is damaged or gone; the message names the file, the fault and the cure.

    Attributes:
        fault: the message without the cure.
    """

    def __init__(self, message: str, fault: str = "") -> None:
        super().__init__(message)
        self.fault = fault or message


class MissingError(DamagedError, FileNotFoundError):
    """A stored file is gone."""

    __str__ = Exception.__str__


@contextmanager
def reading(path: str, cure: str | None = None) -> Iterator[None]:
    """Name the file and the cure in errors of a damaged or missing stored file.

    Args:
        path: path of the file that the body of the `with` statement reads and parses.
        cure: advice; None for that of `cure_of`.

    Raises:
        DamagedError: the file can't be read; MissingError if it is gone.
        MemoryError: memory ran out.
    """
    try:
        yield
    except (DamagedError, ConfigError):
        raise
    except FileNotFoundError as error:
        fault = f"{visible_name(path)} is gone"
        raise MissingError(f"{fault}; {cure or cure_of(path, gone=True)}", fault) from error
    except MemoryError as error:
        if not asks_for_too_much(str(error)):
            raise
        raise _damaged(path, error, cure) from error
    except _BROKEN as error:
        raise _damaged(path, error, cure) from error


def cure_of(path: str, gone: bool = False) -> str:
    """Return what to do where a file of an output directory can't be read.

    Args:
        path: path of the file.
        gone: True if there is no such file.
    """
    out, mark, rest = path.partition(f"/{WORK}/")
    again = "give the command that made it again; finished work isn't done again"
    if mark:
        folder = visible_name(out + mark + rest.partition("/")[0])
        return f"it is a part of the work of a command: delete {folder}, and {again}"
    return again if gone else f"delete it, and {again}"


def asks_for_too_much(message: str) -> bool:
    """Return whether an error of memory speaks of more than this machine has.

    Arrow and Parquet files name the sizes of their parts, and a damaged one may name any.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = _SIZE.search(message)
    return "capacity too large" in message or (size is not None and int(size[1]) > memory)


def _damaged(path: str, error: Exception, cure: str | None) -> DamagedError:
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        cure = "allow this user to read it"
    is_directory = isinstance(error, IsADirectoryError)
    fault = (getattr(error, "strerror", None) or str(error) or type(error).__name__).split("\n")[0]
    if isinstance(error, (KeyError, TypeError, AttributeError)):
        fault = f"its content isn't as it was written ({type(error).__name__}: {fault})"
    state = "is a directory" if is_directory else f"is damaged or can't be read: {fault}"
    message = f"{visible_name(path)} {state.rstrip('.')}"
    return DamagedError(f"{message}; {cure or cure_of(path)}", message)
