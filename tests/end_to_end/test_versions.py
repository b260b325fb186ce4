"""What an older version has stored: refused with the command that makes it anew, or made anew."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from outcross.schemas.documents import FORMAT_VERSION, TEXT_VERSION
from tests.end_to_end.conftest import Corpus, write_rows
from tests.support.commands import outcross


@dataclass(frozen=True)
class Stored:
    """All that commands leave and read back, in one folder.

    Attributes:
        folder: holds reference/, lineage/ and run/, and the files that they were made of.
    """

    folder: Path

    @property
    def sources(self) -> list[Any]:
        return ["--synthetic", self.folder / "gpt.jsonl", "--human", self.folder / "people.jsonl"]

    def age(self, name: str, **values: Any) -> None:
        """Change the values of a JSON file; None takes a key out."""
        path = self.folder / name
        stored = json.loads(path.read_text()) | values
        path.write_text(json.dumps({k: v for k, v in stored.items() if v is not None}))


@pytest.fixture(scope="module")
def fresh(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    stored = Stored(tmp_path_factory.mktemp("stored"))
    texts = {
        "gpt": [{"text": corpus.text("gpt", row)} for row in corpus.rows["gpt"][:150]],
        "people": [{"text": row["text"], "year": row["year"]} for row in corpus.rows["people"]],
    }
    for name, rows in texts.items():
        write_rows(stored.folder / f"{name}.jsonl", rows)
    workers = ["--workers", "1"]
    people = stored.folder / "people.jsonl"
    outcross(
        *("reference", "build", "--human", people, "--out", stored.folder / "reference"), *workers
    )
    lineage = ["--lineage", stored.folder / "lineage"]
    out = ["--out", stored.folder / "run", "--rounds", "1"]
    outcross("run", *stored.sources, *lineage, *out, *workers)
    return stored


@pytest.fixture
def stored(fresh: Stored, tmp_path: Path) -> Stored:
    return Stored(Path(shutil.copytree(fresh.folder, tmp_path / "stored")))


AGES = [{"format_version": 1}, {"format_version": None}, {"text_version": 1}]
AGES += [{"text_version": None}]


@pytest.mark.parametrize("age", AGES)
def test_a_reference_is_refused_and_made_anew_by_the_command(
    stored: Stored, tmp_path: Path, age: dict[str, Any]
) -> None:
    stored.age("reference/reference.json", **age)
    given = ["--reference", stored.folder / "reference", "--out", tmp_path / "out"]
    message = outcross("audit", stored.folder / "gpt.jsonl", *given, code=2).stderr
    path = stored.folder / "reference" / "reference.json"
    assert message.startswith(f"outcross: reference: {path} was written by an older outcross")
    (name, value), *_ = age.items()
    assert f"it has {f'no {name}' if value is None else f'{name} {value}'}, and {name}" in message
    assert outcross("run", *stored.sources, *given, code=2).stderr == message
    assert not (tmp_path / "out").exists()
    if age == AGES[0]:
        command = message.split("`")[1]
        # The files that were read stand where they stood when it was made.
        assert command.startswith("outcross reference build --human ")
        outcross(*shlex.split(command)[1:])
        outcross("audit", stored.folder / "gpt.jsonl", *given, code=None)
        assert (tmp_path / "out" / "report.json").exists()


def test_a_reference_of_a_run_names_no_files(stored: Stored, tmp_path: Path) -> None:
    stored.age("run/reference/reference.json", text_version=1)
    message = outcross("audit", stored.folder / "run", "--out", tmp_path / "out", code=2).stderr
    assert "`outcross reference build --human FILES --out " in message
    assert "with the human text that it was made of" in message


def test_a_lineage_is_refused_and_another_begins_with_its_texts(
    stored: Stored, tmp_path: Path
) -> None:
    stored.age("lineage/lineage.json", format_version=1)
    lineage = ["--lineage", stored.folder / "lineage"]
    before = (stored.folder / "lineage" / "lineage.json").read_bytes()
    message = outcross("run", *stored.sources, *lineage, "--out", tmp_path / "g2", code=2).stderr
    assert message.startswith(
        f"outcross: lineage: {stored.folder / 'lineage' / 'lineage.json'} was written by an older "
        "outcross: it has format_version 1, and format_version 2 is needed; begin another one with "
        "the texts that it has bought: `outcross run --human "
    )
    assert outcross("lineage", "show", stored.folder / "lineage", code=2).stderr == message
    assert not (tmp_path / "g2").exists()
    assert (stored.folder / "lineage" / "lineage.json").read_bytes() == before

    new = {"NEW": str(tmp_path / "new"), "FIRST": str(tmp_path / "first")}
    command = [new.get(word, word) for word in shlex.split(message.split("`")[1])]
    outcross(*command[1:], "--workers", "1", "--rounds", "1")
    (bought,) = (stored.folder / "lineage" / "ledger").glob("*/human.parquet")
    (again,) = (tmp_path / "new" / "ledger").glob("*/human.parquet")
    texts = [sorted(pq.read_table(path)["text"].to_pylist()) for path in (bought, again)]
    assert texts[0] == texts[1]
    assert pq.read_table(again).column_names == pq.read_table(bought).column_names
    outcross(
        *("run", *stored.sources, "--lineage", tmp_path / "new", "--out", tmp_path / "second"),
        *("--workers", "1", "--rounds", "1"),
    )


@pytest.mark.parametrize("age", [{"format_version": 4}, {"text_version": None}])
def test_an_earlier_run_is_refused_and_runs_again(
    stored: Stored, tmp_path: Path, age: dict[str, Any]
) -> None:
    stored.age("run/manifest.json", **age)
    given = ["--against", stored.folder / "run", "--out", tmp_path / "out"]
    message = outcross("dedup", *stored.sources, *given, code=2).stderr
    manifest = stored.folder / "run" / "manifest.json"
    assert message.startswith(f"outcross: against: {manifest} was written by an older outcross")
    assert "make the run anew: `outcross run again.yaml`" in message
    assert not (tmp_path / "out").exists()
    assert "outcross: explain: " in outcross("explain", stored.folder / "run", code=2).stderr

    again = tmp_path / "again.yaml"
    configuration = json.loads(manifest.read_text())["configuration"]
    again.write_text(json.dumps(configuration | {"out": str(stored.folder / "run")}))
    outcross("dedup", again, "--workers", "1")
    outcross("dedup", *stored.sources, *given, "--workers", "1")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["conservation"]


def test_an_earlier_runs_data_does_instead(stored: Stored, tmp_path: Path) -> None:
    stored.age("run/manifest.json", text_version=None)
    given = ["--against", stored.folder / "run", "--out", tmp_path / "out"]
    message = outcross("dedup", *stored.sources, *given, code=2).stderr
    (option,) = (shlex.split(part) for part in message.split("`") if part.startswith("--exclude"))
    outcross("dedup", *stored.sources, *option, "--out", tmp_path / "out", "--workers", "1")
    lines = json.loads((tmp_path / "out" / "report.json").read_text())["conservation"]
    gpt = next(line for line in lines if line["source"] == "synthetic")
    assert gpt["kept"] < gpt["read"] / 2  # most of it was written before


def test_a_plan_is_refused_with_the_command(stored: Stored, tmp_path: Path) -> None:
    stored.age("run/plan.json", format_version=3)
    given = ["--plan", stored.folder / "run" / "plan.json", "--out", tmp_path / "out"]
    message = outcross("run", *stored.sources, *given, code=2).stderr
    assert (
        "it has format_version 3, and format_version 4 is needed; make it anew: `outcross plan`"
        in message
    )
    assert message.startswith(f"outcross: plan: {stored.folder / 'run' / 'plan.json'} was written")
    assert not (tmp_path / "out").exists()


def test_a_report_is_refused_with_the_command(stored: Stored) -> None:
    stored.age("run/report.json", format_version=2)
    message = outcross("compare", stored.folder / "run", stored.folder / "run2", code=None).stderr
    assert "run2" in message  # a second report that isn't there comes first
    shutil.copytree(stored.folder / "run", stored.folder / "gen2")
    message = outcross("compare", stored.folder / "gen2", stored.folder / "run", code=2).stderr
    path = stored.folder / "gen2"
    assert f"report: {path / 'report.json'} was written by an older outcross" in message
    assert f"`outcross audit {path} --reference DIR --out NEW`" in message


def test_gates_without_a_version_are_of_the_first(stored: Stored, tmp_path: Path) -> None:
    gates = tmp_path / "gates.yaml"
    given = [
        "--gates",
        gates,
        "--out",
        tmp_path / "out",
        "--reference",
        stored.folder / "reference",
    ]
    gates.write_text("format_version: 2\ntoo_few: pass\n")
    message = outcross("audit", stored.folder / "gpt.jsonl", *given, code=2).stderr
    assert message.startswith(f"outcross: gates: {gates} was written by a newer outcross")
    assert "`outcross schema gates`" in message
    gates.write_text("too_few: pass\n")
    outcross("audit", stored.folder / "gpt.jsonl", *given, code=None)
    assert (tmp_path / "out" / "report.json").exists()


def test_a_work_folder_is_made_anew(
    fresh: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work in a folder that holds the work and the result of an older version."""
    from outcross.pipeline.commands.run import dedup
    from outcross.schemas import formats
    from outcross.schemas.config import parse

    files = {"synthetic": "gpt.jsonl", "human": "people.jsonl"}
    sources = [
        {"name": role, "role": role, "files": [str(fresh.folder / name)]}
        for role, name in files.items()
    ]
    config = parse({"out": str(tmp_path / "out"), "sources": sources, "workers": 1})
    with monkeypatch.context() as patched:
        patched.setattr(formats, "TEXT_VERSION", TEXT_VERSION - 1)
        dedup(config)
    old = sorted((tmp_path / "out" / ".outcross").glob("sketch-*"))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["text_version"] == 1
    dedup(config)
    assert len(sorted((tmp_path / "out" / ".outcross").glob("sketch-*"))) == 2 * len(old)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["format_version"], manifest["text_version"]) == (FORMAT_VERSION, TEXT_VERSION)
