"""NFKC and lower case over Arrow's buffers, the same for every Python and every Arrow.

The result is `unicodedata.normalize("NFKC", text).lower()`. `pyarrow.compute.utf8_normalize` is
not used: up to pyarrow 25 its NFC and NFKC forms are not composed (apache/arrow issue 51225), so
words would change with the version. Most texts need nothing done to them, and of the others
nearly all need single characters replaced, from a frozen table. Only texts with characters whose
form depends on their neighbours (combining marks, Hangul letters, capital sigma) go through Python.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

WORD, REPLACED, COMPOSING = 1, 2, 4
"""Bits of a code point's class: a letter, number or underscore; to be replaced on its own;
to be normalised together with its neighbours."""

INVALID, SILENT = 8, 16
"""Bits of a text's class and of a code point's: not UTF-8; white space, or a mark on a letter."""

_FILE = Path(__file__).parent / "data" / "characters.json"


@dataclass(frozen=True, eq=False)
class Characters:
    """Normalised texts, as slices of one buffer.

    ASCII capitals are left as they are: whoever reads the bytes lowers them on the way, which
    spares plain ASCII texts a copy.

    Attributes:
        data: uint8[bytes], UTF-8, valid within the slices.
        starts: int64[n], where each text begins in `data`.
        stops: int64[n], where it ends.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Tables:
    unicode_version: str
    classes: NDArray[np.uint8]  # [0x110000], bits above
    replaced: NDArray[np.uint32]  # [m], sorted code points
    offsets: NDArray[np.int64]  # [m + 1], into `replacements`
    replacements: NDArray[np.uint8]  # UTF-8


@functools.cache
def _tables() -> _Tables:
    tables: dict[str, Any] = json.loads(_FILE.read_text(encoding="ascii"))
    classes = np.zeros(0x110000, np.uint8)
    for bit, name in ((WORD, "word"), (SILENT, "silent"), (COMPOSING, "composing")):
        for first, last in tables[name]:
            classes[first : last + 1] |= bit
    replaced = sorted(tables["replaced"].items())
    code_points = np.array([ord(character) for character, _ in replaced], np.uint32)
    classes[code_points] |= REPLACED
    encoded = [replacement.encode() for _, replacement in replaced]
    return _Tables(
        unicode_version=tables["unicode_version"],
        classes=classes,
        replaced=code_points,
        offsets=np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        replacements=np.frombuffer(b"".join(encoded), np.uint8),
    )


def unicode_version() -> str:
    """The version of Unicode that decides what a word is."""
    return _tables().unicode_version


def character_classes() -> NDArray[np.uint8]:
    """Bits `WORD`, `REPLACED`, `COMPOSING`, `SILENT` of every code point: uint8[0x110000]."""
    return _tables().classes


@njit(nogil=True, cache=True, inline="always")
def code_point(data, i, width):  # type: ignore[no-untyped-def]
    """The code point that `width` bytes of valid UTF-8 at `i` encode, width 2 to 4."""
    if width == 2:
        return (np.uint32(data[i] & 31) << np.uint32(6)) | np.uint32(data[i + 1] & 63)
    if width == 3:
        return (
            (np.uint32(data[i] & 15) << np.uint32(12))
            | (np.uint32(data[i + 1] & 63) << np.uint32(6))
            | np.uint32(data[i + 2] & 63)
        )
    return (
        (np.uint32(data[i] & 7) << np.uint32(18))
        | (np.uint32(data[i + 1] & 63) << np.uint32(12))
        | (np.uint32(data[i + 2] & 63) << np.uint32(6))
        | np.uint32(data[i + 3] & 63)
    )


@njit(nogil=True, cache=True, inline="always")
def encoded_width(lead):  # type: ignore[no-untyped-def]
    """How many bytes a character takes that begins with this byte (1 to 4)."""
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@njit(nogil=True, cache=True)
def _is_valid(data, i, stop):  # type: ignore[no-untyped-def]
    # Table 3-7 of the Unicode standard: no overlong forms, surrogates or values past U+10FFFF.
    lead = data[i]
    width = encoded_width(lead)
    if lead < 0xC2 or lead > 0xF4 or i + width > stop:
        return False
    for k in range(1, width):
        if data[i + k] & 0xC0 != 0x80:
            return False
    second = data[i + 1]
    return not (
        (lead == 0xE0 and second < 0xA0)
        or (lead == 0xED and second >= 0xA0)
        or (lead == 0xF0 and second < 0x90)
        or (lead == 0xF4 and second >= 0x90)
    )


