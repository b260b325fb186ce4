"""A run is few Beam pipelines: on a cluster each costs half a minute."""

from __future__ import annotations

from pathlib import Path

import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from outcross.pipeline.engine.artifacts import WORK
from outcross.transforms.base import files
from tests.end_to_end.conftest import Corpus, Run, promised_bytes
from tests.support.commands import outcross

MOST = {"run": 6, "dedup": 4, "audit": 6}
"""Pipelines of each command."""


class Elsewhere(FnApiRunner):
    """A runner that counts as a cluster: units come from a list, and nothing is spilled."""


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


def test_a_cluster_reads_the_units_from_a_list(corpus: Corpus, base: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runner = f"{__name__}.{Elsewhere.__name__}"
    outcross("run", corpus.config(out), "--json", "--", "--runner", runner)
    assert promised_bytes(out) == promised_bytes(base.out)
    assert not list((out / WORK).glob("units-*"))
