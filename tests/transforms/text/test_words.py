"""Words against their definition in plain Python, and what is hashed of them."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outcross.transforms.text.characters import skeletons
from outcross.transforms.text.words import (
    CODE,
    NEGATED,
    NUMBER,
    SINGLE,
    SPACED,
    SPACELESS,
    Words,
    fingerprints,
    split_words,
    word_ids,
)
from tests.support.text_definition import composed, words_of
from tests.support.texts import SENTENCES, texts


def split(*values: str) -> Words:
    return split_words(pa.array(values, pa.string()))


def lowered(text: str) -> str:
    """Return a folded text, whose only capitals are those of ASCII."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def spelled(words: Words) -> list[list[str]]:
    spans = words.spans(np.arange(len(words.hashes)))
    data = words.characters.data
    flat = [lowered(data[a:b].tobytes().decode()) for a, b in spans]
    return [flat[a:b] for a, b in itertools.pairwise(words.offsets)]


def kinds(*values: str) -> list[list[int]]:
    words = split(*values)
    return [words.kinds[a:b].tolist() for a, b in itertools.pairwise(words.offsets)]


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


@given(st.lists(texts, max_size=6))
def test_hashes_are_of_the_words_alone(values: list[str]) -> None:
    words = split(*values)
    by_word: dict[str, int] = {}
    for word, value in zip(itertools.chain(*spelled(words)), words.hashes.tolist(), strict=True):
        assert by_word.setdefault(word, value) == value == defined_hash(word)
    assert len(set(by_word.values())) == len(by_word)


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
    assert kinds("É", text, "x")[1] == wanted


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
    for word in ("a", "exactly8", "nine_char", "sixteen_letters", "テキスト", "été", "x" * 1000):
        assert split(f"«{word.upper()}»").hashes.tolist() == [defined_hash(word)]


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
        assert words.hashes[start:stop].tolist() == [defined_hash(word) for word in plain]


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


@given(st.lists(texts, min_size=1, max_size=8))
@example([*SENTENCES.values(), "ASCII alone", "", "x" * 300])
def test_splitting_does_not_depend_on_the_batch(values: list[str]) -> None:
    together = split(*values)
    hi, lo = fingerprints(together)
    for i, value in enumerate(values):
        alone = split(value)
        part = slice(together.offsets[i], together.offsets[i + 1])
        assert np.array_equal(alone.hashes, together.hashes[part])
        assert np.array_equal(alone.kinds, together.kinds[part])
        assert np.array_equal(alone.edges, together.edges[2 * part.start : 2 * part.stop])
        assert alone.letters[0] == together.letters[i]
        assert [x.tolist() for x in fingerprints(alone)] == [[hi[i]], [lo[i]]]


def distinct(*values: str) -> int:
    return len(set(zip(*(half.tolist() for half in fingerprints(split(*values))), strict=True)))


BLANKS = st.text(st.sampled_from("ab \t\r\n\v\u00a0"), max_size=24)


@given(st.lists(BLANKS | texts, min_size=1, max_size=8))
def test_fingerprints_are_equal_exactly_where_composed_texts_are(values: list[str]) -> None:
    values += [v.replace("\n", " \r\n") + "\n \t" for v in values]
    halves = zip(*(half.tolist() for half in fingerprints(split(*values))), strict=True)
    texts_of: dict[tuple[int, int], set[str]] = {}
    for pair, value in zip(halves, values, strict=True):
        texts_of.setdefault(pair, set()).add(composed(value))
    assert all(len(same) == 1 for same in texts_of.values())
    assert len(texts_of) == len({composed(v) for v in values})


def test_exact_is_normal_form_line_ends_and_blanks_at_ends() -> None:
    assert distinct("é\na", "e\u0301\r\na", "é \ra", "é\t \na  \n\n\v\f") == 1
    assert distinct("a", "A", " a", "a.", "\na", "ａ", "a\u200b", "a\u00a0", "**a**", "") == 10
    assert distinct("a b", "a  b", "a\tb", "a\nb", "a\n\nb", "a\n b", "a\v\nb") == 7
    assert distinct("it's", "it’s", "-5", "5", "C++", "C#", "C", "10²", "102", "🙂", "🙃") == 11


def test_fingerprints_see_order_and_number() -> None:
    assert distinct("a b", "b a", "ab", "a b b", "a", "a a", "a a a", "", "b") == 9
    zeros = ["\0" * n for n in range(20)]
    assert distinct(*(z + "x" for z in zeros), *("x" + z for z in zeros)) == 39


def test_halves_of_fingerprints_are_independent_and_mixed() -> None:
    # Documents that differ in one word, and chained ones, should look random in every bit.
    hi, lo = fingerprints(split(*(f"the same start {i} the same end" for i in range(20_000))))
    for half in (hi, lo, hi ^ lo):
        bits = np.unpackbits(half.view(np.uint8)).reshape(-1, 64).mean(0)
        assert abs(bits - 0.5).max() < 6 * 0.5 / np.sqrt(20_000)
        assert len(np.unique(half)) == 20_000
