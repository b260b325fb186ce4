"""Kill a task manager of a real Flink cluster in the middle of each pipeline of a run.

    python -m benchmarks.flink_kills [--documents 2000] [--command run] [--first 1] [--last 99]

`make engines` builds the jar first. The run with a lineage is made once on the local runner. Then,
for each of its pipelines, it is made on the cluster, and a task manager is killed with -9 while
that pipeline works; another one replaces it. The bytes must be those of the local runner.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import promised_bytes
from tests.support.commands import installed
from tests.support.engines import JAR, flink_options, started
from tests.support.human_texts import human_paragraphs
from tools.flink.cluster import FlinkCluster, wait_until

SECONDS = 1200
"""Longest time of a run that loses a task manager."""


def make_corpus(folder: Path, count: int) -> list[Any]:
    """Write documents of Python's own documentation, a fifth of them human; return options."""
    draw = random.Random(7)
    texts = [paragraph.text for paragraph in human_paragraphs() if len(paragraph.text) > 200]
    texts = [f"{draw.choice(texts)} {draw.choice(texts)}" for _ in range(count)]
    for name, part in (("human", texts[: count // 5]), ("synthetic", texts[count // 5 :])):
        rows = (json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(part))
        (folder / f"{name}.jsonl").write_text("".join(rows))
    return ["--human", folder / "human.jsonl", "--synthetic", folder / "synthetic.jsonl"]


def arguments(command: str, corpus: list[Any], folder: Path) -> list[Any]:
    lineage = ["--lineage", folder / "lineage"] if command == "run" else []
    return [command, *corpus, "--id-field", "id", *lineage, "--out", folder / "out"]


def killed_in(
    cluster: FlinkCluster, number: int, line: list[Any], log: Path
) -> dict[str, Any] | None:
    """Make a run whose pipeline of this number loses a task manager; None if it has fewer."""
    began, earlier = time.monotonic(), len(cluster.jobs())
    victim = sorted(cluster.task_managers())[0]
    with started(*line, "--", *flink_options(cluster), log=log) as command:

        def is_at_work() -> bool:
            jobs = cluster.jobs()[earlier:]
            is_there = len(jobs) >= number
            work = is_there and cluster.running_subtasks(jobs[number - 1]["jid"]) > 0
            return command.poll() is not None or work

        wait_until(is_at_work, SECONDS, f"pipeline {number}")
        if command.poll() is not None:
            return None
        time.sleep(random.Random(number).uniform(0.5, 4))
        cluster.kill(victim)
        cluster.start_task_manager()
        wait_until(lambda: command.poll() is not None, SECONDS, "the run")
        jobs = cluster.jobs()[earlier:]
        history = cluster.ask(f"/jobs/{jobs[number - 1]['jid']}/exceptions")["exceptionHistory"]
        return {
            "pipeline": number,
            "exit": command.returncode,
            "seconds": round(time.monotonic() - began),
            "restarts": len(history["entries"]),
            "jobs": len(jobs),
        }


def main() -> int:
    """Print a line for each kill; return 1 if one changed the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--command", choices=["run", "plan", "dedup"], default="run")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int, default=99)
    asked = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = make_corpus(folder, asked.documents)
        (folder / "local").mkdir()
        installed(*arguments(asked.command, corpus, folder / "local"), seconds=SECONDS)
        expected = promised_bytes(folder / "local" / "out")
        with FlinkCluster(folder / "cluster", JAR) as cluster:
            for number in range(asked.first, asked.last + 1):
                place = folder / f"killed-{number}"
                place.mkdir()
                line = arguments(asked.command, corpus, place)
                result = killed_in(cluster, number, line, place / "log")
                if result is None:
                    break
                cluster.wait_for_task_managers(2)
                result["same bytes"] = promised_bytes(place / "out") == expected
                failures += result["exit"] != 0 or not result["same bytes"]
                print(json.dumps(result), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
