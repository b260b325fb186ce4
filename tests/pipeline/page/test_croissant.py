"""croissant.json is valid, and rows are read by what it says."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands.run import RunResult
from outcross.pipeline.page.croissant import croissant
from outcross.pipeline.page.dataset import Dataset
from outcross.schemas.config import Config


@pytest.fixture(scope="module")
def read(result: RunResult) -> mlcroissant.Dataset:
    return mlcroissant.Dataset(jsonld=str(Path(result.out, "croissant.json")))


def test_the_metadata_has_no_error(read: mlcroissant.Dataset) -> None:
    assert list(read.metadata.ctx.issues.errors) == []
    assert read.metadata.in_language == ["en", "no"]
    assert read.metadata.license == ["psf-2.0"]


def test_files_are_the_shards_with_their_checksums(
    result: RunResult, read: mlcroissant.Dataset
) -> None:
    shards = {
        file.content_url: file.sha256
        for file in read.metadata.distribution
        if isinstance(file, mlcroissant.FileObject)
    }
    paths = sorted(Path(result.out, "data").iterdir())
    assert shards == {
        f"data/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def test_rows_are_those_of_the_shards(result: RunResult, read: mlcroissant.Dataset) -> None:
    rows = pq.read_table(Path(result.out, "data")).to_pylist()
    records = [plain(record) for record in read.records("rows")]
    assert records == [
        {
            **{f"rows/{name}": value for name, value in row.items() if name != "outcross"},
            "rows/outcross": {
                f"rows/outcross/{name}": value for name, value in row["outcross"].items()
            },
        }
        for row in rows
    ]


def plain(value: Any) -> Any:
    """Return bytes as text, and NaN as None, at any depth."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, bytes):
        return value.decode()
    return None if isinstance(value, float) and math.isnan(value) else value


def test_columns_of_many_types_are_described_or_named(
    result: RunResult, manifest: dict[str, Any], tmp_path: Path
) -> None:
    row = {
        "a name/with $igns": "t",
        "number": 3,
        "score": 0.5,
        "seen": True,
        "day": date(2025, 1, 2),
        "time": datetime(2025, 1, 2, 3),
        "tags": ["a", "b"],
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        "meta": {"lang": "en"},
        "deep": {"of": {"a": 1}},
        "data": b"x",
        "lists": [[1]],
    }
    table = pa.Table.from_pylist([row])
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data" / "train-00000-of-00001.parquet")
    config = Config.model_validate(manifest["configuration"])
    dataset = Dataset(config, result.report, manifest, table.schema)
    described = croissant(dataset)
    (tmp_path / "croissant.json").write_text(json.dumps(described))
    assert "not described here: 'deep', 'data', 'lists'." in described["description"]
    read = mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))
    assert list(read.metadata.ctx.issues.errors) == []
    (record,) = [plain(record) for record in read.records("rows")]
    assert record["rows/a%20name%2Fwith%20%24igns"] == "t"
    assert record["rows/number"] == 3
    assert record["rows/tags"] == ["a", "b"]
    assert record["rows/meta"] == {"rows/meta/lang": "en"}
    assert record["rows/messages"] == [
        {f"rows/messages/{name}": text for name, text in turn.items()} for turn in row["messages"]
    ]
