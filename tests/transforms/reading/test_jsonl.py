"""JSON lines become typed columns, and each bad line gets a reason."""

import json
import math
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.columns import canonical, is_json, plain, unite
from outcross.transforms.reading import jsonl
from outcross.transforms.reading.json_batches import batch_from_lines, batch_from_objects
from outcross.transforms.reading.jsonl import in_order, is_determined, parse
from outcross.transforms.reading.line_scan import LONG, ODD, scan


def read(*lines):
    data = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    scanned = scan(data)
    return parse(scanned, scanned.filled)


def column(name, *lines):
    parsed = read(*lines)
    assert not parsed.faults
    return parsed.batch.schema.field(name), parsed.batch.column(name)


def test_lines_are_numbered_with_the_blank_ones():
    scanned = scan(b'{"a":1}\r\n \t\n\n{"a":2}')
    assert len(scanned) == 4
    assert scanned.filled.tolist() == [0, 3]
    assert parse(scanned, scanned.filled).rows.tolist() == [0, 3]


@pytest.mark.parametrize("text", ["2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01 00:00:00"])
def test_strings_that_look_like_times_stay_strings(text):
    rows = [{"a": text, "b": [text], "c": {"d": [{"e": text}]}, "n": 1}] * 3
    parsed = read(*map(json.dumps, rows))
    assert parsed.batch.to_pylist() == rows


def test_times_after_a_long_prefix_without_them_stay_strings():
    rows = [{"a": None, "pad": "x" * 100} for _ in range(3000)] + [{"a": "2020-01-01", "pad": "y"}]
    assert read(*map(json.dumps, rows)).batch.to_pylist() == rows


def test_long_blocks_take_the_types_of_their_text_from_the_start(monkeypatch):
    rows = [{"a": "2020-01-01", "pad": "x" * 100, "n": i} for i in range(3000)]
    monkeypatch.setattr(jsonl, "batch_from_objects", None)
    assert read(*map(json.dumps, rows)).batch.to_pylist() == rows


def test_a_column_of_mixed_types_is_text_that_holds_json():
    values = [1, "x", None, {"b": 1, "a": None}, [1.0, "y"], True, 2.5]
    field, array = column("a", *(json.dumps({"a": v, "t": "t"}) for v in values))
    assert is_json(field)
    assert array.to_pylist() == ["1", '"x"', None, '{"b":1}', '[1,"y"]', "true", "2.5"]


def test_integers_and_floats_share_float64_where_that_is_exact():
    field, array = column("a", '{"a":1}', '{"a":2.5}', '{"a":9007199254740992}')
    assert field.type == pa.float64()
    assert array.to_pylist() == [1.0, 2.5, 2.0**53]
    field, array = column("a", '{"a":2.5}', '{"a":9007199254740993}')
    assert is_json(field)
    assert array.to_pylist() == ["2.5", "9007199254740993"]


@pytest.mark.parametrize(
    "number", [2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**200]
)
def test_no_integer_is_rounded(number):
    field, array = column("a", json.dumps({"a": number}), '{"a":null}')
    assert is_json(field) == (not -(2**63) <= number < 2**63)
    assert array.to_pylist() == [str(number) if is_json(field) else number, None]


def test_large_floats_alone_stay_floats():
    field, array = column("a", '{"a":1e300}', '{"a":12345678901234567890.5}')
    assert field.type == pa.float64()
    assert array.to_pylist() == [1e300, 12345678901234567890.5]


def test_nan_and_infinities_are_read_as_python_writes_them():
    _, array = column("a", '{"a":NaN}', '{"a":-Infinity}', '{"a":1}')
    assert math.isnan(array[0].as_py())
    assert array.to_pylist()[1:] == [-math.inf, 1.0]


