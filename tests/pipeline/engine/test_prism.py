"""A pipeline of Prism whose worker has died is ended."""

from __future__ import annotations

import json
import logging
import threading
import time
from unittest.mock import patch

import pytest

from outcross.pipeline.engine import prism

LOGGER = logging.getLogger("PrismJobServer")
DEATH = {"level": "ERROR", "msg": "process failed while running", "error": "exit status 1"}
KILLED = DEATH | {"error": "signal: killed"}


def say(report: dict[str, str]) -> None:
    LOGGER.error("%s", json.dumps(report))


def test_a_pipeline_that_waits_for_a_dead_worker_is_cancelled() -> None:
    cancelled = threading.Event()

    @prism.workers_watched(cancelled.set)
    def wait_for_ever() -> None:
        say(DEATH)
        assert cancelled.wait(10)
        raise RuntimeError("Pipeline failed in state CANCELLED")

    expected = pytest.raises(prism.LostWorkerError, match="its process ended: exit status 1")
    with patch.object(prism, "GRACE_SECONDS", 0.01), expected:
        wait_for_ever()
    assert LOGGER.filters == []


def test_a_failure_of_prism_itself_names_the_dead_worker() -> None:
    with (
        pytest.raises(prism.LostWorkerError, match="its connection broke"),
        prism.workers_watched(lambda: None),
    ):
        raise RuntimeError("bundle inst002 failed: SDK worker disconnected: context canceled")


def test_the_end_of_the_worker_before_cancels_nothing() -> None:
    cancelled = threading.Event()
    with patch.object(prism, "GRACE_SECONDS", 0.0), prism.workers_watched(cancelled.set):
        say(KILLED)
        say({"level": "WARN", "msg": "something else", "error": "none"})
        LOGGER.error("no JSON")
        time.sleep(0.05)
    assert not cancelled.is_set()


def test_a_worker_that_is_killed_later_is_noticed() -> None:
    watch = prism.WorkerWatch(lambda words: None)
    watch.began -= 1
    assert watch.death(json.dumps(KILLED)) == "its process ended: signal: killed"


def test_errors_of_other_kinds_stay_as_they_are() -> None:
    with pytest.raises(ValueError, match="a bug"), prism.workers_watched(lambda: None):
        raise ValueError("a bug")
