"""Commands that stop at a chosen write, in this process."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch


class StoppedError(OSError):
    """The end of the command, as a kill would end it."""

    def __init__(self) -> None:
        super().__init__("stopped by the test")


_SPILL = re.compile(r"/spill-\w+")
"""Folder of temporary files, which has another name each time."""


@contextmanager
def stopped_at(
    point: str | None,
    after: bool = False,
    times: int = 1,
    error: Callable[[], OSError] = StoppedError,
) -> Iterator[list[str]]:
    """Let this process put no more files in their places from a write on.

    Every file of a result is written beside its place and renamed, so a rename is a point in time.
    As after a kill, the incomplete file stays, and nothing is written afterwards.

    Args:
        point: regular expression for a part of the path, as this function yields it; None to stop
            at none.
        after: True to stop after the file is in its place.
        times: number of the write to such a path at which the process stops.
        error: function that gives the error to raise.

    Yields:
        The paths of the files so far, in their order; folders of temporary files are `spill`.
    """
    rename = os.replace
    paths: list[str] = []
    chosen = 0
    has_ended = False

    def replace(source: Path, target: Path) -> None:
        nonlocal chosen, has_ended
        paths.append(_SPILL.sub("/spill", os.fspath(target)))
        if has_ended:
            raise error()
        chosen += point is not None and re.search(point, paths[-1]) is not None
        has_ended = chosen == times
        if has_ended and not after:
            leftover = source.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
            shutil.copy(source, leftover)
            os.truncate(leftover, source.stat().st_size // 2)
            raise error()
        rename(source, target)
        if has_ended:
            raise error()

    with patch.object(os, "replace", replace):
        yield paths
