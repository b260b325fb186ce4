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

from outcross.transforms.base.eight_bytes import ONES, TOPS, eight_bytes, trailing_zeros
from outcross.transforms.base.kernels import borrowing
from outcross.transforms.text.characters import MARK, SOLO, WORD, code_point, encoded_width

PADDING = 72
"""Bytes of white space that must follow a text."""

# What an ASCII byte adds to a word: itself, in lower case, or 0 where it ends one.
_LOWERED = np.array(
    [ord(chr(c).lower()) if chr(c).isalnum() or c == ord("_") else 0 for c in range(128)], np.uint8
)

_A, _Z, _SMALL_A, _SMALL_Z, _ZERO, _NINE = (np.uint64(ord(c)) for c in "AZaz09")
_UNDERSCORE, _APOSTROPHE = np.uint64(ord("_")), np.uint64(ord("'"))
_GATHER = np.uint64(0x0102040810204080)  # times a block of ones and zeros: one bit for each
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
        words, quotes, begins = np.uint64(0), np.uint64(0), np.uint64(0)
        inside = before
        for eighth in range(8):
            first = np.uint64(base + 8 * eighth)
            shift = np.uint64(8 * eighth)
            block = eight_bytes(raw, first)
            if not block & TOPS:
                capitals = _between(block, _A, _Z) & TOPS
                smalls = _between(block, _SMALL_A, _SMALL_Z) & TOPS
                digits = _between(block, _ZERO, _NINE) & TOPS
                scores = _between(block, _UNDERSCORE, _UNDERSCORE) & TOPS
                marks = digits | scores | capitals & (smalls << np.uint64(8) | small)
                small = smalls >> np.uint64(56)
                block += capitals >> np.uint64(2)
                for k in range(8):
                    lowered[first + np.uint64(k)] = np.uint8(block >> np.uint64(8 * k))
                eight = np.uint64(_gathered(capitals | smalls | digits | scores))
                while marks:
                    special[specials] = np.uint32(first + (trailing_zeros(marks) >> np.uint64(3)))
                    specials += 1
                    marks &= marks - np.uint64(1)
                apostrophes = _between(block, _APOSTROPHE, _APOSTROPHE) & TOPS
                if solo:
                    begins |= (eight & np.uint64(1)) << shift
                    apostrophes &= ~np.uint64(128)
                    solo = False
                if apostrophes:
                    quotes |= np.uint64(_gathered(apostrophes)) << shift
                inside = eight >> np.uint64(7)
                words |= eight << shift
                continue
            ascii_ = False
            small = np.uint64(0)
            for k in range(8):
                at = first + np.uint64(k)
                lead = raw[at]
                bit = np.uint64(1) << (shift + np.uint64(k))
                if left:
                    left -= 1
                    lowered[at] = lead
                elif lead < 128:
                    lead = np.uint8(lead | 32) if 65 <= lead <= 90 else lead
                    within = np.uint64(_LOWERED[lead] != 0)
                    lowered[at] = lead
                    if lead == _APOSTROPHE and not solo:
                        quotes |= bit
                    if solo and within:
                        begins |= bit
                    solo = False
                else:
                    lowered[at] = lead
                    width = np.uint64(encoded_width(lead))
                    kind = classes[code_point(raw, at, width)]
                    left = np.int64(width) - 1
                    if kind & MARK:
                        within = inside
                    else:
                        within = np.uint64(kind & WORD != 0)
                        if within and (solo or kind & SOLO):
                            begins |= bit
                        solo = kind & SOLO != 0
                inside = within
                if within:
                    words |= bit
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


@borrowing(inline="always")
def _between(block, least, most):  # type: ignore[no-untyped-def]
    """Mark the bytes between two values, of eight bytes below 128: 128 in their place."""
    return (block + ONES * (np.uint64(128) - least)) ^ (block + ONES * (np.uint64(127) - most))


@borrowing(inline="always")
def _gathered(marks):  # type: ignore[no-untyped-def]
    """Gather the marks of eight bytes into eight bits."""
    return np.int64(((marks & TOPS) >> np.uint64(7)) * _GATHER >> np.uint64(56))