@pytest.mark.parametrize(
    "line",
    [
        '{"a":1,"a":2}',
        '{"a":null,"a":null}',
        '{"a":1,"\\u0061":2}',
        '{"m":{"k":1,"k":"a"}}',
        '{"l":[{"k":"\\u0022\\u0022","k":"\\u0022\\u0022"}]}',
        '{"n":NaN,"n":1}',
        '{"n":[null,1],"n":12345678901234567890}',
    ],
)
@pytest.mark.parametrize("neighbours", [[], ['{"a":3}'], ["[]"]])
def test_a_key_that_is_there_twice_is_a_fault(line, neighbours):
    parsed = read(line, *neighbours)
    faults = dict(parsed.faults)
    assert re.fullmatch(r"the key '[aknl]' stands twice; names must differ", faults[0])
    assert len(faults) == 1 + ("[]" in neighbours)


def test_quotes_in_texts_are_no_keys():
    rows = [{"a": '"' * 3, 'k"': "\\"}, {"a": "\\u0022", "n": [None, 1]}]
    parsed = read(*(json.dumps(row) for row in rows), '{"a":"\\u0022\\u0022","n":[null]}')
    assert not parsed.faults
    assert parsed.batch.column("a").to_pylist() == ['"' * 3, "\\u0022", '""']


def test_empty_lists_and_objects_and_nulls_have_their_types():
    parsed = read('{"a":[],"b":{},"c":null,"":"no name"}')
    assert parsed.batch.to_pylist() == [{"": "no name", "a": [], "b": {}, "c": None}]
    assert parsed.batch.schema.field("c").type == pa.null()


@pytest.mark.parametrize(
    "value", [[None, None], [None, []], [None, "a", None], [[None], [None, 1]]]
)
def test_nulls_in_lists_stay(value):
    assert column("a", json.dumps({"a": value}))[1].to_pylist() == [value]


def test_rows_without_columns_are_still_rows():
    assert read("{}", "{}").batch.num_rows == 2


GOOD = json.dumps({"text": "fine", "n": 1, "when": "2020-01-01"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":"\xff"}', "not valid UTF-8"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b'{"a":NaN,"b":"\\ud800"}', "lone surrogate"),
        (b'{"a":', "not JSON"),
        (b'{"a":"x', "not JSON"),
        (b'{"a":1} {"a":2}', "not JSON"),
        (b'{"a":1}5', "not JSON"),
        (b'{"a":tru}', "not JSON"),
        (b'{"a":1e999}', "not JSON"),
        (b'{"a":"\t"}', "not JSON"),
        (b"null", "holds null; an object is expected"),
        (b"[1]", "holds a list; an object is expected"),
        (b"17", "holds a number; an object is expected"),
        (b'"x"', "holds a string; an object is expected"),
        (b"}{", "not JSON"),
        (b"\\", "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 200 levels"),
    ],
)
def test_a_bad_line_is_named_and_its_neighbours_are_read(line, reason):
    parsed = read(GOOD, line, GOOD)
    assert [number for number, _ in parsed.faults] == [1]
    assert reason in parsed.faults[0][1]
    assert not any(
        digit in parsed.faults[0][1].replace("UTF-8", "").replace("200", "")
        for digit in "0123456789"
    )
    assert parsed.rows.tolist() == [0, 2]
    assert parsed.batch.to_pylist() == [json.loads(GOOD)] * 2


def test_lines_that_make_up_for_each_other_are_not_taken_for_rows():
    # Arrow alone reads three rows from these three lines.
    parsed = read('{"a":1} {"a":2}', '{"a":[{}', "{}]}")
    assert len(parsed.faults) == 3
    assert parsed.batch.num_rows == 0


def test_deep_nesting_is_text():
    deep = "[" * 50 + "]" * 50
    field, array = column("a", f'{{"a":{deep}}}')
    assert is_json(field)
    assert array.to_pylist() == [deep]


def test_open_sets_of_keys_are_text():
    lines = [json.dumps({"a": {f"k{i}": i}}) for i in range(1500)]
    field, array = column("a", *lines)
    assert is_json(field)
    assert array[7].as_py() == '{"k7":7}'


