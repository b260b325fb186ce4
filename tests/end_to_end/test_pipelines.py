"""A run is few Beam pipelines: on a cluster each costs half a minute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from outcross.pipeline.engine.artifacts import WORK
from outcross.transforms.base import files
from tests.end_to_end.conftest import Corpus, Run
from tests.support.commands import outcross
from tests.support.promises import promised_bytes

MOST = {"run": 6, "dedup": 4, "audit": 6}
"""Pipelines of each command."""


class Elsewhere(FnApiRunner):
    """A runner that counts as a cluster: units come from a list, and nothing is spilled.

    Attributes:
        jobs: names of the jobs that were sent.
    """

    jobs: ClassVar[list[str]] = []

    def run_pipeline(self, pipeline: Any, options: Any) -> Any:
        self.jobs.append(options.view_as(GoogleCloudOptions).job_name)
        return super().run_pipeline(pipeline, options)


@pytest.fixture(scope="module")
def elsewhere(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the run of `base` as on a cluster."""
    out = tmp_path_factory.mktemp("elsewhere") / "out"
    Elsewhere.jobs.clear()
    runner = f"{__name__}.{Elsewhere.__name__}"
    outcross("run", corpus.config(out), "--json", "--", "--runner", runner)
    return out


def pipelines(out: Path) -> int:
    count: int = files.read_json(str(out / "manifest.json"))["pipelines"]
    return count


def test_a_run_has_few_pipelines(base: Run) -> None:
    assert 0 < pipelines(base.out) <= MOST["run"]


@pytest.mark.parametrize("command", ["dedup", "audit"])
def test_other_commands_have_few_pipelines(corpus: Corpus, tmp_path: Path, command: str) -> None:
    out = tmp_path / "out"
    source = corpus.folder / "people.jsonl"
    sources = [source] if command == "audit" else ["--synthetic", source]
    outcross(command, *sources, "--out", out, "--json", code=None)
    assert 0 < pipelines(out) <= MOST[command]


def test_a_cluster_reads_the_units_from_a_list(base: Run, elsewhere: Path) -> None:
    assert promised_bytes(elsewhere) == promised_bytes(base.out)
    assert not list((elsewhere / WORK).glob("units-*"))


def test_a_job_of_a_cluster_has_the_name_of_the_run_and_the_stage(elsewhere: Path) -> None:
    assert len(Elsewhere.jobs) == pipelines(elsewhere)
    parts = [re.fullmatch("(outcross-[0-9a-f]{8})-([a-z]+)", name) for name in Elsewhere.jobs]
    assert len({part[1] for part in parts if part}) == 1
    stages = ["sketch", "deduplicate", "cluster", "rank", "select", "write"]
    assert [part and part[2] for part in parts] == stages
