"""Prism with Python workers in processes of their own, which may die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus, Run, promised_bytes
from tests.support.commands import installed
from tests.support.engines import PROCESSES, WORKER, prism_options, started
from tests.support.processes import command_line, descendants
from tools.flink.cluster import wait_until

pytestmark = pytest.mark.engines

SECONDS = 90
"""Time within which a command has to end that has lost its worker."""


def python_workers(process: int) -> set[int]:
    return {child for child in descendants(process) if str(WORKER) in command_line(child)}


def test_a_worker_that_dies_is_an_error_and_the_command_goes_on_from_there(
    corpus: Corpus, base: Run, tmp_path: Path
) -> None:
    assert WORKER.exists(), f"{WORKER} is not there: install the project again (`make setup`)"
    out, log = tmp_path / "out", tmp_path / "log"
    arguments = ["run", corpus.config(out), "--", *prism_options(), *PROCESSES]
    with started(*arguments, log=log) as command:
        wait_until(lambda: python_workers(command.pid), SECONDS, "a worker")
        time.sleep(0.5)  # Python is loading, and hasn't asked Prism for work
        for worker in python_workers(command.pid):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: command.poll() is not None, SECONDS, "the error")
    said = log.read_text()
    assert command.returncode == 1, said
    assert "outcross: a worker of Prism died: its" in said
    assert "Traceback" not in said
    installed(*arguments[:2], "--", *prism_options(), seconds=SECONDS)
    assert promised_bytes(out) == promised_bytes(base.out)
