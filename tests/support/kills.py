"""Commands that are killed at a chosen point."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_SCRIPT = """
import os, re, signal, sys
from outcross.pipeline.cli.main import main
from tests.support.units import units_of

rename, renamed = os.replace, 0

def kill(source, target):
    global renamed
    chosen = re.search({point!r}, os.fspath(target)) is not None
    renamed += chosen
    if chosen and renamed == {times}:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)

os.replace = kill
with units_of({unit_bytes}):
    main()
"""


def kill_at(
    point: str,
    *arguments: Any,
    times: int = 1,
    unit_bytes: int = 64 << 20,
) -> None:
    """Run a command in a process of its own, and kill it without warning.

    Every file of a result is written beside its place and renamed, so a rename is a point in time.

    Args:
        point: regular expression for a part of the path that a file is renamed to.
        arguments: of the command line, after `outcross`.
        times: number of the rename to such a path at which the command is killed.
        unit_bytes: size of the input's units.
    """
    script = _SCRIPT.format(point=point, times=times, unit_bytes=unit_bytes)
    killed = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=Path(__file__).parents[2],  # where `tests` is imported from
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
