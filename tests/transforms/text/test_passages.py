"""Passages: what joins to the text again, within the limit, and ends where sentences end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.text.passages import Part, split_passages
from outcross.transforms.text.words import split_words

ALPHABET = "aZb1é中कठا. . .!?。।…\"'”“)*-,\n\n\r\t \u3000\u2029\u0301"


def passages(text: str, part: Part = "sentence", limit: int = 1) -> list[str]:
    split = split_passages(pa.array([text]), part, limit)
    assert split.offsets.tolist() == [0, len(split.starts)]
    texts: list[str] = split.texts(np.arange(len(split.starts))).to_pylist()
    return texts


def word_count(text: str) -> int:
    return int(split_words(pa.array([text])).offsets[-1])


def sentences() -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(ALPHABET), max_size=120).filter(str.strip)


parts = st.sampled_from(["sentence", "paragraph"])


@given(st.lists(sentences(), max_size=4), parts, st.integers(1, 9))
def test_passages_and_the_white_space_between_them_are_the_text(
    texts: list[str], part: Part, limit: int
) -> None:
    split = split_passages(pa.array(texts, pa.string()), part, limit)
    pieces = split.texts(np.arange(len(split.starts))).to_pylist()
    for number, text in enumerate(texts):
        own = pieces[split.offsets[number] : split.offsets[number + 1]]
        assert own == passages(text, part, limit)
        rest = text
        for piece in own:
            before, found, rest = rest.partition(piece)
            assert found == piece
            assert not before.strip()
        assert rest == ""
        assert own[0].startswith(text[: len(text) - len(text.lstrip())])


@given(sentences(), parts, st.integers(1, 9))
def test_no_passage_is_empty_or_without_words(text: str, part: Part, limit: int) -> None:
    split = passages(text, part, limit)
    if len(split) > 1:
        assert all(word_count(piece) for piece in split)
    assert sum(map(word_count, split)) == word_count(text)


@given(sentences(), parts, st.integers(1, 9))
def test_parts_are_joined_as_long_as_they_fit(text: str, part: Part, limit: int) -> None:
    expected: list[int] = []
    for words in map(word_count, passages(text, part, 1)):
        if expected and expected[-1] + words <= limit:
            expected[-1] += words
        else:
            expected.append(words)
    assert list(map(word_count, passages(text, part, limit))) == expected


def test_a_text_within_the_limit_is_one_passage_with_its_white_space() -> None:
    text = "  One. Two!\n\nThree?  \n"
    assert passages(text, limit=3) == [text]
    assert passages(text, limit=2) == ["  One. Two!", "Three?  \n"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He came. She left! Why? Nobody knows", ["He came.", "She left!", "Why?"]),
        ("the cat sat . the dog ran. it slept", ["the cat sat .", "the dog ran."]),
        ("He said “No.” She left. (They met.) End", ["He said “No.”", "She left.", "(They met.)"]),
        ("It costs 3.14 dollars. **Bold.** Next", ["It costs 3.14 dollars.", "**Bold.**"]),
        ("Dr. Ada B. Lovelace of the U.S. army. End", ["Dr. Ada B. Lovelace of the U.S. army."]),
        ("Apple Inc. makes phones. End", ["Apple Inc. makes phones."]),
        ("About approx. half. “Why?” he asked. End", ["About approx. half.", "“Why?” he asked."]),
        ("1. First item\n2. Second\nEnd", ["1. First item", "2. Second"]),
        (
            "今天很好。我们去吧！“好的。”他说。完",
            ["今天很好。", "我们去吧！", "“好的。”", "他说。"],
        ),
        ("यह एक है। यह दो है॥ अंत", ["यह एक है।", "यह दो है॥"]),
        ("هل أنت بخير؟ نعم", ["هل أنت بخير؟"]),
        ("А. С. Пушкин писал. Да", ["А. С. Пушкин писал."]),
        ("„Ja.“ Er ging. Ende", ["„Ja.“", "Er ging."]),
        ("ไปไหนมา\nสบายดี\nจบ", ["ไปไหนมา", "สบายดี"]),
    ],
)
def test_sentences_of_many_scripts(text: str, expected: list[str]) -> None:
    assert passages(text)[:-1] == expected


def test_paragraphs_end_at_blank_lines() -> None:
    text = "First. Still first.\nAnd still.\n \n  Indented.\r\n\r\nLast."
    expected = ["First. Still first.\nAnd still.", "  Indented.", "Last."]
    assert passages(text, "paragraph") == expected


def test_without_blank_lines_each_line_is_a_paragraph() -> None:
    assert passages("First. Still.\nSecond.\n", "paragraph") == ["First. Still.", "Second.\n"]


def test_nothing_gives_nothing() -> None:
    assert len(split_passages(pa.array([], pa.string()), "sentence", 3).starts) == 0


def test_slices_of_arrays_are_split_as_the_texts_they_hold() -> None:
    texts = pa.array(["One. Two.", "Three. Four.", "Five. Six."]).slice(1, 1)
    split = split_passages(texts, "sentence", 1)
    assert split.texts(np.arange(2)).to_pylist() == ["Three.", "Four."]
