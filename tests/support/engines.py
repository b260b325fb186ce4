"""Engines that `make engines` builds, and commands that run on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.commands import COMMAND, TERMINAL
from tests.support.processes import command_line, descendants
from tools.flink.cluster import FlinkCluster, options, wait_until

ENGINES = Path(__file__).parents[2] / ".engines"
WORKER = Path(sys.executable).with_name("outcross-worker")
JAR = ENGINES / "flink.jar"
JOB_SECONDS = 120
"""Longest time until the second job of a command is at work."""
PROCESSES = ["--environment_type", "PROCESS", "--environment_option", f"process_command={WORKER}"]


def prism_options() -> list[str]:
    """Return Beam's options of a run on Prism, whose Python code works in the command's process."""
    return ["--runner", "PrismRunner", "--prism_location", str(built("prism"))]


def flink_options(cluster: FlinkCluster) -> list[str]:
    """Return Beam's options of a run on a cluster, whose task managers start Python workers."""
    assert WORKER.exists(), f"{WORKER} is not there: install the project again (`make setup`)"
    return options(cluster.address, JAR, WORKER)


def built(name: str) -> Path:
    path = ENGINES / name
    assert path.exists(), f"{path} is not there: `make engines` builds it"
    return path


@contextmanager
def started(*arguments: Any, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the installed command, and end it and all that it started with the `with` statement.

    Args:
        arguments: of the command line, after `outcross`.
        log: file that gets its output.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **TERMINAL},
        )
    try:
        yield process
    finally:
        remaining = descendants(process.pid)
        process.kill()
        process.wait()
        for child in remaining:
            with suppress(ProcessLookupError):
                os.kill(child, 9)


def wait_for_second_job(
    cluster: FlinkCluster, earlier: int, command: subprocess.Popen[bytes]
) -> None:
    """Wait until the second pipeline of a command is at work.

    Args:
        cluster: cluster that the command uses.
        earlier: number of jobs before the command.
        command: command that is running.
    """

    def is_at_work() -> bool:
        assert command.poll() is None
        jobs = cluster.jobs()[earlier:]
        return len(jobs) == 2 and cluster.running_subtasks(jobs[1]["jid"]) > 0

    wait_until(is_at_work, JOB_SECONDS, "the second pipeline")


def job_servers(process: int) -> set[int]:
    """Return the Java job servers that a command has started."""
    return {child for child in descendants(process) if "-jar" in command_line(child).split()}
