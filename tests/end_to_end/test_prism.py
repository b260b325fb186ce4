"""Prism with Python workers in processes of their own, which may die at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus, Run
from tests.support.commands import installed
from tests.support.engines import PROCESSES, WORKER, prism_options, started
from tests.support.processes import command_line, descendants
from tests.support.promises import promised_bytes
from tools.flink.cluster import wait_until

pytestmark = pytest.mark.engines

SECONDS = 90
"""Time within which a moment has to come."""
LIMIT = 20
"""Seconds within which a command has to end that has lost its worker."""

Command = subprocess.Popen[bytes]


def python_workers(command: Command, job: str = "") -> set[int]:
    """Return the worker processes of a command.

    Args:
        command: command that is running.
        job: Prism's name of the pipeline that they work for; any if empty.
    """
    chosen = {child: command_line(child) for child in descendants(command.pid)}
    return {child for child, line in chosen.items() if f"{WORKER} --id='{job}" in line}


def wait_for(condition: Callable[[], object], command: Command) -> None:
    """Wait until a condition holds, and look every 5 milliseconds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert command.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_worker_that_dies_at_any_moment_is_an_error_and_the_command_goes_on_from_there(
    corpus: Corpus, base: Run, tmp_path: Path
) -> None:
    assert WORKER.exists(), f"{WORKER} is not there: install the project again (`make setup`)"
    out, log = tmp_path / "out", tmp_path / "log"
    arguments = ["run", corpus.config(out), "--", *prism_options(), *PROCESSES]

    def appears(command: Command) -> None:
        wait_for(lambda: python_workers(command), command)

    def loads(command: Command) -> None:
        appears(command)
        time.sleep(0.5)  # it hasn't asked Prism for work

    def works(command: Command) -> None:
        wait_for(lambda: list(out.glob(".outcross/deduplicate-*/repeats/*")), command)

    def follows_another(command: Command) -> None:
        wait_for(lambda: python_workers(command, "job-002"), command)

    for moment in (appears, loads, works, follows_another):
        with started(*arguments, log=log) as command:
            moment(command)
            workers = python_workers(command)
            assert workers
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            wait_until(lambda command=command: command.poll() is not None, LIMIT, "the error")
        said = log.read_text()
        assert command.returncode == 1, (moment, said)
        assert "outcross: a worker of Prism died: its" in said
        assert "Traceback" not in said
    installed(*arguments[:2], "--", *prism_options(), seconds=SECONDS)
    assert promised_bytes(out) == promised_bytes(base.out)
