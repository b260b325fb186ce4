"""A pipeline of Prism whose worker has died is ended."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from typing import Any
from unittest.mock import patch

import pytest

from outcross.pipeline.engine import prism

LOGGER = logging.getLogger("PrismJobServer")
DEATH = {"level": "ERROR", "msg": "process failed while running", "error": "exit status 1"}
KILLED = DEATH | {"error": "signal: killed"}
BROKEN = {"level": "WARN", "msg": "Control done", "error": "canceled"}


class Result:
    """A pipeline of Prism that waits until it is cancelled."""

    def __init__(self, job: str = "job-002") -> None:
        self._job_id = job
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()

    def wait_until_finish(self) -> None:
        assert self.cancelled.wait(10)
        raise RuntimeError("Pipeline failed in state CANCELLED")


def say(report: dict[str, Any]) -> None:
    LOGGER.error("%s", json.dumps(report))


def connection_of(job: str) -> dict[str, Any]:
    return BROKEN | {"worker": {"ID": f"{job}[job]_environment"}}


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        (DEATH, "its process ended: exit status 1"),
        (KILLED, "its process ended: signal: killed"),
        (DEATH | {"msg": "process failed to start"}, "its process didn't start: exit status 1"),
        (connection_of("job-002"), "its connection broke: canceled"),
    ],
)
def test_a_pipeline_that_waits_for_a_dead_worker_is_cancelled(
    report: dict[str, Any], cause: str
) -> None:
    def run() -> None:
        with prism.workers_watched(processes=False) as watch:
            result = Result()
            watch.follow(result)
            say(report)
            result.wait_until_finish()

    expected = pytest.raises(prism.LostWorkerError, match=cause)
    with patch.object(prism, "GRACE_SECONDS", 0.01), expected:
        run()
    assert LOGGER.filters == []


def test_a_worker_that_dies_while_the_pipeline_is_started_is_noticed() -> None:
    def run() -> None:
        with prism.workers_watched(processes=True) as watch:
            say(KILLED)
            result = Result()
            watch.follow(result)
            result.wait_until_finish()

    expected = pytest.raises(prism.LostWorkerError, match="signal: killed")
    with patch.object(prism, "GRACE_SECONDS", 0.01), expected:
        run()


def test_a_worker_whose_process_ends_in_silence_is_noticed() -> None:
    worker = subprocess.Popen([sys.executable, "-c", "input()", "--id='job-777[job]"], stdin=-1)

    def run() -> None:
        with prism.workers_watched(processes=True) as watch:
            result = Result("job-777")
            watch.follow(result)
            time.sleep(0.3)
            assert not watch.cause  # it runs
            worker.communicate(b"end")
            result.wait_until_finish()

    quick = patch.multiple(prism, GRACE_SECONDS=0.01, ABSENT_SECONDS=0.1, LOOK_SECONDS=0.01)
    with quick, pytest.raises(prism.LostWorkerError, match="it has no process"):
        run()


@pytest.mark.parametrize(
    "words",
    [
        "bundle inst002 failed: SDK worker disconnected: context canceled",
        "progress[inst002] error from SDK: worker stopped before receive",
        "panic in stage.Execute bundle processing goroutine: send on closed channel, stage: x",
    ],
)
def test_a_failure_of_prism_itself_names_the_dead_worker(words: str) -> None:
    with (
        pytest.raises(prism.LostWorkerError, match="its connection broke"),
        prism.workers_watched(processes=False),
    ):
        raise RuntimeError(words)


def test_a_watch_lasts_until_the_worker_of_its_pipeline_has_ended() -> None:
    """Prism ends the worker, and the report may come after the pipeline's end."""
    late = threading.Timer(0.2, say, [KILLED])
    with prism.workers_watched(processes=True) as watch:
        watch.follow(Result())
        late.start()
    assert watch.process_ended.is_set()
    assert not watch.cancelled


def test_the_end_of_the_connection_of_an_earlier_worker_cancels_nothing() -> None:
    result = Result()
    with (
        patch.object(prism, "GRACE_SECONDS", 0.0),
        prism.workers_watched(processes=False) as watch,
    ):
        watch.follow(result)
        say(connection_of("job-001"))
        say({"level": "WARN", "msg": "something else", "error": "none"})
        LOGGER.error("no JSON")
        LOGGER.error("[1]")
        time.sleep(0.05)
    assert not result.cancelled.is_set()


def test_an_error_of_a_worker_stays_as_it_is_though_prism_then_ends_the_worker() -> None:
    def run() -> None:
        with prism.workers_watched(processes=True) as watch:
            watch.follow(Result())
            say(KILLED)
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run()
