"""Each format gives its rows at their places, and names the rows that it can't read."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import SPLIT, make_files, read_file
from outcross.schemas.sources import Source
from outcross.transforms.inputs.input_files import pattern_of
from outcross.transforms.reading import delimited, json_values
from outcross.transforms.reading.lookup import first_columns, texts_at
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from tests.support.corpora import places_in

ROWS = [
    {
        "id": f"d{i}",
        "text": f'text {i}, "quoted"\nand ä\u2028{"x" * (i % 9)}',
        "note": "n" * (i % 3),
    }
    for i in range(60)
]
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".lz4": lambda data: pa.compress(data, codec="lz4", asbytes=True),
}


def read(path, batch_bytes=500, unit_bytes=64 << 20, **options):
    """Return the rows, places and rejects of a file, after looking texts up by their places."""
    source = Source(name="s", role="human", files=[str(path)], **options)
    rows, places, rejects, base = [], [], [], 0
    for unit in plan_units([source], unit_bytes):
        blocks = list(read_unit(unit, source, batch_bytes))
        numbers = np.concatenate([np.zeros(0, np.int64), *(block.rows for block in blocks)])
        texts = [text for block in blocks for text in block.text.to_pylist()]
        wanted = places_in(unit, blocks)
        assert texts_at(unit.pieces, source, wanted) == texts
        assert texts_at(unit.pieces, source, wanted[::2]) == texts[::2]
        rows += [row for block in blocks for row in block.batch.to_pylist()]
        places += (base + numbers).tolist()
        rejects += [reject for block in blocks for reject in block.rejects]
        base += sum(block.lines for block in blocks)
        assert sum(block.bytes for block in blocks) <= max(unit.bytes, Path(path).stat().st_size)
    return rows, places, rejects


def separated(rows, delimiter=",", end="\r\n", quoting=csv.QUOTE_MINIMAL):
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return sink.getvalue().encode()


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("batch_bytes", [1, 700, 8 << 20])
@pytest.mark.parametrize(
    ("ending", "data"),
    [
        (".csv", separated(ROWS)),
        (".csv", separated(ROWS, ";", "\n", csv.QUOTE_ALL)),
        (".tsv", b"\xef\xbb\xbf" + separated(ROWS, "\t", "\n")),
        (".json", json.dumps(ROWS).encode()),
        (".json", json.dumps({"version": [1], "a": {"b": [{}]}, "data": ROWS}, indent=2).encode()),
        (".json", "".join(json.dumps(row) + "\n" for row in ROWS).encode()),
        (".jsonl", "\r".join(json.dumps(row) for row in ROWS).encode()),
    ],
)
def test_rows_are_those_that_were_written(tmp_path, packed, batch_bytes, ending, data):
    path = tmp_path / f"x{ending}{packed}"
    path.write_bytes(PACK[packed](data))
    rows, places, rejects = read(path, batch_bytes)
    assert not rejects
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert [row["note"] or "" for row in rows] == [row["note"] for row in ROWS]
    if ending in (".csv", ".tsv"):  # a text has two lines, and the header stands above
        assert places == [1 + 2 * i for i in range(60)]
    else:
        assert places == list(range(60))


def test_wherever_pieces_are_cut_json_rows_are_the_same(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"meta": [1, "a"], "data": ROWS, "more": ROWS[:2]}, indent=1))
    monkeypatch.setattr(json_values, "HEAD_BYTES", 1)
    monkeypatch.setattr("outcross.transforms.inputs.content.PIECE", 7)
    rows, places, rejects = read(path, 100)
    assert [row["text"] for row in rows] == [row["text"] for row in [*ROWS, *ROWS[:2]]]
    assert (places, rejects) == (list(range(62)), [])


def test_an_object_with_a_text_is_one_row(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"text": "whole", "spans": [{"a": 1}]}, indent=1))
    assert read(path)[0] == [{"text": "whole", "spans": [{"a": 1}]}]
    path.write_text(json.dumps({"m": [{"c": "whole"}]}, indent=1))
    assert read(path, text_field="m.0.c")[0] == [{"m": [{"c": "whole"}]}]


def test_what_is_wrong_in_a_list_is_a_row(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('[{"text": "a"}, 5, {"text": "b" "c"},\n {"text": "d"}, {"text": 7}]')
    rows, places, rejects = read(path)
    assert ([row["text"] for row in rows], places) == (["a", "d"], [0, 3])
    assert [(r.kind, r.number) for r in rejects] == [("row", 1), ("row", 2), ("row", 4)]
    path.write_text('[{"text": "a"}, {"text": "b"}, {"text": "c')
    rows, _, [lost] = read(path)
    assert [row["text"] for row in rows] == ["a", "b"]
    assert lost.broken
    assert lost.raw == b'{"text": "c'
    path.write_text('[{"text": "a"}]\n{"text": "b"}')
    rows, _, [lost] = read(path)
    assert [row["text"] for row in rows] == ["a"]
    assert "follows the end of the list" in lost.reason


def test_bad_rows_of_csv_are_rejects_with_their_lines(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(
        b'id,text\n1,good\n2,too,many\n3\n\n4,"two\nlines"\n5,"never closed\n6,fine\n'
        b"7,\xff\xfe\n8,\n9,last"
    )
    for batch_bytes in (1, 1 << 20):
        rows, places, rejects = read(path, batch_bytes)
        assert [row["id"] for row in rows] == ["1", "4", "6", "9"]
        assert rows[1]["text"] == "two\nlines"
        assert places == [1, 5, 8, 11]
        assert [(r.kind, r.number) for r in rejects] == [
            ("line", 2),
            ("line", 3),
            ("line", 7),
            ("line", 9),
            ("line", 10),
        ]
        assert rejects[0].raw == b"2,too,many"
        assert "quote opens" in rejects[2].reason


def test_a_header_that_cannot_be_meant_breaks_the_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("text,text\na,b\n")
    assert "['text'] are there twice" in read(path)[2][0].reason
    path.write_text(",text\n0,a\n1,b\n")  # as pandas writes its index
    assert read(path)[0] == [{"column_1": "0", "text": "a"}, {"column_1": "1", "text": "b"}]
    path.write_text("text\n")
    assert read(path) == ([], [], [])


CELLS = st.text('ab,;\t"\n\r é', max_size=5)


@settings(max_examples=100)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n))))
def test_any_cells_come_back(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    columns = len(table[0]) if table else 1
    rows = [
        {"text": f"t{i}", **{f"c{j}": row[j] for j in range(columns)}}
        for i, row in enumerate(table)
    ]
    if not rows:
        return
    path.write_bytes(separated(rows, quoting=csv.QUOTE_NONNUMERIC))
    for size in (1, 1000):
        read_rows, _, rejects = read(path, size)
        assert not rejects
        assert [{k: v or "" for k, v in row.items()} for row in read_rows] == rows


def test_a_row_without_an_end_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST_ROW", 2000)
    path = tmp_path / "x.csv"
    path.write_text('text\n"open\n' + "".join(f"line {i}\n" for i in range(2000)))
    rows, _, [lost] = read(path, 100)
    assert [row["text"] for row in rows] == [f"line {i}" for i in range(2000)]
    assert (lost.number, lost.raw) == (1, b'"open')


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("ending", [".arrow", ".feather"])
def test_arrow_ipc_is_read(tmp_path, new, ending):
    path = tmp_path / f"x{ending}"
    table = pa.table(
        {
            "text": [row["text"] for row in ROWS],
            "kind": pa.array(["a", "b"] * 30).dictionary_encode(),
            "l": [[i] * (i % 3) for i in range(60)],
        }
    )
    with new(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=13)
    for batch_bytes in (1, 1 << 20):
        rows, places, rejects = read(path, batch_bytes)
        assert (rows, places, rejects) == (table.to_pylist(), list(range(60)), [])
    [unit] = plan_units([Source(name="s", role="human", files=[str(path)])])
    assert first_columns(unit.pieces[0]) == ["text", "kind", "l"]
    path.write_bytes(path.read_bytes()[:-700])
    rows, _, [lost] = read(path)
    assert rows == table.to_pylist()[: len(rows)]
    assert lost.broken


def test_what_datasets_saves_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    parts = {
        "train": datasets.Dataset.from_list(ROWS),
        "test": datasets.Dataset.from_list(ROWS[:7]),
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    rows, _, rejects = read(tmp_path / "saved")
    assert [row["text"] for row in rows] == [row["text"] for row in [*ROWS[:7], *ROWS]]
    assert not rejects


def test_a_document_a_line_or_a_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbffirst\r\n\n \t\nsecond \xff\nth\xc3\xafrd\n\xef\xbb\xbffourth")
    rows, places, [bad] = read(path, format="text-lines")
    assert [row["text"] for row in rows] == ["first", "thïrd", "fourth"]
    assert places == [0, 4, 5]
    assert (bad.kind, bad.number, bad.reason) == ("line", 3, "column 'text' is not valid UTF-8")
    rows, _, _ = read(path, unit_bytes=9, format="text-lines", text_field="say")
    assert [row["say"] for row in rows] == ["first", "thïrd", "fourth"]
    (tmp_path / "y.md").write_text("# A title\n\nand more\n")
    assert read(tmp_path / "y.md")[0] == [{"text": "# A title\n\nand more\n"}]


def test_columns_of_folders_are_columns_of_the_rows(tmp_path):
    for lang, ending in (("en", "csv"), ("de", "jsonl"), ("fr", "parquet"), ("it", "md")):
        path = tmp_path / f"lang={lang}" / f"x.{ending}"
        path.parent.mkdir()
        if ending == "csv":
            path.write_text(f"text\n{lang}\n")
        elif ending == "jsonl":
            path.write_text(json.dumps({"text": lang}) + "\nbad\n")
        elif ending == "parquet":
            pq.write_table(pa.table({"text": [lang]}), path)
    rows, _, rejects = read(tmp_path, where={"lang": ["en", "de", "fr"]})
    assert sorted(row["lang"] for row in rows) == ["de", "en", "fr"]
    assert all(row["text"] == row["lang"] for row in rows)
    assert len(rejects) == 1
    (tmp_path / "lang=de/x.jsonl").write_text('{"text": "x", "lang": "of the row"}')
    assert {row["lang"] for row in read(tmp_path)[0]} == {"of the row", "en", "fr"}


def test_columns_of_folders_are_looked_up_and_found_again(tmp_path):
    path = tmp_path / "in [1]" / "lang=e[n" / "x.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"text": ["a", "b"]}), path)
    folder = Source(name="s", role="human", files=[str(tmp_path / "in [1]")], text_field="lang")
    [unit] = plan_units([folder])
    [piece] = unit.pieces
    assert texts_at(unit.pieces, folder, np.array([[0, 1]])) == ["e[n"]
    again = folder.model_copy(update={"files": [pattern_of(piece.file, piece.columns)]})
    assert plan_units([again]) == [unit]


def test_byte_order_marks_after_cat_cost_no_row(tmp_path):
    mark = b"\xef\xbb\xbf"
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        mark + mark + b'{"text":"a"}\n' + mark + b'{"text":"b"}\n{"text":"\xef\xbb\xbfc"}\n'
    )
    rows, places, rejects = read(path)
    assert ([row["text"] for row in rows], places, rejects) == (
        ["a", "b", "\ufeffc"],
        [0, 1, 2],
        [],
    )


@pytest.mark.parametrize(
    ("name", "data", "cure"),
    [
        ("x.jsonl.gz", b'{"text":"a"}\n', "rename it without .gz"),
        ("x.jsonl.xz", gzip.compress(b"{}", mtime=0), "the file is gzip; add .gz"),
        ("x.jsonl", gzip.compress(b'{"text":"a"}\n', mtime=0), "the file is gzip; add .gz"),
        ("x.csv", b"PAR1" + bytes(40), "the file is Parquet"),
        ("x.json", "{}".encode("utf-16"), "save it as UTF-8"),
        ("x.jsonl.zst", zstandard.compress(b"ARROW1\0\0" + bytes(90)), "Arrow IPC file"),
        ("x.jsonl", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("x.arrow", b"this is no Arrow file" * 9, "broken Arrow IPC"),
        ("x.parquet", b"neither is this" * 9, "broken Parquet"),
        ("x.md", b"\x1f\x8b" + bytes(50), "the file is gzip"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_broken_by_name(tmp_path, name, data, cure):
    path = tmp_path / name
    path.write_bytes(data)
    rows, _, [lost] = read(path)
    assert not rows
    assert lost.broken == (not name.endswith(".md"))  # one document, so a row
    assert cure in lost.reason
    assert lost.lost == len(data)


def test_rows_that_a_footer_counts_are_counted(tmp_path):
    rows = [{"text": f"{i} " + "x" * 50, "n": i} for i in range(300)]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100, use_dictionary=False)
    data = bytearray(path.read_bytes())
    place = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data[place + 40 : place + 80] = bytes(40)
    path.write_bytes(data)
    intact, _, [lost] = read(path)
    assert len(intact) == 200
    assert (lost.kind, lost.number, lost.rows, lost.broken) == ("row", 100, 100, False)
    assert "column 'text', row group 1" in lost.reason
    assert lost.lost > 1000
    path.write_bytes(data[2000:])  # its footer is intact, and nothing else
    intact, _, [lost] = read(path)
    assert (intact, lost.rows, lost.broken) == ([], 300, True)


@pytest.mark.parametrize("packed", [".bz2", ".xz", ".lz4"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_of_a_truncated_file_what_is_there_is_read(tmp_path, packed, share):
    noise = [{"text": random.Random(i).randbytes(40).hex()} for i in range(9000)]
    data = PACK[packed]("".join(json.dumps(row) + "\n" for row in noise).encode())
    path = tmp_path / f"x.jsonl{packed}"
    path.write_bytes(data[: int(len(data) * share)])
    rows, _, [lost] = read(path, 1 << 20)
    assert rows == noise[: len(rows)]
    if packed != ".bz2":  # whose blocks are of 900 kB
        assert len(rows) > (share - 0.35) * 9000
    assert lost.broken
    assert "ends too early" in lost.reason


def test_whatever_is_damaged_is_counted_and_nothing_is_raised(tmp_path):
    files = make_files(tmp_path, 100, seed=7)
    results = [read_file(file) for file in files]
    assert [read_file(file, SPLIT).rows for file in files] == [result.rows for result in results]
    intact = [
        (file, result) for file, result in zip(files, results, strict=True) if not file.damage
    ]
    assert len(intact) > 25
    assert all(result.rows == file.documents for file, result in intact)
    assert sum(result.broken for result in results) > 10
    assert sum(result.rejected for result in results) > 50
