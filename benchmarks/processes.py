"""Commands measured from outside: seconds, peak memory, and the last line of output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

COMMAND = Path(sys.executable).with_name("outcross")
"""The installed command of the environment that runs the benchmark."""

_PERIOD = 0.1  # seconds between two looks at a tree of processes


class Run(NamedTuple):
    """One run of a command."""

    seconds: float
    cpu_seconds: float
    """Of the command and all that it started: what other people's load changes least."""
    megabytes: float
    """Most memory at a time, of the command and all that it started."""
    last_line: str
    """Of what it wrote to stdout."""


def tree_of(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    pids = [pid]
    for parent in pids:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            pids += map(int, task.read_text().split())
    return pids


def memory_of(pid: int) -> int:
    """Return a process's memory in bytes; memory that processes share is divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _peak(pid: int) -> int:
    """Return the peak memory of a process in bytes.

    Resource usage can't be used: it begins with the memory of the parent process.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _watch(pid: int, ended: threading.Event, most: list[int]) -> None:
    while not ended.wait(_PERIOD):
        try:
            processes = tree_of(pid)
            several = len(processes) > 1
            now = sum(map(memory_of, processes)) if several else _peak(pid)
            most[0] = max(most[0], now)
        except (OSError, ValueError):  # a process has ended meanwhile
            continue


def measured(command: list[str]) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: if it failed; the message holds the end of its stderr.
    """
    ended = threading.Event()
    most = [0]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        watch = threading.Thread(target=_watch, args=(process.pid, ended, most))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        ended.set()
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        lines = out.read().splitlines()
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{errors.read()[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu, most[0] / 1e6, lines[-1] if lines else "")


def dedup(files: Path, out: Path, workers: int, *options: str) -> tuple[Run, dict[str, Any]]:
    """`outcross dedup` on files that may be a glob, and the manifest that it wrote."""
    command = [
        str(COMMAND), "dedup", "--synthetic", str(files), "--out", str(out),
        "--workers", str(workers), "--json", *options,
    ]  # fmt: skip
    return measured(command), json.loads((out / "manifest.json").read_text())


def load() -> str:
    """Return the load average, which tells if the figures of this minute are reliable."""
    return f"load average {os.getloadavg()[0]:.1f}"
