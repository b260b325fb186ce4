"""Hashes and kinds of single words.

The hash of a word: its UTF-8 bytes in little-endian blocks of eight, the last filled up with
zeros; h = 0, then for each block h = mix64(h ^ block), where mix64 is the finaliser of splitmix64.
As mix64 is a bijection and no word holds a zero byte, words of up to eight bytes never collide.
"""

from __future__ import annotations

import numpy as np

from outcross.transforms.base.eight_bytes import eight_bytes
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing, lower_bound
from outcross.transforms.text.characters import (
    DRESSED,
    NUMERIC,
    SOLO,
    WORD,
    code_point,
    encoded_width,
)

NUMBER, CODE, SPACELESS, SINGLE, NEGATED, SPACED = 1, 2, 4, 8, 16, 32
"""Bits of a word: holds a digit or numeral; has an underscore or an inner capital; is of a script
without spaces; is one letter or digit; holds a Korean negation; stands behind a single space."""

_NEGATIONS = (0xC54A, 0xC5C6, 0xBABB)  # not, there is no, can't: parts of Korean words

_SPACE, _UNDERSCORE, _APOSTROPHE = (np.uint8(ord(c)) for c in " _'")
_LETTERS = np.uint64(0x6A09E667F3BCC908)  # first part of the square root of 2
_ODD, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)


@borrowing()
def hash_words(  # type: ignore[no-untyped-def]
    raw, lowered, edges, filled, special, ascii_, classes, bare, scratch, hashes, kinds
):
    """Hash the words between pairs of edges.

    Underscores at the ends of words are cut off, with apostrophes, and edges moved for that.

    Returns:
        How many words there are, and a hash of their letters in their order.
    """
    count = 0
    letters = _LETTERS
    after = 0  # the first special place that isn't before the word's end
    before = np.uint64(0)  # where a word begins that stands behind a single space
    for pair in range(filled // 2):
        i, stop = np.uint64(edges[2 * pair]), np.uint64(edges[2 * pair + 1])
        kind = np.uint8(0)
        if special[after] < stop or not ascii_:
            while special[after] < stop:
                after += 1
            while i < stop and (raw[i] == _UNDERSCORE or raw[i] == _APOSTROPHE):
                i += np.uint64(1)
            while i < stop and (
                raw[stop - np.uint64(1)] == _UNDERSCORE or raw[stop - np.uint64(1)] == _APOSTROPHE
            ):
                stop -= np.uint64(1)
            if i == stop:
                continue
            kind = _ascii_kind(raw, i, stop)
        # As `hash_bytes`, which takes longer when it is called here.
        state = np.uint64(0)
        at = i
        while at + np.uint64(8) <= stop:
            state = mix64(state ^ eight_bytes(lowered, at))
            at += np.uint64(8)
        if at < stop:
            rest = (np.uint64(1) << (np.uint64(8) * (stop - at))) - np.uint64(1)
            state = mix64(state ^ (eight_bytes(lowered, at) & rest))
        skeleton = state
        if not ascii_:
            high = np.uint8(0)
            for k in range(i, stop):
                high |= lowered[k]
            if high >= 128:
                looked, skeleton = _look(lowered, i, stop, state, classes, *bare, scratch)
                kind |= looked
        if i + np.uint64(1) == stop:
            kind |= np.uint8(SINGLE)
        if i and i == before and raw[i - np.uint64(1)] == _SPACE:
            kind |= np.uint8(SPACED)
        before = stop + np.uint64(1)
        letters = letters * (_ODD if skeleton else _ONE) + skeleton
        hashes[count], kinds[count] = state, kind
        edges[2 * count], edges[2 * count + 1] = np.uint32(i), np.uint32(stop)
        count += 1
    return count, mix64(letters)


@borrowing(inline="always")
def hash_bytes(data, i, stop):  # type: ignore[no-untyped-def]
    """Hash the bytes of a word; eight more bytes must follow it, and `i` and `stop` be unsigned."""
    state = np.uint64(0)
    while i + np.uint64(8) <= stop:
        state = mix64(state ^ eight_bytes(data, i))
        i += np.uint64(8)
    if i < stop:
        rest = (np.uint64(1) << (np.uint64(8) * (stop - i))) - np.uint64(1)
        state = mix64(state ^ (eight_bytes(data, i) & rest))
    return state


@borrowing()
def _ascii_kind(raw, i, stop):  # type: ignore[no-untyped-def]
    """Return the kind of a word by its ASCII characters."""
    kind = np.uint8(0)
    small = False
    while i < stop:
        byte = raw[i]
        if 48 <= byte <= 57:
            kind |= np.uint8(NUMBER)
        elif byte == _UNDERSCORE or (small and 65 <= byte <= 90):
            kind |= np.uint8(CODE)
        small = 97 <= byte <= 122
        i += np.uint64(1)
    return kind


@borrowing()
def _look(text, i, stop, state, classes, bare, bare_offsets, bare_data, scratch):  # type: ignore[no-untyped-def]
    """Return the kind of a word that isn't ASCII, and its hash without marks and vowel signs.

    Args:
        text, i, stop: the word's bytes.
        state: its hash.
        classes: of all characters.
        bare, bare_offsets, bare_data: from `skeletons`.
        scratch: room to work in.
    """
    kind = np.uint8(0)
    first = np.uint64(encoded_width(text[i]))
    if i + first == stop:
        bits = classes[code_point(text, i, first)]
        if bits & SOLO and not bits & DRESSED:  # nearly every word of Chinese
            return np.uint8(SPACELESS | NUMBER * (bits & NUMERIC != 0)), state
    size = np.uint64(0)
    letters = 0
    dressed = False
    while i < stop:
        width = np.uint64(encoded_width(text[i]))
        c = np.uint32(text[i]) if width == 1 else code_point(text, i, width)
        bits = classes[c]
        kind |= np.uint8(NUMBER * (bits & NUMERIC != 0) | SPACELESS * (bits & SOLO != 0))
        letters += bits & WORD != 0
        for negation in _NEGATIONS:
            if c == negation:
                kind |= np.uint8(NEGATED)
        if c >= 128 and bits & DRESSED:
            dressed = True
            r = lower_bound(bare, c)
            for k in range(bare_offsets[r], bare_offsets[r + 1]):
                scratch[size] = bare_data[k]
                size += np.uint64(1)
        else:
            for k in range(width):
                scratch[size] = text[i + np.uint64(k)]
                size += np.uint64(1)
        i += width
    if letters == 1 and not kind & SPACELESS:
        kind |= np.uint8(SINGLE)
    if not dressed:
        return kind, state
    if size == np.uint64(0):
        return kind, np.uint64(0)
    scratch[size : size + np.uint64(8)] = 0
    return kind, hash_bytes(scratch, np.uint64(0), size)
