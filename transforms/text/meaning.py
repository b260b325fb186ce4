"""Items of a text: numbers, signs, units, negations, emoji, and case in code.

Near repeats are found by the words that they share. But two texts can share nearly all words and
say different things: "-5" and "5", C and C++, "is" and "is not", two emoji. So each text also has
*items*: its words and signs that carry meaning of this kind, in reading order. Form is no item:
white space, case in prose, punctuation between words, Markdown, quotes and dashes of every kind.

An item is a word or a run of equal signs. A word is an item

- if it contains a digit, numeral, underscore or inner capital,
- if it is a negation, the name of a number, or a unit next to a number,
- if it touches a sign that counts, or is part of code.

Items keep their case, except ordinals and most words of the lexicon. `markup` decides which signs
count, `lines` which lines are code. `lexicon` has the negations, numbers and units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing, copy_bytes, kernel
from outcross.transforms.text.characters import character_classes
from outcross.transforms.text.gaps import (
    LEFT,
    LINES,
    LONGEST,
    RIGHT,
    gap_key,
    gap_memory,
    remember_gap,
)
from outcross.transforms.text.lexicon import (
    ALWAYS,
    CURRENCY,
    FIRST,
    SYLLABLE,
    UNIT,
    entry_length,
    known_word,
    lexicon,
    passes,
)
from outcross.transforms.text.lines import code_lines, is_indented, shows_lines, white_space
from outcross.transforms.text.markup import NONE, OPEN_PAIRS, PAIRS, TICKED, is_prose, signs_between
from outcross.transforms.text.word_edges import PADDING
from outcross.transforms.text.word_hashes import (
    CODE,
    NEGATED,
    NUMBER,
    SINGLE,
    SPACED,
    SPACELESS,
    hash_bytes,
)
from outcross.transforms.text.words import Words

HIGH, SHIFT = np.uint64(0xFFFFFFFF00000000), np.uint64(32)
"""An item's hash is its upper half."""

_SPACE = np.uint8(ord(" "))
_KINDS, _ITEM = np.uint8(0xFF ^ SINGLE), NUMBER | CODE | NEGATED
_WORDING, _ODD = np.uint64(0xBB67AE8584CAA73B), np.uint64(0x9E3779B97F4A7C15)
_SYMBOL = 4  # most bytes of a unit whose case has a meaning: mW and MW, but not Miles
_S = ord("s")
_ENDINGS = tuple(ord(a) << 8 | ord(b) for a, b in ("st", "nd", "rd", "th"))


@borrowing()
def _is_ordinal(text, i, stop):  # type: ignore[no-untyped-def]
    """Return whether a word is digits and an English ending, as 1920s or 2nd; its case is form."""
    digits = i
    while i < stop and 48 <= text[i] <= 57:
        i += 1
    if i == digits:
        return False
    first = text[i] | 32 if i < stop else np.uint8(0)
    second = text[i + 1] | 32 if i + 1 < stop else np.uint8(0)
    if stop - i == 1:
        return first == _S
    return stop - i == 2 and (np.int64(first) << 8 | np.int64(second)) in _ENDINGS


@borrowing(inline="always")
def _is_known_form(text, edges, kinds, w, looked, memory):  # type: ignore[no-untyped-def]
    """Return whether the gap before a word is known to be form, or is empty as in Chinese."""
    gaps, arounds, results, counts, _ = memory
    begin, stop = np.int64(edges[2 * w - 1]), np.int64(edges[2 * w])
    if begin == stop:
        return kinds[w] == SPACELESS
    if stop - begin > LONGEST:
        return False
    left, right = np.int64(kinds[w - 1]), np.int64(kinds[w])
    block, around, slot = gap_key(text, begin, stop, left, right, looked << 1)
    return (
        arounds[slot] == around and gaps[slot] == block and counts[slot] == 0 and results[slot] == 0
    )


