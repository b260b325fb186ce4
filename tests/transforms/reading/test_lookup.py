"""Texts at places are equal to those from reading the complete unit."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading import lookup
from outcross.transforms.reading.lookup import texts_at
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.sketches.look_up_texts import WANTED, LookUpTexts
from tests.support.corpora import over, source, write_jsonl

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
def mixed(request, tmp_path):
    """Return a source of each format, with bad rows among the good ones."""
    if request.param in ("plain", "gz"):
        path, data = jsonl(tmp_path / ("x.jsonl" if request.param == "plain" else "x.jsonl.gz"))
        path.write_bytes(data if request.param == "plain" else gzip.compress(data))
        return source("s", "synthetic", path)
    path = tmp_path / "x.parquet"
    rows = [{"a": {"b": [row]}, "a.b": 1} for row in ROWS] if request.param == "nested" else ROWS
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=64)
    field = "a.b.0.text" if request.param == "nested" else "text"
    return source("s", "synthetic", path, text_field=field)


def test_texts_are_those_of_the_whole_unit(mixed, monkeypatch):
    monkeypatch.setattr(lookup, "BATCH_BYTES", 1000)
    rng = np.random.default_rng(0)
    units = plan_units([mixed], 3000)
    assert len(units) == 1 or mixed.files[0].endswith((".jsonl", ".parquet"))
    seen = 0
    for unit in units:
        blocks = list(read_unit(unit, mixed))
        rows = np.concatenate([block.rows for block in blocks])
        texts = [text for block in blocks for text in block.text.to_pylist()]
        seen += len(texts)
        for size in (0, 1, len(rows) // 3, len(rows)):
            chosen = np.sort(rng.choice(len(rows), size, replace=False))
            places = np.stack([np.zeros(size, np.int64), rows[chosen]], 1)
            assert texts_at(unit.pieces, mixed, places) == [texts[i] for i in chosen]
    assert seen == sum(row["text"] is not None for row in ROWS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=20), st.data())
def test_any_text_in_any_line(tmp_path_factory, texts, data):
    path = tmp_path_factory.mktemp("lookup") / "x.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    corpus = source("s", "human", path)
    (unit,) = plan_units([corpus])
    rows = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
    places = np.array([(0, row) for row in rows], np.int64).reshape(-1, 2)
    assert texts_at(unit.pieces, corpus, places) == [texts[row] for row in rows]


def test_texts_of_many_small_files(tmp_path):
    """Mix formats in a unit; a byte order mark may precede the first line."""
    for number in range(30):
        table = pa.table({"text": [f"text {number} {row}" for row in range(4)]})
        if number % 5 == 2:
            pq.write_table(table, tmp_path / f"{number:02d}.parquet")
            continue
        lines = "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
        (tmp_path / f"{number:02d}.jsonl").write_bytes(b"\xef\xbb\xbf" * (number % 2) + lines)
    corpus = source("s", "human", tmp_path / "*")
    (unit,) = plan_units([corpus])
    wanted = [(piece, row) for piece in range(30) for row in range(piece % 5)]
    expected = [f"text {piece} {row}" for piece, row in wanted]
    assert texts_at(unit.pieces, corpus, np.array(wanted)) == expected


def test_every_unit_has_the_beginnings_of_its_texts_beside_it(tmp_path):
    texts = {name: [f"{name} {i} \U0001f30d" + "é" * i for i in range(40)] for name in "ab"}
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": t, "ask": t[::-1]} for t in texts["a"]])
    table = pa.table({"say": [{"it": text} for text in texts["b"]]})
    pq.write_table(table, tmp_path / "b.parquet", row_group_size=8)
    sources = [
        source("a", "human", path, prompt_field="ask"),
        source("b", "synthetic", tmp_path / "b.parquet", text_field="say.it"),
    ]
    units = plan_units(sources, 400)
    assert len(units) > 6
    sketches, wanted, folder = (tmp_path / name for name in ("sketches", "wanted", "texts"))
    for path in (sketches, wanted, folder):
        path.mkdir()
    expected, asked = {}, units[::2]
    for unit in asked:
        blocks = list(read_unit(unit, sources[unit.source]))
        lines = np.concatenate([block.rows for block in blocks])
        report = {"lines": [int(lines[-1]) + 1]}  # each unit is of one piece
        files.write_json(unit_file(str(sketches), unit.index, "json"), report)
        files.write_table(unit_file(str(sketches), unit.index, "parquet"), pa.table({"row": lines}))
        rows = np.arange(len(lines))[::3]
        limits = {"text": np.arange(len(rows)) % 9, "prompt": 5 * (np.arange(len(rows)) % 2)}
        columns = pa.table({"row": rows, **limits}, schema=WANTED)
        files.write_table(unit_file(str(wanted), unit.index, "parquet"), columns)
        read = [text for block in blocks for text in block.text.to_pylist()][::3]
        expected[unit.index] = {
            "text": [text[:limit] for text, limit in zip(read, limits["text"], strict=True)],
            "prompt": [
                text[::-1][:limit] if unit.source == 0 else ""
                for text, limit in zip(read, limits["prompt"], strict=True)
            ],
        }
    work = LookUpTexts(sources, str(sketches), str(wanted), str(folder))
    over([asked[::2], asked[1::2]], work)
    read = {
        unit.index: files.read_table(unit_file(str(folder), unit.index, "parquet")).to_pydict()
        for unit in asked
    }
    for index, columns in expected.items():
        assert {kind: texts for kind, texts in columns.items() if any(texts)} == {
            kind: texts for kind, texts in read[index].items() if any(texts)
        }
    assert len(list(folder.iterdir())) == len(asked)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_prompts_are_looked_up_as_plain_text(tmp_path, ending):
    rows = [{"text": f"t{i}", "more": "m", "ask": {"n": i if i % 2 else None}} for i in range(9)]
    path = tmp_path / f"x.{ending}"
    if ending == "jsonl":
        write_jsonl(path, rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4)
    corpus = source("s", "human", path, prompt_field="ask.n", text_field=["text", "more"])
    (unit,) = plan_units([corpus])
    places = np.array([[0, 1], [0, 2], [0, 7]], np.int64)
    assert texts_at(unit.pieces, corpus, places, "prompt") == ["1", "", "7"]
    assert texts_at(unit.pieces, corpus, places) == ["t1\n\nm", "t2\n\nm", "t7\n\nm"]
    without = corpus.model_copy(update={"prompt_field": None})
    assert texts_at(unit.pieces, without, places, "prompt") == ["", "", ""]


def test_texts_before_the_damage_of_a_row_group_are_looked_up(tmp_path):
    path = tmp_path / "x.parquet"
    written = [f"text number {n} of many" for n in range(300)]
    table = pa.table({"text": written})
    pq.write_table(table, path, compression="none", use_dictionary=False, data_page_size=500)
    data = bytearray(path.read_bytes())
    place = data.index(b"text number 250")
    data[place - 4 : place] = b"\xff\xff\xff\x7f"  # the length of the text
    path.write_bytes(data)
    texts = source("s", "human", path)
    (unit,) = plan_units([texts], 1 << 30)
    blocks = list(read_unit(unit, texts, 2000))
    valid = np.concatenate([block.rows for block in blocks])
    assert 100 < len(valid) <= 250
    assert sum(reject.rows for block in blocks for reject in block.rejects) == 300 - len(valid)
    for rows in (valid, valid[-1:], valid[::7]):
        places = np.stack([0 * rows, rows], 1)
        assert texts_at(unit.pieces, texts, places) == [written[row] for row in rows]
