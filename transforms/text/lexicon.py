"""Words that carry meaning of their own: negations, numbers, units.

They stand in `data/meaning.json`, by language. A near repeat may differ in no such word.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing, interpreted
from outcross.transforms.text.word_hashes import SPACELESS
from outcross.transforms.text.words import split_words

_FILE = Path(__file__).parents[1] / "data" / "meaning.json"

ALWAYS, UNIT, FIRST, SYLLABLE, CURRENCY = 1, 2, 4, 8, 16
"""Bits of a lexicon word, which say when it is an item: always; after a number; as the first of
several words; as a separate syllable; before a number."""

_LONGEST = 4  # words of an entry, in scripts without spaces
_SLOTS, _FILTER = 1 << 13, 1 << 11
_SIX, _SIXTY_THREE, _ONE = np.uint64(6), np.uint64(63), np.uint64(1)

Lexicon = tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint64]]
"""Hash table of words, its values (the bits of each word), and two Bloom filters with one bit a
word: all words, and the words that count without a number before them."""

_ODD = np.uint64(0x9E3779B97F4A7C15)


@functools.cache
def lexicon() -> Lexicon:
    """Return the words as they stand in the file."""
    bits: dict[int, int] = {}
    groups = json.loads(_FILE.read_text("utf-8"))
    kinds = {"negations": ALWAYS, "numbers": ALWAYS, "units": UNIT, "syllables": SYLLABLE}
    kinds |= {"currencies": UNIT | CURRENCY, "measures": ALWAYS}
    for group, languages in groups.items():
        entries = sorted({word for words in languages.values() for word in words.split()})
        words = split_words(pa.array(entries, pa.string()))
        for d in range(len(entries)):
            hashes = words.hashes[words.offsets[d] : words.offsets[d + 1]]
            key = int(hashes[0])
            if len(hashes) > 1:
                bits[key] = bits.get(key, 0) | FIRST
                key = int(_sequence(hashes, 0, len(hashes)))
            bits[key] = bits.get(key, 0) | kinds[group]
    keys, values = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint8)
    every, alone = np.zeros(_FILTER, np.uint64), np.zeros(_FILTER, np.uint64)
    for key, value in sorted(bits.items()):
        slot = interpreted(find_slot)(np.uint64(key), np.uint64(key), keys, values, 1, _SLOTS)
        keys[slot], values[slot] = key, value
        for filtered, chosen in ((every, 0xFF), (alone, ALWAYS | FIRST | SYLLABLE)):
            if value & chosen:
                filtered[key >> 6 & _FILTER - 1] |= np.uint64(1 << (key & 63))
    return keys, values, every, alone


@borrowing(inline="always")
def passes(key, words):  # type: ignore[no-untyped-def]
    """Tell whether a word may be in a filter."""
    return words[key >> _SIX & np.uint64(_FILTER - 1)] >> (key & _SIXTY_THREE) & _ONE


@borrowing()
def _sequence(hashes, first, count):  # type: ignore[no-untyped-def]
    """Hash some words in a row."""
    state = np.uint64(count)
    for k in range(first, first + count):
        state = mix64(state * _ODD ^ hashes[k])
    return state


@borrowing(forceinline=True)
def known_word(key, keys, bits, every):  # type: ignore[no-untyped-def]
    """Return the bits of a lexicon word, 0 for any other."""
    if not passes(key, every):
        return np.int64(0)
    return np.int64(bits[find_slot(key, key, keys, bits, 1, _SLOTS)])


@borrowing()
def entry_length(edges, hashes, kinds, w, last, keys, bits, every):  # type: ignore[no-untyped-def]
    """Return how many words in a row, without a gap, are the longest lexicon entry from `w` on."""
    longest = 0
    for count in range(2, _LONGEST + 1):
        end = w + count - 1
        if end > last or edges[2 * end] != edges[2 * end - 1] or not kinds[end] & SPACELESS:
            break
        if known_word(_sequence(hashes, w, count), keys, bits, every) & ALWAYS:
            longest = count
    return longest
