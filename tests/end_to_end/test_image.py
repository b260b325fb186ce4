"""The container image for Dataflow: its steps, its workers, and a run that uses it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Corpus, Run, dedup
from tests.support.commands import TERMINAL
from tests.support.dataflow import IMAGE, dataflow
from tests.support.dockerfile import Image, build, steps
from tests.support.engines import built, prism_options
from tests.support.object_store import PROJECT, Store, object_store
from tests.support.promises import promised_bytes

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "dataflow"

pytestmark = [pytest.mark.engines, pytest.mark.dataflow]


def pins() -> dict[str, str]:
    """Return the version of each package that the image installs."""
    lines = (DEPLOY / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    root = tmp_path_factory.mktemp("image")
    beam = tmp_path_factory.mktemp("beam")
    (beam / "boot").symlink_to(built("boot").absolute())
    return build(DEPLOY / "Dockerfile", ROOT, root, given={"/opt/apache/beam": beam})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with object_store(built("fake-gcs-server"), tmp_path) as running:
        yield running


def documented(names: dict[str, str]) -> list[str]:
    """Return Beam's options of the command that starts the image, as the runbook has it.

    Args:
        names: what takes the places of the names in capitals.
    """
    blocks = (ROOT / "runbooks" / "dataflow.md").read_text().replace("\\\n", " ").splitlines()
    (command,) = (line for line in blocks if "--entrypoint outcross" in line)
    for name, value in names.items():
        command = re.sub(rf"\b{name}\b", value, command)
    words = shlex.split(command)
    return words[words.index("--") :]


def call(image: Image, folder: Path, *arguments: Any, **variables: str) -> None:
    """Call the image's command, which sees nothing of this environment."""
    done = subprocess.run(
        [image.bin / "outcross", *map(str, arguments)],
        cwd=folder,
        env={**image.environment, **TERMINAL, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


def kernels(image: Image) -> set[Path]:
    return set((image.root / "venv").glob("lib/*/site-packages/outcross/**/*.nbc"))


def test_only_what_needs_docker_is_skipped(image: Image) -> None:
    assert image.skipped == [
        "FROM apache/beam_python3.11_sdk:2.77.0 AS beam",
        "FROM python:3.11-slim-bookworm",
        "COPY --from=beam /opt/apache/beam /opt/apache/beam",
    ]
    assert image.entrypoint == ["/opt/apache/beam/boot"]
    assert kernels(image)


def test_the_image_a_launcher_and_the_tests_have_one_version_of_beam_and_python(
    image: Image,
) -> None:
    sources = [argument for word, argument in steps(DEPLOY / "Dockerfile") if word == "FROM"]
    beam, python = (re.findall(r"\d+\.\d+(?:\.\d+)?", source) for source in sources)
    assert beam == [python[0], pins()["apache-beam"]]
    assert python == [f"{sys.version_info.major}.{sys.version_info.minor}"]
    assert pins()["apache-beam"] == version("apache-beam")


def test_beams_program_boots_a_worker_of_the_image_that_compiles_no_kernel(
    image: Image, corpus: Corpus, tmp_path: Path
) -> None:
    expected = tmp_path / "expected"
    dedup(corpus.config(expected), out=expected)
    worker, marks = tmp_path / "worker", tmp_path / "marks"
    exports = "\n".join(f"export {name}='{value}'" for name, value in image.environment.items())
    boot = image.place(image.entrypoint[0])
    worker.write_text(  # Prism sets quotation marks around the worker's name
        f'#!/bin/bash\n{exports}\nexport HOME={tmp_path}\ncd "{image.folder}"\necho >> {marks}\n'
        f'exec {boot} --semi_persist_dir={tmp_path} "${{@//\\\'/}}"\n'
    )
    worker.chmod(0o755)
    compiled = kernels(image)
    options = ["--environment_type", "PROCESS", "--environment_option"]
    options = [*prism_options(), *options, f"process_command={worker}"]
    out = tmp_path / "out"
    call(image, tmp_path, "dedup", corpus.config(out), "--", *options)
    assert promised_bytes(out) == promised_bytes(expected)
    assert len(marks.read_text().splitlines()) == 4  # a worker for each pipeline
    assert kernels(image) == compiled


def test_a_run_from_the_image_with_workers_of_the_image_gives_the_same_bytes(
    image: Image, corpus: Corpus, base: Run, store: Store, tmp_path: Path
) -> None:
    config = corpus.config(tmp_path / "local", workers=2)
    config.write_text(config.read_text().replace(str(tmp_path / "local"), "gs://bucket/out"))
    (tmp_path / "service").mkdir()
    names = {"BUCKET": store.bucket, "PROJECT": PROJECT, "REGION": "us-central1", "IMAGE": IMAGE}
    with dataflow(store, tmp_path / "service", image.bin / "python") as service:
        options = [*documented(names), "--dataflow_endpoint", service.endpoint]
        call(image, tmp_path, "run", config, *options, **store.environment)
    assert promised_bytes(store.download("out", tmp_path / "out")) == promised_bytes(base.out)
    assert [job.images for job in service.jobs] == [{IMAGE}] * 6
    assert service.refusals == []
    pool = service.jobs[0].pool
    assert (pool["machineType"], pool["diskSizeGb"]) == ("n2-highmem-4", 50)
    assert pool["numThreadsPerWorker"] == 1
