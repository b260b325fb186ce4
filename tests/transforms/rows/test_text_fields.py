"""Texts of several fields, of templates and of conversations, against a plain definition."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcross.schemas.columns import json_field
from outcross.schemas.sources import Fields, Source
from outcross.transforms.reading.lookup import texts_at
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.text_fields import is_composed, text_of

SAME = [{"user", "human"}, {"assistant", "gpt", "model"}]


def strings_of(value: Any, roles: tuple[str, ...] | None) -> list[str] | None:
    """Return the strings of a value in their order; None if it holds a value of a wrong type."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    strings: list[str] = []
    for turn in value:
        if turn is None:
            continue
        if isinstance(turn, str):
            if roles is not None:
                return None
            strings.append(turn)
            continue
        if not isinstance(turn, dict):
            return None
        if roles is not None:
            role = turn["role"] if turn.get("role") is not None else turn.get("from")
            names = set(roles).union(*(same for same in SAME if same & set(roles)))
            if role not in names:
                continue
        content = next((turn[k] for k in ("content", "value") if turn.get(k) is not None), None)
        for part in content if isinstance(content, list) else [content]:
            if part is None:
                continue
            text = part
            if isinstance(part, dict):
                text = part.get("text") if part.get("type") in (None, "text") else None
            if isinstance(text, str):
                strings.append(text)
            elif text is not None:
                return None
    return strings


def defined(row: dict[str, Any], text_field: Any, roles: tuple[str, ...] | None) -> str | None:
    """Return the text of a row as the documentation defines it; None for a reject."""
    if isinstance(text_field, str) and isinstance(row.get(text_field), str):
        return row[text_field] if row[text_field].strip() else None
    names = [text_field] if isinstance(text_field, str) else list(text_field)
    template = isinstance(text_field, str) and "{" in text_field
    if template:
        names = [name for name in ("a", "b", "c") if "{" + name + "}" in text_field]
    parts = {}
    for name in names:
        strings = strings_of(row.get(name), roles)
        if strings is None:
            return None
        parts[name] = "\n\n".join(s for s in strings if s.strip())
    if not any(parts.values()):
        return None
    if template:
        return str(text_field).format(**parts)
    return "\n\n".join(part for part in parts.values() if part)


short = st.sampled_from(
    ["", " ", "\n", "x", "two words", "é\u3000", " lead", "😀\n\nend", "\u3000"]
)
contents = (
    st.none()
    | short
    | st.lists(
        st.none()
        | short
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["text", "image", None])}, optional={"text": st.none() | short}
        ),
        max_size=3,
    )
)
chat_roles = st.sampled_from(["user", "assistant", "system", "gpt", "human", None])
turns = st.fixed_dictionaries({"role": chat_roles}, optional={"content": contents}) | (
    st.fixed_dictionaries({"from": chat_roles}, optional={"value": st.none() | short})
)
odd = st.integers(0, 3) | st.just([1]) | st.just({"content": "x"}) | st.just([[["x"]]])
values = st.none() | short | st.lists(st.none() | short, max_size=3) | st.lists(turns, max_size=4)
rows = st.lists(
    st.fixed_dictionaries({}, optional={"a": values, "b": short, "c": values | odd}),
    min_size=1,
    max_size=8,
)
text_fields = st.sampled_from(
    ["a", "b", "c", ("a", "b"), ("c", "b", "a"), "{a}", "<{b}> {a}\n", "{{{c}}} {b}{a}"]
)
asked_roles = st.sampled_from([None, None, ("assistant",), ("user", "system")])


def source(path: Path, text_field: Any, roles: Any = None, **more: Any) -> Source:
    fields = {"text_field": text_field, "roles": roles, **more}
    return Source(name="s", role="synthetic", files=[str(path)], **fields)


def read(source: Source, batch_bytes: int = 8 << 20) -> dict[int, str]:
    [unit] = plan_units([source])
    blocks = list(read_unit(unit, source, batch_bytes))
    places = [int(row) for block in blocks for row in block.rows]
    texts = [text for block in blocks for text in block.text.to_pylist()]
    wanted = np.array([(0, place) for place in places], np.int64).reshape(-1, 2)
    assert texts_at(unit.pieces, source, wanted) == texts
    return dict(zip(places, texts, strict=True))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, text_fields, asked_roles)
