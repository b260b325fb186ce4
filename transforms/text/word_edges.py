"""Where words begin and end, read from 64 bytes at a time.

Words follow Unicode's default word boundaries (UAX #29) as far as they matter here:

- A word is a longest run of letters, numbers and underscores. Marks, zero-width joiners and
  apostrophes within it belong to it.
- In scripts without spaces (Han, Hiragana, Thai, Lao, Khmer, Myanmar, Tibetan) each letter with its
  marks is a word.

Underscores and apostrophes at the ends of words are still part of them here; `word_hashes` cuts
them off.
"""

from __future__ import annotations

import numpy as np

from outcross.transforms.base.eight_bytes import trailing_zeros
from outcross.transforms.base.kernels import borrowing
from outcross.transforms.base.sixty_four_bytes import lower_bytes, mark_bytes
from outcross.transforms.text.characters import MARK, SOLO, WORD, code_point, encoded_width

PADDING = 72
"""Bytes of white space that must follow a text."""

# What an ASCII byte adds to a word: itself, in lower case, or 0 where it ends one.
_LOWERED = np.array(
    [ord(chr(c).lower()) if chr(c).isalnum() or c == ord("_") else 0 for c in range(128)], np.uint8
)

_A, _Z, _SMALL_A, _SMALL_Z, _ZERO, _NINE = (ord(c) for c in "AZaz09")
_UNDERSCORE, _APOSTROPHE = ord("_"), ord("'")
_ONE = np.uint64(1)
_END = np.uint32(0xFFFFFFFF)


@borrowing()
def find_edges(raw, lowered, size, classes, edges, special):  # type: ignore[no-untyped-def]
    """Lower a text, and find where its words begin and end.

    Args:
        raw: uint8[size + 72], the text and white space.
        lowered: gets the same in lower case.
        size: bytes of the text.
        classes: of all characters.
        edges: gets the places, each word's begin and end.
        special: gets the places of ASCII digits, underscores and inner capitals, then `_END`.

    Returns:
        How many edges there are, and whether all is ASCII.
    """
    filled = specials = 0
    ascii_ = True
    before = np.uint64(0)  # whether the last byte was inside of a word
    small = np.uint64(0)  # whether it was a small letter
    within, left = np.uint64(0), 0  # of a character of several bytes: whether it is, bytes to come
    solo = False  # whether the word that is being read is of a script without spaces
    for base in range(0, size + 1, 64):
        first = np.uint64(base)
        lower_bytes(raw, first, lowered)
        wide = mark_bytes(raw, first, 128, 255)
        capitals, smalls = (
            mark_bytes(raw, first, _A, _Z),
            mark_bytes(raw, first, _SMALL_A, _SMALL_Z),
        )
        digits = mark_bytes(raw, first, _ZERO, _NINE)
        digits |= mark_bytes(raw, first, _UNDERSCORE, _UNDERSCORE)
        quotes = mark_bytes(raw, first, _APOSTROPHE, _APOSTROPHE)
        words, begins = capitals | smalls | digits, np.uint64(0)
        marks = digits | capitals & (smalls << _ONE | small)
        small = smalls >> np.uint64(63)
        while marks:
            special[specials] = np.uint32(first + trailing_zeros(marks))
            specials += 1
            marks &= marks - _ONE
        following = np.uint64(left)  # the first character of which nothing is known
        rest = wide
        if left:
            span = (_ONE << following) - _ONE
            words |= span * within
            rest &= ~span
            left = 0
        while True:
            if solo and following < 64 and not wide >> following & _ONE:
                begins |= words & _ONE << following
                quotes &= ~(_ONE << following)
                solo = False
            if not rest:
                break
            ascii_ = False
            place = trailing_zeros(rest)
            width = np.uint64(encoded_width(raw[first + place]))
            kind = classes[code_point(raw, first + place, width)]
            if kind & MARK:
                within = words >> (place - _ONE) & _ONE if place else before
            else:
                within = np.uint64(kind & WORD != 0)
                if within and (solo or kind & SOLO):
                    begins |= _ONE << place
                solo = kind & SOLO != 0
            span = ((_ONE << width) - _ONE) << place
            words |= span * within
            rest &= ~span
            following = place + width
            left = max(np.int64(following) - 64, 0)
        if quotes:
            after = (words & ~begins) >> np.uint64(1)
            if quotes >> np.uint64(63) and _starts_word(raw, np.uint64(base + 64), classes):
                after |= np.uint64(1) << np.uint64(63)
            words |= quotes & after & (words << np.uint64(1) | before)
        shifted = words << np.uint64(1) | before
        begins &= shifted
        changes = words ^ shifted | begins
        before = words >> np.uint64(63)
        while changes:
            place = trailing_zeros(changes)
            edges[filled] = np.uint32(np.uint64(base) + place)
            filled += 1
            if begins >> place & np.uint64(1):
                edges[filled] = np.uint32(np.uint64(base) + place)
                filled += 1
            changes &= changes - np.uint64(1)
    special[specials] = _END
    return filled, ascii_


@borrowing()
def _starts_word(lowered, at, classes):  # type: ignore[no-untyped-def]
    """Tell whether a character begins at a byte that may follow an apostrophe within a word."""
    lead = lowered[at]
    if lead < 128:
        return _LOWERED[lead] != 0 or 65 <= lead <= 90
    width = np.uint64(encoded_width(lead))
    return classes[code_point(lowered, at, width)] & (WORD | SOLO) == WORD
