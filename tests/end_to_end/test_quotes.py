"""`texts: false`: no output but the data holds a word of the corpus."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import outcross
from outcross.pipeline.engine.progress import StageProgress
from outcross.schemas.plan import Plan, Starved
from tests.end_to_end.conftest import write_rows
from tests.support.commands import outcross as command

WORD = re.compile("zq[bdfgk]{9}", re.IGNORECASE)
MAY = ("data/", "removed/")
QUIET: dict[str, Any] = {"progress": StageProgress(quiet=True)}


def texts(number: int, draw: random.Random, vocabulary: list[str]) -> list[str]:
    """Return texts of made words, some of them again with another word."""
    originals = [" ".join(draw.choices(vocabulary, k=30)) for _ in range(number)]
    return (
        originals
        + [f"{text} {draw.choice(vocabulary)}" for text in originals[::4]]
        + originals[:5] * 3
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, prompts and broken rows of words that are nowhere else."""
    folder, draw = tmp_path_factory.mktemp("made"), random.Random(3)
    vocabulary = ["zq" + "".join(draw.choices("bdfgk", k=9)) for _ in range(400)]
    for name in ("synthetic", "human"):
        rows = [
            {"id": f"{name}-{n}", "text": text, "prompt": vocabulary[n % 20], "kind": f"k{n % 2}"}
            for n, text in enumerate(texts(300, draw, vocabulary))
        ]
        rows += [{"id": f"s{n}", "text": vocabulary[3] * 9, "prompt": "zqb"} for n in range(9)]
        path = write_rows(folder / f"{name}.jsonl", rows)
        with path.open("a") as file:
            file.write(f'{{"text": "{vocabulary[0]} \n')
    return folder


def quoted(folder: Path) -> set[str]:
    """Return the files below a folder in which a word of the corpus stands."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and WORD.search(contents(path))
    }


def contents(path: Path) -> str:
    """Return all that can be read in a file, also what Parquet has compressed."""
    text = path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        text += str(pq.read_table(path).to_pylist())
    return text


def config(made: Path, out: Path, **keys: Any) -> outcross.Config:
    fields = {"id_field": "id", "prompt_field": "prompt", "domain_field": "kind"}
    sources = [
        {"name": role, "role": role, "files": f"{made}/{role}.jsonl", **fields}
        for role in ("synthetic", "human")
    ]
    values = {"out": str(out), "sources": sources, "max_reject_share": 0.1, "rounds": 1, **keys}
    return outcross.Config.model_validate(values)


@pytest.fixture(scope="module")
def silent(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("silent") / "out"
    outcross.run(config(made, out, texts=False), **QUIET)
    return out


@pytest.fixture(scope="module")
def open_(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("open") / "out"
    outcross.run(config(made, out), **QUIET)
    return out


def test_a_run_quotes_nothing_but_in_its_data(silent: Path, open_: Path) -> None:
    everywhere = quoted(open_)
    assert {"report.json", "report.html", "reference/clusters.parquet"} <= everywhere
    assert "rejects/rejects.parquet" in everywhere
    work = re.compile(r"\.outcross/sketch-\w+/units/unit-\d+\.rejects\.parquet")
    left = {path for path in quoted(silent) if not work.fullmatch(path)}
    assert left
    assert all(path.startswith(MAY) for path in left)


def test_all_else_is_the_same(silent: Path, open_: Path) -> None:
    for name in ("data/*", "removed/*"):
        for path in silent.glob(name):
            assert path.read_bytes() == (open_ / path.relative_to(silent)).read_bytes()
    rejects = [pq.read_table(out / "rejects").to_pylist() for out in (silent, open_)]
    assert rejects[0] == [{**row, "raw": None} for row in rejects[1]]
    reports = [json.loads((out / "report.json").read_text()) for out in (silent, open_)]
    for name in ("verdict", "conservation", "achieved", "stages", "shards", "domains"):
        assert reports[0][name] == reports[1][name]
    lines = [report["deduplication"]["most_repeated"] for report in reports]
    assert lines[0] == [{**line, "text": None} for line in lines[1]]  # ids stay


def test_a_plan_that_quotes_is_carried_out_without(made: Path, open_: Path, tmp_path: Path) -> None:
    planned = Plan.from_json((open_ / "plan.json").read_bytes())
    lack = {"domain": "k0", "cluster": 0, "wanted": 9.0, "available": 1.0, "planned": 1.0}
    lacking = Starved(**lack, price=0.5, words=["zqbdfgkbdfg"], text="zqbdfgkbdfg and so on")
    path = tmp_path / "plan.json"
    path.write_bytes(planned.model_copy(update={"starved": [lacking]}).to_json())
    asked = config(made, tmp_path / "out", texts=False, plan=str(path))
    assert WORD.search(path.read_text())
    result = outcross.run(asked, **QUIET)
    assert WORD.search(f"{result.plan} {result.report}") is None
    assert WORD.search((tmp_path / "out" / "plan.json").read_text()) is None


def test_plan_audit_reference_and_compare(made: Path, open_: Path, tmp_path: Path) -> None:
    planned = outcross.plan(config(made, tmp_path / "plan", texts=False), **QUIET)
    assert WORD.search(str(planned)) is None
    human = str(made / "human.jsonl")
    fields = {"texts": False, "max_reject_share": 0.1, "prompt_field": "prompt"}
    request = outcross.ReferenceRequest(human=[human], out=str(tmp_path / "ref"), **fields)
    outcross.build_reference(request, **QUIET)
    for name, reference in (("one", tmp_path / "ref"), ("two", open_ / "reference")):
        # The second reference quotes; its audit doesn't.
        asked = outcross.AuditRequest(
            paths=[str(made / "synthetic.jsonl")],
            reference=str(reference),
            out=str(tmp_path / name),
            **fields,
        )
        outcross.audit(asked, **QUIET)
    quoting = quoted(tmp_path)
    assert quoting
    assert all(path.endswith(".rejects.parquet") for path in quoting)


def test_compare_quotes_nothing_of_reports_that_do(open_: Path, tmp_path: Path) -> None:
    paths = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "report.json")
        paths[-1].write_bytes((open_ / "report.json").read_bytes())
    command("compare", *paths, "--out", tmp_path / "open", code=None)
    shown = command("compare", *paths, "--no-texts", "--out", tmp_path / "silent", code=None)
    assert WORD.search((tmp_path / "open" / "report.html").read_text())
    assert quoted(tmp_path / "silent") == set()
    assert WORD.search(shown.stdout + shown.stderr) is None


def test_texts_can_be_left_out_of_a_finished_result_and_brought_back(made, open_, tmp_path):
    config_ = config(made, Path(shutil.copytree(open_, tmp_path / "out")))
    reports = [
        outcross.run(config_.model_copy(update={"texts": texts_}), **QUIET).report
        for texts_ in (True, False, True)
    ]
    assert reports[0] == reports[2]
    assert reports[0] != reports[1]
