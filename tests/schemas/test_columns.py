import io
import itertools
import json
from datetime import date, datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.columns import (
    canonical,
    conform,
    is_json,
    json_field,
    mark_wide,
    ordered,
    plain,
    settle,
    unite,
)
from outcross.schemas.supertypes import bare, cast


def united(*types):
    """Return the type of a column that has these types, or None for text holding JSON."""
    field = unite([pa.schema([("c", type_)]) for type_ in types]).field("c")
    return None if is_json(field) else field.type


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((pa.null(), pa.int8()), pa.int8()),
        ((pa.int8(), pa.int8()), pa.int8()),
        ((pa.int8(), pa.int32()), pa.int64()),
        ((pa.int32(), pa.uint32()), pa.int64()),
        ((pa.int64(), pa.uint64()), pa.int64()),
        ((pa.uint64(), pa.uint64()), pa.uint64()),
        ((pa.uint64(), pa.int8(), pa.float32()), pa.float64()),
        ((pa.float32(), pa.float64()), pa.float64()),
        ((pa.int32(), pa.float32()), pa.float64()),
        ((pa.string(), pa.large_string()), pa.string()),
        ((pa.large_string(), pa.large_string()), pa.large_string()),
        ((pa.dictionary(pa.int8(), pa.string()),), pa.string()),
        ((pa.string_view(), pa.string()), pa.string()),
        ((pa.binary(), pa.large_binary()), pa.binary()),
        ((pa.string(), pa.binary()), None),
        ((pa.bool_(), pa.int64()), None),
        ((pa.string(), pa.int64()), None),
        ((pa.timestamp("s"), pa.timestamp("ms")), pa.timestamp("ms")),
        ((pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")), pa.timestamp("ns", "UTC")),
        ((pa.timestamp("us", "UTC"), pa.timestamp("us")), None),
        ((pa.timestamp("us"), pa.date32()), None),
        ((pa.duration("s"), pa.duration("us")), pa.duration("us")),
        ((pa.time32("s"), pa.time64("ns")), pa.time64("ns")),
        ((pa.decimal128(5, 2), pa.decimal128(10, 4)), pa.decimal128(10, 4)),
        ((pa.decimal128(5, 2), pa.decimal128(38, 0)), None),
        ((pa.decimal128(5, 2), pa.int8()), None),
        ((pa.decimal32(5, 2), pa.decimal32(5, 2)), pa.decimal128(5, 2)),
        ((pa.binary(4), pa.binary(5)), pa.binary()),
        ((pa.uuid(), pa.uuid()), pa.uuid()),
        ((pa.uuid(), pa.string()), None),
        ((pa.list_view(pa.string_view()), pa.list_(pa.string())), pa.list_(pa.string())),
        ((pa.list_(pa.null()), pa.list_(pa.int8())), pa.list_(pa.int8())),
        ((pa.list_(pa.int8()), pa.large_list(pa.float32())), pa.list_(pa.float64())),
        ((pa.list_(pa.int8(), 3), pa.list_(pa.int8(), 3)), pa.list_(pa.int8(), 3)),
        ((pa.list_(pa.int8(), 3), pa.list_(pa.int8(), 2)), pa.list_(pa.int8())),
        ((pa.list_(pa.int8(), 3), pa.null()), pa.list_(pa.int8())),
        (
            (pa.struct({"a": pa.list_(pa.int8(), 3)}), pa.struct({"b": pa.bool_()})),
            pa.struct({"a": pa.list_(pa.int8()), "b": pa.bool_()}),
        ),
        ((pa.list_(pa.int8()), pa.list_(pa.string())), None),
        ((pa.list_(pa.int8()), pa.int8()), None),
        (
            (pa.struct({"b": pa.int8()}), pa.struct({"a": pa.string(), "b": pa.null()})),
            pa.struct({"a": pa.string(), "b": pa.int8()}),
        ),
        ((pa.struct({"b": pa.int8()}), pa.struct({"b": pa.string()})), None),
        (
            (pa.map_(pa.string(), pa.int8()), pa.map_(pa.large_string(), pa.float64())),
            pa.map_(pa.string(), pa.float64()),
        ),
    ],
)
def test_types_unite(types, expected):
    for order in itertools.permutations(types):
        assert united(*order) == expected


leaves = st.sampled_from(
    [
        pa.null(),
        pa.bool_(),
        pa.int8(),
        pa.int64(),
        pa.uint64(),
        pa.float32(),
        pa.float64(),
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
        pa.binary(4),
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.duration("ms"),
        pa.decimal128(5, 2),
        pa.decimal128(30, 4),
        pa.decimal128(38, 0),
        pa.uuid(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
    ]
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.builds(pa.list_, inner)
        | st.builds(pa.large_list, inner)
        | st.builds(lambda t: pa.list_(t, 2), inner)
        | st.builds(lambda t: pa.map_(pa.string(), t), inner)
        | st.dictionaries(st.sampled_from("ab"), inner, max_size=2).map(pa.struct)
    ),
    max_leaves=4,
)


