r"""Texts to words: every `\w+` of the normalised text as a 64-bit hash, and what follows from it.

Words are split once; fingerprints, MinHash, embeddings and n-gram counts all start from the same
hashes. A word is a longest run of letters, numbers and underscores, as Python's `\w+` has it.

The hash of a word: its UTF-8 bytes in little-endian blocks of eight, the last filled up with
zeros; h = 0, then for each block h = mix64(h ^ block), where mix64 is the finaliser of splitmix64.
As mix64 is a bijection and no word holds a zero byte, words of up to eight bytes never collide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from llvmlite.ir import Constant, IntType
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from transforms.characters import (
    WORD,
    Characters,
    character_classes,
    code_point,
    encoded_width,
    normalise,
)
from transforms.hashing import mix64

# What an ASCII byte adds to a word: itself, in lower case, or 0 where it ends one.
_LOWERED = np.array(
    [ord(chr(c).lower()) if chr(c).isalnum() or c == ord("_") else 0 for c in range(128)], np.uint8
)

# Eight ASCII bytes at a time: in each, 1 and 128, and the ends of what belongs to words.
_ONES, _TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_A, _Z, _SMALL_A, _SMALL_Z, _ZERO, _NINE, _UNDERSCORE = (np.uint64(ord(c)) for c in "AZaz09_")
_GATHER = np.uint64(0x0102040810204080)  # times a block of ones and zeros: one bit for each

# First parts of pi and e: where the two halves of a fingerprint begin, for words and characters.
_WORDS_HI, _WORDS_LO = np.uint64(0x243F6A8885A308D3), np.uint64(0xB7E151628AED2A6A)
_CHARACTERS_HI, _CHARACTERS_LO = np.uint64(0x13198A2E03707344), np.uint64(0xBF7158809CF4F3C7)
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Words:
    """The words of n documents.

    Attributes:
        offsets: int64[n + 1]; document d has the words offsets[d] to offsets[d + 1].
        hashes: uint64[total], their hashes in reading order.
        characters: the normalised texts that they were read from.
    """

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    characters: Characters

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def spans(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where words stand in `characters.data`, still with their ASCII capitals.

        Only the documents that hold them are read again, which is why `Words` keeps no places of
        its own.

        Args:
            positions: int64[m], indices of `hashes`, in any order.

        Returns:
            int64[m, 2], begin and end.
        """
        documents = np.searchsorted(self.offsets, positions, side="right") - 1
        again, which = np.unique(documents, return_inverse=True)
        characters = self.characters
        offsets, _, spans = _split(
            characters.data,
            characters.starts[again],
            characters.stops[again],
            character_classes(),
            True,
        )
        found: NDArray[np.int64] = spans[offsets[which] + positions - self.offsets[documents]]
        return found


@njit(nogil=True, cache=True, inline="always")
def _between(block, least, most):  # type: ignore[no-untyped-def]
    """Of eight bytes below 128, those between two values: 128 in their place."""
    return (block + _ONES * (np.uint64(128) - least)) ^ (block + _ONES * (np.uint64(127) - most))


