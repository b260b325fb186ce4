"""The same bytes for any workers, engine, units, blocks, files and order of files: one matrix.

Each row runs the same documents with the same settings and a lineage, and is compared by hashes.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus, config_with_lineage, write_rows
from tests.support.commands import installed, outcross
from tests.support.engines import (
    flink_options,
    job_servers,
    prism_options,
    started,
    wait_for_second_job,
)
from tests.support.processes import command_line
from tests.support.promises import promised_hashes
from tests.support.units import batches_of, units_of
from tools.flink.cluster import FlinkCluster, wait_until

FLINK_SECONDS = 600
"""Longest time of the run on Flink; it takes a third of it on two quiet cores."""
ENDINGS = ["jsonl", "jsonl.gz", "jsonl.zst", "parquet"]


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


@pytest.mark.parametrize(("workers", "size"), [(2, 150_000), (7, 1 << 20)])
def test_any_number_of_workers_and_units_and_blocks_of_any_size(
    corpus: Corpus, lineage_hashes: dict[str, str], tmp_path: Path, workers: int, size: int
) -> None:
    with units_of(size), batches_of(size // 3):
        outcross("run", config_with_lineage(corpus, tmp_path, workers=workers))
    assert promised_hashes(tmp_path / "out") == lineage_hashes


def test_the_same_documents_in_other_files_and_another_order(
    corpus: Corpus, lineage_hashes: dict[str, str], tmp_path: Path
) -> None:
    outcross("run", config_with_lineage(corpus, tmp_path, files=split(corpus, tmp_path)))
    assert promised_hashes(tmp_path / "out") == lineage_hashes


@pytest.mark.engines
def test_prism(corpus: Corpus, lineage_hashes: dict[str, str], tmp_path: Path) -> None:
    installed("run", config_with_lineage(corpus, tmp_path), "--", *prism_options())
    assert promised_hashes(tmp_path / "out") == lineage_hashes


@pytest.mark.engines
@pytest.mark.xdist_group("flink")
def test_two_task_managers_of_flink_one_job_server_and_a_command_that_is_killed_and_goes_on(
    corpus: Corpus, lineage_hashes: dict[str, str], cluster: FlinkCluster, tmp_path: Path
) -> None:
    """Start it again at once: the cluster still executes the pipeline of the killed one."""
    arguments = ["run", config_with_lineage(corpus, tmp_path), "--", *flink_options(cluster)]
    earlier, log = len(cluster.jobs()), tmp_path / "log"
    with started(*arguments, log=log) as command:
        wait_for_second_job(cluster, earlier, command)
        orphans = job_servers(command.pid)
        command.kill()
        assert not (tmp_path / "out" / "manifest.json").exists()
    for server in orphans:
        wait_until(lambda server=server: not command_line(server), 10, "the job server's end")
    assert "RUNNING" in {job["state"] for job in cluster.jobs()[earlier:]}

    earlier = len(cluster.jobs())
    servers: set[int] = set()
    with started(*arguments, log=log) as command:

        def ended() -> bool:
            servers.update(job_servers(command.pid))
            return command.poll() is not None

        wait_until(ended, FLINK_SECONDS, "the run")
        assert command.returncode == 0, log.read_text()
    assert "sketch        done earlier, unchanged" in log.read_text()
    assert promised_hashes(tmp_path / "out") == lineage_hashes

    jobs = cluster.jobs()[earlier:]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(jobs) > manifest["pipelines"]  # the commit of the lineage follows
    assert len({job["name"] for job in jobs}) == len(jobs)
    assert {job["state"] for job in cluster.jobs()} == {"FINISHED"}
    for job in jobs:
        assert set(cluster.workers_of(job["jid"])) == cluster.task_managers()
    assert len(cluster.task_managers()) == 2
    assert len(servers) == 1
    assert [command_line(server) for server in servers] == [""]  # it has ended with the run
