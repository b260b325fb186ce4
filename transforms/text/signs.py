"""Signs between words, and borders of texts: n-grams count them as they count words.

A generator writes signs and ends as it writes words, and a mix can lack them likewise: questions,
lists, quotations, long texts. Where only words count, choosing by what is lacking drifts to short
texts full of signs, generation by generation (benchmarks/loop/README.md). White space doesn't
count, and a sign that is repeated counts once: a rule of dashes is one sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing, kernel
from outcross.transforms.text.characters import SILENT, character_classes, code_point, encoded_width
from outcross.transforms.text.words import Words

_WORD = np.uint8(0)  # in place of a word
_BEYOND = np.uint64(128)  # and above: signs that are not ASCII, by seven bits of their hash
_SALT = np.uint64(1714 << 32)  # with which hardly any of the common ones share theirs
_SPACE = np.uint8(ord(" "))
# Whether a byte of ASCII is a sign, and neither zero nor white space.
_SHOWN = np.array([c and not (9 <= c <= 13 or 28 <= c <= 32) for c in range(128)], np.bool_)


@borrowing()
def _gap(data, i, stop, classes, out, at):  # type: ignore[no-untyped-def]
    """Write the signs among the characters from `i` to `stop`; return where they end in `out`."""
    before = np.uint32(0)
    while i < stop:
        c = np.uint32(data[i])
        if c < 128:
            # No branch, as no processor foresees which signs count; the next one overwrites.
            out[at] = c
            at += np.int64(_SHOWN[c] & (c != before))
            i += 1
        else:
            width = encoded_width(data[i])
            c = code_point(data, i, width)
            if c != before and not classes[c] & SILENT:
                out[at] = _BEYOND | mix64(np.uint64(c) ^ _SALT) >> np.uint64(57)
                at += 1
            i += width
        before = c
    return at


@kernel()
def _signs(data, starts, stops, offsets, edges, classes):  # type: ignore[no-untyped-def]
    n = len(starts)
    most = np.int64(0)
    for d in range(n):
        most += stops[d] - starts[d]
    # Most of it is never touched, and so never becomes memory.
    out = np.empty(most, np.uint8)
    ends = np.zeros(n + 1, np.int64)
    at = np.int64(0)
    for d in range(n):
        i = starts[d]
        for word in range(offsets[d], offsets[d + 1]):
            stop = starts[d] + np.int64(edges[2 * word])
            if i < stop and (stop > i + 1 or data[i] != _SPACE):
                at = _gap(data, i, stop, classes, out, at)
            out[at] = _WORD
            at += 1
            i = starts[d] + np.int64(edges[2 * word + 1])
        at = _gap(data, i, stops[d], classes, out, at)
        ends[d + 1] = at
    return ends, out[:at]


def signs(words: Words) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the words and signs of n documents in reading order, a byte for each.

    Returns:
        int64[n + 1] offsets and uint8[total]: 0 for a word, a sign of ASCII itself, for any other
        sign 128 or more, a hash of it.
    """
    characters = words.characters
    offsets, values = _signs(
        characters.data,
        characters.starts,
        characters.stops,
        words.offsets,
        words.edges,
        character_classes(),
    )
    return offsets, values


@kernel()
def _spoken(offsets, ids, sign_offsets, signs, of_sign, out_offsets, out):  # type: ignore[no-untyped-def]
    at = 0
    for d in range(len(offsets) - 1):
        word = offsets[d]
        if sign_offsets[d] < sign_offsets[d + 1]:
            out[at] = of_sign[0]
            at += 1
            # Both values are loaded: a branch would be guessed wrong at every second sign.
            stop = max(offsets[d + 1] - 1, 0)
            for i in range(sign_offsets[d], sign_offsets[d + 1]):
                is_word = signs[i] == _WORD
                id_of_word = ids[min(word, stop)] if len(ids) else np.uint32(0)
                out[at] = id_of_word if is_word else of_sign[signs[i]]
                word += is_word
                at += 1
            out[at] = of_sign[0]
            at += 1
        out_offsets[d + 1] = at


# As if the byte were a word: no word's UTF-8 is a sign of ASCII, or one byte above it, or 0. That
# of 0 is the border between texts.
_OF_SIGN = np.array([mix64(np.uint64(sign)) >> np.uint64(32) for sign in range(256)], np.uint32)


def with_signs(
    offsets: NDArray[np.int64],
    ids: NDArray[np.uint32],
    sign_offsets: NDArray[np.int64],
    signs: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Merge words and signs into one sequence, between the borders of each text.

    Args:
        offsets: int64[n + 1], where each document's words begin and end.
        ids: uint32[total], 32-bit word hashes.
        sign_offsets, signs: result of `signs` for the same documents.

    Returns:
        int64[n + 1] offsets and uint32 hashes; none of a document without words and signs.
    """
    out_offsets = np.zeros(len(offsets), np.int64)
    borders = 2 * int(np.count_nonzero(np.diff(sign_offsets)))
    out = np.empty(len(signs) + borders, np.uint32)
    _spoken(offsets, ids, sign_offsets, signs, _OF_SIGN, out_offsets, out)
    return out_offsets, out
