"""Two forms of a text over Arrow's buffers, the same for every Python and every Arrow.

The *composed* form is Unicode's NFC: what makes two texts exactly the same. The *folded* form is
what words are read from: composed, in lower case, and without what is form alone (full-width
letters, ligatures, typographic apostrophes and dashes, invisible marks). Superscripts, fractions
and circled numbers are not folded, because 10² is not 102.

`pyarrow.compute.utf8_normalize` is not used: up to pyarrow 25 its composed forms are not composed
(apache/arrow issue 51225). Most texts are composed already, which a kernel sees by the quick check
of UAX #15 and the pairs that compose; only the others go through Python.
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
from numpy.typing import NDArray

from outcross.transforms.base.eight_bytes import TOPS, eight_bytes
from outcross.transforms.base.kernels import borrowing, kernel, lower_bound

WORD, REPLACED, UNSTABLE, SECOND, SILENT = 1, 2, 4, 8, 16
"""Bits of a code point's class: a letter, number or underscore; to be replaced when folded; never
in composed text; second of a pair that composes; white space, or a mark on a letter."""

SOLO, MARK, NUMERIC, PROSE = 32, 64, 128, 256
"""A word of its own, from a script without spaces; belongs to the word before it; has a numeric
value, or a form that means something, such as a superscript; punctuation that carries no meaning
between words."""

OPERATOR, DRESSED, LINKED = 512, 1024, 2048
"""Sign that makes its neighbours a formula or code; mark, vowel sign, or letter with one; character
that, once folded, begins with a mark or is the second of a pair that composes."""

_INVALID, _LOOSE, _FOLDS, _LINKS = 1, 2, 4, 8
"""Bits of a text: isn't UTF-8; may not be composed; changes when folded; has marks that may compose
with the letter before them after folding."""

_FILE = Path(__file__).parents[1] / "data" / "characters.json"


@dataclass(frozen=True, eq=False)
class Characters:
    """The two forms of n texts, as slices of one buffer.

    ASCII capitals of the folded form are left as they are: whoever reads the bytes lowers them on
    the way, which spares plain ASCII texts a copy.

    Attributes:
        data: uint8[bytes], UTF-8, valid within the slices.
        starts, stops: int64[n], where each folded text begins and ends in `data`.
        composed_starts, composed_stops: int64[n], the same of the composed texts.
    """

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    composed_starts: NDArray[np.int64]
    composed_stops: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Substitutes:
    """What takes the place of some code points.

    Attributes:
        code_points: uint32[m], ascending.
        offsets: int64[m + 1], into `data`.
        data: uint8[bytes], UTF-8.
    """

    code_points: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, table: dict[str, str]) -> Substitutes:
        """Pack a table of characters and what replaces them."""
        items = sorted(table.items())
        encoded = [text.encode() for _, text in items]
        return cls(
            np.array([ord(character) for character, _ in items], np.uint32),
            np.cumsum([0, *map(len, encoded)], dtype=np.int64),
            np.frombuffer(b"".join(encoded), np.uint8),
        )


@dataclass(frozen=True, eq=False)
class _Tables:
    unicode_version: str
    classes: NDArray[np.uint16]  # [0x110000], bits above
    combining: NDArray[np.uint8]  # [0x110000], canonical combining classes
    pairs: NDArray[np.uint64]  # first << 32 | second, ascending
    replaced: Substitutes
    folds: dict[int, str]
    skeletons: Substitutes


_BITS = {
    "word": WORD,
    "silent": SILENT,
    "solo": SOLO,
    "mark": MARK,
    "numeric": NUMERIC,
    "prose": PROSE,
    "operator": OPERATOR,
    "unstable": UNSTABLE,
    "second": SECOND,
}


@functools.cache
def _tables() -> _Tables:
    tables: dict[str, Any] = json.loads(_FILE.read_text(encoding="ascii"))
    classes = np.zeros(0x110000, np.uint16)
    for name, bit in _BITS.items():
        for first, last in tables[name]:
            classes[first : last + 1] |= bit
    combining = np.zeros(0x110000, np.uint8)
    for value, ranges in tables["combining"]:
        for first, last in ranges:
            combining[first : last + 1] = value
    replaced, skeletons = Substitutes.of(tables["replaced"]), Substitutes.of(tables["skeleton"])
    classes[replaced.code_points] |= REPLACED
    classes[skeletons.code_points] |= DRESSED
    links = (classes & SECOND > 0) | (combining > 0)
    for character, text in tables["replaced"].items():
        if text and links[ord(text[0])]:
            classes[ord(character)] |= LINKED
    pairs = np.array(tables["pairs"], np.uint64)
    return _Tables(
        unicode_version=tables["unicode_version"],
        classes=classes,
        combining=combining,
        pairs=np.sort(pairs[:, 0] << np.uint64(32) | pairs[:, 1]),
        replaced=replaced,
        folds={ord(character): text for character, text in tables["replaced"].items()},
        skeletons=skeletons,
    )


def unicode_version() -> str:
    """Return the version of Unicode that decides what a word is."""
    return _tables().unicode_version


def character_classes() -> NDArray[np.uint16]:
    """Return the bits above of every code point: uint16[0x110000]."""
    return _tables().classes


def skeletons() -> Substitutes:
    """Return what remains of each code point without marks and vowel signs."""
    return _tables().skeletons


@borrowing(forceinline=True)
def code_point(data, i, width):  # type: ignore[no-untyped-def]
    """Decode the code point at `i`, of `width` bytes (2 to 4) of valid UTF-8."""
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


@borrowing(forceinline=True)
def encoded_width(lead):  # type: ignore[no-untyped-def]
    """Return the number of bytes (1 to 4) of a character from its first byte."""
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@borrowing()
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


@borrowing()
def _composes(first, second, pairs):  # type: ignore[no-untyped-def]
    """Tell whether two characters are one in composed text."""
    vowel = (second >= 0x1161) & (second <= 0x1175) & (first >= 0x1100) & (first <= 0x1112)
    final = (second >= 0x11A8) & (second <= 0x11C2) & (first >= 0xAC00) & (first < 0xD7A4)
    key = np.uint64(first) << np.uint64(32) | np.uint64(second)
    at = lower_bound(pairs, key)
    known = at < len(pairs) and pairs[at] == key
    return vowel or known or (final and (first - 0xAC00) % 28 == 0)


@kernel()
def _examine(data, starts, stops, documents, classes, combining, pairs, replaced, offsets):  # type: ignore[no-untyped-def]
    """Return the bits of each document, and its size when folded."""
    bits = np.zeros(len(documents), np.uint8)
    sizes = np.zeros(len(documents), np.int64)
    for d in range(len(documents)):
        i = starts[documents[d]]
        stop = stops[documents[d]]
        size = stop - i
        before = np.uint8(0)  # combining class of the last character
        starter = np.uint32(0)
        folded = False  # whether the last character changes
        while i < stop:
            if data[i] < 128:
                while i + 8 < stop and not eight_bytes(data, np.uint64(i + 1)) & TOPS:
                    i += 8
                starter = np.uint32(data[i])
                before = np.uint8(0)
                folded = False
                i += 1
                continue
            if not _is_valid(data, i, stop):
                bits[d] = np.uint8(_INVALID)
                break
            width = encoded_width(data[i])
            c = code_point(data, i, width)
            class_bits = classes[c]
            combining_class = combining[c]
            if class_bits & LINKED or (folded and (combining_class != 0 or class_bits & SECOND)):
                bits[d] |= np.uint8(_LINKS)
            folded = class_bits & REPLACED != 0
            if folded:
                r = lower_bound(replaced, c)
                size += offsets[r + 1] - offsets[r] - width
                bits[d] |= np.uint8(_FOLDS)
            if (
                class_bits & UNSTABLE
                or (combining_class != 0 and combining_class < before)
                or (class_bits & SECOND and _composes(starter, c, pairs))
                # It may move before a mark of a composed letter: é + ◌̧ is ȩ + ◌́.
                or (class_bits & SECOND and combining_class != 0 and classes[starter] & DRESSED)
            ):
                bits[d] |= np.uint8(_LOOSE)
            before = combining_class
            if combining_class == 0:
                starter = c
            i += width
        sizes[d] = size
    return bits, sizes


@borrowing()
def _fold(  # type: ignore[no-untyped-def]
    data, starts, stops, documents, classes, replaced, offsets, replacements, out, position
):
    """Write folded documents to `out`, and move their starts and stops to it."""
    for d in range(len(documents)):
        i = starts[documents[d]]
        stop = stops[documents[d]]
        starts[documents[d]] = len(data) + position
        while i < stop:
            if data[i] < 128:
                while i + 8 <= stop and not eight_bytes(data, np.uint64(i)) & TOPS:
                    for k in range(8):
                        out[position + k] = data[i + k]
                    i += 8
                    position += 8
                if i < stop and data[i] < 128:
                    out[position] = data[i]
                    i += 1
                    position += 1
                continue
            width = encoded_width(data[i])
            c = code_point(data, i, width)
            if classes[c] & REPLACED:
                r = lower_bound(replaced, c)
                for k in range(offsets[r], offsets[r + 1]):
                    out[position] = replacements[k]
                    position += 1
            else:
                for k in range(width):
                    out[position + k] = data[i + k]
                position += width
            i += width
        stops[documents[d]] = len(data) + position


def buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return Arrow's bytes and offsets without a copy: uint8[bytes], int64[n + 1]."""
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = texts.buffers()
    width = np.int32 if pa.types.is_string(texts.type) else np.int64
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    # A buffer of no bytes may be absent, and its address is of no use to a kernel either way.
    bytes_ = np.frombuffer(data, np.uint8) if data is not None and data.size else b""
    return np.asarray(bytes_ if len(bytes_) else np.zeros(0), np.uint8), ends.astype(np.int64)


