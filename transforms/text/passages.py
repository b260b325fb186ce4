"""Passages: consecutive sentences or paragraphs of a text, joined up to a number of tokens.

A sentence ends

- at a line break (rule SB4 of UAX #29);
- after a mark that ends sentences, and quotes and brackets that close there. After a mark of ASCII
  white space must follow; after marks of other scripts, such as 。, nothing needs to.

A full stop doesn't end a sentence after an initial, a few abbreviations, or the number of a list.
Nor does any mark of ASCII before a small letter, unless the text writes sentences in small letters.

A paragraph ends at a blank line; in a text without blank lines, at each line break.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.kernels import borrowing, kernel
from outcross.transforms.text.characters import (
    MARK,
    SOLO,
    WORD,
    buffers,
    character_classes,
    code_point,
    encoded_width,
)
from outcross.transforms.text.sentence_marks import (
    BLANK,
    CLOSING,
    OPENING,
    TERMINAL,
    sentence_marks,
)
from outcross.transforms.text.words import split_words

Part = Literal["sentence", "paragraph"]
"""Smallest part of a text that a passage is made of."""

_LINE, _RETURN, _STOP = 10, 13, 46
_LINE_SEPARATOR, _PARAGRAPH_SEPARATOR, _WIDE_STOP = 0x2028, 0x2029, 0xFF0E


def _packed(word: str) -> int:
    return int.from_bytes(word.encode(), "big")


_ABBREVIATED = tuple(
    _packed(word)
    for words in (
        ("mr", "mrs", "ms", "dr", "prof", "st", "mt", "vs", "cf", "fig"),
        ("inc", "ltd", "co", "corp", "jr", "sr", "al", "etc"),
        ("nr", "bzw", "ca", "hr", "fr", "mme", "mlle", "sra", "dra"),
    )
    for word in words
)
"""Words that a full stop abbreviates, in small letters; the first letter is the highest byte."""


@dataclass(frozen=True, eq=False)
class Passages:
    """Passages of n texts.

    White space between two passages is in neither of them. So a text is its passages, joined by
    that.

    Attributes:
        offsets: int64[n + 1]; text d has the passages offsets[d] to offsets[d + 1].
        starts, stops: int64[total], where each begins and ends in `data`.
        data: uint8[bytes], UTF-8.
    """

    offsets: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    data: NDArray[np.uint8]

    def texts(self, numbers: NDArray[np.int64]) -> pa.Array:
        """Return the texts of some passages.

        Args:
            numbers: int64[m], numbers of passages, in any order.

        Returns:
            large_string[m].
        """
        starts, stops = self.starts[numbers], self.stops[numbers]
        offsets = np.concatenate([[0], np.cumsum(stops - starts)]).astype(np.int64)
        copied = np.empty(int(offsets[-1]), np.uint8)
        _copy(self.data, starts, offsets, copied)
        buffer_of = [None, pa.py_buffer(offsets), pa.py_buffer(copied)]
        return pa.Array.from_buffers(pa.large_string(), len(numbers), buffer_of)


def split_passages(
    texts: pa.Array,
    part: Part,
    limit: int,
    count: Callable[[pa.Array], NDArray[np.int64]] | None = None,
) -> Passages:
    """Split texts into passages.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.
        part: smallest part of a text that a passage is made of.
        limit: tokens of a passage, at most. A longer part is a passage of its own.
        count: function that counts the tokens of parts; None if tokens are words.

    Returns:
        The passages. A text whose parts have no more tokens than the limit is one passage, all of
        it.
    """
    data, offsets = buffers(texts)
    parts, begins, stops = _parts(
        data, offsets, character_classes(), sentence_marks(), part == "paragraph"
    )
    total = len(begins)
    # Parts with the white space behind them: they touch, so no text is copied.
    ends = pa.py_buffer(np.concatenate([begins, offsets[-1:]]))
    touching = pa.Array.from_buffers(pa.large_string(), total, [None, ends, pa.py_buffer(data)])
    tokens = (count or _count_words)(touching) if total else np.zeros(0, np.int64)
    passages, first, last = _join(parts, tokens, limit)
    return Passages(passages, begins[first], stops[last], data)


def _count_words(texts: pa.Array) -> NDArray[np.int64]:
    return np.diff(split_words(texts).offsets)


@kernel()
def _copy(data, starts, offsets, out):  # type: ignore[no-untyped-def]
    for p in range(len(starts)):
        begin = starts[p] - offsets[p]
        for i in range(offsets[p], offsets[p + 1]):
            out[i] = data[begin + i]


@kernel()
def _join(parts, words, limit):  # type: ignore[no-untyped-def]
    """Return the offsets of passages, and the first and last part of each."""
    offsets = np.zeros(len(parts), np.int64)
    first = np.empty(len(words), np.int64)
    last = np.empty(len(words), np.int64)
    total = 0
    for d in range(len(parts) - 1):
        count = 0
        for p in range(parts[d], parts[d + 1]):
            if p == parts[d] or (count > 0 and words[p] > 0 and count + words[p] > limit):
                first[total] = p
                total += 1
                count = 0
            last[total - 1] = p
            count += words[p]
        offsets[d + 1] = total
    return offsets, first[:total], last[:total]


@borrowing()
def _character(data, i):  # type: ignore[no-untyped-def]
    """Return the code point at `i`, and its width in bytes."""
    lead = data[i]
    if lead < 128:
        return np.uint32(lead), 1
    width = encoded_width(lead)
    return code_point(data, i, width), width


@borrowing()
def _blanks(data, i, stop, marks):  # type: ignore[no-untyped-def]
    """Return the end of white space from `i`, its line breaks, and where its last line begins."""
    breaks, line = 0, i
    while i < stop:
        c, width = _character(data, i)
        if marks[c] & BLANK == 0:
            break
        i += width
        if c == _LINE or (c == _RETURN and (i == stop or data[i] != _LINE)):
            breaks += 1
            line = i
        elif c in (_LINE_SEPARATOR, _PARAGRAPH_SEPARATOR):
            breaks += 1 if c == _LINE_SEPARATOR else 2
            line = i
    return i, breaks, line


@borrowing()
def _describe(data, i, stop, marks):  # type: ignore[no-untyped-def]
    """Tell whether a text has blank lines, and whether its sentences begin with capitals."""
    blank_lines = False
    large = small = 0
    while i < stop:
        c, width = _character(data, i)
        if marks[c] & BLANK == 0:
            i += width
            continue
        ends = i > 0 and data[i - 1] in (33, 46, 63)
        i, breaks, _ = _blanks(data, i, stop, marks)
        blank_lines |= breaks > 1 and i < stop
        if ends and i < stop:
            large += 65 <= data[i] <= 90
            small += 97 <= data[i] <= 122
    return blank_lines, large >= small


@borrowing()
def _is_abbreviated(data, begin, i, classes):  # type: ignore[no-untyped-def]
    """Tell whether a full stop at `i` belongs to the word before it."""
    k, letters, packed = i, 0, 0
    digits = True
    while k > begin and letters < 5:
        at = k - 1
        while at > begin and data[at] & 0xC0 == 0x80:
            at -= 1
        c, _ = _character(data, at)
        if classes[c] & WORD == 0 or classes[c] & SOLO:
            break
        digits &= 48 <= c <= 57
        packed |= np.int64(c | 32) << (8 * letters) if c < 128 and letters < 4 else 0
        letters += 1
        k = at
    if letters in (0, 5):
        return False
    if digits:  # the number of a list
        return k == begin
    if letters == 1:
        return True
    return packed in _ABBREVIATED


@borrowing()
def _ends_here(data, begin, i, stop, classes, marks, capitals):  # type: ignore[no-untyped-def]
    """Look at a mark that may end a sentence.

    Returns:
        Where the marks and what closes with them end, and whether the sentence ends there.
    """
    at = i
    far = False  # a mark that needs no white space
    stops_only = 0
    while i < stop:
        c, width = _character(data, i)
        if marks[c] & TERMINAL == 0:
            break
        far |= c >= 128 and c != _WIDE_STOP
        stops_only = stops_only + 1 if c == _STOP and stops_only >= 0 else -1
        i += width
    while i < stop:
        c, width = _character(data, i)
        if marks[c] & CLOSING == 0 and (c < 128 or classes[c] & MARK == 0):
            break
        if far and marks[c] & OPENING:
            break
        i += width
    if i == stop:
        return i, False
    c, _ = _character(data, i)
    blank = marks[c] & BLANK != 0
    if far:
        return i, True
    if not blank:
        return i, False
    if stops_only == 1 and _is_abbreviated(data, begin, at, classes):
        return i, False
    if capitals:
        after, breaks, _ = _blanks(data, i, stop, marks)
        if breaks == 0 and after < stop and 97 <= data[after] <= 122:
            return i, False
    return i, True


@kernel()
def _parts(data, offsets, classes, marks, by_paragraph):  # type: ignore[no-untyped-def]
    """Return the offsets of each text's parts, and where the parts begin and end."""
    n = len(offsets) - 1
    most = (offsets[n] - offsets[0]) // 2 + n  # a part has two bytes, but for the last one
    # Most of these is never touched, and so never becomes memory.
    begins = np.empty(most, np.int64)
    stops = np.empty(most, np.int64)
    parts = np.zeros(n + 1, np.int64)
    total = 0
    for d in range(n):
        i, stop = offsets[d], offsets[d + 1]
        blank_lines, capitals = _describe(data, i, stop, marks)
        least = 2 if by_paragraph and blank_lines else 1
        begins[total] = i
        first = i  # of the part, without white space
        filled = False  # whether the part has more than white space
        ends = False  # whether the sentence has ended
        while i < stop:
            c, width = _character(data, i)
            if marks[c] & BLANK:
                after, breaks, line = _blanks(data, i, stop, marks)
                if filled and after < stop and (breaks >= least or ends):
                    stops[total] = i
                    total += 1
                    begins[total] = line if breaks else after
                    filled = False
                ends = False
                i = after
                continue
            if not filled:
                first = i
            filled = True
            if by_paragraph or marks[c] & TERMINAL == 0:
                i += width
                continue
            i, ends = _ends_here(data, first, i, stop, classes, marks, capitals)
            if ends:
                c, _ = _character(data, i)
                if marks[c] & BLANK == 0:
                    stops[total] = i
                    total += 1
                    begins[total] = i
                    filled = ends = False
        stops[total] = stop
        total += 1
        parts[d + 1] = total
    return parts, begins[:total], stops[:total]
