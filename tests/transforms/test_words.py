"""Words against Python's regular expressions, and what is hashed of them."""

from __future__ import annotations

import itertools
import re
import unicodedata

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.characters import WORD, character_classes
from transforms.words import Words, fingerprints, split_words, word_ids

# Characters on whose being a letter this interpreter's Unicode and the frozen tables agree, and
# many of those that English text is full of.
characters = st.one_of(
    st.sampled_from("aAbZ09_ .,'’“”—–-\u00a0\u2009\u200b\n\t…éÉßΣσ日本"),
    st.characters(exclude_categories=["Cs", "Cn"]),
).filter(
    lambda c: all(
        bool(re.match(r"\w", d)) == bool(character_classes()[ord(d)] & WORD)
        for d in unicodedata.normalize("NFKC", c).lower()
    )
)
texts = st.text(characters, max_size=60)


def split(*values: str) -> Words:
    return split_words(pa.array(values, pa.string()))


def spelled(words: Words) -> list[list[str]]:
    spans = words.spans(np.arange(len(words.hashes)))
    data = words.characters.data
    flat = [data[a:b].tobytes().decode().lower() for a, b in spans]
    return [flat[a:b] for a, b in itertools.pairwise(words.offsets)]


def python_words(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


@settings(deadline=None)  # the first call compiles
@given(st.lists(texts, max_size=6))
def test_words_are_those_of_python(values: list[str]) -> None:
    words = split(*values)
    assert spelled(words) == [python_words(v) for v in values]
    assert len(words) == len(values)


@settings(deadline=None)  # the first call compiles
@given(st.lists(texts, max_size=6))
def test_hashes_are_of_the_words_alone(values: list[str]) -> None:
    words = split(*values)
    by_word: dict[str, int] = {}
    for word, found in zip(itertools.chain(*spelled(words)), words.hashes.tolist(), strict=True):
        assert by_word.setdefault(word, found) == found
    assert len(set(by_word.values())) == len(by_word)


def defined_hash(word: str) -> int:
    def mix64(x: int) -> int:
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        return x ^ x >> 31

    h = 0
    encoded = word.encode()
    for i in range(0, len(encoded), 8):
        h = mix64(h ^ int.from_bytes(encoded[i : i + 8], "little"))
    return h


def test_hash_follows_its_definition() -> None:
    for word in ("a", "exactly8", "nine_char", "sixteen_letters_", "日本語のテキスト", "x" * 1000):
        assert split(f"«{word.upper()}»").hashes.tolist() == [defined_hash(word)]


wordy = st.sampled_from("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_")
ascii_texts = st.lists(
    st.one_of(st.text(wordy, min_size=1, max_size=30), st.text(st.characters(max_codepoint=127))),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(st.lists(ascii_texts, max_size=4), st.integers(0, 70))
def test_ascii_is_read_many_bytes_at_a_time(values: list[str], shift: int) -> None:
    """Words on either side of, and over, the ends of what is read at once."""
    values = [*values, "." * shift + "word " * 30]
    words = split(*values)
    for value, (start, stop) in zip(values, itertools.pairwise(words.offsets), strict=True):
        expected = [defined_hash(word) for word in re.findall(r"\w+", value.lower(), re.ASCII)]
        assert words.hashes[start:stop].tolist() == expected


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


def test_spans_of_some_words_in_any_order() -> None:
    words = split("one TWO three", "", "Été four", "five")
    spans = words.spans(np.array([5, 0, 3, 1]))
    data = words.characters.data
    assert [data[a:b].tobytes().decode() for a, b in spans] == ["five", "one", "été", "TWO"]


def test_splitting_does_not_depend_on_the_batch() -> None:
    values = ["It’s — a “test”", "plain", "", "ÄÖÜ e\u0301 x", "日本語 text_with_9"] * 3
    together = split(*values)
    hi, lo = fingerprints(together)
    for i, value in enumerate(values):
        alone = split(value)
        part = slice(together.offsets[i], together.offsets[i + 1])
        assert np.array_equal(alone.hashes, together.hashes[part])
        assert [x.tolist() for x in fingerprints(alone)] == [[hi[i]], [lo[i]]]


def distinct(*values: str) -> int:
    return len(set(zip(*(half.tolist() for half in fingerprints(split(*values))), strict=True)))


def test_fingerprints_ignore_all_but_the_words() -> None:
    assert distinct("Hello, world", "hello world", "  HELLO\n“world”! ", "ｈello world") == 1


def test_fingerprints_see_order_number_and_boundaries() -> None:
    assert distinct("a b", "b a", "ab", "a b b", "a", "a a", "a a a", "", "b") == 9


def test_texts_without_words_are_fingerprinted_by_their_characters() -> None:
    assert distinct("!!!", "!!", "", " ", "🙂", "🙃", "?") == 7
    assert distinct("…", "...") == 1  # the same under NFKC


def test_halves_of_fingerprints_are_independent_and_mixed() -> None:
    # Documents that differ in one word, and chained ones, should look random in every bit.
    hi, lo = fingerprints(split(*(f"the same start {i} the same end" for i in range(20_000))))
    for half in (hi, lo, hi ^ lo):
        bits = np.unpackbits(half.view(np.uint8)).reshape(-1, 64).mean(0)
        assert abs(bits - 0.5).max() < 6 * 0.5 / np.sqrt(20_000)
        assert len(np.unique(half)) == 20_000