@st.composite
def fields(draw):
    name = draw(st.sampled_from("xy"))
    if draw(st.integers(0, 9)) == 0:
        return json_field(name)
    field = pa.field(name, draw(nested))
    if field.type in (pa.int64(), pa.uint64(), pa.timestamp("s")) and draw(st.booleans()):
        large = draw(st.sampled_from([2**60, 2**63 - 1, 2**34]))
        batch = pa.RecordBatch.from_arrays([pa.array([large]).cast(field.type)], names=[name])
        return mark_wide(batch).schema.field(0)
    return field


schemas = st.lists(fields(), max_size=2, unique_by=lambda f: f.name).map(pa.schema)


@settings(max_examples=300, deadline=None)
@given(st.lists(schemas, min_size=2, max_size=4), st.data())
def test_union_is_associative_and_knows_no_order(sample, data):
    union = unite(sample)
    shuffled = data.draw(st.permutations(sample))
    assert unite(shuffled).equals(union, check_metadata=True)
    cut = data.draw(st.integers(0, len(sample)))
    parts = [unite(sample[:cut]), unite(sample[cut:])]
    assert unite(parts).equals(union, check_metadata=True)
    assert unite([union, union]).equals(union, check_metadata=True)


values = st.booleans() | st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


def batches_of(column):
    """Return blocks of one row each, with the type that the row alone has."""
    blocks = []
    for value in column:
        try:
            array = pa.array([value])
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # a list of mixed values
            field = json_field("c")
            array = pa.array([canonical(value)], pa.string())
        else:
            field = pa.field("c", array.type)
        batch = pa.RecordBatch.from_arrays([array], schema=pa.schema([field]))
        blocks.append(mark_wide(batch))
    return blocks


@settings(max_examples=300, deadline=None)
@given(st.lists(values, min_size=1, max_size=4))
def test_values_survive_and_parquet_takes_them(column):
    blocks = batches_of(column)
    schema = settle([unite(block.schema for block in blocks)])
    table = pa.Table.from_batches([conform(block, schema) for block in blocks])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    back = pq.read_table(sink)
    assert is_json(back.schema.field("c")) == is_json(schema.field("c"))
    for got, want in zip(back["c"].to_pylist(), column, strict=True):
        assert (got if is_json(schema.field("c")) else canonical(got)) == canonical(want)


def test_wide_integers_are_not_rounded_for_floats():
    wide = mark_wide(pa.record_batch({"c": [2**53 + 1, None]}))
    narrow = mark_wide(pa.record_batch({"c": [7]}))
    floats = pa.record_batch({"c": [0.5]})
    schema = settle([unite([narrow.schema, floats.schema])])
    assert schema.field("c").type == pa.float64()
    schema = settle([unite([wide.schema, narrow.schema, floats.schema])])
    assert is_json(schema.field("c"))
    column = [conform(batch, schema).column(0).to_pylist() for batch in (wide, narrow, floats)]
    assert column == [["9007199254740993", None], ["7"], ["0.5"]]
    inside = mark_wide(pa.record_batch({"c": [[{"v": 2**60}]]}))
    other = pa.record_batch({"c": [[{"v": 0.5}]]})
    assert is_json(unite([inside.schema, other.schema]).field("c"))
    assert not is_json(unite([inside.schema, inside.schema]).field("c"))


def test_values_that_a_common_type_cannot_hold_make_it_text():
    def joined(*arrays):
        batches = [mark_wide(pa.record_batch({"c": array})) for array in arrays]
        schema = settle([unite([batch.schema for batch in batches])])
        values = [v for b in batches for v in conform(b, schema)["c"].to_pylist()]
        return schema.field("c").type, values

    near, far = datetime(2024, 5, 6), datetime(9999, 12, 31)
    micro, nano = (pa.array([near], pa.timestamp(unit)) for unit in ("us", "ns"))
    assert joined(micro, nano) == (pa.timestamp("ns"), [near, near])
    beyond = pa.array([far], pa.timestamp("us"))
    assert joined(beyond, nano) == (
        pa.string(),
        ['"9999-12-31T00:00:00.000000"', '"2024-05-06T00:00:00.000000000"'],
    )
    assert joined(beyond, pa.array([near], pa.timestamp("ms"))) == (
        pa.timestamp("us"),
        [far, near],
    )
    spans = [pa.array([2**62], pa.duration("s")), pa.array([1], pa.duration("ms"))]
    assert joined(*spans)[0] == pa.string()
    small, large = (pa.array([v], pa.uint64()) for v in (2**63 - 1, 2**63))
    negative = pa.array([-1])
    assert joined(small, negative) == (pa.int64(), [2**63 - 1, -1])
    assert joined(large, negative) == (pa.string(), ["9223372036854775808", "-1"])
    assert joined(large, small) == (pa.uint64(), [2**63, 2**63 - 1])
    assert joined(pa.array([7], pa.uint64()), pa.array([0.5])) == (pa.float64(), [7, 0.5])
    cents = [pa.array([Decimal("1.10")], pa.decimal128(*width)) for width in ((5, 2), (12, 4))]
    assert joined(*cents) == (pa.decimal128(12, 4), [Decimal("1.10"), Decimal("1.10")])