def test_a_text_is_what_the_definition_says_in_any_blocks_and_formats(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], text_field: Any, roles: Any
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    texts = [defined(row, text_field, roles) for row in rows]
    expected = {place: text for place, text in enumerate(texts) if text is not None}
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "a.jsonl").write_text("".join(lines), "utf-8")
    lines_of_json = source(folder / "a.jsonl", text_field, roles)
    assert read(lines_of_json) == expected
    assert read(lines_of_json, 1) == expected  # each line a block, with its own types
    try:
        table = pa.Table.from_pylist([{name: row.get(name) for name in "abc"} for row in rows])
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # no column of Parquet holds such rows
        return
    if table.num_columns and not any("struct<>" in str(t) for t in table.schema.types):
        pq.write_table(table, folder / "a.parquet", row_group_size=3)
        assert read(source(folder / "a.parquet", text_field, roles)) == expected


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.struct({"role": pa.string(), "content": pa.large_string()})),
        pa.large_list(
            pa.struct({"role": pa.dictionary(pa.int8(), pa.string()), "content": pa.string_view()})
        ),
        pa.list_(pa.struct({"role": pa.string(), "content": pa.list_(pa.string())}), 2),
    ],
)
def test_conversations_of_all_arrow_types_sliced_or_not(kind: pa.DataType) -> None:
    def content(text: str | None) -> Any:
        nested = pa.types.is_list(kind.value_type.field("content").type)
        return [text] if nested and text is not None else text

    chats = [
        [{"role": "user", "content": content("q")}, {"role": "assistant", "content": content("a")}],
        None,
        [{"role": "user", "content": content("  ")}, None],
        [{"role": None, "content": content("n")}, {"role": "assistant", "content": None}],
    ]
    batch = pa.record_batch([pa.array([None, *chats], kind)], names=["m"])
    for part, skipped in ((batch.slice(1), 0), (batch.slice(2, 3), 1)):
        text, reasons = text_of(part, Fields(text_field="m"))
        assert text.to_pylist() == ["q\n\na", None, None, "n"][skipped:]
        assert list(reasons.values()) == [
            "text field 'm' is missing or null",
            "text field 'm' holds no text",
        ]
        text, reasons = text_of(part, Fields(text_field="m", roles=("gpt",)))
        assert text.to_pylist() == ["a", None, None, None][skipped:]
        assert reasons[3 - skipped] == "text field 'm' holds no text of the roles gpt"


def test_a_row_without_text_in_any_field_names_them() -> None:
    batch = pa.RecordBatch.from_pylist([{"a": "", "b": None}, {"a": None, "b": " \n"}, {"a": "x"}])
    for text_field, texts in (
        (("a", "b", "nosuch"), [None, None, "x"]),
        ("{a} / {b}", [None, None, "x / "]),
    ):
        text, reasons = text_of(batch, Fields(text_field=text_field))
        assert text.to_pylist() == texts
        named = "'a', 'b'" + (", 'nosuch'" if isinstance(text_field, tuple) else "")
        why = f"text fields {named} hold no text: missing, null or empty"
        assert reasons == {0: why, 1: why}


def test_a_value_of_another_kind_is_said_even_beside_a_text() -> None:
    batch = pa.RecordBatch.from_pylist([{"a": "x", "b": 1}, {"a": "x", "b": None}])
    text, reasons = text_of(batch, Fields(text_field=("a", "b")))
    assert text.to_pylist() == [None, "x"]
    assert reasons == {0: "text field 'b' holds a number; a string is expected"}
    chats = pa.RecordBatch.from_pylist([{"m": ["x"]}, {"m": []}])
    text, reasons = text_of(chats, Fields(text_field="m", roles=("user",)))
    assert reasons == {
        0: "text field 'm' holds a list of strings, which have no roles",
        1: "text field 'm' holds no text of the roles user",
    }


def test_a_single_string_column_is_not_copied() -> None:
    batch = pa.record_batch({"text": ["one", "two"]})
    text, _ = text_of(batch, Fields())
    assert text.buffers()[2].address == batch.column(0).buffers()[2].address


@pytest.mark.parametrize(
    ("fields", "composed"),
    [
        ({"text_field": "s"}, False),
        ({"text_field": "d.in"}, False),
        ({"text_field": "nosuch"}, False),
        ({"text_field": "m"}, True),
        ({"text_field": "m.1"}, False),
        ({"text_field": "j"}, True),
        ({"text_field": ("s", "d.in")}, True),
        ({"text_field": "{s}"}, True),
    ],
)
def test_what_is_composed_is_known_from_the_schema(fields: Any, composed: bool) -> None:
    strings = pa.list_(pa.string())
    schema = pa.schema(
        [("s", pa.string()), ("m", strings), ("d", pa.struct({"in": pa.string()})), json_field("j")]
    )
    assert is_composed(schema, Fields(**fields)) is composed
