import io
import json
from datetime import date, datetime, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.reading.jsonl import parse
from outcross.transforms.reading.line_scan import scan
from outcross.transforms.sketches.digest import row_digest

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
tables = st.lists(st.dictionaries(st.sampled_from("xyz"), values), min_size=1, max_size=6)


def digest(batch):
    hashes, sizes = row_digest(batch)
    assert hashes.dtype == np.uint64
    assert sizes.dtype == np.int64
    return list(zip(hashes.tolist(), sizes.tolist(), strict=True))


def from_lines(rows):
    lines = scan("\n".join(map(json.dumps, rows)).encode())
    parsed = parse(lines, lines.filled)
    assert not parsed.faults
    return parsed.batch


@settings(max_examples=200, deadline=None)
@given(tables)
def test_a_row_is_itself_in_any_company(rows):
    """Check that the digest doesn't depend on whether a block holds JSON text or float64."""
    together = digest(from_lines(rows))
    alone = [digest(from_lines([row]))[0] for row in rows]
    assert together == alone


@settings(max_examples=100, deadline=None)
@given(tables, st.integers(0, 6), st.integers(0, 6))
def test_slices_have_the_digests_of_their_rows(rows, start, length):
    batch = from_lines(rows)
    assert digest(batch.slice(start, length)) == digest(batch)[start : start + length]


@settings(max_examples=200, deadline=None)
@given(tables)
def test_different_rows_differ(rows):
    def key(value):  # as Arrow tells values apart: null is absent, 1.0 is 1
        if isinstance(value, dict):
            return ("o", tuple(sorted((k, key(v)) for k, v in value.items() if v is not None)))
        if isinstance(value, list):
            return ("l", tuple(map(key, value)))
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
            value = int(value)
        return (type(value).__name__, value)

    hashes = [h for h, _ in digest(from_lines(rows))]
    assert len(set(hashes)) == len({key(row) for row in rows})


def test_how_a_row_is_held_does_not_count():
    reference = digest(
        pa.record_batch({"s": ["a", None, "c"], "n": [1, 2, None], "f": [0.5, 1, 2]})
    )
    for text in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int16(), pa.string())):
        for number in (pa.int8(), pa.uint16(), pa.uint64(), pa.float64()):
            batch = pa.record_batch(
                {
                    "f": pa.array([0.5, 1, 2], pa.float32()),
                    "nothing": pa.nulls(3),
                    "none": pa.nulls(3, pa.list_(pa.int64())),
                    "n": pa.array([1, 2, None], number),
                    "s": pa.array(["a", None, "c"], pa.string()).cast(text),
                }
            )
            assert digest(batch) == reference


def test_nested_values_do_not_depend_on_their_holders():
    rows = [[1, 2], [3, None], None, [5, 6]]
    kinds = [pa.list_(pa.int64()), pa.large_list(pa.int8()), pa.list_(pa.float64(), 2)]
    for start in range(3):
        found = [
            digest(pa.record_batch([pa.array(rows, kind).slice(start)], names=["v"]))
            for kind in kinds
        ]
        assert found[0] == found[1] == found[2]
    pairs = [[("b", 2), ("a", 1)], None, [("a", 3), ("b", None)]]
    mapped = pa.record_batch([pa.array(pairs, pa.map_(pa.string(), pa.int64()))], names=["m"])
    objects = pa.record_batch({"m": [{"a": 1, "b": 2}, None, {"a": 3}]})
    assert [h for h, _ in digest(mapped)] == [h for h, _ in digest(objects)]
    assert [h for h, _ in digest(mapped.slice(2))] == [h for h, _ in digest(objects.slice(2))]


@settings(max_examples=50, deadline=None)
@given(tables)
def test_parquet_and_json_lines_agree(rows):
    batch = from_lines([{**row, "text": "t"} for row in rows])
    if any(
        str(type_).startswith("struct<>") or "struct<>" in str(type_)
        for type_ in batch.schema.types
    ):
        return  # Parquet has no objects without members
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_batches([batch]), sink)
    assert digest(pq.read_table(sink).combine_chunks().to_batches()[0]) == digest(batch)


@pytest.mark.parametrize(
    "values",
    [
        [date(2020, 1, 1), date(2020, 1, 2)],
        [datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2020, 1, 2, tzinfo=timezone.utc)],
        [Decimal("1.10"), Decimal("1.20")],
        [b"\x00\xff", b"\x00"],
        [2**63, 2**63 + 1],
        [float("inf"), float("-inf")],
        [-1, 2**64 - 1],
        [[], None],
        [{"a": None}, None],
        ["", None],
        [["a", "b"], ["b", "a"]],
        [["ab"], ["a", "b"]],
        [[None], []],
        ["x" * 8, "x" * 8 + "\0"],
    ],
)
def test_other_values_have_digests_of_their_own(values):
    if values == [-1, 2**64 - 1]:
        batches = [
            pa.record_batch({"v": [-1]}),
            pa.record_batch({"v": pa.array([2**64 - 1], "uint64")}),
        ]
        hashes = [digest(batch)[0][0] for batch in batches]
    else:
        kind = pa.uint64() if values[0] == 2**63 else None
        hashes = [h for h, _ in digest(pa.record_batch([pa.array(values, kind)], names=["v"]))]
    assert len(set(hashes)) == 2


def test_moving_a_value_to_another_column_changes_the_digest():
    a = digest(pa.record_batch({"a": ["x"], "b": ["y"]}))
    b = digest(pa.record_batch({"a": ["y"], "b": ["x"]}))
    assert a != b


def test_the_hash_is_pinned():
    """It is part of the total order on documents, so it may not change between versions."""
    batch = pa.record_batch({"text": ["outcross"], "n": [1], "list": [["a", "b"]], "ok": [True]})
    assert digest(batch) == [(3779257343143689552, 35)]


def test_sizes_count_the_content():
    batch = pa.record_batch({"s": ["äb"], "n": [1], "b": [True], "l": [["x", "yz"]], "z": [None]})
    assert digest(batch)[0][1] == (3 + 4) + 8 + 1 + (4 + 5 + 6)
