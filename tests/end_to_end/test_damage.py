"""Files of a finished run that were damaged: each command names the file and the cure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import write_rows
from tests.support.commands import outcross

ROWS = [
    {"id": f"{n % 150}", "text": f"row {n % 150}: " + f"word{n % 150} other{n % 150} " * 6}
    for n in range(180)
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    write_rows(folder / "gpt.jsonl", ROWS)
    write_rows(folder / "people.jsonl", [{**row, "text": f"a {row['text']}"} for row in ROWS])
    outcross(*run_of(folder))
    return folder


@pytest.fixture
def folder(finished: Path) -> Iterator[Path]:
    """Let a test damage the run, and bring it back."""
    kept = finished.with_name("kept")
    shutil.copytree(finished, kept, symlinks=True)
    yield finished
    shutil.rmtree(finished)
    kept.rename(finished)


def run_of(folder: Path) -> list[str | Path]:
    files = ["--synthetic", folder / "gpt.jsonl", "--human", folder / "people.jsonl"]
    return ["run", *files, "--out", folder / "out"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 5] ^= 0x10
    path.write_bytes(data)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


COMMANDS = {
    "explain": ("removed/*.parquet", "report.json", "manifest.json"),
    "requests": ("data/*.parquet", "report.json", "manifest.json", "reference/clusters.parquet"),
    "restore": ("removed/*.parquet", "manifest.json", ".outcross/sketch-*/units/*0.json"),
    "clean": ("manifest.json",),
}


@pytest.mark.parametrize(
    ("command", "pattern"), [(name, each) for name, every in COMMANDS.items() for each in every]
)
def test_a_file_of_the_result_is_named(folder: Path, command: str, pattern: str) -> None:
    out = folder / "out"
    (path,) = out.glob(pattern)
    (flip if pattern.startswith("removed") else halve)(path)
    options = {"restore": ["--output", folder / "rows.jsonl"], "requests": ["--tokens", 9999]}
    said = outcross(command, out, *options.get(command, []), code=1).stderr
    assert f"outcross: {path} is damaged or can't be read" in said
    assert "delete" in said
    assert "and give the command that made it again" in said
    assert not (folder / "rows.jsonl").exists()


def test_the_cure_of_a_damaged_shard_brings_the_same_bytes(folder: Path) -> None:
    (path,) = (folder / "out").glob("data/*.parquet")
    before = path.read_bytes()
    path.unlink()
    outcross(*run_of(folder))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "pattern", ["manifest.json", "sketch-*/units/*0.json", "rank-*/supply.npz", "plan-*/plan.json"]
)
def test_damaged_work_is_named_and_its_cure_brings_the_same_bytes(
    folder: Path, pattern: str
) -> None:
    out = folder / "out"
    work = [*out.glob(f".outcross/{pattern}"), *out.glob(pattern)]
    (path,) = work
    before = {file.name: file.read_bytes() for file in out.glob("data/*")}
    halve(path)
    said = outcross(*run_of(folder), code=1).stderr
    assert f"outcross: {path} is damaged or can't be read" in said
    if path.parent == out:
        path.unlink()
    else:
        stage = next(part for part in path.parents if part.parent.name == ".outcross")
        assert f"delete {stage}, and give the command that made it again" in said
        shutil.rmtree(stage)
    outcross(*run_of(folder))
    assert {file.name: file.read_bytes() for file in out.glob("data/*")} == before
    json.loads((out / "manifest.json").read_bytes())
