"""How far texts mean the same: strict up to 200 words, by multisets above."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outcross.transforms.dedup.agreement import STRICT_TOKENS, Marks, Meanings
from outcross.transforms.dedup.contents import Contents
from outcross.transforms.text.characters import skeletons
from outcross.transforms.text.words import split_words
from tests.support.corpora import SETTINGS, HeldSketches, contents_of
from tests.support.items import hashes, plain_words, values
from tests.support.text_definition import words_of
from tests.support.texts import SENTENCES, texts


def meanings(*texts_: str) -> Meanings:
    return Meanings.of(split_words(pa.array(texts_, pa.string())))


def agreement(one: str, other: str) -> float:
    left, right = np.array([0, 1]), np.array([1, 0])
    shares = meanings(one, other).agreement(left, right)
    assert shares.dtype == np.float32
    assert shares[0] == shares[1]
    return float(shares[0])


def bare(words: list[str]) -> list[str]:
    """Return words without marks and vowel signs; those that were nothing else are left out."""
    table = skeletons()
    pairs = zip(table.code_points, table.offsets[:-1], table.offsets[1:], strict=True)
    letters = {int(c): table.data[a:b].tobytes().decode() for c, a, b in pairs if c > 127}
    return [word for word in (word.translate(letters) for word in words) if word]


def defined(one: str, other: str) -> np.float32:
    """Return the agreement of two texts in plain Python."""
    words = words_of(one), words_of(other)
    left, right = Counter(hashes(one)), Counter(hashes(other))
    if min(map(len, words)) <= STRICT_TOKENS:
        if plain_words(one) == plain_words(other):
            return np.float32(values(one) == values(other))
        return np.float32(left == right and bare(words[0]) != bare(words[1]))
    if left == right:
        return np.float32(1)
    return np.float32((left & right).total() / (left | right).total())


ITEMS = st.sampled_from(["5", "-5", "not", "C++", "🙂", "$", "x_1", "10²", "aB"])
ALIKE = st.sampled_from(["word", "Word", "été", "ete", "की", "का", ",", "\n", "**bold**"])


def long(draw: st.DrawFn, least: int, most: int) -> str:
    count = draw(st.integers(least, most))
    edits = draw(st.lists(st.tuples(st.integers(0, count), ITEMS | ALIKE), max_size=6))
    words = ["word"] * count
    for place, item in edits:
        words.insert(place, item)
    return " ".join(words)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    least, most = draw(st.sampled_from([(0, 6), (STRICT_TOKENS - 4, STRICT_TOKENS + 3)]))
    return long(draw, least, most), long(draw, least, most)


@given(pairs() | st.tuples(texts, texts))
@example(("C " * 200, "C++ " * 201))
def test_is_that_of_the_definition(pair: tuple[str, str]) -> None:
    assert agreement(*pair) == defined(*pair)


@pytest.mark.parametrize("count", [1, 199, 200, 201])
def test_the_border_lies_at_two_hundred_words(count: int) -> None:
    """One item of fifty differs; the shorter text decides."""
    words = ["word"] * max(0, count - 50) + [str(n) for n in range(100, 100 + min(count, 50))]
    other = [*words[:-1], "7"]
    expected = 0.0 if count <= 200 else float(np.float32(49 / 51))
    assert agreement(" ".join(words), " ".join(other)) == expected
    longer = " ".join([*other, *["more"] * 300])
    assert agreement(" ".join(words), longer) == expected


def test_above_the_border_order_and_marks_do_not_matter() -> None:
    many = " word" * STRICT_TOKENS
    assert agreement("5 6 7" + many, "7 6 5" + many) == 1
    assert agreement("5 5 7" + many, "5 7 7" + many) == 0.5
    assert agreement("की" + many, "का" + many) == 1
    assert agreement("5" + many, many) == 0
    assert agreement("more" + many, many + " yet") == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("वह जाता है", "वह जाती है"),
        ("เขาไปไหม", "เขาไปไหม่"),
        ("الكِتاب", "الكُتاب"),
        ("דוֹד בא", "דוּד בא"),
        ("resume it", "résumé it"),
        ("はし を", "ばし を"),
        ("con ma đó", "con mà đó"),
        ("በላ", "ቢላ"),
    ],
)
def test_texts_that_differ_in_marks_alone_do_not_agree(one: str, other: str) -> None:
    assert agreement(one, other) == 0
    assert agreement(one, one) == agreement(other, other) == 1
    assert agreement(one + " and", other + " but") == 1  # they differ in letters as well


def test_texts_of_the_same_words_need_the_same_items_at_the_same_places() -> None:
    assert agreement("a + b c", "a b + c") == 0
    assert agreement("so 🙂 it is", "so it 🙂 is") == 0
    assert agreement("so 🙂 it is now", "so it 🙂 is") == 1  # other words: their order counts
    assert agreement("5 then -6 x", "-6 then 5 x") == 0


@given(texts)
@example(" ".join(SENTENCES.values()))
def test_the_same_text_agrees(text: str) -> None:
    assert agreement(text, text) == 1
    assert agreement(text, text + "\r\n") == agreement(text, text.strip("\n")) == 1


def test_no_documents() -> None:
    none = np.zeros(0, np.int64)
    assert meanings().agreement(none, none).tolist() == []


@given(st.lists(pairs(), min_size=1, max_size=3), st.integers(1, 3), st.data())
def test_contents_of_sketches_agree_as_their_texts_do(
    drawn: list[tuple[str, str]], units: int, data: st.DataObject
) -> None:
    every = list(itertools.chain(*drawn))
    cuts = [len(every) * i // units for i in range(units + 1)]
    parts = [every[a:b] for a, b in itertools.pairwise(cuts)]
    sketches = HeldSketches([(0, [{"text": text} for text in part]) for part in [*parts, []]])
    chosen = sorted(data.draw(st.sets(st.integers(0, len(every) - 1), min_size=1)))
    documents = np.array(chosen, np.int64)
    left, right = (side.ravel() for side in np.indices((len(chosen), len(chosen))))
    with Contents(SETTINGS) as contents:
        _, agree = contents.measures(contents_of(sketches, documents))
        shares = agree(left, right)
    whole = meanings(*every).agreement(documents[left], documents[right])
    assert shares.tolist() == whole.tolist()


@given(st.lists(texts, min_size=2, max_size=6))
def test_marks_agree_where_the_meanings_of_short_texts_do(drawn: list[str]) -> None:
    drawn = [" ".join(text.split()[:40]) for text in [*drawn, *drawn[0].split()]]
    read = meanings(*drawn)
    marks = Marks.of(read.letters, read.wording, (read.offsets, read.items))
    short = np.flatnonzero(read.tokens <= STRICT_TOKENS)
    left, right = (short[at] for at in np.indices((len(short),) * 2).reshape(2, -1))
    expected = read.agreement(left, right) == 1
    assert marks.agree(left, right).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [("5 apples and 3 pears", "3 apples and 5 pears"), ("it is", "it is not"), ("5 kg", "5 g")],
)
def test_marks_tell_what_meanings_tell(one: str, other: str) -> None:
    read = meanings(one, other)
    marks = Marks.of(read.letters, read.wording, (read.offsets, read.items))
    assert not marks.agree(np.array([0]), np.array([1]))[0]
