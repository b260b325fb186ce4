"""Columns are guessed by usual names first, and by their values where no name is usual."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.commands.guess_fields import LIST_OF_STRINGS, MOST_DOMAINS, guess_fields
from outcross.schemas.guess import FieldGuess, FieldGuesses
from outcross.schemas.sources import Fields

LONG = ["a long text of many words", "another one that is long"]
TALK = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SHARED_GPT = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
SYSTEM = [{"role": "system", "content": "Be brief."}, *TALK]


def value(guess: FieldGuess | None) -> Any:
    return None if guess is None else guess.value


def values(guesses: FieldGuesses) -> dict[str, Any]:
    """Return the guessed keys without those that are absent."""
    keys = {name: value(getattr(guesses, name)) for name in FieldGuesses.model_fields}
    return {name.removesuffix("_field"): key for name, key in keys.items() if key is not None}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": LONG}, {"text": "text"}),
        ({"Response": LONG, "score": [1, 2]}, {"text": "Response"}),
        (
            {"question": ["why", "how"], "answer": LONG, "uuid": ["a", "b"]},
            {"text": "answer", "id": "uuid", "prompt": "question"},
        ),
        (
            {"instruction": ["do", "be"], "input": ["", None], "output": LONG},
            {"text": ["instruction", "input", "output"], "prompt": "instruction"},
        ),
        (
            {"instruction": ["do", "be"], "output": LONG},
            {"text": "output", "prompt": "instruction"},
        ),
        ({"a": ["x", "y"], "b": LONG, "c": [3, 4]}, {"text": "b"}),
        (
            {"messages": [TALK, TALK], "text": LONG},
            {"text": "messages", "roles": ["assistant"], "prompt": "messages.0.content"},
        ),
        (
            {"talk": [SHARED_GPT] * 2},
            {"text": "talk", "roles": ["assistant"], "prompt": "talk.0.value"},
        ),
        (
            {"messages": [SYSTEM] * 2},
            {"text": "messages", "roles": ["assistant"], "prompt": "messages.1.content"},
        ),
        ({"messages": [TALK[:1]] * 2}, {"text": "messages", "prompt": "messages.0.content"}),
        (
            {"text": LONG * 2, "meta": [{"id": n, "lang": "ab"[n % 2]} for n in range(4)]},
            {"text": "text", "id": "meta.id", "domain": "meta.lang"},
        ),
        (  # answers to a prompt, in one row
            {
                "id": ["c-1", "c-2"],
                "source": ["gpt", "gpt"],
                "prompt": LONG,
                "generations": [["one", "two"], ["three"]],
                "partition": [[0, 1], [0]],
            },
            {"text": "generations", "id": "id", "prompt": "prompt"},
        ),
        ({"prompt": LONG, "solution": ["x", "y"]}, {"text": "solution", "prompt": "prompt"}),
        ({"prompt": LONG * 2, "level": ["1", "2"] * 2}, {"text": "prompt"}),
        ({"prompt": LONG, "id": ["a", "b"]}, {"text": "prompt", "id": "id"}),
        ({"tags": [["x"], ["y"]], "body of it": LONG}, {"text": "body of it"}),
        ({"n": [1, 2], "flag": [True, False]}, {}),
        ({}, {}),
        ({"text": [None, None]}, {}),
        ({"text": ["", "  "]}, {}),
        ({"{text}": LONG}, {}),  # reads as a template
    ],
)
def test_usual_data_sets_are_recognised(columns: dict[str, Any], expected: dict[str, Any]) -> None:
    assert values(guess_fields(columns)) == expected


def test_the_longest_of_several_texts_wins_and_the_others_are_named() -> None:
    guess = guess_fields({"content": ["x", "y"], "response": LONG, "title": LONG}).text_field
    assert guess == FieldGuess(
        value="response", reason="longest text with a usual name", alternatives=["content"]
    )
    unusual = guess_fields({"a": ["x", "y"], "b": LONG, "c": ["xx", "yy"]}).text_field
    assert unusual is not None
    assert (unusual.value, unusual.alternatives) == ("b", ["c", "a"])


def test_what_becomes_of_a_list_of_strings_is_said() -> None:
    lists = [["a reply"], ["another one", "a third"]]
    best = guess_fields({"prompt": LONG, "replies": lists}).text_field
    assert best is not None
    assert best.value == "replies"
    assert best.reason.startswith(LIST_OF_STRINGS)
    assert best.alternatives == ["prompt"]
    other = guess_fields({"post": LONG, "tags": [["x"], ["y"]]}).text_field
    assert other is not None
    assert other.reason.endswith(f"; tags: {LIST_OF_STRINGS}")
    assert other.alternatives == ["tags"]


@pytest.mark.parametrize("identities", [["a", "a"], ["a", None], [1.5, 2.5], [["a"], ["b"]]])
def test_an_id_is_there_and_different_in_every_row(identities: list[Any]) -> None:
    assert guess_fields({"text": LONG, "id": identities}).id_field is None


def test_a_domain_has_a_few_values_that_repeat() -> None:
    def domain(topics: list[Any]) -> Any:
        texts = [f"text {n}" for n in range(len(topics))]
        return value(guess_fields({"text": texts, "topic": topics}).domain_field)

    assert domain(["law", "med"] * 3) == "topic"
    assert domain(["law"] * 6) is None
    assert domain([f"t{n}" for n in range(6)]) is None
    assert domain([1, 2] * 3) is None
    many = [f"t{n % (MOST_DOMAINS + 1)}" for n in range(3 * MOST_DOMAINS)]
    assert domain(many) is None


NAMES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["id", "ID", "text", "output", "input", "instruction", "meta", "messages"]),
    st.sampled_from(["meta.id", "prompt", "lang", "{x}", "a.b", "conversations"]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
) | st.sampled_from([TALK, SHARED_GPT, SYSTEM])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(1, 5))
    column = st.lists(VALUES, min_size=rows, max_size=rows)
    words = st.lists(st.text(max_size=9), min_size=rows, max_size=rows)
    return draw(st.dictionaries(NAMES, column | words, max_size=6))


@given(tables())
def test_a_guess_is_a_column_or_leads_into_one_and_is_accepted(columns: dict[str, Any]) -> None:
    guesses = guess_fields(columns)
    keys = {
        name: guess.value
        for name in FieldGuesses.model_fields
        if (guess := getattr(guesses, name)) is not None
    }
    fields = Fields.model_validate(keys)
    assert fields.model_fields_set == set(keys)
    for name, key in keys.items():
        for path in [key] if isinstance(key, str) else key:
            assert (
                name == "roles"
                or path in columns
                or path.partition(".")[0] in {column.partition(".")[0] for column in columns}
            )
    names = [key for name, key in keys.items() if name != "roles" and isinstance(key, str)]
    assert len(set(names)) == len(names)


@given(tables(), st.randoms())
def test_the_order_of_rows_does_not_matter(columns: dict[str, Any], random: Any) -> None:
    rows = len(next(iter(columns.values()), []))
    order = list(range(rows))
    random.shuffle(order)
    shuffled = {name: [column[n] for n in order] for name, column in columns.items()}
    assert values(guess_fields(shuffled)) == values(guess_fields(columns))