@borrowing()
def _document(  # type: ignore[no-untyped-def]
    text, size, edges, hashes, kinds, classes, entries, codes, looked, pairs, signs, memory, out
):
    """Write the items of one document.

    Args:
        text: folded text of the document, `size` bytes, then white space.
        size: bytes of the text.
        edges, hashes, kinds: edges, hashes and kinds of its words.
        classes: classes of all characters.
        entries: result of `lexicon`.
        codes: output, True for each line that is code.
        looked: True if lines are examined for code.
        pairs, signs: scratch arrays.
        memory: result of `gap_memory`.
        out: output, the items.

    Returns:
        Number of items, or -1 if the call must be repeated with `looked`. Then a hash of the words
        that are no items, in their order.
    """
    keys, bits, every, standing = entries
    gaps, arounds, results, counts, kept = memory
    n = len(hashes)
    filled = 0
    wording = _WORDING
    pairs[:] = -1
    pairs[OPEN_PAIRS] = 0
    lines, table = code_lines(text, size, codes) if looked else (0, False)
    line = np.int64(0)
    item = raw = False  # whether the word before the gap is an item, and whether it keeps its case
    until = 0  # words before this index belong to the last lexicon entry
    number = False  # whether a unit after the last word is an item, as in "5 km"
    begin = 0
    left = NONE
    w = -1
    while w < n:
        w += 1
        plain = not looked or not codes[min(line, lines - 1)]
        if plain and not item and not number and until <= w and pairs[TICKED] < begin:
            # Skip words that are no items and have no signs around them, as most words are.
            first = w
            while w < n and not passes(hashes[w], standing):
                if kinds[w] & _KINDS != SPACED and (
                    w == 0
                    or kinds[w] & _ITEM
                    or not _is_known_form(text, edges, kinds, w, looked, memory)
                ):
                    break
                if w:
                    wording = wording * _ODD + hashes[w - 1]
                w += 1
            if w > first:
                begin = np.int64(edges[2 * w - 1])
                left = np.int64(kinds[w - 1])
        stop, right = size, NONE
        if w < n:
            stop, right = np.int64(edges[2 * w]), np.int64(kinds[w])
        count = 0
        touches_left = touches_right = False
        if begin < stop and (right == NONE or not right & SPACED):
            code = begin < pairs[TICKED] or (looked and codes[line])
            short = stop - begin <= LONGEST and NONE not in (left, right)
            key = np.uint64(0), np.uint32(0), 0
            if short:
                key = gap_key(text, begin, stop, left, right, code | looked << 1)
            block, around, slot = key
            remembered = short and arounds[slot] == around and gaps[slot] == block
            passed = np.int64(results[slot]) >> LINES if remembered else 0
            if passed:
                # Before a line of code, white space counts too.
                remembered = not codes[min(line + passed, lines - 1)]
            if remembered:
                line += passed
                count = np.int64(counts[slot])
                for k in range(count):
                    signs[k] = kept[slot, k]
                touches_left = results[slot] & LEFT != 0
                touches_right = results[slot] & RIGHT != 0
            else:
                if not looked and shows_lines(text, begin, stop, size):
                    return -1, wording
                if looked:
                    before = line
                    count, line = white_space(
                        text, begin, stop, w > 0, line, codes, lines, table, signs
                    )
                    short &= line == before or not codes[min(line, lines - 1)]
                    code |= codes[min(line, lines - 1)]
                if looked or not is_prose(text, begin, stop, left, right):
                    count, touches_left, touches_right = signs_between(
                        *(text, begin, stop, size, left, right, code, pairs, classes, signs, count)
                    )
                if short:
                    touches = touches_left * LEFT | touches_right * RIGHT
                    remember_gap(text, begin, stop, key, signs, count, touches, looked, memory)
        if w:
            if touches_left:
                item = raw = True
            elif not item and right != NONE and right & NUMBER:
                item = raw = known_word(hashes[w - 1], keys, bits, every) & CURRENCY != 0
            if item:
                value = hashes[w - 1]
                if raw and not _is_ordinal(text, edges[2 * w - 2], begin):
                    value = hash_bytes(text, np.uint64(edges[2 * w - 2]), np.uint64(begin))
                out[filled] = value & HIGH | np.uint64(w - 1)
                filled += 1
            else:
                wording = wording * _ODD + hashes[w - 1]
        for k in range(count):
            out[filled] = signs[k] & HIGH | np.uint64(w)
            filled += 1
        if w == n:
            break
        raw = right & (NUMBER | CODE) != 0 or touches_right
        if looked:
            raw |= codes[min(line, lines - 1)]
        if stop < pairs[TICKED] and not raw:
            for k in range(stop, edges[2 * w + 1]):
                raw |= 65 <= text[k] <= 90
        item = raw or w < until or right & NEGATED != 0
        known = known_word(hashes[w], keys, bits, every)
        if known:
            item |= known & ALWAYS != 0
            if known & FIRST:
                until = max(
                    until, w + entry_length(edges, hashes, kinds, w, n - 1, keys, bits, every)
                )
                item |= w < until
            if known & UNIT and number:
                item = True
                raw |= edges[2 * w + 1] - edges[2 * w] <= _SYMBOL
            if known & SYLLABLE:
                item |= w == 0 or edges[2 * w - 1] != edges[2 * w]
        # A unit may have two words in a script without spaces: 5公里.
        number = (
            right & NUMBER != 0
            or known & ALWAYS != 0
            or (number and right & SPACELESS != 0 and known & UNIT != 0)
        )
        begin = np.int64(edges[2 * w + 1])
        left = right
    return filled, mix64(wording)


@kernel()
def _items(data, starts, stops, offsets, edges, hashes, kinds, classes, entries):  # type: ignore[no-untyped-def]
    n = len(starts)
    longest = most = np.int64(0)
    for d in range(n):
        longest = max(longest, stops[d] - starts[d])
        most += stops[d] - starts[d] + 2
    text = np.empty(longest + PADDING, np.uint8)
    codes = np.zeros(longest + 2, np.bool_)
    pairs = np.empty(PAIRS, np.int64)
    signs = np.empty(2 * longest + 4, np.uint64)
    ends = np.zeros(n + 1, np.int64)
    wording = np.empty(n, np.uint64)
    memory = gap_memory()
    # The system gives memory only to the part that is written, which is small.
    out = np.empty(most, np.uint64)
    for d in range(n):
        size = stops[d] - starts[d]
        copy_bytes(data, starts[d], stops[d], text)
        text[size : size + PADDING] = _SPACE
        span = slice(offsets[d], offsets[d + 1])
        document_edges = edges[2 * offsets[d] : 2 * offsets[d + 1]]
        looked, count = is_indented(text, size), -1
        while count < 0:
            count, wording[d] = _document(
                *(text, size, document_edges, hashes[span], kinds[span], classes, entries),
                *(codes, looked, pairs, signs, memory, out[ends[d] :]),
            )
            looked = True
        ends[d + 1] = ends[d] + count
    return ends, out[: ends[n]], wording


def items(
    words: Words,
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Find the items of n documents: words and signs that must agree in near repeats.

    Returns:
        int64[n + 1], offsets, and uint64[total], items in reading order. The upper half of an item
        is a hash of its word or sign. The lower half is the number of words before it. Then
        uint64[n], a hash for each document of the words that are no items, in their order.
    """
    characters = words.characters
    offsets, values, wording = _items(
        *(characters.data, characters.starts, characters.stops),
        *(words.offsets, words.edges, words.hashes, words.kinds),
        *(character_classes(), lexicon()),
    )
    return offsets, values, wording
