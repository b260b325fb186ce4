"""Fingerprints: 128-bit hashes of the composed texts. Equal ones make documents exact repeats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.eight_bytes import eight_bytes, mark_byte
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing, kernel
from outcross.transforms.text.words import Words

_RETURN, _NEW_LINE = np.uint64(13), np.uint64(10)
_HI, _LO = np.uint64(0x243F6A8885A308D3), np.uint64(0xB7E151628AED2A6A)  # first parts of pi and e
_ODD = np.uint64(0x9E3779B97F4A7C15)


def fingerprints(words: Words) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hash the composed texts, to 128 bits.

    Line ends and white space at the ends of lines and of the text don't count; all else does.

    Returns:
        The upper and the lower halves, uint64[n] each, computed independently.
    """
    characters = words.characters
    hi, lo = _fingerprints(characters.data, characters.composed_starts, characters.composed_stops)
    return hi, lo


@kernel()
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
        if mark_byte(block, _RETURN):
            dirty = True
        if mark_byte(block, _NEW_LINE):
            for k in range(max(i, 1), min(i + 8, stop)):
                blank = text[k - 1] == 32 or text[k - 1] == 9
                dirty |= text[k] == 10 and blank
        # Both steps are bijections of the state; they share nothing but the block.
        hi = (hi ^ block) * _ODD
        hi ^= hi >> np.uint64(32)
        lo = ((lo << np.uint64(27)) | (lo >> np.uint64(37))) * np.uint64(5) + block * _ODD
        i += 8
    return mix64(hi ^ length), mix64(lo + length), dirty


@borrowing()
def _cleaned(data, i, stop, out):  # type: ignore[no-untyped-def]
    """Write a text with plain line ends and nothing blank before them; return its size."""
    size = 0
    while i < stop:
        if i + 8 <= stop:
            block = eight_bytes(data, np.uint64(i))
            if not mark_byte(block, _RETURN) | mark_byte(block, _NEW_LINE):
                for k in range(8):
                    out[size + k] = data[i + k]
                i += 8
                size += 8
                continue
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


@borrowing(inline="always")
def _is_blank(byte):  # type: ignore[no-untyped-def]
    return (byte == 32) | ((byte >= 9) & (byte <= 13))
