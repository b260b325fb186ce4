"""Commands whose output is in gs://, and Dataflow's way from the driver to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam import Create, Map, Pipeline

from tests.end_to_end.conftest import Corpus, Run, promised_bytes
from tests.support.commands import COMMAND, TERMINAL, installed
from tests.support.dataflow import RefusedError, check_pipeline, dataflow
from tests.support.object_store import Store, object_store, requests_by_stage

PROGRAM = Path(__file__).parents[2] / ".engines" / "fake-gcs-server"

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with object_store(PROGRAM, tmp_path) as running:
        yield running


def remote_config(corpus: Corpus, folder: Path, out: str) -> Path:
    """Write a YAML file for a run over the corpus with its output in gs://."""
    path = corpus.config(folder / "local", workers=2)
    path.write_text(path.read_text().replace(str(folder / "local"), out))
    return path


def start(store: Store, *arguments: Any) -> subprocess.Popen[bytes]:
    """Start the installed command and return at once."""
    return subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **TERMINAL, **store.environment},
    )


def promised_objects(store: Store, name: str, folder: Path) -> dict[str, bytes]:
    return promised_bytes(store.download(name, folder / name))


def test_run_explain_and_audit_in_an_object_store_give_the_bytes_of_a_local_run(
    corpus: Corpus, base: Run, store: Store, tmp_path: Path
) -> None:
    config = remote_config(corpus, tmp_path, "gs://bucket/out")
    done = installed("run", config, seconds=400, **store.environment)
    assert promised_objects(store, "out", tmp_path) == promised_bytes(base.out)
    assert done.stdout.replace("gs://bucket/out", str(base.out)) == base.stdout
    counts = requests_by_stage(store.requests, "out/")
    assert sum(counts.values()) < 1_700
    assert sum(number for (_, method), number in counts.items() if method == "PUT") < 230

    name = base.data[0]["outcross"]["id"]
    local = installed("explain", base.out, name, code=None)
    remote = installed("explain", "gs://bucket/out", name, code=None, **store.environment)
    assert remote.stdout.replace("gs://bucket/out", str(base.out)) == local.stdout
    assert remote.returncode == local.returncode

    local = installed("audit", base.out, "--out", tmp_path / "audit", code=None)
    arguments = ("audit", "gs://bucket/out", "--out", "gs://bucket/audit")
    remote = installed(*arguments, code=None, seconds=400, **store.environment)
    texts = [(remote.stdout, "gs://bucket"), (local.stdout, str(tmp_path))]
    said = [text.replace(f"{top}/audit", "AUDIT") for text, top in texts]
    assert said[0].replace("gs://bucket/out", str(base.out)) == said[1]
    assert remote.returncode == local.returncode


def test_a_run_in_an_object_store_that_is_killed_goes_on_and_gives_the_same_bytes(
    corpus: Corpus, base: Run, store: Store, tmp_path: Path
) -> None:
    config = remote_config(corpus, tmp_path, "gs://bucket/out")
    started = start(store, "run", config)
    deadline = time.monotonic() + 120
    while not any("/deduplicate-" in name for name in store.names("out/")):
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    started.kill()
    assert started.wait(10) == -signal.SIGKILL
    assert "out/manifest.json" not in store.names("out/")
    resumed = installed("run", config, seconds=400, **store.environment)
    assert "sketch        done earlier, unchanged" in resumed.stderr
    assert promised_objects(store, "out", tmp_path) == promised_bytes(base.out)


@pytest.mark.dataflow
def test_a_run_on_dataflow_goes_through_packaging_staging_and_the_job_service(
    corpus: Corpus, base: Run, store: Store, tmp_path: Path
) -> None:
    config = remote_config(corpus, tmp_path, "gs://bucket/out")
    (tmp_path / "service").mkdir()
    with dataflow(store, tmp_path / "service") as service:
        options = ("--", *service.options)
        installed("run", config, *options, code=0, seconds=900, **store.environment)
        assert promised_objects(store, "out", tmp_path) == promised_bytes(base.out)
        assert len(service.jobs) == 6
        assert service.refusals == []
        assert all("workflow.tar.gz" in job.artifacts for job in service.jobs)
        assert max(job.graph_bytes for job in service.jobs) < 200_000
        assert max(job.request_bytes for job in service.jobs) < 50_000
        assert max(max(job.side_inputs.values(), default=0) for job in service.jobs) < 1_000
        # The same pipeline of another process has the same steps, and Ctrl-C cancels the job.
        (tmp_path / "again").mkdir()
        again = remote_config(corpus, tmp_path / "again", "gs://bucket/again")
        started = start(store, "run", again, *options)
        deadline = time.monotonic() + 120
        while len(service.jobs) < 7 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert service.jobs[6].steps == service.jobs[0].steps
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 130
        assert service.jobs[6].state == "JOB_STATE_CANCELLED"


def test_the_service_refuses_steps_of_one_name_and_transforms_that_it_does_not_know() -> None:
    pipeline = Pipeline()
    _ = pipeline | Create([1]) | Map(str)
    message = pipeline.to_runner_api()
    for environment in message.components.environments.values():
        environment.urn = "beam:env:docker:v1"
    check_pipeline(message)
    steps = list(message.components.transforms.values())
    steps[-1].unique_name = steps[-2].unique_name
    with pytest.raises(RefusedError, match="not unique"):
        check_pipeline(message)
    steps[-1].unique_name = "another"
    leaf = next(step for step in steps if step.spec.urn == "beam:transform:pardo:v1")
    leaf.spec.urn = "beam:transform:unheard_of:v1"
    with pytest.raises(RefusedError, match="unheard_of"):
        check_pipeline(message)
