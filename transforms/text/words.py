r"""Texts to words: each word of the folded text as a 64-bit hash, and what follows from it.

Words are split once; MinHash, embeddings, n-gram counts and budgets all start from the same hashes.
They follow Unicode's default word boundaries (UAX #29) as far as they matter here:

- A word is a longest run of letters, numbers and underscores. Marks, zero-width joiners and
  apostrophes within it belong to it; underscores and apostrophes at its ends don't.
- In scripts without spaces (Han, Hiragana, Thai, Lao, Khmer, Myanmar, Tibetan) each letter with its
  marks is a word.

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

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing, copy_bytes, lower_bound
from outcross.transforms.text.characters import (
    DRESSED,
    MARK,
    NUMERIC,
    SOLO,
    WORD,
    Characters,
    character_classes,
    code_point,
    encoded_width,
    normalise,
    skeletons,
)

NUMBER, CODE, SPACELESS, SINGLE, NEGATED, SPACED = 1, 2, 4, 8, 16, 32
"""Bits of a word: holds a digit or numeral; has an underscore or an inner capital; is of a script
without spaces; is one letter or digit; holds a Korean negation; stands behind a single space."""

_NEGATIONS = (0xC54A, 0xC5C6, 0xBABB)  # not, there is no, can't: parts of Korean words

# What an ASCII byte adds to a word: itself, in lower case, or 0 where it ends one.
_LOWERED = np.array(
    [ord(chr(c).lower()) if chr(c).isalnum() or c == ord("_") else 0 for c in range(128)], np.uint8
)

_SPACE = np.uint8(ord(" "))
_PADDING = 72

# Eight ASCII bytes at a time: in each, 1 and 128, and the ends of what belongs to words.
_ONES, _TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_A, _Z, _SMALL_A, _SMALL_Z, _ZERO, _NINE = (np.uint64(ord(c)) for c in "AZaz09")
_UNDERSCORE, _APOSTROPHE = np.uint64(ord("_")), np.uint64(ord("'"))
_RETURN, _NEW_LINE = np.uint64(13), np.uint64(10)
_GATHER = np.uint64(0x0102040810204080)  # times a block of ones and zeros: one bit for each

# First parts of pi and e, where the two halves of a fingerprint begin; and of the square root of 2.
_HI, _LO = np.uint64(0x243F6A8885A308D3), np.uint64(0xB7E151628AED2A6A)
_LETTERS = np.uint64(0x6A09E667F3BCC908)
_ODD, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
_END = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, eq=False)
class Words:
    """The words of n documents.

    Attributes:
        offsets: int64[n + 1]; document d has the words offsets[d] to offsets[d + 1].
        hashes: uint64[total], their hashes in reading order.
        edges: uint32[2 * total], where each begins and ends in its document's folded text.
        kinds: uint8[total], the bits above.
        letters: uint64[n], a hash of each document's words without marks and vowel signs.
        characters: the normalised texts that they were read from.
    """

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    edges: NDArray[np.uint32]
    kinds: NDArray[np.uint8]
    letters: NDArray[np.uint64]
    characters: Characters

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def spans(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where words stand in `characters.data`, still with their ASCII capitals.

        Args:
            positions: int64[m], indices of `hashes`, in any order.

        Returns:
            int64[m, 2], begin and end.
        """
        documents = np.searchsorted(self.offsets, positions, side="right") - 1
        edges = self.edges.reshape(-1, 2)[positions]
        return self.characters.starts[documents][:, None] + edges.astype(np.int64)


@borrowing(inline="always")
def _between(block, least, most):  # type: ignore[no-untyped-def]
    """Mark the bytes between two values, of eight bytes below 128: 128 in their place."""
    return (block + _ONES * (np.uint64(128) - least)) ^ (block + _ONES * (np.uint64(127) - most))


@borrowing(inline="always")
def eight_bytes(data, i):  # type: ignore[no-untyped-def]
    """Return eight bytes from `i` on, the first of them the lowest; `i` is unsigned."""
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
    """Count the zeros below the lowest bit of a number that isn't 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], Constant(IntType(1), 1))

    return types.uint64(types.uint64), generate


@borrowing(inline="always")
def _gathered(marks):  # type: ignore[no-untyped-def]
    """Gather the marks of eight bytes into eight bits."""
    return np.int64(((marks & _TOPS) >> np.uint64(7)) * _GATHER >> np.uint64(56))


@borrowing()
def _starts_word(lowered, at, classes):  # type: ignore[no-untyped-def]
    """Tell whether a character begins at a byte that may follow an apostrophe within a word."""
    lead = lowered[at]
    if lead < 128:
        return _LOWERED[lead] != 0 or 65 <= lead <= 90
    width = np.uint64(encoded_width(lead))
    return classes[code_point(lowered, at, width)] & (WORD | SOLO) == WORD


@borrowing()
def _edges(raw, lowered, size, classes, edges, special):  # type: ignore[no-untyped-def]
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
            if not block & _TOPS:
                capitals = _between(block, _A, _Z) & _TOPS
                smalls = _between(block, _SMALL_A, _SMALL_Z) & _TOPS
                digits = _between(block, _ZERO, _NINE) & _TOPS
                scores = _between(block, _UNDERSCORE, _UNDERSCORE) & _TOPS
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
                apostrophes = _between(block, _APOSTROPHE, _APOSTROPHE) & _TOPS
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
def _hash_words(  # type: ignore[no-untyped-def]
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


@njit(nogil=True, cache=True)
def _split(data, starts, stops, classes, bare):  # type: ignore[no-untyped-def]
    """Return offsets, hashes, edges and kinds of the words, and each document's letters."""
    n = len(starts)
    most = longest = np.int64(0)
    for d in range(n):
        size = stops[d] - starts[d]
        most += (size + 1) // 2
        longest = max(longest, size)
    offsets = np.zeros(n + 1, np.int64)
    letters = np.empty(n, np.uint64)
    # Most of these is never touched, and so never becomes memory; nor are they copied for that.
    hashes = np.empty(most, np.uint64)
    kinds = np.empty(most, np.uint8)
    edges = np.empty(2 * most, np.uint32)
    special = np.empty(longest + _PADDING, np.uint32)
    raw = np.empty(longest + _PADDING, np.uint8)
    lowered = np.empty(longest + _PADDING, np.uint8)
    scratch = np.empty(longest + _PADDING, np.uint8)
    total = np.int64(0)
    for d in range(n):
        size = stops[d] - starts[d]
        copy_bytes(data, starts[d], stops[d], raw)
        raw[size : size + _PADDING] = _SPACE
        here = edges[2 * total :]
        filled, ascii_ = _edges(raw, lowered, size, classes, here, special)
        count, letters[d] = _hash_words(
            *(raw, lowered, here, filled, special, ascii_),
            *(classes, bare, scratch, hashes[total:], kinds[total:]),
        )
        total += count
        offsets[d + 1] = total
    return offsets, hashes[:total], edges[: 2 * total], kinds[:total], letters


