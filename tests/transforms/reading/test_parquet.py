"""Columns of other programs that Arrow can't join, cast or read."""

import io
import uuid
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.sources import Source
from outcross.transforms.reading.parquet import ParquetColumns, undecodable
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.fields import string_field


def batches(table, rows=7, **options):
    """Write a table in row groups of 20, and return the batches that are read."""
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=20, **options)
    columns = ParquetColumns(sink)
    read = [b for g in range(columns.file.num_row_groups) for b in columns.batches(g, rows)]
    for batch in read:
        batch.validate(full=True)
    return read


def blocks_of(path):
    source = Source(name="s", role="human", files=[str(path)], id_field="id")
    return [block for unit in plan_units([source]) for block in read_unit(unit, source)]


def test_views_dictionaries_and_extensions_are_read_as_what_they_hold():
    n = 20  # Arrow writes views in one row group only
    text = [None if i % 7 == 0 else f"t{i}" for i in range(n)]
    lists = [None if v is None else [v, v] for v in text]
    table = pa.table(
        {
            "view": pa.array(text, pa.string_view()),
            "bytes": pa.array([v and v.encode() for v in text], pa.binary_view()),
            "inside": pa.array([{"v": v} for v in text], pa.struct([("v", pa.string_view())])),
            "lists": pa.array(lists, pa.list_view(pa.string())),
            "large": pa.array(lists, pa.large_list_view(pa.string())),
            "dictionary": pa.array(text).dictionary_encode(),
            "json": pa.array(['{"a":1}'] * n).cast(pa.json_()),
            "decimal": pa.array(range(n), pa.decimal32(4, 1)),
        }
    )
    read = batches(table)
    assert dict(zip(read[0].schema.names, read[0].schema.types, strict=True)) == {
        "view": pa.string(),
        "bytes": pa.binary(),
        "inside": pa.struct([("v", pa.string())]),
        "lists": pa.list_(pa.string()),
        "large": pa.large_list(pa.string()),
        "dictionary": pa.string(),
        "json": pa.string(),
        "decimal": pa.decimal128(4, 1),
    }
    assert [row for batch in read for row in batch.to_pylist()] == table.to_pylist()


def test_null_lists_of_a_fixed_size_are_lists_and_others_keep_it():
    """Read a file that Arrow has written and can't read."""
    of_two = pa.list_(pa.float32(), 2)
    table = pa.table(
        {
            "whole": pa.array([[1, 2]] * 5, of_two),
            "null": pa.array([[1, 2], None] * 2 + [None], of_two),
            "parent": pa.array([{"v": [1, 2]}, None] * 2 + [None], pa.struct([("v", of_two)])),
            "deep": pa.array([[[1, 2], None]] * 5, pa.list_(of_two)),
            "zone": pa.array([1] * 5, pa.timestamp("us", "Europe/Berlin")),
            "span": pa.array([1] * 5, pa.duration("ms")),
        }
    )
    [batch] = batches(table)
    assert batch.to_pylist() == table.to_pylist()
    assert batch.schema.field("whole").type == of_two
    assert batch.schema.field("null").type == pa.list_(pa.float32())
    assert batch.schema.field("parent").type == pa.struct([("v", pa.list_(pa.float32()))])
    assert batch.schema.field("deep").type == pa.list_(pa.list_(pa.float32()))
    for name in ("zone", "span"):
        assert batch.schema.field(name).type == table.schema.field(name).type


@pytest.mark.parametrize("kind", [pa.null(), pa.struct([("a", pa.null())])])
def test_lists_of_nulls_come_whole_in_any_batches(kind):
    value = None if pa.types.is_null(kind) else {"a": None}
    for outer in (pa.list_(kind), pa.list_view(kind), pa.list_(kind, 2)):
        table = pa.table({"c": pa.array([[value, None]] * 30, outer)})
        assert [row for batch in batches(table) for row in batch.to_pylist()] == table.to_pylist()


def int96(moments, **options):
    table = pa.table({"t": pa.array(moments, **options)})
    return batches(table, use_deprecated_int96_timestamps=True, store_schema=False)


