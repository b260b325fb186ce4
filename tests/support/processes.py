"""Processes of this machine, as Linux lists them in /proc."""

from __future__ import annotations

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