def split_words(texts: pa.Array | pa.ChunkedArray) -> Words:
    """Split texts into words.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Raises:
        TypeError: `texts` is not an array of strings.
        ValueError: a text is null or not valid UTF-8; the message names its row.
    """
    characters = normalise(texts)
    bare = skeletons()
    offsets, hashes, edges, kinds, letters = _split(
        characters.data,
        characters.starts,
        characters.stops,
        character_classes(),
        (bare.code_points, bare.offsets, bare.data),
    )
    return Words(offsets, hashes, edges, kinds, letters, characters)


def word_ids(words: Words) -> NDArray[np.uint32]:
    """Return the upper halves of the hashes: uint32[total]."""
    ids: NDArray[np.uint32] = (words.hashes >> np.uint64(32)).astype(np.uint32)
    return ids


@borrowing(inline="always")
def _is_blank(byte):  # type: ignore[no-untyped-def]
    return (byte == 32) | ((byte >= 9) & (byte <= 13))


@borrowing(inline="always")
def _holds(block, byte):  # type: ignore[no-untyped-def]
    """Tell whether one of eight bytes is a given one."""
    differs = block ^ _ONES * byte
    return (differs - _ONES) & ~differs & _TOPS != 0


@borrowing()
def _cleaned(data, i, stop, out):  # type: ignore[no-untyped-def]
    """Write a text with plain line ends and nothing blank before them; return its size."""
    size = 0
    while i < stop:
        byte = data[i]
        i += 1
        if byte == 13:
            if i < stop and data[i] == 10:
                i += 1
            byte = np.uint8(10)
        if byte == 10:
            while size and (out[size - 1] == 32 or out[size - 1] == 9):
                size -= 1
        out[size] = byte
        size += 1
    return size


@borrowing()
def _fingerprint(text, i, stop):  # type: ignore[no-untyped-def]
    """Return both halves of a text's hash, and whether it has to be cleaned before."""
    length = np.uint64(stop - i)
    hi, lo = _HI, _LO
    dirty = False
    while i < stop:
        if i + 8 <= stop:
            block = eight_bytes(text, np.uint64(i))
        else:
            block = np.uint64(0)
            for k in range(stop - i):
                block |= np.uint64(text[i + k]) << np.uint64(8 * k)
        if _holds(block, _RETURN):
            dirty = True
        if _holds(block, _NEW_LINE):
            for k in range(max(i, 1), min(i + 8, stop)):
                blank = text[k - 1] == 32 or text[k - 1] == 9
                dirty |= text[k] == 10 and blank
        # Both steps are bijections of the state; they share nothing but the block.
        hi = (hi ^ block) * _ODD
        hi ^= hi >> np.uint64(32)
        lo = ((lo << np.uint64(27)) | (lo >> np.uint64(37))) * np.uint64(5) + block * _ODD
        i += 8
    return mix64(hi ^ length), mix64(lo + length), dirty


@njit(nogil=True, cache=True)
def _fingerprints(data, starts, stops):  # type: ignore[no-untyped-def]
    n = len(starts)
    out = np.empty((2, n), np.uint64)
    longest = np.int64(0)
    for d in range(n):
        longest = max(longest, stops[d] - starts[d])
    scratch = np.empty(longest, np.uint8)
    for d in range(n):
        i, stop = starts[d], stops[d]
        while stop > i and _is_blank(data[stop - 1]):
            stop -= 1
        out[0, d], out[1, d], dirty = _fingerprint(data, i, stop)
        if dirty:
            size = _cleaned(data, i, stop, scratch)
            out[0, d], out[1, d], dirty = _fingerprint(scratch, 0, size)
    return out


def fingerprints(words: Words) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hash the composed texts, to 128 bits.

    Line ends and white space at the ends of lines and of the text don't count; all else does.

    Returns:
        The upper and the lower halves, uint64[n] each, computed independently.
    """
    characters = words.characters
    hi, lo = _fingerprints(characters.data, characters.composed_starts, characters.composed_stops)
    return hi, lo
