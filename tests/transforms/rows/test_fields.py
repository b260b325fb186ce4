"""Fields of rows by dotted paths, and texts and filters at such paths."""

import numpy as np
import pyarrow as pa
import pytest

from outcross.schemas.columns import json_field
from outcross.schemas.sources import Fields
from outcross.transforms.rows import filters, text_fields
from outcross.transforms.rows.fields import extract, string_field


def text_of(batch, path):
    return text_fields.text_of(batch, Fields(text_field=path))


def matches(batch, where):
    return filters.matches(batch, where).kept


ROWS = [
    {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        "meta": {"lang": "en", "n.m": 3},
        "a.b": "dotted",
    },
    {"messages": [{"role": "user", "content": "only"}], "meta": None, "a.b": None},
    {"messages": None, "meta": {"lang": None, "n.m": 4}, "a.b": "x"},
    {"messages": [], "meta": {"lang": "de", "n.m": None}, "a.b": "y"},
]
BATCH = pa.RecordBatch.from_pylist(ROWS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("messages.1.content", ["a", None, None, None]),
        ("messages.0.content", ["q", "only", None, None]),
        ("messages.-1.content", ["a", "only", None, None]),
        ("messages.-2.content", ["q", None, None, None]),
        ("meta.lang", ["en", None, None, "de"]),
        ("meta.n.m", [3, None, 4, None]),
        ("a.b", ["dotted", None, "x", "y"]),
        ("messages.x", [None] * 4),
        ("nothing.at.all", [None] * 4),
        ("a.b.c", [None] * 4),
    ],
)
def test_paths_lead_through_structs_and_lists(path, expected):
    assert extract(BATCH, path).to_pylist() == expected
    assert extract(BATCH.slice(1, 3), path).to_pylist() == expected[1:]


def test_paths_lead_into_plain_text_that_holds_json():
    texts = [
        '{"lang": "en", "score": 0.5, "tags": ["a", {"b": 1}]}',
        ' {"lang": "de", "score": 3}',
        '[{"lang": "fr"}]',
        "plain text {",
        "{broken",
        "[" * 100_000,
        "7",
        None,
    ]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        batch = pa.record_batch([pa.array(texts, kind)], names=["meta"])
        nothing = [None] * 5
        assert extract(batch, "meta.lang").to_pylist() == ["en", "de", None, *nothing]
        assert extract(batch, "meta.score").to_pylist() == ["0.5", "3", None, *nothing]
        assert extract(batch, "meta.tags.1.b").to_pylist() == ["1", None, None, *nothing]
        assert extract(batch, "meta.0.lang").to_pylist() == [None, None, "fr", *nothing]
        assert extract(batch, "meta").to_pylist() == texts
        assert list(matches(batch, {"meta.score": {">=": 0.5, "<": 2}})) == [True] + [False] * 7
    nested = pa.RecordBatch.from_pylist([{"outer": {"meta": text}} for text in texts])
    assert extract(nested, "outer.meta.lang").to_pylist() == ["en", "de", None, *nothing]
    texts_at, _ = text_of(batch, "meta.lang")
    assert texts_at.to_pylist() == ["en", "de", None, *nothing]


@pytest.mark.parametrize("kind", [pa.large_list(pa.int32()), pa.list_(pa.int32(), 2)])
def test_positions_in_other_kinds_of_lists(kind):
    batch = pa.record_batch([pa.array([[1, 2], None, [3, 4]], kind)], names=["v"])
    assert extract(batch, "v.1").to_pylist() == [2, None, 4]
    assert extract(batch.slice(1), "v.-2").to_pylist() == [None, 3]


def test_paths_lead_through_maps():
    flat = pa.array([[("k.l", 1)], [("m", 2)], None], pa.map_(pa.string(), pa.int64()))
    deep = pa.array(
        [[("k", {"v": 1})], [], None], pa.map_(pa.string(), pa.struct({"v": pa.int64()}))
    )
    numbers = pa.array([[(7, "x")], [], None], pa.map_(pa.int32(), pa.string()))
    batch = pa.record_batch([flat, deep, numbers], names=["flat", "deep", "numbers"])
    assert extract(batch, "flat.k.l").to_pylist() == [1, None, None]
    assert extract(batch, "deep.k.v").to_pylist() == [1, None, None]
    assert extract(batch, "numbers.7").to_pylist() == ["x", None, None]
    assert extract(batch, "numbers.x").to_pylist() == [None] * 3


