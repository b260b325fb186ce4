"""Users copy the loop: it has to close, to stop where a gate says so, and to go on afterwards."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import closing_the_loop
import pyarrow.parquet as pq
import pytest

from tests.support.commands import Done, call_program, outcross
from tests.support.human_texts import human_paragraphs

EXAMPLE = Path(__file__).parents[2] / "examples" / "closing_the_loop.py"
GENERATIONS = 2
SHARE = 0.6


def loop(work: Path, *arguments: object) -> Done:
    """Call the example and its commands in this process, on half of its text."""
    line = ["--work", work, "--generations", GENERATIONS, *arguments]
    with patch.object(closing_the_loop, "human_paragraphs", lambda: human_paragraphs()[::2]):
        return call_program(closing_the_loop.main, EXAMPLE.name, *line)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loop")


@pytest.fixture(scope="module")
def stopped(work: Path) -> Done:
    """Run the loop under a gate that nothing passes: 1.5 times the clusters of human text."""
    gates = work / "strict.yaml"
    gates.write_text("effective_clusters: {warn: 2, stop: 1.5}\n")
    return loop(work, "--gates", gates)


@pytest.fixture(scope="module")
def closed(work: Path, stopped: Done) -> Done:
    """Run the loop without that gate, in the folder where it had stopped."""
    return loop(work, "--naive")


def test_it_starts_as_a_program() -> None:
    line = [sys.executable, str(EXAMPLE), "--help"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    assert "limits of your own for every verdict" in done.stdout


def test_failures_end_the_loop_with_theirs(work: Path) -> None:
    gates = work / "wrong.yaml"
    gates.write_text("clusters: 1\n")
    failed = loop(work, "--gates", gates)
    assert failed.returncode == 2
    assert f"{gates}: clusters" in failed.stderr
    assert "exit code 2 of" in failed.stderr


def test_a_gate_ends_the_loop_with_its_own_exit_code(work: Path, stopped: Done) -> None:
    assert stopped.returncode == 3, stopped.stderr
    assert "The loop stops at curated gen0 run" in stopped.stdout
    assert "as varied as human text" in stopped.stdout
    assert (work / "curated" / "runs" / "gen0" / "report.html").exists()
    assert "gen0 audit" not in stopped.stdout  # nothing is trained on what was stopped


def test_the_loop_goes_on_to_its_end(work: Path, closed: Done) -> None:
    assert closed.returncode == 0, closed.stderr
    assert "against as much human text" in closed.stdout
    for generation in range(GENERATIONS + 1):
        for name in ("curated", "naive"):
            assert (work / name / "audits" / f"gen{generation}" / "report.html").exists()
        sentence = closed.stdout.partition(f"curated gen{generation} audit: ")[2]
        assert sentence.startswith(("Go: ", "Warning: "))
        out = work / "curated" / "runs" / f"gen{generation}"
        assert (out / "manifest.json").exists()
        # The trainer's own column is there in every row, be it from the ledger or the archive.
        assert None not in pq.read_table(out / "data", columns=["topic"])["topic"].to_pylist()
    compared = load(work / "curated" / "compared" / "compare.json")
    assert [generation["name"] for generation in compared["generations"]] == [
        "gen0",
        "gen1",
        "gen2",
    ]
    assert compared["verdict"]["outcome"] in ("go", "warn")


@pytest.mark.usefixtures("closed")
def test_the_lineage_adds_up(work: Path) -> None:
    shown = outcross("lineage", "show", work / "curated" / "lineage", "--json")
    summary = json.loads(shown.stdout)
    names = [f"gen{generation}" for generation in range(GENERATIONS + 1)]
    assert [one["name"] for one in summary["generations"]] == names
    assert [line["generation"] for line in summary["ledger"]] == names
    for one, line in zip(summary["generations"], summary["ledger"], strict=True):
        assert line["bought"] == one["fresh"]
        for unit in ("documents", "tokens"):
            assert line["bought"][unit] == line["used"][unit] + line["left"][unit]
    first, *later = summary["generations"]
    assert first["fresh"]["tokens"] == first["tokens"]
    for one in later:
        report = load(work / "curated" / "runs" / one["name"] / "report.json")
        assert one["tokens"] == report["achieved"]["tokens"]
        human = one["fresh"]["tokens"] + one["reused"]["tokens"]
        assert human == report["achieved"]["human_tokens"]
        assert abs(human - SHARE * one["tokens"]) <= report["achieved"]["longest_document"]
        assert 0 < one["fresh"]["tokens"] < one["reused"]["tokens"]


@pytest.mark.usefixtures("closed")
def test_without_curation_the_last_generation_is_narrower(work: Path) -> None:
    kept = {}
    for name in ("curated", "naive"):
        report = load(work / name / "audits" / f"gen{GENERATIONS}" / "report.json")
        kept[name] = {
            measure_line["name"]: measure_line["against"]
            for measure_line in report["judged"]["measures"]
        }
    for measure in ("effective_clusters", "rare_words", "distinct_3"):
        assert kept["naive"][measure] < kept["curated"][measure] - 0.02, measure
