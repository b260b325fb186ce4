"""Failures on a real Flink cluster: a task manager that is lost, and a command that is killed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Corpus, Run, dedup, promised_bytes
from tests.support.commands import installed, outcross
from tests.support.engines import flink_options, job_servers, started
from tests.support.processes import command_line
from tools.flink.cluster import FlinkCluster, wait_until

pytestmark = pytest.mark.engines

SECONDS = 300
"""Longest time of one command on the cluster; a run takes half of it on two cores."""


def figures(out: Path) -> Any:
    return json.loads((out / "report.json").read_text())


def wait_for_second_job(
    cluster: FlinkCluster, earlier: int, command: subprocess.Popen[bytes]
) -> None:
    """Wait until the second pipeline of a command is at work."""

    def is_at_work() -> bool:
        assert command.poll() is None
        jobs = cluster.jobs()[earlier:]
        return len(jobs) == 2 and cluster.running_subtasks(jobs[1]["jid"]) > 0

    wait_until(is_at_work, SECONDS, "the second pipeline")


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


def test_a_command_that_is_killed_goes_on_while_its_job_still_works(
    corpus: Corpus, cluster: FlinkCluster, tmp_path: Path
) -> None:
    """Start it again at once: the cluster still executes the pipeline of the killed one."""
    expected = tmp_path / "local"
    dedup(corpus.config(expected), out=expected)
    out = tmp_path / "out"
    config = corpus.config(out)
    earlier = len(cluster.jobs())
    arguments = ["dedup", config, "--", *flink_options(cluster)]
    with started(*arguments, log=tmp_path / "log") as command:
        wait_for_second_job(cluster, earlier, command)
        orphans = job_servers(command.pid)
        command.kill()
        assert not (out / "manifest.json").exists()
    for server in orphans:
        wait_until(lambda server=server: not command_line(server), 10, "the job server's end")
    assert "RUNNING" in {job["state"] for job in cluster.jobs()[earlier:]}
    resumed = installed(*arguments, seconds=SECONDS)
    assert "sketch        done earlier, unchanged" in resumed.stderr
    assert promised_bytes(out) == promised_bytes(expected)
    assert figures(out) == figures(expected)
