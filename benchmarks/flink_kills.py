"""Kill a task manager of a real Flink cluster in each pipeline of one run and of one audit.

    python -m benchmarks.flink_kills [--documents 1000] [--seed 1]

`make engines` builds the jar first. A run with a lineage, and an audit of its result, are made on
the local runner. Then both are made on the cluster. Each of their pipelines loses a task manager
by kill -9 while it works, and another task manager is started. The results must be the same.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import promised_hashes
from tests.support.commands import installed
from tests.support.engines import JAR, flink_options, started
from tests.support.human_texts import human_paragraphs
from tests.support.processes import descendants, processor_seconds
from tools.flink.cluster import FlinkCluster, wait_until

SECONDS = 3600
"""Longest time of a command that loses a task manager in each pipeline."""
LONGEST_WORK = 2.5
"""Processor seconds of Python workers before the kill; starting Python takes most of these."""
JUDGED = (0, 3)
"""Exit codes of a command that has ended, with any verdict."""


def make_corpus(folder: Path, count: int) -> list[Any]:
    """Write documents of Python's own documentation, a fifth of them human; return options."""
    draw = random.Random(7)
    texts = [paragraph.text for paragraph in human_paragraphs() if len(paragraph.text) > 200]
    texts = [f"{draw.choice(texts)} {draw.choice(texts)}" for _ in range(count)]
    for name, part in (("human", texts[: count // 5]), ("synthetic", texts[count // 5 :])):
        rows = (json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(part))
        (folder / f"{name}.jsonl").write_text("".join(rows))
    return ["--human", folder / "human.jsonl", "--synthetic", folder / "synthetic.jsonl"]


def files_below(folder: Path) -> set[Path]:
    """Return the files that workers write; the command itself writes the lists of units."""
    return {path for path in folder.rglob("*") if not path.name.startswith("units-")}


def kill_in(
    cluster: FlinkCluster, job: dict[str, Any], folder: Path, work: float
) -> dict[str, Any] | None:
    """Kill a task manager that works for a job, and start another one.

    Args:
        cluster: cluster with the job.
        job: job that is at work, as `FlinkCluster.jobs` gives it.
        folder: folder of the command's result.
        work: processor seconds of the task manager's Python workers before the kill. It is killed
            earlier if they have written a file.

    Returns:
        What is printed; None if the job has ended before.
    """
    before = files_below(folder)
    while cluster.running_subtasks(job["jid"]) > 0:
        busy = cluster.workers_of(job["jid"])
        victim = next(
            (
                name
                for name, process in cluster.processes.items()
                if name in busy and is_up(process)
            ),
            None,
        )
        time.sleep(0.05)
        if victim is None:
            continue
        spent = processor_seconds(descendants(cluster.processes[victim].pid))
        written = len(files_below(folder) - before)
        if spent >= work or written:
            cluster.kill(victim)
            cluster.start_task_manager()
            return {
                "job": job["name"],
                "killed": victim,
                "after_seconds": round(time.time() - job["start-time"] / 1000, 1),
                "worker_seconds": round(spent, 1),
                "files_written": written,
            }
    return None


def is_up(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def kill_in_each_pipeline(
    cluster: FlinkCluster, line: list[Any], folder: Path, draw: random.Random
) -> tuple[int, list[dict[str, Any]]]:
    """Start a command on the cluster, and kill a task manager in each of its pipelines.

    Returns:
        The exit code, and what happened to each pipeline in their order.
    """
    earlier = {job["jid"] for job in cluster.jobs()}
    kills: dict[str, dict[str, Any] | None] = {}
    folder.parent.mkdir(exist_ok=True)
    with started(*line, "--", *flink_options(cluster), log=folder.parent / "log") as command:

        def kill_and_ask() -> bool:
            for job in cluster.jobs():
                is_new = job["jid"] not in earlier and job["jid"] not in kills
                if is_new and cluster.running_subtasks(job["jid"]) > 0:
                    kills[job["jid"]] = kill_in(cluster, job, folder, draw.uniform(0, LONGEST_WORK))
            return command.poll() is not None

        wait_until(kill_and_ask, SECONDS, line[0])
    jobs = [job for job in cluster.jobs() if job["jid"] not in earlier]
    pipelines = [
        {
            "job": job["name"],
            **(kills.get(job["jid"]) or {"killed": None}),
            "state": job["state"],
            "attempts": cluster.attempts(job["jid"]),
        }
        for job in jobs
    ]
    if command.returncode not in JUDGED:
        print((folder.parent / "log").read_text(), file=sys.stderr)
    return command.returncode, pipelines


def main() -> int:
    """Print a line for each pipeline and each command; return 1 if a result isn't the local one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    draw, failures = random.Random(asked.seed), 0
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        corpus = make_corpus(top, asked.documents)
        local, run = top / "local" / "out", top / "run" / "out"
        commands = {
            "run": lambda out: [*corpus, "--id-field", "id", "--lineage", out.parent / "lineage"],
            "audit": lambda _: [local],
        }
        results = {"run": (local, run), "audit": (top / "local-audit", top / "audit" / "out")}
        with FlinkCluster(top / "cluster", JAR) as cluster:
            for command, arguments in commands.items():
                expected, out = results[command]
                done = installed(
                    command, *arguments(expected), "--out", expected, code=None, seconds=SECONDS
                )
                began = time.monotonic()
                code, pipelines = kill_in_each_pipeline(
                    cluster, [command, *arguments(out), "--out", out], out, draw
                )
                for pipeline in pipelines:
                    print(json.dumps(pipeline), flush=True)
                is_same = code in JUDGED and promised_hashes(out) == promised_hashes(expected)
                survived = sum(pipeline["attempts"] > 1 for pipeline in pipelines)
                line = {
                    "command": command,
                    "exit": code,
                    "local_exit": done.returncode,
                    "seconds": round(time.monotonic() - began),
                    "pipelines": len(pipelines),
                    "begun_again": survived,
                    "same_bytes": is_same,
                }
                print(json.dumps(line), flush=True)
                is_whole = code == done.returncode and survived == len(pipelines)
                failures += not (is_whole and is_same)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