def test_a_list_of_fixed_size_that_a_source_lacks_is_a_list():
    of_two = pa.record_batch({"c": pa.array([[1, 2]], pa.list_(pa.int8(), 2))})
    assert settle([of_two.schema]).field("c").type == pa.list_(pa.int8(), 2)
    schema = settle([unite([of_two.schema]), unite([pa.schema([("d", pa.int8())])])])
    assert schema.field("c").type == pa.list_(pa.int8())
    assert conform(of_two, schema).to_pylist() == [{"c": [1, 2], "d": None}]
    assert unite([of_two.schema, pa.schema([])]).equals(unite([of_two.schema]))


def test_the_heaviest_order_of_columns_wins_and_others_follow_by_name():
    first = ordered(pa.record_batch({"b": [1], "a": [1], "z": [1]}), [9, 1], ["z", "b"])
    second = ordered(pa.record_batch({"c": [1], "a": [1]}), [10, 0], ["c", "a", "gone"])
    assert first.schema.names == ["z", "b", "a"]
    parts = [first.schema, second.schema, pa.schema([("q", pa.int8())])]
    for order in itertools.permutations(parts):
        assert unite(order).names == ["c", "a", "b", "q", "z"]
        assert unite([unite(order[:2]), order[2]]).equals(unite(order), check_metadata=True)


def test_columns_stand_by_source_and_as_there():
    a = unite([pa.schema([("z", pa.int8()), ("b", pa.int8())]), pa.schema([("c", pa.int8())])])
    b = unite([pa.schema([("a", pa.int8()), ("b", pa.string())])])
    schema = settle([a, b])
    assert schema.names == ["z", "b", "c", "a"]
    assert is_json(schema.field("b"))


def test_what_parquet_cannot_write_is_json_and_null_is_text():
    batch = pa.record_batch(
        {"e": [{}, None], "n": pa.nulls(2), "l": [[{"x": {}}], []], "d": [[], [None]]}
    )
    schema = settle([unite([batch.schema])])
    settled = conform(batch, schema)
    assert settled.to_pylist() == [
        {"d": [], "e": "{}", "l": '[{"x":{}}]', "n": None},
        {"d": [None], "e": None, "l": "[]", "n": None},
    ]
    assert schema.field("d").type == pa.list_(pa.string())
    pq.write_table(pa.Table.from_batches([settled]), io.BytesIO())


def test_plain_strings_are_encoded_beside_json():
    plain_text = pa.record_batch({"c": ["x", '{"a":1}', None]})
    marked = pa.RecordBatch.from_arrays(
        [pa.array(['"x"', "1", None])], schema=pa.schema([json_field("c")])
    )
    schema = settle([unite([plain_text.schema, marked.schema])])
    encoded = conform(plain_text, schema).column(0).to_pylist()
    assert [v and json.loads(v) for v in encoded] == ["x", '{"a":1}', None]
    assert conform(marked, schema).column(0).to_pylist() == ['"x"', "1", None]
    assert is_json(schema.field("c"))


def test_an_earlier_column_of_ours_makes_way():
    first = pa.record_batch({"outcross": [1], "text": ["t"]})
    second = pa.record_batch({"outcross": [2], "outcross_earlier": ["older"], "text": ["t"]})
    schema = settle([unite([first.schema])])
    assert conform(first, schema).to_pylist() == [{"outcross_earlier": 1, "text": "t"}]
    schema = settle([unite([first.schema]), unite([second.schema])])
    assert [conform(batch, schema).to_pylist()[0] for batch in (first, second)] == [
        {"outcross_earlier": 1, "outcross_earlier_earlier": None, "text": "t"},
        {"outcross_earlier": 2, "outcross_earlier_earlier": "older", "text": "t"},
    ]
    alone = pa.record_batch({"outcross_earlier": [1]})
    assert settle([unite([alone.schema])]).names == ["outcross_earlier"]