@njit(nogil=True, cache=True, inline="always")
def _eight(data, i):  # type: ignore[no-untyped-def]
    # Bytes are put together in one order on every machine; LLVM makes one load of it.
    return (
        np.uint64(data[i])
        | np.uint64(data[i + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[i + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[i + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[i + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[i + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[i + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[i + np.uint64(7)]) << np.uint64(56)
    )


@intrinsic
def _trailing_zeros(context, number):  # type: ignore[no-untyped-def]
    """Of a number that isn't 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], Constant(IntType(1), 1))

    return types.uint64(types.uint64), generate


@njit(nogil=True, cache=True)
def _edges(data, start, stop, lowered, edges):  # type: ignore[no-untyped-def]
    """Finds where the words of an ASCII text begin and end, 64 bytes at a time.

    Fills `lowered` with the text in lower case, and `edges` with the places in it. Returns how many
    edges there are, or -1 if the text isn't ASCII.
    """
    size = stop - start
    lowered[:size] = data[start:stop]
    lowered[size : size + 64] = np.uint8(32)
    found = 0
    before = np.uint64(0)  # whether the last byte was inside of a word
    for base in range(0, size + 1, 64):
        words = np.uint64(0)
        for eighth in range(8):
            at = np.uint64(base + 8 * eighth)
            block = _eight(lowered, at)
            if block & _TOPS:
                return -1
            block += (_between(block, _A, _Z) & _TOPS) >> np.uint64(2)
            inside = _between(block, _SMALL_A, _SMALL_Z) | _between(block, _ZERO, _NINE)
            inside = (inside | _between(block, _UNDERSCORE, _UNDERSCORE)) & _TOPS
            words |= ((inside >> np.uint64(7)) * _GATHER >> np.uint64(56)) << np.uint64(8 * eighth)
            for k in range(8):
                lowered[at + np.uint64(k)] = np.uint8(block >> np.uint64(8 * k))
        changes = words ^ (words << np.uint64(1) | before)
        before = words >> np.uint64(63)
        while changes:
            edges[found] = np.uint32(np.uint64(base) + _trailing_zeros(changes))
            changes &= changes - np.uint64(1)
            found += 1
    return found


@njit(nogil=True, cache=True)
def _hash_words(lowered, edges, found, out):  # type: ignore[no-untyped-def]
    """Fills `out` with the hashes of the words between pairs of edges."""
    for word in range(found // 2):
        i, stop = np.uint64(edges[2 * word]), np.uint64(edges[2 * word + 1])
        state = np.uint64(0)
        while i + np.uint64(8) <= stop:
            state = mix64(state ^ _eight(lowered, i))
            i += np.uint64(8)
        if i < stop:
            rest = (np.uint64(1) << (np.uint64(8) * (stop - i))) - np.uint64(1)
            state = mix64(state ^ (_eight(lowered, i) & rest))
        out[word] = state


@njit(nogil=True, cache=True)
def _split(data, starts, stops, classes, with_spans):  # type: ignore[no-untyped-def]
    """Offsets, hashes and, if asked for, the place of every word in `data`."""
    n = len(starts)
    most = np.int64(0)
    for d in range(n):
        most += (stops[d] - starts[d] + 1) // 2
    offsets = np.zeros(n + 1, np.int64)
    # Most of this is never touched, and so never becomes memory; nor is it copied for that.
    hashes = np.empty(most, np.uint64)
    spans = np.empty((most if with_spans else 0, 2), np.int64)
    total = np.int64(0)
    longest = np.int64(0)
    for d in range(n):
        longest = max(longest, stops[d] - starts[d])
    lowered = np.empty(longest + 64, np.uint8)
    edges = np.empty(longest + 2, np.uint32)
    for d in range(n):
        if not with_spans:
            found = _edges(data, starts[d], stops[d], lowered, edges)
            if found >= 0:
                _hash_words(lowered, edges, found, hashes[total:])
                total += found // 2
                offsets[d + 1] = total
                continue
        i = np.uint64(starts[d])
        stop = np.uint64(stops[d])
        state = np.uint64(0)
        block = np.uint64(0)
        shift = np.uint64(0)
        begin = i
        while i <= stop:
            width = np.uint64(1)
            inside = False
            if i < stop:
                lead = data[i]
                if lead < 128:
                    low = np.uint64(_LOWERED[lead])
                    if low != 0:
                        inside = True
                        block |= low << shift
                        shift += np.uint64(8)
                        if shift == 64:
                            state = mix64(state ^ block)
                            block = np.uint64(0)
                            shift = np.uint64(0)
                else:
                    width = np.uint64(encoded_width(lead))
                    if classes[code_point(data, i, width)] & WORD:
                        inside = True
                        for k in range(width):
                            block |= np.uint64(data[i + np.uint64(k)]) << shift
                            shift += np.uint64(8)
                            if shift == 64:
                                state = mix64(state ^ block)
                                block = np.uint64(0)
                                shift = np.uint64(0)
            if not inside:
                if i > begin:
                    if shift != 0:
                        state = mix64(state ^ block)
                    hashes[total] = state
                    if with_spans:
                        spans[total, 0] = begin
                        spans[total, 1] = i
                    total += 1
                    state = np.uint64(0)
                    block = np.uint64(0)
                    shift = np.uint64(0)
                begin = i + width
            i += width
        offsets[d + 1] = total
    return offsets, hashes[:total], spans[: total if with_spans else 0].copy()


def split_words(texts: pa.Array | pa.ChunkedArray) -> Words:
    """Split texts into words.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Raises:
        TypeError: `texts` is not an array of strings.
        ValueError: a text is null or not valid UTF-8; the message names its row.
    """
    characters = normalise(texts)
    offsets, hashes, _ = _split(
        characters.data, characters.starts, characters.stops, character_classes(), False
    )
    return Words(offsets, hashes, characters)


def word_ids(words: Words) -> NDArray[np.uint32]:
    """The upper halves of the hashes: uint32[total]."""
    ids: NDArray[np.uint32] = (words.hashes >> np.uint64(32)).astype(np.uint32)
    return ids


@njit(nogil=True, cache=True)
def _fingerprints(offsets, hashes, data, starts, stops):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    out = np.empty((2, n), np.uint64)
    for d in range(n):
        if offsets[d] < offsets[d + 1]:
            hi, lo = _WORDS_HI, _WORDS_LO
            for i in range(offsets[d], offsets[d + 1]):
                word = hashes[i]
                # Both steps are bijections of the state; they share nothing but the word.
                hi = (hi ^ word) * _ODD
                hi ^= hi >> np.uint64(32)
                lo = ((lo << np.uint64(27)) | (lo >> np.uint64(37))) * np.uint64(5) + word * _ODD
            length = offsets[d + 1] - offsets[d]
        else:
            hi, lo = _CHARACTERS_HI, _CHARACTERS_LO
            for i in range(starts[d], stops[d]):
                hi = mix64(hi ^ np.uint64(data[i]))
                lo = mix64(lo + np.uint64(data[i]) * _ODD)
            length = stops[d] - starts[d]
        out[0, d] = mix64(hi ^ np.uint64(length))
        out[1, d] = mix64(lo + np.uint64(length))
    return out


def fingerprints(words: Words) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """128-bit hashes of the sequences of words.

    Punctuation and white space don't count, unless there is nothing else: a text without words is
    hashed by its normalised characters.

    Returns:
        The upper and the lower halves, uint64[n] each, computed independently.
    """
    characters = words.characters
    hi, lo = _fingerprints(
        words.offsets, words.hashes, characters.data, characters.starts, characters.stops
    )
    return hi, lo