@njit(nogil=True, cache=True)
def _classify(data, starts, stops, documents, classes, replaced, offsets):  # type: ignore[no-untyped-def]
    """What each document needs (bits, and `INVALID`) and its size after replacement."""
    needs = np.zeros(len(documents), np.uint8)
    sizes = np.zeros(len(documents), np.int64)
    for d in range(len(documents)):
        i = starts[documents[d]]
        stop = stops[documents[d]]
        size = stop - i
        bits = np.uint8(0)
        while i < stop:
            if data[i] < 128:
                i += 1
                continue
            if not _is_valid(data, i, stop):
                bits = np.uint8(INVALID)
                break
            width = encoded_width(data[i])
            c = code_point(data, i, width)
            if classes[c] & REPLACED:
                r = np.searchsorted(replaced, c)
                size += offsets[r + 1] - offsets[r] - width
            bits |= classes[c]
            i += width
        needs[d] = bits
        sizes[d] = size
    return needs, sizes


@njit(nogil=True, cache=True)
def _replace(  # type: ignore[no-untyped-def]
    data, starts, stops, documents, classes, replaced, offsets, replacements, out, position
):
    """Write documents with their replaced characters to `out` from `position` on."""
    for d in range(len(documents)):
        i = starts[documents[d]]
        stop = stops[documents[d]]
        starts[documents[d]] = position
        while i < stop:
            if data[i] < 128:
                out[position] = data[i]
                i += 1
                position += 1
                continue
            width = encoded_width(data[i])
            c = code_point(data, i, width)
            if classes[c] & REPLACED:
                r = np.searchsorted(replaced, c)
                for k in range(offsets[r], offsets[r + 1]):
                    out[position] = replacements[k]
                    position += 1
            else:
                for k in range(width):
                    out[position + k] = data[i + k]
                position += width
            i += width
        stops[documents[d]] = position


def buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Arrow's bytes and offsets as they are: uint8[bytes], int64[n + 1]."""
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = texts.buffers()
    width = np.int32 if pa.types.is_string(texts.type) else np.int64
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    # A buffer of no bytes may be absent, and its address is of no use to a kernel either way.
    bytes_ = np.frombuffer(data, np.uint8) if data is not None and data.size else b""
    return np.asarray(bytes_ if len(bytes_) else np.zeros(0), np.uint8), ends.astype(np.int64)


def normalise(texts: pa.Array | pa.ChunkedArray) -> Characters:
    """NFKC and lower case, but for ASCII capitals.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Returns:
        The texts; those that are in normal form are slices of Arrow's own buffer.

    Raises:
        TypeError: `texts` is not an array of strings.
        ValueError: a text is null or not valid UTF-8; the message names its row.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.cast(pa.large_string()).combine_chunks()
        if isinstance(texts, pa.ChunkedArray):
            texts = pa.concat_arrays(texts.chunks)
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise TypeError(f"texts have type {texts.type}; string or large_string is needed")
    if texts.null_count:
        raise ValueError(f"text {pc.index(pc.is_null(texts), True).as_py()} is null")
    data, offsets = buffers(texts)
    data, offsets = data[offsets[0] : offsets[-1]], offsets - offsets[0]
    starts, stops = offsets[:-1].copy(), offsets[1:].copy()
    documents = np.flatnonzero(~pc.string_is_ascii(texts).to_numpy(zero_copy_only=False))
    if len(documents):
        data = _normalised(data, starts, stops, documents)
    for array in (data, starts, stops):
        array.flags.writeable = False
    return Characters(data, starts, stops)


def _normalised(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    documents: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """`data` with the changed documents appended; `starts` and `stops` are moved to them."""
    tables = _tables()
    lookup = (tables.classes, tables.replaced, tables.offsets)
    needs, sizes = _classify(data, starts, stops, documents, *lookup)
    if np.any(needs == INVALID):
        row = documents[np.argmax(needs == INVALID)]
        raise ValueError(f"text {row} is not valid UTF-8")
    in_context = (needs & COMPOSING) > 0
    alone = ~in_context & ((needs & REPLACED) > 0)
    whole = [
        unicodedata.normalize("NFKC", data[starts[d] : stops[d]].tobytes().decode())
        .lower()
        .encode()
        for d in documents[in_context]
    ]
    if not whole and not alone.any():
        return data
    size = int(sizes[alone].sum())
    tail = np.empty(size, np.uint8)
    _replace(data, starts, stops, documents[alone], *lookup, tables.replacements, tail, np.int64(0))
    starts[documents[alone]] += len(data)
    stops[documents[alone]] += len(data)
    ends = len(data) + size + np.cumsum([0, *map(len, whole)])
    starts[documents[in_context]] = ends[:-1]
    stops[documents[in_context]] = ends[1:]
    return np.concatenate([data, tail, np.frombuffer(b"".join(whole), np.uint8)])