def test_types_are_determined_only_by_rows_that_show_them():
    parsed = read('{"a":1,"b":{"c":1.5},"d":[1]}')
    assert is_determined(parsed.batch)
    for line in ('{"a":null}', '{"b":{"c":null}}'):
        assert not is_determined(read(line).batch)
    assert not is_determined(pa.record_batch([pa.array([[]], pa.list_(pa.int64()))], names=["d"]))
    assert not is_determined(pa.record_batch({"a": [1.0, 2.0]}))  # they may have been integers


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["2020-01-01", "2020-01-01T10:00:00"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
rows_of_values = st.lists(
    st.dictionaries(st.sampled_from(["x", "y", "z"]), values), min_size=1, max_size=6
)


def _same(got, want):
    """Return whether values are equal, with absent as null and numbers as floats."""
    return canonical(got) == canonical(want)


@settings(max_examples=200, deadline=None)
@given(rows_of_values, st.booleans())
def test_every_value_comes_back(rows, ascii_only):
    parsed = read(*(json.dumps(row, ensure_ascii=ascii_only) for row in rows))
    assert not parsed.faults
    for name in parsed.batch.schema.names:
        field, array = parsed.batch.schema.field(name), parsed.batch.column(name)
        for got, row in zip(array.to_pylist(), rows, strict=True):
            if is_json(field):
                assert got == canonical(row.get(name))
            else:
                assert _same(got, row.get(name))


@settings(max_examples=200, deadline=None)
@given(rows_of_values)
def test_arrow_and_the_slow_way_agree(rows):
    data = "\n".join(map(json.dumps, rows)).encode()
    scanned = scan(data)
    if (scanned.flags & ODD).any():
        return
    fast = batch_from_lines(data, len(rows), bool((scanned.flags & LONG).any()))
    if fast is not None:
        slow = batch_from_objects([json.loads(line) for line in data.splitlines()])
        assert unite([fast.schema]) == unite([slow.schema])  # the order of members aside
        fast.validate(full=True)
        for name in fast.schema.names:
            assert plain(fast.column(name)) == plain(slow.column(name))


@pytest.mark.parametrize("sign", ['"', "\\\\", '\\"', "\\n", "", "é"])
def test_strings_end_anywhere_in_sixty_four_bytes(sign: str) -> None:
    for size in range(50, 140):
        line = '{"a":"' + "x" * size + sign + 'y", "b":null}'
        scanned = scan(f"{line}\n{line[:-1]}\n{line}".encode())
        whole = [k for k, flag in enumerate(scanned.flags) if not flag & ODD]
        assert whole == ([] if sign == '"' else [0, 2])
        assert [scanned.line(k).decode() for k in range(3)] == [line, line[:-1], line]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=12) | st.text('{}[]",:\\1nulN ', max_size=12).map(str.encode)))
def test_noise_is_judged_line_by_line(noise):
    lines = [line.replace(b"\n", b"") for line in noise]
    together = read(*lines, GOOD)
    bad = {number for number, _ in together.faults}
    assert set(together.rows) | bad == set(
        np.flatnonzero([bool(x.strip(b" \t\r")) for x in [*lines, b"x"]])
    )
    for number, line in enumerate(lines):
        if line.strip(b" \t\r"):
            assert bool(read(line).faults) == (number in bad)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.permutations("abcd").map(lambda names: names[:3]), min_size=1, max_size=8),
    st.data(),
)
def test_columns_stand_as_in_the_longest_line_however_lines_are_split(rows, data):
    lines = [
        json.dumps({name: "x" * data.draw(st.integers(0, 3)) for name in names}) for names in rows
    ]
    cut = data.draw(st.integers(0, len(lines)))
    unions = []
    for blocks in ([lines], [lines[cut:], lines[:cut]], [[line] for line in reversed(lines)]):
        schemas = []
        for block in filter(None, blocks):
            scanned = scan("\n".join(block).encode())
            parsed = parse(scanned, scanned.filled)
            schemas.append(in_order(parsed.batch, scanned, parsed.rows).schema)
        unions.append(unite(schemas))
    assert unions[0].names == unions[1].names == unions[2].names
    longest = max(map(len, lines))
    orders = [list(json.loads(line)) for line in lines if len(line) == longest]
    assert unions[0].names[:3] in orders
    assert unions[0].names[3:] == sorted(set().union(*rows) - {*unions[0].names[:3]})
