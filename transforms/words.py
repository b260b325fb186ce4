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

_SPACE = np.uint8(ord(" "))

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
        edges: uint32[2 * total], where each begins and ends in its document's characters.
        characters: the normalised texts that they were read from.
    """

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    edges: NDArray[np.uint32]
    characters: Characters

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def spans(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where words stand in `characters.data`, still with their ASCII capitals.

        Args:
            positions: int64[m], indices of `hashes`, in any order.

        Returns:
            int64[m, 2], begin and end.
        """
        documents = np.searchsorted(self.offsets, positions, side="right") - 1
        edges = self.edges.reshape(-1, 2)[positions]
        return self.characters.starts[documents][:, None] + edges.astype(np.int64)


@njit(nogil=True, cache=True, inline="always")
def _between(block, least, most):  # type: ignore[no-untyped-def]
    """Of eight bytes below 128, those between two values: 128 in their place."""
    return (block + _ONES * (np.uint64(128) - least)) ^ (block + _ONES * (np.uint64(127) - most))


@njit(nogil=True, cache=True, inline="always")
def eight_bytes(data, i):  # type: ignore[no-untyped-def]
    """Eight bytes from `i` on, the first of them the lowest; `i` is unsigned."""
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
def trailing_zeros(context, number):  # type: ignore[no-untyped-def]
    """Of a number that isn't 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], Constant(IntType(1), 1))

    return types.uint64(types.uint64), generate


@njit(nogil=True, cache=True)
def _lower_eight(lowered, at):  # type: ignore[no-untyped-def]
    """Lowers eight ASCII bytes, and says in which of eight bits words are; -1 if not all ASCII."""
    block = eight_bytes(lowered, at)
    if block & _TOPS:
        return np.int64(-1)
    block += (_between(block, _A, _Z) & _TOPS) >> np.uint64(2)
    for k in range(8):
        lowered[at + np.uint64(k)] = np.uint8(block >> np.uint64(8 * k))
    inside = _between(block, _SMALL_A, _SMALL_Z) | _between(block, _ZERO, _NINE)
    inside = (inside | _between(block, _UNDERSCORE, _UNDERSCORE)) & _TOPS
    return np.int64((inside >> np.uint64(7)) * _GATHER >> np.uint64(56))


@njit(nogil=True, cache=True)
def _edges(lowered, size, classes, edges):  # type: ignore[no-untyped-def]
    """Lowers a text, and finds where its words begin and end; returns how many edges there are.

    Args:
        lowered: uint8[size + 72], the text and white space.
        size: bytes of the text.
        classes: of all characters.
        edges: gets the places, each word's begin and end.
    """
    found = 0
    before = np.uint64(0)  # whether the last byte was inside of a word
    within, left = np.uint64(0), 0  # of a character of several bytes: whether it is, bytes to come
    for base in range(0, size + 1, 64):
        words = np.uint64(0)
        for eighth in range(8):
            first = np.uint64(base + 8 * eighth)
            eight = _lower_eight(lowered, first)
            if eight < 0:
                eight = np.int64(0)
                for k in range(8):
                    at = first + np.uint64(k)
                    lead = lowered[at]
                    if left:
                        left -= 1
                    elif lead < 128:
                        within = np.uint64(_LOWERED[lead] != 0)
                        lowered[at] = _LOWERED[lead] if within else lead
                    else:
                        width = np.uint64(encoded_width(lead))
                        within = np.uint64((classes[code_point(lowered, at, width)] & WORD) != 0)
                        left = np.int64(width) - 1
                    eight |= np.int64(within) << k
            words |= np.uint64(eight) << np.uint64(8 * eighth)
        changes = words ^ (words << np.uint64(1) | before)
        before = words >> np.uint64(63)
        while changes:
            edges[found] = np.uint32(np.uint64(base) + trailing_zeros(changes))
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
            state = mix64(state ^ eight_bytes(lowered, i))
            i += np.uint64(8)
        if i < stop:
            rest = (np.uint64(1) << (np.uint64(8) * (stop - i))) - np.uint64(1)
            state = mix64(state ^ (eight_bytes(lowered, i) & rest))
        out[word] = state


@njit(nogil=True, cache=True)
def _split(data, starts, stops, classes):  # type: ignore[no-untyped-def]
    """Offsets, hashes and edges of the words."""
    n = len(starts)
    most = longest = np.int64(0)
    for d in range(n):
        size = stops[d] - starts[d]
        most += (size + 1) // 2
        longest = max(longest, size)
    offsets = np.zeros(n + 1, np.int64)
    # Most of these is never touched, and so never becomes memory; nor are they copied for that.
    hashes = np.empty(most, np.uint64)
    edges = np.empty(2 * most, np.uint32)
    lowered = np.empty(longest + 72, np.uint8)
    total = np.int64(0)
    for d in range(n):
        size = stops[d] - starts[d]
        lowered[:size] = data[starts[d] : stops[d]]
        lowered[size : size + 72] = _SPACE
        own = edges[2 * total :]
        found = _edges(lowered, size, classes, own)
        _hash_words(lowered, own, found, hashes[total:])
        total += found // 2
        offsets[d + 1] = total
    return offsets, hashes[:total], edges[: 2 * total]


def split_words(texts: pa.Array | pa.ChunkedArray) -> Words:
    """Split texts into words.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Raises:
        TypeError: `texts` is not an array of strings.
        ValueError: a text is null or not valid UTF-8; the message names its row.
    """
    characters = normalise(texts)
    offsets, hashes, edges = _split(
        characters.data, characters.starts, characters.stops, character_classes()
    )
    return Words(offsets, hashes, edges, characters)


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