def test_a_dotted_column_that_leads_nowhere_gives_way_to_the_path():
    batch = pa.record_batch({"a.b": ["x"], "a": [{"b": {"c": 1}}]})
    assert extract(batch, "a.b").to_pylist() == ["x"]
    assert extract(batch, "a.b.c").to_pylist() == [1]


def test_paths_lead_into_text_that_holds_json():
    texts = ['[{"content":"x"}]', '[{"content":["y",1]}]', '{"0":{"content":5}}', None, '"s"']
    batch = pa.RecordBatch.from_arrays(
        [pa.array(texts)], schema=pa.schema([json_field("messages")])
    )
    assert extract(batch, "messages.0.content").to_pylist() == [
        "x",
        '["y",1]',
        "5",
        None,
        None,
    ]
    text, reasons = text_of(batch, "messages.0.content")
    assert text.to_pylist() == ["x", None, None, None, None]
    assert "holds a list that isn't of strings" in reasons[1]
    assert "holds a number" in reasons[2]
    assert "missing or null" in reasons[3]
    assert matches(batch, {"messages.0.content": [5, "x"]}).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_string_fields_are_plain_text():
    batch = pa.record_batch(
        {"s": ["a", None], "i": [7, None], "f": [7.0, 1.5], "b": [True, None], "l": [[1], None]}
    )
    expected = {"s": ["a", None], "i": ["7", None], "f": ["7", "1.5"], "b": ["true", None]}
    for name, want in {**expected, "l": ["[1]", None], "none": [None, None]}.items():
        column = string_field(batch, name)
        assert column.type == pa.string()
        assert column.to_pylist() == want
    assert string_field(batch, None) is None
    coded = pa.record_batch([pa.array(["x", "x"]).dictionary_encode()], names=["d"])
    assert string_field(coded, "d").to_pylist() == ["x", "x"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_text_has_to_say_something(kind):
    values = ["text", "", " \n\u00a0\u3000", None, "  padded ", "\u200b"]
    batch = pa.record_batch([pa.array(values, pa.string()).cast(kind)], names=["text"])
    text, reasons = text_of(batch, "text")
    assert text.to_pylist() == ["text", None, None, None, "  padded ", "\u200b"]
    assert reasons == {
        1: "text field 'text' is empty",
        2: "text field 'text' holds only white space",
        3: "text field 'text' is missing or null",
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1], "a number"),
        ([1.5], "a number"),
        ([True], "a boolean"),
        ([{"x": 1}], "an object"),
        ([b"x"], "bytes"),
    ],
)
def test_text_is_a_string(values, kind):
    text, reasons = text_of(pa.record_batch({"t": [*values, None]}), "t")
    assert text.null_count == 2
    assert reasons[0] == f"text field 't' holds {kind}; a string is expected"
    assert reasons[1] == "text field 't' is missing or null"


def test_a_filter_compares_like_with_like():
    batch = pa.record_batch(
        {"s": ["1", "x", None], "i": [1, 2, None], "f": [1.0, 2.5, None], "b": [True, False, None]}
    )
    assert matches(batch, {}).tolist() == [True] * 3
    for where, expected in [
        ({"s": "1"}, [1, 0, 0]),
        ({"s": 1}, [0, 0, 0]),
        ({"s": ["x", "1"]}, [1, 1, 0]),
        ({"i": 1}, [1, 0, 0]),
        ({"i": 1.0}, [1, 0, 0]),
        ({"i": 1.5}, [0, 0, 0]),
        ({"i": 2**70}, [0, 0, 0]),
        ({"i": True}, [0, 0, 0]),
        ({"i": "1"}, [0, 0, 0]),
        ({"f": [1, 2.5]}, [1, 1, 0]),
        ({"b": False}, [0, 1, 0]),
        ({"b": 0}, [0, 0, 0]),
        ({"absent": "x"}, [0, 0, 0]),
        ({"s": "1", "i": 1}, [1, 0, 0]),
        ({"s": "1", "i": 2}, [0, 0, 0]),
    ]:
        assert matches(batch, where).tolist() == list(map(bool, expected)), where
    assert matches(BATCH, {"meta.lang": "de"}).tolist() == [False, False, False, True]
    assert matches(batch.slice(1), {"s": "x"}).dtype == np.bool_
