"""Items of texts: what changes them, what doesn't, and where they stand."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.meaning import items
from outcross.transforms.text.words import split_words
from tests.support.items import hashes, places, spelled, values
from tests.support.text_definition import words_of
from tests.support.texts import SENTENCES, awkward, texts


@pytest.mark.parametrize(
    ("text", "found", "where"),
    [
        ("", [], []),
        ("Plain words, no more than that.", ["no"], [2]),
        ("It is -5 degrees", ["-", "5", "degrees"], [2, 2, 3]),
        ("C++, C# or C", ["C", "++", "C", "#", "c"], [0, 1, 1, 2, 3]),
        ("pay $9 or €9", ["$", "9", "€", "9"], [1, 1, 3, 3]),
        ("10² is not 102", ["10²", "not", "102"], [0, 2, 3]),
        ("H₂O and 5 km", ["h₂o".upper(), "5", "km"], [0, 2, 3]),
        ("seven years", ["seven", "years"], [0, 1]),
        ("many years", [], []),
        ("seven miles", ["seven", "miles"], [0, 1]),
        ("usd 7 and eur", ["usd", "7"], [0, 1]),
        ("30 YEARS or 30 years", ["30", "years", "30", "years"], [0, 1, 3, 4]),
        ("the 1920S and the 2ND", ["1920s", "2nd"], [1, 4]),
        ("7 weeks and hr", ["7", "weeks"], [0, 1]),
        ("5公里", ["5", "公", "里"], [0, 1, 2]),
        ("他不去，我三次没去", ["不", "三", "没"], [1, 4, 6]),
        ("ไม่ไป", ["ไ", "ม่"], [0, 1]),
        ("वह नहीं गया", ["नहीं"], [1]),
        ("갈 수 없다", ["없다"], [2]),
        ("не знаю", ["не"], [0]),
        ("١٢ كتاب لا", ["١٢", "لا"], [0, 2]),
        ("so 👍🏽 it is 👩\u200d🚀", ["👍", "🏽", "👩", "\u200d", "🚀"], [1, 1, 3, 3, 3]),
        ("myName my_name MYNAME", ["myName", "my_name"], [0, 1]),
        ("see `Foo` and `foo`", ["Foo"], [1]),
        ("Don't, can’t, CANNOT", ["don't", "can't", "cannot"], [0, 1, 2]),
        ("½ cup", ["½", "cup"], [0, 1]),
        ("!=", ["!", "="], [0, 0]),
    ],
)
def test_named_items(text: str, found: list[str], where: list[int]) -> None:
    assert spelled(text) == found
    assert places(text) == where


PROSE = [
    *("morning", "Evening", "the", "cat", "slept", "été", "Straße", "кот", "спал", "λόγος", "वह"),
    *("किताब", "अच्छी", "한국어", "책을", "كتاب", "בית", "it's", "we’re", "Été"),
]
"""Words without items of their own, from scripts with spaces."""

prose = st.lists(st.sampled_from(PROSE), min_size=2, max_size=14)
counted = st.sampled_from(
    [
        *(
            "-5",
            "$",
            "C++",
            "🙂",
            "=",
            "≠",
            "&",
            "%",
            "7",
            "٣",
            "१",
            "²",
            "not",
            "nicht",
            "не",
            "نہیں",
        ),
        *("नहीं", "seven", "x_y", "aB", "#tag", "@you", "a*b", "→", "♯", "三", "不", "5!"),
    ]
)


@st.composite
def mixed(draw: st.DrawFn) -> list[str]:
    """Draw words, some of which are items."""
    words = draw(prose)
    for item in draw(st.lists(counted, max_size=3)):
        words.insert(draw(st.integers(0, len(words))), item)
    return words


def cased(words: list[str], change: Callable[[str], str]) -> list[str]:
    """Change the case of words that touch no sign that counts."""
    near = [set(words[max(0, place - 1) : place + 2]) for place in range(len(words))]
    return [
        change(word) if company <= set(PROSE) else word
        for word, company in zip(words, near, strict=True)
    ]


def capital(word: str) -> str:
    return word[0].upper() + word[1:]


def capitals(word: str) -> str:
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in word)


@given(mixed(), st.data())
def test_form_changes_no_items(words: list[str], data: st.DataObject) -> None:
    plain = " ".join(words)
    items_of = values(plain)
    place = data.draw(st.integers(0, len(words) - 1))
    bold = [*words]
    if bold[place] in PROSE:
        bold[place] = f"**{bold[place]}**"
    forms = [
        "  ".join(words),
        "\n\n".join(words),
        " \r\n".join(words),
        "\u00a0".join(words),
        " ".join(cased(words, capital)),
        " ".join(cased(words, capitals)),
        " ".join(bold),
        f"# {plain}",
        f"> {plain}",
        " ".join(f"{word}," if word in PROSE else word for word in words),
    ]
    if not words[0][0].isdigit():  # before a number a hyphen is a sign
        forms.append(f"- {plain}\n")
    if words[0] in PROSE and words[-1] in PROSE:
        forms += [f"**{plain}**", f"“{plain}”", f'"{plain}"', f"({plain})", f"{plain}."]
    for form in forms:
        assert words_of(form) == words_of(plain), form
        assert values(form) == items_of, form


@given(prose, counted, st.data())
def test_what_is_counted_changes_the_items_anywhere(
    words: list[str], item: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(words)))
    other = " ".join([*words[:place], item, *words[place:]])
    assert hashes(" ".join(words)) == []
    assert hashes(other) != []
    if words_of(item):
        assert set(places(other)) <= set(range(place - 1, place + len(words_of(item)) + 2))


@given(mixed(), counted, counted, st.data())
def test_other_items_are_other_items(
    words: list[str], one: str, other: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(words)))
    left, right = (" ".join([*words[:place], item, *words[place:]]) for item in (one, other))
    assert (hashes(left) == hashes(right)) == (one == other)


@given(st.lists(texts, max_size=6))
@example([*SENTENCES.values(), "", "5", "``` x"])
def test_offsets_and_places(values_: list[str]) -> None:
    words = split_words(pa.array(values_, pa.string()))
    offsets, found, _ = items(words)
    assert found.dtype == np.uint64
    assert len(offsets) == len(values_) + 1
    assert offsets[0] == 0
    assert offsets[-1] == len(found)
    for d, count in enumerate(np.diff(words.offsets).tolist()):
        here = (found[offsets[d] : offsets[d + 1]] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        assert (np.diff(here) >= 0).all()
        assert len(here) == 0 or 0 <= here[0] <= here[-1] <= count


@given(st.lists(texts, min_size=1, max_size=6))
@example([*SENTENCES.values(), "```\nif x:\n  y\n", "*a `b ~~c", "x" * 200, "- a"])
def test_items_do_not_depend_on_the_batch(values_: list[str]) -> None:
    assert values(*values_) == [values(value)[0] for value in values_]


hostile = st.text(awkward | st.sampled_from("`*_~{}()[]<>#>-+=:;|!?.,'\" \t\n\r\0"), max_size=200)


@given(st.lists(st.text(), max_size=5) | st.lists(hostile, max_size=5))
def test_any_text_is_read(values_: list[str]) -> None:
    """All of Unicode, and signs that nest, open and never close."""
    values_ = [value.encode("utf-8", "ignore").decode() for value in values_]
    words = split_words(pa.array(values_, pa.string()))
    offsets, _, _ = items(words)
    hi, _ = fingerprints(words)
    assert len(hi) == len(offsets) - 1 == len(values_)


UNITS = [
    *("*a ", "`a ", "a_ ", "_a ", "(a ", "*", "`", "_", "~", "'", "`*_~~", "> ", ">", "# ", "- "),
    *("\n", "\r", "\0", "\t", " ", "```\n", "{\n", "a\tb\n", "  x = 1\n", ":( ", "a'", "1 ", "中"),
    *("🙂", "\u0301", "e\u0301", "\u200d", "ｶﾞ", "word ", "不", "公", "~~a~~ ", "\n  ", "“", "**a "),
]


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    """Ten times the text may take thirty times as long on a busy machine, not a hundred times."""

    def seconds(size: int) -> float:
        texts_ = pa.array([(unit * (size // len(unit) + 1))[:size]], pa.string())
        least = float("inf")
        for _ in range(3):
            start = time.process_time()
            words = split_words(texts_)
            items(words)
            fingerprints(words)
            least = min(least, time.process_time() - start)
        return least

    seconds(10)
    assert seconds(300_000) < 30 * seconds(30_000) + 0.05
