"""Hashes and kinds of words against their definition in plain Python."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.text.characters import skeletons
from outcross.transforms.text.word_hashes import CODE, NEGATED, NUMBER, SINGLE, SPACED, SPACELESS
from outcross.transforms.text.words import word_ids
from tests.support.text_definition import word_hash, words_of
from tests.support.texts import texts
from tests.support.words import spelled, split


def test_hash_follows_its_definition() -> None:
    for word in ("a", "exactly8", "nine_char", "sixteen_letters", "テキスト", "été", "x" * 1000):
        assert split(f"«{word.upper()}»").hashes.tolist() == [word_hash(word)]


@given(st.lists(texts, max_size=6))
def test_hashes_are_of_the_words_alone(values: list[str]) -> None:
    words = split(*values)
    by_word: dict[str, int] = {}
    for word, value in zip(itertools.chain(*spelled(words)), words.hashes.tolist(), strict=True):
        assert by_word.setdefault(word, value) == value == word_hash(word)
    assert len(set(by_word.values())) == len(by_word)


wordy = st.sampled_from("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_'")
ascii_texts = st.lists(
    st.one_of(st.text(wordy, min_size=1, max_size=30), st.text(st.characters(max_codepoint=127))),
    max_size=30,
).map("".join)


@given(st.lists(ascii_texts, max_size=4), st.integers(0, 70))
def test_ascii_is_read_many_bytes_at_a_time(values: list[str], shift: int) -> None:
    """Words on either side of, and over, the ends of what is read at once."""
    values = [*values, "." * shift + "word " * 30]
    words = split(*values)
    for value, (start, stop) in zip(values, itertools.pairwise(words.offsets), strict=True):
        plain = re.findall(r"\w+(?:'\w+)*", value.lower(), re.ASCII)
        plain = [word.strip("_'") for word in plain if word.strip("_'")]
        assert words.hashes[start:stop].tolist() == [word_hash(word) for word in plain]


def test_hashes_are_spread() -> None:
    words = split(" ".join(f"w{i}" for i in range(100_000)))
    assert len(np.unique(words.hashes)) == 100_000
    ids = word_ids(words)
    assert ids.dtype == np.uint32
    # 100,000 balls in 2**32 bins: 1.2 collisions are expected, 10 are one in a million.
    assert len(ids) - len(np.unique(ids)) < 10
    for bits in (ids >> 24, ids & 255):
        counts = np.bincount(bits, minlength=256)
        assert abs(counts - 390.6).max() < 6 * np.sqrt(390.6)


def skeleton(word: str) -> str:
    bare = skeletons()
    pairs = zip(bare.code_points, bare.offsets[:-1], bare.offsets[1:], strict=True)
    table = {int(c): bare.data[a:b].tobytes().decode() for c, a, b in pairs}
    return word.translate(table)


def test_letters_are_those_without_marks_and_vowel_signs() -> None:
    for one, other in [
        ("वह जाता है", "वह जाती है"),
        ("resume now", "résumé now"),
        ("ไป ไม", "ไปไม้"),
        ("שָׁלוֹם", "שלום"),
        ("كَتَبَ", "كتب"),
        ("በላ", "ቢል"),
        ("Ά α", "ά ἃ"),
    ]:
        words = split(one, other, one + " x", skeleton("".join(words_of(one))) + "y")
        assert words.letters[0] == words.letters[1]
        assert spelled(words)[0] != spelled(words)[1]
        assert len(set(words.letters.tolist())) == 3
    words = split("a b", "ab", "a b b", "b a", "가", "각", "ガ", "カ", "か", "が")
    assert len(set(words.letters.tolist())) == len(words) - 2  # voice marks of kana are marks


def test_letters_are_the_same_in_any_company() -> None:
    words = split("plain text", "plain text é", "plain text")
    assert words.letters[0] == words.letters[2] != words.letters[1]


def kinds_of(*values: str) -> list[list[int]]:
    words = split(*values)
    return [words.kinds[a:b].tolist() for a, b in itertools.pairwise(words.offsets)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("word", [0]),
        ("a", [SINGLE]),
        ("é", [SINGLE]),
        ("5", [SINGLE | NUMBER]),
        ("²", [SINGLE | NUMBER]),
        ("x86", [NUMBER]),
        ("camelCase Camel CAPS MiXed", [CODE, SPACED, SPACED, SPACED | CODE]),
        ("snake_case _lead", [CODE, 0]),
        ("éA eÉ", [0, SPACED]),
        ("中 文", [SPACELESS, SPACELESS | SPACED]),
        ("三ก", [SPACELESS | NUMBER, SPACELESS]),
        ("one  two\nthree,four", [0, 0, 0, 0]),
        ("않다 한국", [NEGATED, SPACED]),
        ("没 없", [SPACELESS, SPACED | SINGLE | NEGATED]),
        ("१२ 𝐱 ᵃ", [NUMBER, SPACED | SINGLE | NUMBER, SPACED | SINGLE | NUMBER]),
        ("क़ि", [SINGLE]),
    ],
)
def test_kinds_of_words(text: str, wanted: list[int]) -> None:
    # Only a long company would hide that kinds depend on it.
    assert kinds_of("É", text, "x")[1] == wanted
