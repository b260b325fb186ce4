"""The provenance of a source is carried, reported and judged by its limits."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.end_to_end.conftest import Run, run, write_rows
from tests.support.commands import outcross

WORDS = [f"{first}{last}" for first in "bdfgklmnpr" for last in ("al", "en", "ir", "os", "um")]
GATES = """
provenance:
  rephrased:
    near_duplicates: {warn: 0.8, stop: 0.9}
    off_support: null
"""
LIMITS = "limits for rephrased text: off_support"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write human text and two synthetic sources, of which one repeats much of the other."""
    target, draw = tmp_path_factory.mktemp("texts"), random.Random(3)

    def texts(number: int) -> list[str]:
        return [" ".join(draw.choices(WORDS, k=draw.randint(10, 40))) for _ in range(number)]

    human = texts(500)
    copied = [f"{text} {draw.choice(WORDS)}" for text in texts(150) for _ in range(2)]
    for name, rows in {"people": human, "copied": copied, "gpt": texts(200)}.items():
        write_rows(target / f"{name}.jsonl", [{"text": text} for text in rows])
    (target / "gates.yaml").write_text(GATES)
    outcross(
        "reference", "build", "--human", target / "people.jsonl", "--out", target / "reference"
    )
    return target


def config(folder: Path, out: Path, provenances: dict[str, str | None], **keys: Any) -> Path:
    sources: list[dict[str, Any]] = [
        {"name": name, "role": "synthetic", "files": [str(folder / f"{name}.jsonl")]}
        | ({} if provenance is None else {"provenance": provenance})
        for name, provenance in provenances.items()
    ]
    people = {"name": "people", "role": "human", "files": [str(folder / "people.jsonl")]}
    path = out.parent / f"{out.name}.yaml"
    values = {"out": str(out), "sources": [*sources, people], "rounds": 1, **keys}
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def stated(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run over a rephrased source in a lineage, judged by limits of its own."""
    out = tmp_path_factory.mktemp("stated") / "first"
    keys = {"gates": str(folder / "gates.yaml"), "lineage": str(out.parent / "lineage")}
    return run(config(folder, out, {"copied": "rephrased"}, **keys), out=out)


def test_it_is_carried_into_everything_that_a_run_writes(stated: Run) -> None:
    rows = {(row["outcross"]["role"], row["outcross"]["provenance"]) for row in stated.data}
    assert rows == {("synthetic", "rephrased"), ("human", None)}
    lines = {line["source"]: line["provenance"] for line in stated.report["conservation"]}
    assert lines == {"copied": "rephrased", "people": None}
    assert "copied (synthetic, rephrased)" in " ".join(stated.stdout.split())
    page = (stated.out / "report.html").read_text()
    assert "rephrased" in page[page.index('id="flow"') :]
    assert "`provenance`" in (stated.out / "README.md").read_text()
    lineage = json.loads((stated.out.parent / "lineage/lineage.json").read_text())
    (archived,) = lineage["generations"][0]["sources"]
    assert archived["source"]["provenance"] == "rephrased"


def test_its_limits_judge_and_are_named(stated: Run) -> None:
    # Near duplicates are the copies of a run, which are never judged.
    provenance = {"provenance": "rephrased", "limits": ["off_support"]}
    assert stated.report["provenance"] == provenance
    assert LIMITS in stated.report["verdict"]["reasons"]
    assert LIMITS in stated.stdout
    assert LIMITS in (stated.out / "report.html").read_text()
    (measure,) = (m for m in stated.report["judged"]["measures"] if m["name"] == "off_support")
    assert measure["outcome"] == "shown"


def test_a_later_generation_knows_it_of_earlier_candidates(stated: Run, folder: Path) -> None:
    out = stated.out.parent / "second"
    keys = {"gates": str(folder / "gates.yaml"), "lineage": str(out.parent / "lineage")}
    done = run(config(folder, out, {"gpt": None}, **keys), out=out)
    lines = {line["source"]: line["provenance"] for line in done.report["conservation"]}
    assert lines["first.copied"] == "rephrased"
    assert lines["gpt"] is None
    assert done.report["provenance"] == {"provenance": None, "limits": []}
    (warning,) = [w for w in done.report["verdict"]["warnings"] if w.startswith("gates: ")]
    assert "gpt: not said" in warning
    assert "first.copied: rephrased" in warning


def test_nothing_is_said_where_no_source_does(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(config(folder, out, {"copied": None}), out=out)
    assert "provenance" not in done.data[0]["outcross"]
    assert done.report["provenance"] is None
    assert "rovenance" not in (out / "README.md").read_text()
    assert "copied (synthetic)" in " ".join(done.stdout.split())
    # To say it later changes the column, and nothing else.
    again = run(config(folder, out, {"copied": "edited"}), out=out)
    assert {row["outcross"].pop("provenance") for row in again.data} >= {"edited"}
    key = ("source", "id", "copy")
    without = [[row["outcross"] for row in result.data] for result in (done, again)]
    places = [sorted(tuple(row[name] for name in key) for row in rows) for rows in without]
    assert places[0] == places[1]
    assert again.report["achieved"] == done.report["achieved"]


def test_a_human_source_has_none(folder: Path, tmp_path: Path) -> None:
    path = config(folder, tmp_path / "out", {"copied": None})
    values = yaml.safe_load(path.read_text())
    values["sources"][1]["provenance"] = "edited"
    path.write_text(yaml.safe_dump(values))
    done = outcross("run", path, code=2)
    assert "provenance: is edited, but source 'people' has the role human" in done.stderr


def test_an_audit_judges_a_corpus_by_what_is_said_of_it(
    stated: Run, folder: Path, tmp_path: Path
) -> None:
    def audited(*arguments: Any, code: int | None = None) -> Any:
        gates = ["--gates", folder / "gates.yaml", "--reference", folder / "reference"]
        out = ["--out", tmp_path / f"audit-{arguments[0].name}"]
        done = outcross("audit", *arguments, *gates, *out, "--json", code=code)
        return json.loads(done.stdout)

    def outcomes(report: Any) -> dict[str, str]:
        return {measure["name"]: measure["outcome"] for measure in report["judged"]["measures"]}

    copied = folder / "copied.jsonl"
    general, limited = audited(copied), audited(copied, "--provenance", "rephrased")
    assert outcomes(general)["near_duplicates"] == "stop"
    assert outcomes(limited)["near_duplicates"] == "go"
    assert outcomes(limited)["off_support"] == "shown"
    assert general["provenance"] is None
    assert any(w.startswith("gates: no limits") for w in general["verdict"]["warnings"])
    limits = {"provenance": "rephrased", "limits": ["near_duplicates", "off_support"]}
    assert limited["provenance"] == limits
    assert (
        "limits for rephrased text: near_duplicates, off_support" in limited["verdict"]["reasons"]
    )
    generated = audited(copied, "--provenance", "generated")
    assert outcomes(generated)["near_duplicates"] == "stop"
    assert generated["provenance"] == {"provenance": "generated", "limits": []}
    assert not any("provenance" in w for w in generated["verdict"]["warnings"])
    # The output of a run says it itself.
    assert audited(stated.out)["provenance"] == limits
    # The data alone are known by their column.
    assert pq.read_schema(next((stated.out / "data").glob("*.parquet"))).names[-1] == "outcross"
    roles = {line["source"]: line["role"] for line in audited(stated.out / "data")["conservation"]}
    assert roles == {"synthetic": "synthetic", "human": "human"}
