"""Words against their definition in plain Python."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.text_definition import words_of
from tests.support.texts import SENTENCES, texts
from tests.support.words import spelled, split


@given(st.lists(texts, max_size=6))
@example(list(SENTENCES.values()))
def test_words_are_those_of_the_definition(values: list[str]) -> None:
    words = split(*values)
    assert spelled(words) == [words_of(v) for v in values]
    assert len(words) == len(values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It’s the boys’ ‘own’ don't", "it's the boys own don't"),
        ("snake_case __init__ _so_ _ __ _'so'_ a'_", "snake_case init so so a"),
        ("वह पढ़ती है", "वह पढ़ती है"),
        ("เธอไม่ไป ๑๒", "เ ธ อ ไ ม่ ไ ป ๑๒"),
        ("ខ្ញុំ ទៅ", "ខ្ ញុំ ទៅ"),
        ("မသွားဘူး။", "မ သွ ား ဘူး".replace("သွ ား", "သွား")),
        ("བོད་ཡིག", "བོ ད ཡི ག"),
        ("هُوَ لَا كـتاب", "هُوَ لَا كتاب"),
        ("הוּא צה״ל ג׳ירפה", "הוּא צה ל ג'ירפה"),
        ("한국어를 씁니다", "한국어를 씁니다"),
        ("テキストを書く", "テキスト を 書 く"),
        ("ﾃｷｽﾄ ｶﾞｷﾞ", "テキスト ガギ"),
        ("用Python3写10行", "用 python3 写 10 行"),
        ("他说'不'，说'a'了", "他 说 不 说 a 了"),
        ("می‌خواهم क्‍ष", "می\u200cخواهم क्\u200dष"),
        ("co\u00adop\u200bera", "coopera"),
        ("text🙂text 👩\u200d🚀 1️⃣", "text text 1\u20e3"),
        ("10² x₂ ½ C++ C# -5 a.b 1,000 3.14", "10² x₂ ½ c c 5 a b 1 000 3 14"),
        ("cafe\u0301 ÉTÉ", "café été"),
    ],
)
def test_named_texts(text: str, words: str) -> None:
    assert spelled(split("plain", text, "中"))[1] == words.split(" ")
    assert words_of(text) == words.split(" ")


@pytest.mark.parametrize(
    "sign", ["'", "’", "\u0301", "中", "A", "_", "'A", "'中", "中'a", "\u200da"]
)
@pytest.mark.parametrize("before", ["a", "中", "é", " "])
def test_what_is_read_at_once_ends_anywhere(before: str, sign: str) -> None:
    """A sign on either side of, and over, the ends of 8 and 64 bytes."""
    values = [
        start * shift + before + sign + after
        for shift in range(140)
        for start in "x "
        for after in ("b", "中", "_ c", "")
    ]
    assert spelled(split(*values)) == [words_of(v) for v in values]