def test_int96_times_have_the_unit_that_holds_them():
    far = [datetime(1500, 1, 1), datetime(2024, 5, 6, 7, 8, 9), datetime(9999, 12, 31, 23, 59, 59)]
    [batch] = int96(far, type=pa.timestamp("us"))
    assert batch.schema.field("t").type == pa.timestamp("us")
    assert batch["t"].to_pylist() == far
    fine = [1, None, 10**18 + 1]
    [batch] = int96(fine, type=pa.timestamp("ns"))
    assert batch.schema.field("t").type == pa.timestamp("ns")
    assert batch["t"].cast(pa.int64()).to_pylist() == fine
    nested = pa.array([[far[2]], None], pa.list_(pa.timestamp("us")))
    [batch] = int96(nested)
    assert batch["t"].to_pylist() == [[far[2]], None]


def test_uuids_stay_and_are_ids_in_their_own_form(tmp_path):
    ids = [uuid.UUID(int=10**30 + i) for i in range(3)]
    storage = pa.array([i.bytes for i in ids], pa.binary(16))
    by_arrow = pa.table({"id": storage.cast(pa.uuid()), "text": ["a", "b", "c"]})
    pq.write_table(by_arrow, tmp_path / "arrow.parquet")
    values = ", ".join(f"('{i}'::uuid, 't')" for i in ids)
    path = tmp_path / "duckdb.parquet"
    duckdb.sql(f"copy (from (values {values}) v(id, text)) to '{path}'")
    for name in ("arrow", "duckdb"):
        [block] = blocks_of(tmp_path / f"{name}.parquet")
        assert block.batch.schema.field("id").type == pa.uuid()
        assert string_field(block.batch, "id").to_pylist() == [str(i) for i in ids]


def test_one_bad_byte_at_any_depth_costs_one_row(tmp_path):
    n, wrong = 1000, 500
    good = [f"text {i}" for i in range(n)]
    bad = pa.array([b"caf\xe9" if i == wrong else t.encode() for i, t in enumerate(good)])
    bad = bad.view(pa.string())
    at = pa.array(range(n + 1), pa.int32())
    struct = pa.StructArray.from_arrays([pa.array(["user"] * n), bad], names=["role", "content"])
    for column in (
        bad,
        struct,
        pa.ListArray.from_arrays(at, bad),
        pa.ListArray.from_arrays(at, struct),
        pa.MapArray.from_arrays(at, pa.array(["k"] * n), bad),
        pa.DictionaryArray.from_arrays(pa.array(range(n), pa.int32()), bad),
    ):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"id": good, "text": good, "c": column}), path)
        [block] = blocks_of(path)
        assert [(r.number, r.reason) for r in block.rejects] == [
            (wrong, "column 'c' is not valid UTF-8")
        ]
        assert block.batch["text"].to_pylist() == good[:wrong] + good[wrong + 1 :]


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_the_rows_that_are_not_utf8_are_those(wrong):
    data = pa.array([b"\xff" if bad else "ä".encode() for bad in wrong]).view(pa.string())
    nested = pa.ListArray.from_arrays(pa.array(range(len(wrong) + 1), pa.int32()), data)
    assert undecodable(nested) == np.flatnonzero(wrong).tolist() == undecodable(data)


def test_members_of_one_name_reject_every_row_with_a_reason(tmp_path):
    twice = pa.StructArray.from_arrays([pa.array(range(5)), pa.array(["x"] * 5)], names=["v", "v"])
    inside = pa.ListArray.from_arrays(pa.array(range(6), pa.int32()), twice)
    for column in (twice, inside):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"text": ["t"] * 5, "score": column}), path, row_group_size=3)
        rejects = [reject for block in blocks_of(path) for reject in block.rejects]
        assert [(r.kind, r.number, r.rows) for r in rejects] == [("row", 0, 3), ("row", 3, 2)]
        assert {r.reason for r in rejects} == {
            "column 'score' has two members 'v'; names must differ"
        }