def test_no_column_is_lost_on_the_way():
    schema = settle([unite([pa.schema([("a", pa.int8())])])])
    with pytest.raises(ValueError, match=r"\['b'\].*settle it again"):
        conform(pa.record_batch({"a": [1], "b": [2]}), schema)
    assert conform(pa.record_batch({"a": pa.array([], pa.int8())}), schema).schema == schema
    assert conform(pa.RecordBatch.from_pylist([]), schema).num_rows == 0


def test_slices_conform_as_wholes_do():
    rows = [{"c": [{"a": 1}], "m": [("k", 1)]}, {"c": None, "m": None}, {"c": [], "m": [("l", 2)]}]
    kind = pa.schema(
        [
            ("c", pa.large_list(pa.struct({"a": pa.int8()}))),
            ("m", pa.map_(pa.large_string(), pa.int8())),
        ]
    )
    other = pa.schema(
        [
            ("c", pa.list_(pa.struct({"a": pa.float64(), "b": pa.string()}))),
            ("m", pa.map_(pa.string(), pa.int64())),
        ]
    )
    batch = pa.RecordBatch.from_pylist(rows, schema=kind)
    schema = settle([unite([kind, other])])
    table = conform(batch, schema)
    table.validate(full=True)
    assert table.to_pylist()[0] == {"c": [{"a": 1.0, "b": None}], "m": [("k", 1)]}
    for start in range(3):
        part = conform(batch.slice(start, 2), schema)
        part.validate(full=True)
        assert part.to_pylist() == table.to_pylist()[start : start + 2]
    fixed = pa.record_batch([pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2))], names=["c"])
    ragged = pa.schema([("c", pa.list_(pa.float64()))])
    pieces = conform(fixed.slice(1), settle([unite([fixed.schema, ragged])]))
    assert pieces.column(0).to_pylist() == [None, [3.0, 4.0]]


def test_plain_values_are_what_json_has():
    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    for array, expected in [
        (
            pa.array([when.replace(tzinfo=None)], pa.timestamp("ns")),
            "2020-01-02T03:04:05.000000000",
        ),
        (pa.array([when], pa.timestamp("s", tz="Europe/Berlin")), "2020-01-02T03:04:05Z"),
        (pa.array([date(2020, 1, 2)]), "2020-01-02"),
        (pa.array([Decimal("1.10")]), "1.10"),
        (pa.array([b"\xff"]), "/w=="),
        (pa.array([b"\xff"], pa.binary_view()), "/w=="),
        (
            pa.array([b"0" * 16], pa.binary(16)).cast(pa.uuid()),
            "30303030-3030-3030-3030-303030303030",
        ),
        (pa.array(["x"]).cast(pa.json_()), "x"),
        (pa.array([1.5], pa.float16()), 1.5),
        (pa.array([7], pa.duration("ms")), 7),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), {"k": 1}),
        (pa.array([[(1, "v")]], pa.map_(pa.int8(), pa.string())), [[1, "v"]]),
        (pa.array([[[1, 2]]], pa.list_(pa.list_(pa.int8(), 2))), [[1, 2]]),
    ]:
        assert plain(array) == [expected]
        assert plain(pa.concat_arrays([array, pa.nulls(1, array.type), array]).slice(1)) == [
            None,
            expected,
        ]


def test_json_text_is_canonical():
    value = {"b": 1.0, "a": [None, 2.5, float("nan")], "n": None, "big": 1e300, "t": "ä\u2028"}
    assert canonical(value) == '{"a":[null,2.5,NaN],"b":1,"big":1e+300,"t":"ä\u2028"}'
    assert canonical(None) is None
    assert [canonical(float(v)) for v in ("nan", "inf", "-inf")] == ["NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (pa.list_view(pa.int64()), [[1, 2], None, [], [3]]),
        (pa.large_list_view(pa.list_view(pa.string())), [[["a"], None], None, [], [[]]]),
        (pa.struct([("x", pa.list_view(pa.int8()))]), [{"x": [1]}, None, {"x": None}]),
    ],
)
def test_views_of_lists_are_lists_of_the_same(type_, values):
    array = pa.array(values, type_)
    for part in (array, array.slice(1), array.slice(1, 1)):
        lists = cast(part, bare(type_))
        lists.validate(full=True)
        assert "view" not in str(lists.type)
        assert lists.to_pylist() == part.to_pylist()


def test_maps_with_narrower_keys_can_be_used_on():
    rows = pa.StructArray.from_arrays(
        [pa.array([[(1, "x")], None, []] * 5, pa.map_(pa.int64(), pa.string()))], ["m"]
    ).take(pa.array(range(1, 15)))
    column = cast(rows.field(0), pa.map_(pa.int32(), pa.string()))
    again = pa.chunked_array([column]).combine_chunks()
    assert again.to_pylist() == rows.field(0).to_pylist()


def test_an_empty_map_with_keys_of_text_is_an_empty_object():
    array = pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int32()))
    assert plain(array) == [{"k": 1}, {}, None]
