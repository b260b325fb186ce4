"""Memory of short gaps: it never changes what is read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.text.gaps import (
    LEFT,
    LINES,
    LONGEST,
    RIGHT,
    gap_key,
    gap_memory,
    remember_gap,
)
from outcross.transforms.text.meaning import items
from outcross.transforms.text.word_hashes import NUMBER, SINGLE, SPACED
from outcross.transforms.text.words import split_words
from tests.support.items import values

GAPS = [
    *(" ", ", ", ". ", "-", " - ", " -", "- ", "(", ") (", '" "', "' ", " '", "**", " *", "* "),
    *("`", " `", "` ", "/", "=", " = ", "++", "...", " ... ", ":", ";) ", "\n", "\n- ", "\n    "),
    *("{", "} ", " {}\n", "_", "__", "~~~\n", "\t", "\t\t", "\0", "-\0", "!", " !", "¡", " – "),
    *(".\n", ".\n\n", ":\n", ":\n  ", " {\n", ";\n", ";\n  ", " =\n  ", "(\n", "\n\n  ", "\n}\n"),
    *("”", " “", "、", "。", "≠", " ± ", "—", " .. ", "'s ", ">", "> ", " >>> ", "#", "# ", "$"),
]
WORDS = [
    "a",
    "I",
    "word",
    "Words",
    "7",
    "x2",
    "in",
    "not",
    "km",
    "myName",
    "猫",
    "犬",
    "été",
    "кот",
]
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=12).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)


def remembered(gap: str, looked: bool) -> tuple[np.ndarray, ...]:
    """Return a memory that was asked to remember one gap between two words, with one sign."""
    text = np.frombuffer(b"a" + gap.encode() + b"b" + b" " * 16, np.uint8)
    memory: tuple[np.ndarray, ...] = gap_memory()
    stop = 1 + len(gap)
    key = gap_key(text, 1, stop, 0, 0, looked << 1)
    remember_gap(text, 1, stop, key, np.zeros(4, np.uint64), 1, RIGHT, looked, memory)
    return memory


@given(st.lists(TEXTS, min_size=1, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_items_do_not_depend_on_the_texts_read_before(texts: list[str], random: object) -> None:
    alone = [values(text)[0] for text in texts]
    again = [*texts, *reversed(texts), *texts]
    assert values(*again) == [*alone, *reversed(alone), *alone]


def test_a_gap_is_recalled_only_between_the_same_kinds_of_words() -> None:
    text = np.frombuffer(b"a - b                ", np.uint8)
    memory = gap_memory()
    signs = np.array([41, 43], np.uint64)
    key = gap_key(text, 1, 4, SINGLE, SINGLE | SPACED, 0)
    remember_gap(text, 1, 4, key, signs, 2, LEFT | RIGHT, False, memory)
    gaps, around, results, counts, kept = memory
    slot = key[2]
    assert (gaps[slot], around[slot]) == key[:2]
    assert (results[slot], counts[slot]) == (LEFT | RIGHT, 2)
    assert kept[slot, :2].tolist() == [41, 43]
    others = [
        gap_key(text, 1, 4, NUMBER, SINGLE, 0),
        gap_key(text, 1, 4, SINGLE, 0, 0),
        gap_key(text, 1, 4, SINGLE, SINGLE, 1),
        gap_key(text, 1, 3, SINGLE, SINGLE, 0),
    ]
    assert all(other[:2] != key[:2] for other in others)
    assert gap_key(text, 1, 4, SINGLE, SINGLE, 0)[:2] == key[:2]


def test_what_markdown_and_code_may_decide_is_not_remembered() -> None:
    for gap in (" * ", "`", "_", "\n- ", "\n#", "=\n", "\t", "~~~", "-\0"):
        assert not remembered(gap, True)[1].any(), gap


def test_the_lines_of_a_gap_are_remembered_where_they_count() -> None:
    for gap, lines in ((", ", 0), (".\n", 1), ("\n\n  ", 2), ("\n" * 8, 8)):
        for looked in (False, True):
            _, arounds, results, _, _ = remembered(gap, looked)
            (slot,) = np.flatnonzero(arounds)
            assert results[slot] == RIGHT | (lines << LINES if looked else 0)


def test_long_gaps_are_read_each_time() -> None:
    sums = [
        f"word {'+' * count} word" for count in (LONGEST - 2, LONGEST - 1, LONGEST, LONGEST - 2)
    ]
    offsets, signs, _ = items(split_words(pa.array(sums)))
    assert np.diff(offsets).tolist() == [3, 3, 3, 3]
    assert len(set(signs[offsets[:3] + 1].tolist())) == 3
    assert signs[1] == signs[offsets[3] + 1]
