"""Tokens as section 1 of the definition counts them, in plain Python, for tests only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

# Scripts in which each character with its marks is a token: first and last code point.
SINGLE = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Han: repetition, closing mark, zero
    (0x3040, 0x309F),  # Hiragana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han
    (0x20000, 0x3FFFF),  # Han
)
WIDE_OR_NARROW = re.compile(r"[\u3000\uff00-\uffef]+")
JOINERS = "\u200c\u200d"
SHINGLE = 5


def tokens(text: str) -> list[str]:
    """Return the words of a text in lower case, in their order.

    A word is a run of letters, digits, marks and underscores, with apostrophes inside of it. In
    scripts without spaces each character with its marks is a word. Full-width and half-width forms
    count as the usual ones.
    """
    words: list[str] = []
    open_word = False  # whether the next letter continues the last word
    text = WIDE_OR_NARROW.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)
    text = unicodedata.normalize("NFC", text).replace("’", "'")
    for place, character in enumerate(text):
        category = unicodedata.category(character)
        if category[0] == "M" or character in JOINERS:
            if words:
                words[-1] += character
        elif _single(character) and category[0] in "LN":
            words.append(character)
            open_word = False
        elif category[0] in "LN" or character == "_":
            if open_word:
                words[-1] += character
            else:
                words.append(character)
            open_word = True
        elif character == "'" and open_word and text[place + 1 : place + 2].isalpha():
            words[-1] += character
        else:
            open_word = False
    return [word.lower() for word in words]


@cache
def _single(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in SINGLE)


def shingles(words: list[str], size: int = SHINGLE) -> frozenset[tuple[str, ...]]:
    """Return the distinct runs of `size` words; a shorter text has itself as its only one."""
    count = max(len(words) - size + 1, 1)
    return frozenset(tuple(words[i : i + size]) for i in range(count))


def jaccard(a: Iterable[tuple[str, ...]], b: Iterable[tuple[str, ...]]) -> float:
    """Return the size of the intersection over that of the union."""
    a, b = frozenset(a), frozenset(b)
    return len(a & b) / len(a | b)
