"""What is kept of documents: aligned with the valid rows of their unit, whatever the unit."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches
from tests.support.columns import matrix_of, numbers
from tests.support.corpora import over, sketched, source, strings, write_jsonl

NUMBERS = ["fingerprint_hi", "fingerprint_lo", "row_hash", "size", "length", "tokens", "priority"]


def test_a_priority_does_not_depend_on_what_its_block_holds(tmp_path):
    values = [1, "high", 2.5, None, 2**60 + 1, "7", {"a": 1}, True, 3]
    rows = [{"text": f"text {i}", "p": value} for i, value in enumerate(values)]
    made = [source("s", "human", write_jsonl(tmp_path / "x.jsonl", rows), priority_field="p")]
    whole = sketched(tmp_path / "whole", made)
    single = sketched(tmp_path / "single", made, unit_bytes=10)
    assert len(single.units) > len(rows)
    assert numbers(whole, "priority").tolist() == numbers(single, "priority").tolist()
    assert numbers(whole, "priority").tolist() == [1, 0, 2.5, 0, 2.0**60, 7, 0, 0, 3]


def rejects_of(sketches, sources):
    return [row for table in sketches.rejects(sources) for row in table.to_pylist()]


def test_units_of_any_size_hold_the_same_documents(tmp_path, corpus):
    whole = sketched(tmp_path / "whole", corpus)
    assert len(whole.units) == 2
    assert len(whole) == 59
    found = rejects_of(whole, corpus)
    assert [(r["source"], r["file"], r["place"]) for r in found] == [
        ("lines", "a.jsonl", "line 6"),
        ("lines", "a.jsonl", "line 16"),
        ("lines", "a.jsonl", "line 27"),
        ("columns", "b.parquet", "row 4"),
    ]
    assert found[0]["raw"] == b"{broken"
    for unit_bytes in (40, 300, 900):
        cut = sketched(tmp_path / str(unit_bytes), corpus, unit_bytes, lanes=3)
        assert len(cut.units) > 4
        assert rejects_of(cut, corpus) == found
        for column in NUMBERS:
            assert numbers(cut, column).tolist() == numbers(whole, column).tolist()
            assert numbers(cut, column).dtype == numbers(whole, column).dtype
        for column in ("id", "domain"):
            assert strings(cut, column).to_pylist() == strings(whole, column).to_pylist()
        assert sum(sum(r.lines) for r in cut.reports) == sum(sum(r.lines) for r in whole.reports)
        for name in ("rows", "read", "rejected", "filtered", "tokens"):
            assert sum(getattr(r, name) for r in cut.reports) == sum(
                getattr(r, name) for r in whole.reports
            )
        rows = [
            cut.places[u.index].in_file(cut.table(u.index, ["row"]).column(0).to_numpy())
            for u in cut.units
        ]
        expected = [whole.table(u.index, ["row"]).column(0).to_numpy() for u in whole.units]
        assert np.concatenate(rows).tolist() == np.concatenate(expected).tolist()
        for unit in cut.units:
            for piece, base in zip(unit.pieces, cut.places[unit.index].bases, strict=True):
                assert piece.kind == "jsonl" or base == 7 * piece.start


def test_reports_balance(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=300)
    for unit, report in zip(sketches.units, sketches.reports, strict=True):
        assert report.unit == unit.index
        assert report.read == report.rows + report.rejected
        assert sum(report.reasons.values()) == report.rejected
        table = sketches.table(unit.index, ["row", "tokens"])
        assert table.num_rows == report.rows
        assert (pc.sum(table["tokens"]).as_py() or 0) == report.tokens
        assert len(report.lines) == len(report.piece_rows) == len(unit.pieces)
        assert sum(report.piece_rows) == report.rows
        if unit.pieces[0].kind == "parquet":
            assert sum(report.lines) == report.read + report.filtered
    lines = [r for r, u in zip(sketches.reports, sketches.units, strict=True) if u.source == 0]
    assert sum(report.filtered for report in lines) == 3
    assert sum(report.rejected for report in lines) == 3
    assert sum(report.read for report in lines) == 33


def test_the_schema_of_a_unit_is_that_of_its_valid_rows(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus)
    assert sketches.reports[0].arrow_schema().names == ["text", "id", "kind", "n"]
    assert sketches.reports[1].arrow_schema().field("more").type == pa.list_(pa.int64())


def test_rows_line_up_with_a_second_reading(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=300)
    for unit in sketches.units:
        found = sketches.table(unit.index, ["row", "length"])
        blocks = list(read_unit(unit, corpus[unit.source], batch_bytes=100))
        rows = [row for block in blocks for row in block.rows.tolist()]
        texts = [text for block in blocks for text in block.text.to_pylist()]
        assert found["row"].to_pylist() == rows
        assert found["length"].to_pylist() == [len(text.encode()) for text in texts]


def test_finished_units_are_not_sketched_again(tmp_path, corpus):
    folder = tmp_path / "s"
    first = sketched(folder, corpus, unit_bytes=300)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert not [name for name in before if name.endswith(".tmp")]
    lost = Path(unit_file(str(folder), 1, "json"))
    half = Path(unit_file(str(folder), 2, "parquet"))
    lost.unlink()  # killed between the two files of a unit
    for ending in ("json", "parquet"):
        Path(unit_file(str(folder), 2, ending)).unlink()
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    units = plan_units(corpus, 300)
    counts = over([units], SketchDocuments(corpus, str(folder), 5, 128))
    assert counts["documents"] == first.reports[1].read + first.reports[2].read
    made = {path.name for path in folder.iterdir() if path.stat().st_mtime > 0}
    assert made >= {lost.name, half.name}
    assert {name.split(".")[0] for name in made} == {"unit-000001", "unit-000002"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(Sketches(str(folder), units)) == len(first)


def test_a_source_without_valid_rows(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('\n{"text": null}\n\nnonsense\n')
    made = [source("s", "human", path)]
    sketches = sketched(tmp_path / "s", made)
    assert len(sketches) == 0
    assert numbers(sketches, "tokens").dtype == np.int64
    assert numbers(sketches, "fingerprint_hi").dtype == np.uint64
    assert strings(sketches, "id").to_pylist() == []
    assert matrix_of(sketches, "signature", np.zeros(0, np.int64), np.uint32).shape[0] == 0
    assert [r["place"] for r in rejects_of(sketches, made)] == ["line 2", "line 4"]
    assert sketches.reports[0].arrow_schema().names == []
