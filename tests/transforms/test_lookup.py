"""Texts by their places: the same that reading the whole unit gives."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.corpora import source
from transforms import lookup
from transforms.lookup import texts_at
from transforms.read import plan_units, read_unit

ROWS = [
    {"text": f'text number {i} é\u2028 with "quotes" and \\ n {"x" * (i % 37)}', "n": i}
    if i % 11
    else {"text": None, "n": i}
    for i in range(300)
]


def jsonl(path):
    lines = [json.dumps(row, ensure_ascii=i % 2 == 0) for i, row in enumerate(ROWS)]
    lines.insert(17, "")  # a blank line counts as a line
    lines.insert(40, "{broken")
    return path, ("\ufeff" + "\r\n".join(lines)).encode()


@pytest.fixture(params=["plain", "gz", "parquet", "nested"])
def made(request, tmp_path):
    """A source of each kind, with rows that can't be read among the good ones."""
    if request.param in ("plain", "gz"):
        path, data = jsonl(tmp_path / ("x.jsonl" if request.param == "plain" else "x.jsonl.gz"))
        path.write_bytes(data if request.param == "plain" else gzip.compress(data))
        return source("s", "synthetic", path)
    path = tmp_path / "x.parquet"
    rows = [{"a": {"b": [row]}, "a.b": 1} for row in ROWS] if request.param == "nested" else ROWS
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=64)
    field = "a.b.0.text" if request.param == "nested" else "text"
    return source("s", "synthetic", path, text_field=field)


def test_texts_are_those_of_the_whole_unit(made, monkeypatch):
    monkeypatch.setattr(lookup, "BATCH_BYTES", 1000)
    rng = np.random.default_rng(0)
    units = plan_units([made], 3000)
    assert len(units) == 1 or made.files[0].endswith((".jsonl", ".parquet"))
    seen = 0
    for unit in units:
        blocks = list(read_unit(unit, made))
        rows = np.concatenate([block.rows for block in blocks])
        texts = [text for block in blocks for text in block.text.to_pylist()]
        seen += len(texts)
        for size in (0, 1, len(rows) // 3, len(rows)):
            chosen = np.sort(rng.choice(len(rows), size, replace=False))
            assert texts_at(unit, made, rows[chosen]) == [texts[i] for i in chosen]
    assert seen == sum(row["text"] is not None for row in ROWS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=20), st.data())
def test_any_text_in_any_line(tmp_path_factory, texts, data):
    path = tmp_path_factory.mktemp("lookup") / "x.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    made = source("s", "human", path)
    (unit,) = plan_units([made])
    rows = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
    assert texts_at(unit, made, np.array(rows, np.int64)) == [texts[row] for row in rows]
