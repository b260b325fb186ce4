"""What `text_field` and `roles` may say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.schemas.config import parse
from outcross.schemas.sources import Fields
from outcross.schemas.text_field import listed, paths_of, segments
from outcross.schemas.user_input import ConfigError

SOURCE = {"name": "gpt", "role": "synthetic", "files": ["a.jsonl"]}


def fields(**keys: Any) -> Fields:
    return parse({"out": "out", "sources": [SOURCE | keys]}).sources[0]


@pytest.mark.parametrize(
    ("text_field", "paths"),
    [
        ("text", ["text"]),
        ("messages.1.content", ["messages.1.content"]),
        (["one"], ["one"]),
        (["a", "b.c"], ["a", "b.c"]),
        ("{a}\n{b.c} {a}", ["a", "b.c"]),
    ],
)
def test_paths_stand_in_their_order_each_once(text_field: Any, paths: list[str]) -> None:
    assert paths_of(fields(text_field=text_field).text_field) == paths
    assert listed(fields(text_field=text_field).text_field) == ", ".join(map(repr, paths))


def test_fields_survive_json_and_can_be_keys() -> None:
    source = fields(text_field=["a", "b"], roles="assistant")
    assert source.text_field == ("a", "b")
    assert source.roles == ("assistant",)
    dumped = source.model_dump(mode="json")
    assert dumped["text_field"] == ["a", "b"]
    assert parse({"out": "out", "sources": [dumped]}).sources[0] == source
    assert fields(text_field=["one"]).text_field == "one"
    assert len({Fields(text_field=("a", "b")), Fields(text_field=["a", "b"])}) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"text_field": {"a": None}}, "text_field: found {'a': None}; put a template in quotes"),
        ({"text_field": []}, "text_field: names no column"),
        ({"text_field": ""}, "text_field: found ''; a name or a dotted path is expected"),
        ({"text_field": 7}, "text_field: found 7; a name"),
        ({"text_field": ["a", None]}, "text_field: found None; a name"),
        ({"text_field": ["a", "a"]}, "names a column twice"),
        ({"text_field": ["a", "{b}"]}, "'{b}' is a template, which stands alone"),
        ({"text_field": "{a"}, "template '{a': expected '}' before end of string"),
        ({"text_field": "a}"}, "a brace that is text is doubled"),
        ({"text_field": "{}"}, "braces hold a name or a dotted path, nothing else"),
        ({"text_field": "{a!r}"}, "braces hold a name"),
        ({"text_field": "{a:>9}"}, "braces hold a name"),
        ({"text_field": "{{a}}"}, "names no column, as in '{instruction}'"),
        ({"roles": []}, "roles: found []; name roles such as assistant"),
        ({"roles": ["user", ""]}, "roles: found ['user', '']"),
        ({"roles": 3}, "roles: "),
        ({"roles": True}, "roles: found True"),
    ],
)
def test_what_is_wrong_says_what_would_be_right(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        fields(**keys)
    assert message in str(error.value)
    assert str(error.value).startswith("sources.gpt.")
    assert "\n" not in str(error.value)


texts = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=9)


@given(
    st.lists(st.tuples(texts, st.sampled_from(["a", "b.0", "ü c"])), min_size=1, max_size=5), texts
)
def test_a_template_is_cut_at_its_braces(parts: list[tuple[str, str]], last: str) -> None:
    template = "".join(text + "{" + path + "}" for text, path in parts) + last
    assert segments(template) == [*parts, *([(last, None)] if last else [])]
