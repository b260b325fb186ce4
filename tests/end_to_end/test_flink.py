"""A task manager of a real Flink cluster that is lost; `test_same_bytes.py` kills the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Run
from tests.support.commands import outcross
from tests.support.engines import flink_options, started, wait_for_second_job
from tools.flink.cluster import FlinkCluster, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("flink")]  # they share a cluster

SECONDS = 300
"""Longest time of one command on the cluster; a run takes half of it on two cores."""


def figures(out: Path) -> Any:
    return json.loads((out / "report.json").read_text())


def test_an_audit_that_loses_a_task_manager_ends_with_the_same_figures(
    base: Run, cluster: FlinkCluster, tmp_path: Path
) -> None:
    expected, out = tmp_path / "expected", tmp_path / "audit"
    outcross("audit", base.out, "--out", expected, code=None)
    first, second = sorted(cluster.task_managers())
    earlier = len(cluster.jobs())
    arguments = ["audit", base.out, "--out", out, "--", *flink_options(cluster)]
    with started(*arguments, log=tmp_path / "log") as command:
        wait_for_second_job(cluster, earlier, command)
        cluster.kill(first)
        replacement = cluster.start_task_manager()
        wait_until(lambda: command.poll() is not None, SECONDS, "the audit")
    judged = {0, 3}
    assert command.returncode in judged, (tmp_path / "log").read_text()
    assert figures(out) == figures(expected)
    jobs = cluster.jobs()[earlier:]
    assert {job["state"] for job in jobs} == {"FINISHED"}
    assert cluster.ask(f"/jobs/{jobs[1]['jid']}/exceptions")["exceptionHistory"]["entries"]
    assert set(cluster.workers_of(jobs[-1]["jid"])) == {second, replacement}