def normalise(texts: pa.Array | pa.ChunkedArray) -> Characters:
    """Compose and fold texts.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Returns:
        Both forms; texts that need no change are slices of Arrow's own buffer.

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
    composed = offsets[:-1].copy(), offsets[1:].copy()
    folded = composed
    documents = np.flatnonzero(~pc.string_is_ascii(texts).to_numpy(zero_copy_only=False))
    if len(documents):
        data, bits, sizes = _composed(data, *composed, documents)
        folded = composed[0].copy(), composed[1].copy()
        changed = (bits & _FOLDS) > 0
        linked = (bits[changed] & _LINKS) > 0
        data = _folded(data, *folded, documents[changed], linked, sizes[changed])
    for array in (data, *folded, *composed):
        array.flags.writeable = False
    return Characters(data, *folded, *composed)


def _appended(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    documents: NDArray[np.int64],
    texts: list[str],
) -> NDArray[np.uint8]:
    """Append the new texts of some documents, and move their starts and stops there."""
    encoded = [text.encode() for text in texts]
    ends = len(data) + np.cumsum([0, *map(len, encoded)])
    starts[documents], stops[documents] = ends[:-1], ends[1:]
    return np.concatenate([data, np.frombuffer(b"".join(encoded), np.uint8)])


def _decoded(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    documents: NDArray[np.int64],
) -> list[str]:
    return [data[starts[d] : stops[d]].tobytes().decode() for d in documents]


def _composed(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    documents: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """Compose documents that need it; return data, the documents' bits, and sizes when folded."""
    tables = _tables()
    lookup = (
        *(tables.classes, tables.combining, tables.pairs),
        *(tables.replaced.code_points, tables.replaced.offsets),
    )
    bits, sizes = _examine(data, starts, stops, documents, *lookup)
    if np.any(bits & _INVALID):
        row = documents[np.argmax(bits & _INVALID)]
        raise ValueError(f"text {row} is not valid UTF-8")
    loose = (bits & _LOOSE) > 0
    if loose.any():
        texts = _decoded(data, starts, stops, documents[loose])
        texts = [unicodedata.normalize("NFC", text) for text in texts]
        data = _appended(data, starts, stops, documents[loose], texts)
        bits[loose], sizes[loose] = _examine(data, starts, stops, documents[loose], *lookup)
    return data, bits, sizes


def _folded(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    documents: NDArray[np.int64],
    linked: NDArray[np.bool_],
    sizes: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Append the folded forms of composed documents to `data`."""
    if not len(documents):
        return data
    tables = _tables()
    replaced = tables.replaced
    tail = np.empty(int(sizes[~linked].sum()), np.uint8)
    lookup = (tables.classes, replaced.code_points, replaced.offsets, replaced.data)
    _fold(data, starts, stops, documents[~linked], *lookup, tail, np.int64(0))
    data = np.concatenate([data, tail])
    if linked.any():
        texts = _decoded(data, starts, stops, documents[linked])
        texts = [unicodedata.normalize("NFC", text.translate(tables.folds)) for text in texts]
        data = _appended(data, starts, stops, documents[linked], texts)
    return data
