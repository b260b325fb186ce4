"""Data sets of the Hub, with a local folder in its place."""

from __future__ import annotations

import json

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.schemas.sources import Source
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files, hub
from outcross.transforms.inputs.input_files import input_files
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit

ROWS = [{"text": f"text {i}"} for i in range(40)]


@pytest.fixture(autouse=True)
def stand_in(tmp_path, monkeypatch):
    """Replace the Hub by a local folder that has names without a scheme, and sizes."""
    data = tmp_path / "datasets/owner/name/data"
    (data / "lang=en").mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (data / "lang=en/a.jsonl").write_text(lines)
    (data / "_notes.jsonl").write_text(lines)
    pq.write_table(pa.Table.from_pylist(ROWS), data / "b.parquet", row_group_size=10)
    (data.parent / "README.md").write_text("---\n")
    local = fsspec.filesystem("local")
    folder = fsspec.get_filesystem_class("dir")(path=str(tmp_path), fs=local)
    monkeypatch.setattr(hub, "hub_files", lambda: folder)


def source(path):
    return Source(name="s", role="human", files=[path])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("hf://datasets/owner/name/data/b.parquet", ["b.parquet"]),
        ("hf://datasets/owner/name/data/*.parquet", ["b.parquet"]),
        ("hf://datasets/owner/name/**/*.jsonl", ["lang=en/a.jsonl"]),
        ("hf://datasets/owner/name", ["b.parquet", "lang=en/a.jsonl"]),
    ],
)
def test_files_globs_and_folders_of_the_hub_are_read(path, expected):
    inputs = input_files(source(path)).files
    assert [file.path for file in inputs] == [
        f"hf://datasets/owner/name/data/{name}" for name in expected
    ]
    units = plan_units([source(path)], unit_bytes=300)
    blocks = [block for unit in units for block in read_unit(unit, source(path))]
    texts = [text for block in blocks for text in block.text.to_pylist()]
    assert texts == [row["text"] for row in ROWS] * len(expected)
    assert any(file.columns == (("lang", "en"),) for file in inputs) == (
        "lang=en/a.jsonl" in expected
    )


def test_the_hub_is_read_only_and_names_what_is_not_there():
    with pytest.raises(ConfigError, match="matches no file"):
        input_files(source("hf://datasets/owner/name/none.jsonl"))
    with pytest.raises(ConfigError, match="read only"):
        files.write_bytes("hf://datasets/owner/name/x.jsonl", b"")
    assert files.exists("hf://datasets/owner/name/data/b.parquet")
    assert not files.exists("hf://datasets/owner/other")
