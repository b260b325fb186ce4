"""Commands whose files are in gs:// or s3://, and Dataflow's way from the driver to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apache_beam import Create, Map, Pipeline

from outcross.pipeline.engine.leases import Lease
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import amazon_store, files, google_store
from outcross.transforms.base.conditional import RefusedWriteError
from outcross.transforms.base.store_errors import StoreError
from outcross.transforms.base.stores import conditional_object
from tests.end_to_end.conftest import Corpus, Run
from tests.support.amazon import Bucket, amazon_server
from tests.support.commands import COMMAND, TERMINAL, Done, installed, outcross
from tests.support.dataflow import RefusedError, check_pipeline, dataflow
from tests.support.object_store import Store, object_store, requests_by_stage
from tests.support.promises import promised_bytes

PROGRAM = Path(__file__).parents[2] / ".engines" / "fake-gcs-server"

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with object_store(PROGRAM, tmp_path) as running:
        yield running


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with amazon_server() as running:
        yield running


def remote_config(
    corpus: Corpus, folder: Path, out: str, inputs: dict[str, list[Any]] | None = None, **keys: Any
) -> Path:
    """Write a YAML file for a run over the corpus with its output in a store."""
    folder.mkdir(exist_ok=True)
    path = corpus.config(folder / "local", inputs, workers=2, **keys)
    path.write_text(path.read_text().replace(str(folder / "local"), out))
    return path


def start(store: Store, *arguments: Any, log: Path | None = None) -> subprocess.Popen[bytes]:
    """Start the installed command and return at once."""
    with (Path(os.devnull) if log is None else log).open("wb") as stream:
        return subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=stream,
            env={**os.environ, **TERMINAL, **store.environment},
        )


def wait_for(store: Store, part: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the name of an object has this part."""
    deadline = time.monotonic() + 120
    while not any(part in name for name in store.names()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def promised_objects(store: Store | Bucket, name: str, folder: Path) -> dict[str, bytes]:
    return promised_bytes(store.download(name, folder / name))


@dataclass(frozen=True)
class Local:
    """Both commands over the local run: what they say, and where the audit is."""

    name: str
    explained: Done
    audited: Done
    audit: str


@pytest.fixture(scope="module")
def local(base: Run, tmp_path_factory: pytest.TempPathFactory) -> Local:
    name, audit = base.data[0]["outcross"]["id"], tmp_path_factory.mktemp("local") / "audit"
    explained = outcross("explain", base.out, name, code=None)
    return Local(
        name, explained, outcross("audit", base.out, "--out", audit, code=None), str(audit)
    )


def check_explain_and_audit(store: Store | Bucket, base: Run, local: Local) -> None:
    """Compare both commands over the run in `out` with those over the local run."""
    out, audit = f"{store.top}/out", f"{store.top}/audit"
    done = installed("explain", out, local.name, code=None, **store.environment)
    assert done.stdout.replace(out, str(base.out)) == local.explained.stdout
    assert done.returncode == local.explained.returncode
    done = installed("audit", out, "--out", audit, code=None, seconds=400, **store.environment)
    said = done.stdout.replace(audit, local.audit).replace(out, str(base.out))
    assert said == local.audited.stdout
    assert done.returncode == local.audited.returncode


def test_run_explain_and_audit_in_an_object_store_give_the_bytes_of_a_local_run(
    corpus: Corpus, base: Run, local: Local, store: Store, tmp_path: Path
) -> None:
    config = remote_config(corpus, tmp_path, "gs://bucket/out")
    done = installed("run", config, seconds=400, **store.environment)
    assert promised_objects(store, "out", tmp_path) == promised_bytes(base.out)
    assert done.stdout.replace("gs://bucket/out", str(base.out)) == base.stdout
    counts = requests_by_stage(store.requests, "out/")
    assert sum(counts.values()) < 1_400
    assert len(store.requests) < 1_600
    assert sum(number for (_, method), number in counts.items() if method == "PUT") < 230
    check_explain_and_audit(store, base, local)


def test_input_and_output_in_s3_give_the_bytes_of_a_local_run(
    corpus: Corpus, base: Run, local: Local, bucket: Bucket, tmp_path: Path
) -> None:
    inputs = {
        name: [bucket.upload(corpus.folder / f"{name}.jsonl", f"in/{name}.jsonl")]
        for name in corpus.rows
    }
    config = remote_config(corpus, tmp_path, "s3://bucket/out", inputs)
    done = installed("run", config, seconds=400, **bucket.environment)
    assert promised_objects(bucket, "out", tmp_path) == promised_bytes(base.out)
    assert done.stdout.replace("s3://bucket/out", str(base.out)) == base.stdout
    check_explain_and_audit(bucket, base, local)
    assert not [name for name in bucket.names() if name.endswith("lock")]


def test_a_second_run_is_refused_and_one_that_is_killed_goes_on_to_the_same_bytes(
    corpus: Corpus, base: Run, store: Store, tmp_path: Path
) -> None:
    config = remote_config(corpus, tmp_path, "gs://bucket/out")
    started = start(store, "run", config)
    wait_for(store, "out/.outcross/lock", started)
    refused = installed("run", config, code=2, **store.environment)
    assert (
        f"outcross: out: another run is at work in gs://bucket/out: process {started.pid} on "
        in refused.stderr
    )
    assert "(gs://bucket/out/.outcross/lock); wait for it, or choose another directory" in (
        refused.stderr
    )
    wait_for(store, "/deduplicate-", started)
    started.kill()
    assert started.wait(10) == -signal.SIGKILL
    assert "out/manifest.json" not in store.names("out/")
    store.delete("out/.outcross/lock")  # instead of a minute's wait
    resumed = installed("run", config, seconds=400, **store.environment)
    assert "sketch        done earlier, unchanged" in resumed.stderr
    assert promised_objects(store, "out", tmp_path) == promised_bytes(base.out)
    assert "out/.outcross/lock" not in store.names("out/")


def test_a_second_run_in_one_lineage_is_refused_and_sigterm_leaves_no_lock(
    corpus: Corpus, store: Store, tmp_path: Path
) -> None:
    top = "gs://bucket"
    first, second = (
        remote_config(corpus, tmp_path / name, f"{top}/{name}", lineage=f"{top}/lineage")
        for name in ("g1", "g2")
    )
    started = start(store, "run", first, log=tmp_path / "log")
    wait_for(store, "lineage/lock", started)
    refused = installed("run", second, code=2, **store.environment)
    assert "outcross: lineage: another run is at work on gs://bucket/lineage: process " in (
        refused.stderr
    )
    assert not store.names("g2/")
    wait_for(store, "g1/.outcross/sketch-", started)
    started.terminate()
    assert started.wait(60) == 128 + signal.SIGTERM, (tmp_path / "log").read_text()
    assert not [name for name in store.names() if name.endswith("lock")]


def check_conditional_object(path: str) -> None:
    """Write, lose and take over an object as leases do."""
    lock, another = conditional_object(path), conditional_object(path)
    assert lock is not None
    assert another is not None
    assert another.read() is None
    first = lock.write(b"1", None)
    earlier = another.read()
    assert earlier is not None
    assert (earlier.data, earlier.version) == (b"1", first)
    for version in (None, "7"):
        with pytest.raises(RefusedWriteError) as refused:
            lock.write(b"2", version)
        assert refused.value.now is not None
        assert abs(refused.value.now - time.time()) < 10
    second = lock.write(b"2", first)
    with pytest.raises(RefusedWriteError):
        lock.write(b"3", first)
    stored = another.read()
    assert stored is not None
    assert (stored.data, stored.version) == (b"2", second)
    assert abs(stored.written - time.time()) < 10
    said: list[str] = []
    lease = Lease(path, lock, period=0.5, expiry=3, poll=0.2)
    with lease.hold("busy", "wait", said.append) as confirm:
        assert "was left by another program, and taken" in said[-1]
        with pytest.raises(ConfigError, match="busy: process"):
            Lease(path, another, expiry=3, poll=0.2).hold("busy", "wait", print).__enter__()
        confirm()
    assert lock.read() is None
    with pytest.raises(RefusedWriteError):
        lock.write(b"4", second)


def test_locks_and_errors_are_those_of_the_real_clients(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**store.environment, **bucket.environment}.items():
        monkeypatch.setenv(name, value)
    for top in (store.top, bucket.top):
        check_conditional_object(f"{top}/folder/lock")
        with pytest.raises(FileNotFoundError, match=f"{top}/nothing is not there"):
            files.read_bytes(f"{top}/nothing")
        with pytest.raises(StoreError, match="missing: there is no such bucket"):
            files.exists(top.replace(store.bucket, "missing") + "/x")
    monkeypatch.setattr(google_store, "SECONDS", 1)
    for name in ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    amazon_store.forget_clients()
    for top in ("gs://unreachable", "s3://unreachable"):
        with pytest.raises(StoreError, match=rf"^{top} can't be reached \(.*check the network"):
            files.exists(f"{top}/x")


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
        assert len({job.name for job in service.jobs}) == len(service.jobs) == 6
        assert service.refusals == []
        assert all("workflow.tar.gz" in job.artifacts for job in service.jobs)
        assert max(job.graph_bytes for job in service.jobs) < 200_000
        assert max(job.request_bytes for job in service.jobs) < 50_000
        assert max(max(job.side_inputs.values(), default=0) for job in service.jobs) < 1_000
        # The same pipeline of another process has the same steps, and Ctrl-C cancels the job.
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
