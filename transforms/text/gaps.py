"""Signs of short gaps between words, remembered: most texts have the same few gaps.

The meaning of most short gaps depends only on their bytes and the kinds of the words around them.
Gaps that may contain Markdown or belong to code are the exception. So each other gap is read once
and then looked up. The memory makes reading faster and never changes the result.
"""

from __future__ import annotations

import numpy as np

from outcross.transforms.base.eight_bytes import eight_bytes
from outcross.transforms.base.kernels import borrowing, kernel
from outcross.transforms.text.word_hashes import NUMBER, SINGLE, SPACELESS

LONGEST, _MOST = 8, 4  # bytes of a gap and signs in it that can be remembered
_BITS = 11
_SLOTS, _SHIFT = 1 << _BITS, np.uint64(64 - _BITS)
_KINDS = NUMBER | SINGLE | SPACELESS  # all that signs look at; bits 1, 4 and 8
_ODD, _EIGHT = np.uint64(0x9E3779B97F4A7C15), np.uint64(8)

LEFT, RIGHT = 1, 2
"""Bits of a result: whether the signs touch the word on the left or right."""

LINES = 2
"""Bits of a result below the number of its line feeds, which counts where lines are examined."""

# A zero byte would look like the end of a shorter gap; the others may belong to Markdown or code.
_OPEN = tuple(ord(c) for c in "\0\t*_`~")
_LEADING = tuple(ord(c) for c in "#>-+=")  # marks of Markdown at the start of a line
_LINE = ord("\n")


@kernel()
def gap_memory():  # type: ignore[no-untyped-def]
    """Return an empty memory: gaps, what they stand between, results, counts and signs."""
    return (
        np.empty(_SLOTS, np.uint64),
        np.zeros(_SLOTS, np.uint32),
        np.empty(_SLOTS, np.uint8),
        np.empty(_SLOTS, np.uint8),
        np.empty((_SLOTS, _MOST), np.uint64),
    )


@borrowing(forceinline=True)
def gap_key(text, begin, stop, left, right, mode):  # type: ignore[no-untyped-def]
    """Return a gap's bytes, what it stands between, and its slot.

    Args:
        text: the folded text, with eight bytes and more behind the gap.
        begin, stop: where the gap, of up to `LONGEST` bytes, begins and ends.
        left, right: kinds of the words around it.
        mode: two bits of what else decides.
    """
    size = np.uint64(stop - begin)
    block = eight_bytes(text, np.uint64(begin))
    block &= ~np.uint64(0) >> (np.uint64(64) - _EIGHT * size)
    foreign = (text[begin - 1] >= 128) | (text[stop] >= 128) << 1
    around = np.uint32(
        np.int64(size) | (left & _KINDS) << 4 | (right & _KINDS) << 8 | foreign << 12 | mode << 14
    )
    slot = np.int64((block * _ODD ^ np.uint64(around)) * _ODD >> _SHIFT)
    return block, around, slot


@borrowing()
def remember_gap(text, begin, stop, key, signs, count, touches, looked, memory):  # type: ignore[no-untyped-def]
    """Remember the signs of a gap, unless they depend on more than the gap.

    Args:
        text, begin, stop: the gap.
        key: result of `gap_key`.
        signs, count: signs of the gap that count, and their number.
        touches: bits `LEFT` and `RIGHT`.
        looked: True if lines are examined for code; the line behind the gap is none, then.
        memory: result of `gap_memory`.
    """
    gaps, arounds, results, counts, kept = memory
    if count > _MOST:
        return
    lines = 0
    leading = False
    for k in range(begin, stop):
        if text[k] in _OPEN:
            return
        lines += text[k] == _LINE
        leading |= text[k] in _LEADING
    if lines and leading:
        return
    if looked:
        touches |= lines << LINES
    block, around, slot = key
    gaps[slot], arounds[slot] = block, around
    results[slot], counts[slot] = touches, count
    for k in range(count):
        kept[slot, k] = signs[k]
