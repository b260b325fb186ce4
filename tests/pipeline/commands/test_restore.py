"""Removed rows come back as their sources had them: all of them, and nothing else."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands.restore import restore
from outcross.pipeline.commands.run import dedup
from outcross.schemas.config import parse
from outcross.schemas.user_input import ConfigError

WORDS = ["river", "boat", "stone", "bridge", "bank", "flood", "rain", "cloud", "storm", "wave"]


def text(number: int) -> str:
    return " ".join(f"{word}{number}" for word in WORDS)


def typed(number: int) -> dict[str, Any]:
    """Return a row of the Parquet source. Its score is an integer, and a float in the other one."""
    return {
        "text": text(number % 7),
        "id": f"p{number}",
        "score": number,
        "when": datetime.datetime(2024, 1, 1 + number % 28),
        "raw": bytes([number, 255]),
        "mixed": number,
        "meta": {"tags": ["a"] * (number % 3), "deep": {"x": number % 2 == 0}},
        "outcross": f"mine {number}",
    }


def loose(number: int) -> dict[str, Any]:
    row = {"text": f"And {text(100 + number % 5)}", "id": f"j{number}", "score": number / 4}
    row |= {"mixed": {"a": number} if number % 2 else "words", "none": None}
    return row if number % 3 else {**row, "extra": [1, 2]}


SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("score", pa.int32()),
        ("when", pa.timestamp("us")),
        ("raw", pa.binary()),
        ("mixed", pa.int16()),
        (
            "meta",
            pa.struct([("deep", pa.struct([("x", pa.bool_())])), ("tags", pa.list_(pa.string()))]),
        ),
        ("outcross", pa.string()),
    ]
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deduplicate two sources in which most rows repeat another one; return the output."""
    folder = tmp_path_factory.mktemp("removed")
    table = pa.Table.from_pylist([typed(n) for n in range(40)], SCHEMA)
    pq.write_table(table, folder / "typed.parquet")
    lines = "".join(json.dumps(loose(n)) + "\n" for n in range(30))
    (folder / "loose.jsonl").write_text(lines)
    sources = [
        {"name": "typed", "role": "human", "files": [str(folder / "typed.parquet")]},
        {"name": "loose", "role": "synthetic", "files": [str(folder / "loose.jsonl")]},
    ]
    for source in sources:
        source["id_field"] = "id"
    dedup(parse({"out": str(folder / "out"), "workers": 1, "sources": sources}))
    return folder / "out"


def removed(out: Path, source: str | None = None) -> list[dict[str, Any]]:
    rows = pq.read_table(out / "removed").to_pylist()
    return [row for row in rows if source in (None, row["source"])]


def test_rows_of_one_source_come_back_as_they_were(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "back.parquet"
    result = restore(str(out), str(path), {"source": "typed"})
    back = pq.read_table(path)
    expected = {row["id"]: row for row in map(typed, range(40))}
    assert result.rows == len(back) == len(removed(out, "typed")) == 33
    assert {field.name: field.type for field in back.schema} == {
        field.name: field.type for field in SCHEMA
    }
    for row in back.to_pylist():
        assert row == expected.pop(row["id"])


def test_jsonl_lines_are_the_rows_without_nulls(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "back.jsonl"
    result = restore(str(out), str(path), {"source": "loose"})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    expected = {row["id"]: row for row in map(loose, range(30))}
    assert result.rows == len(rows) == 25
    for row in rows:
        original = expected.pop(row["id"])
        del original["none"]
        assert row == original


def test_all_rows_come_back_in_one_schema(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "back.parquet"
    assert restore(str(out), str(path), {}).rows == len(removed(out)) == 58
    back = pq.read_table(path)
    assert sorted(back["id"].to_pylist()) == sorted(row["id"] for row in removed(out))
    assert back.schema.field("score").type == pa.float64()
    assert back.schema.field("when").type == pa.timestamp("us")
    assert "outcross_earlier" not in back.schema.names


def test_filters_choose_rows_and_wrong_ones_are_named(out: Path, tmp_path: Path) -> None:
    rows = removed(out)
    rule = rows[0]["rule"]
    for filters in ({"stage": "exact"}, {"rule": rule}, {"stage": "exact", "source": "loose"}):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        result = restore(str(out), str(path), filters)
        wanted = [row for row in rows if filters.items() <= row.items()]
        assert result.rows == len(wanted) > 0
        assert sorted(pq.read_table(path)["id"].to_pylist()) == sorted(r["id"] for r in wanted)
    nothing = tmp_path / "nothing.parquet"
    assert restore(str(out), str(nothing), {"stage": "contained"}).file is None
    assert not nothing.exists()
    for filters, message in (
        (
            {"stage": "nearly"},
            "stage: found 'nearly'; there are 'exact', 'near', 'contained', 'semantic'",
        ),
        ({"source": "gpt"}, "source: found 'gpt'; there are 'typed', 'loose'"),
    ):
        with pytest.raises(ConfigError, match=message):
            restore(str(out), str(nothing), filters)


def test_no_file_is_replaced_or_written_in_part(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.parquet"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        restore(str(out), str(path), {})
    assert path.read_text() == "mine"
    with pytest.raises(ConfigError, match=r"neither \.parquet nor \.jsonl"):
        restore(str(out), str(tmp_path / "a.csv"), {})
    with pytest.raises(ConfigError, match=r"restore: .* holds no manifest"):
        restore(str(tmp_path), str(tmp_path / "b.parquet"), {})

    def fails(*_: Any) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", fails)
    with pytest.raises(OSError, match="full"):
        restore(str(out), str(tmp_path / "b.parquet"), {})
    assert [p.name for p in tmp_path.iterdir()] == ["mine.parquet"]
