"""The same bytes for any workers, engine, units, blocks, files and order of files: one matrix.

Each row runs the same documents with the same settings and a lineage, and is compared by hashes.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Corpus, promised_bytes, write_rows
from tests.support.commands import installed, outcross
from tests.support.engines import flink_options, job_servers, prism_options, started
from tests.support.processes import command_line
from tests.support.units import batches_of, units_of
from tools.flink.cluster import FlinkCluster, wait_until

FLINK_SECONDS = 400
"""Longest time of the run on Flink; it takes a third of it on two quiet cores."""
ENDINGS = ["jsonl", "jsonl.gz", "jsonl.zst", "parquet"]


def hashes(out: Path) -> dict[str, str]:
    """Return hashes of what is promised, by file; `report.json` by its figures."""
    report = json.loads((out / "report.json").read_text())
    figures = {key: json.dumps(value).encode() for key, value in report.items()}
    parts = promised_bytes(out) | {f"report.json: {key}": figures[key] for key in figures}
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(parts.items())}


def split(corpus: Corpus, folder: Path) -> dict[str, list[Path]]:
    """Write the same rows in another order, in many files of all formats."""
    draw = random.Random(3)
    files = {}
    for source, rows in corpus.rows.items():
        mixed = draw.sample(rows, len(rows))
        files[source] = [
            write_rows(folder / f"{source}-{n:03d}.{ENDINGS[n % 4]}", mixed[at : at + 40])
            for n, at in enumerate(range(0, len(mixed), 40))
        ]
        draw.shuffle(files[source])
    return files


def config(corpus: Corpus, folder: Path, **keys: Any) -> Path:
    return corpus.config(folder / "out", lineage=str(folder / "lineage"), **keys)


@pytest.fixture(scope="module")
def expected(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("expected")
    outcross("run", config(corpus, folder, workers=2))
    return hashes(folder / "out")


@pytest.mark.parametrize("workers", [1, 7])
def test_any_number_of_workers(
    corpus: Corpus, expected: dict[str, str], tmp_path: Path, workers: int
) -> None:
    outcross("run", config(corpus, tmp_path, workers=workers))
    assert hashes(tmp_path / "out") == expected


@pytest.mark.parametrize("size", [60_000, 1 << 20])
def test_units_and_blocks_of_any_size(
    corpus: Corpus, expected: dict[str, str], tmp_path: Path, size: int
) -> None:
    with units_of(size), batches_of(size // 3):
        outcross("run", config(corpus, tmp_path))
    assert hashes(tmp_path / "out") == expected


def test_the_same_documents_in_other_files_and_another_order(
    corpus: Corpus, expected: dict[str, str], tmp_path: Path
) -> None:
    outcross("run", config(corpus, tmp_path, files=split(corpus, tmp_path)))
    assert hashes(tmp_path / "out") == expected


@pytest.mark.engines
def test_prism(corpus: Corpus, expected: dict[str, str], tmp_path: Path) -> None:
    installed("run", config(corpus, tmp_path), "--", *prism_options())
    assert hashes(tmp_path / "out") == expected


@pytest.mark.engines
def test_two_task_managers_of_flink_and_one_job_server(
    corpus: Corpus, expected: dict[str, str], cluster: FlinkCluster, tmp_path: Path
) -> None:
    earlier = len(cluster.jobs())
    servers: set[int] = set()
    log = tmp_path / "log"
    with started(
        "run", config(corpus, tmp_path), "--", *flink_options(cluster), log=log
    ) as command:

        def ended() -> bool:
            servers.update(job_servers(command.pid))
            time.sleep(1)
            return command.poll() is not None

        wait_until(ended, FLINK_SECONDS, "the run")
        assert command.returncode == 0, log.read_text()
    assert hashes(tmp_path / "out") == expected

    jobs = cluster.jobs()[earlier:]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(jobs) > manifest["pipelines"]  # the commit of the lineage follows
    assert {job["state"] for job in jobs} == {"FINISHED"}
    for job in jobs:
        assert set(cluster.workers_of(job["jid"])) == cluster.task_managers()
    assert len(cluster.task_managers()) == 2
    assert len(servers) == 1
    assert [command_line(server) for server in servers] == [""]  # it has ended with the run
