"""Processes of this machine, as Linux lists them in /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def command_line(process: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def descendants(process: int) -> set[int]:
    """Return the processes that a process has started, and that these have started."""
    children: dict[int, set[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = path.read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), set()).add(int(path.parent.name))
    offspring: set[int] = set()
    waiting = {process}
    while waiting:
        waiting = set().union(*(children.get(parent, set()) for parent in waiting)) - offspring
        offspring |= waiting
    return offspring


def processor_seconds(processes: Iterable[int]) -> float:
    """Return the processor time of processes; that of ended ones isn't counted."""
    ticks = 0
    for process in processes:
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
