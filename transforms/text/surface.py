"""Surface of a text, apart from its meaning: how far it compresses, its symbols, lines and length.

Text that is unlike human text is far from all human embeddings if the embedder knows its words. A
page of base64, one word a thousand times, or a table of dashes can be anywhere. The surface finds
such text. A text is unusual if a measure is outside the band of human text. The band leaves out one
human document in a thousand on each side. Shuffled words have a normal surface, and are not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base.eight_bytes import (
    count_ones,
    eight_bytes,
    mark_byte,
    trailing_zeros,
)
from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import copy_bytes, interpreted, kernel
from outcross.transforms.base.logarithm import LN2, LOG_BITS, log
from outcross.transforms.base.sixty_four_bytes import mark_bytes
from outcross.transforms.text.characters import (
    SILENT,
    WORD,
    buffers,
    character_classes,
    code_point,
    encoded_width,
)

SURFACE = ("compression", "symbols", "repeated lines", "length")
"""Names of the measures. Compression: estimated compressed bytes per byte. Symbols: share of the
characters that aren't letters, digits, marks or white space. Repeated lines: share of the bytes in
lines that occurred before. Length: bytes."""

ONE = 1 << 16
"""Shares count in 1 / ONE."""

MISSING = (1 << 32) - 1
"""The text is shorter than LEAST_BYTES, so only its length is measured."""

LEAST_BYTES = 64
"""Least length of a text that has all measures: shares of a few words say nothing."""

LEAST_DOCUMENTS = 1000
QUANTILE = 0.001
ORDINARY = ((3 * ONE // 20, 2 * ONE // 3), (0, ONE // 4), (0, ONE // 2), (1, 1 << 18))
"""Range of each measure that always counts as normal, whatever the reference. One kind of text
has much narrower bands than human text in general."""

_WINDOW = 1 << 12
_SLOTS = 12  # bits of the place of eight bytes in the table
_PATIENCE = 5  # 2**5 places without a match before every second one is skipped
_MATCH_BITS, _LONG_BITS, _LONG = 16, 8, 8  # of a match, and of each 2**8 bytes of it
_NATS = 24  # costs count in 2**-24 nats
_LN2 = LN2 >> (LOG_BITS - _NATS)
_LINES = 1 << 16  # different lines of a text that are remembered
_PADDING = 64
_LINE_FEED = np.uint8(10)
_A, _Z, _SMALL_A, _SMALL_Z, _ZERO, _NINE = (ord(c) for c in "AZaz09")
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio


@kernel(inline="always")
def _cost(count):  # type: ignore[no-untyped-def]
    """Multiply a count, 1 or more, by its logarithm, in 2**-24 nats."""
    return count * (log(np.float64(count)) >> np.int64(LOG_BITS - _NATS))


# Short texts have small counts alone. Looking them up needs no branch for the values that are
# absent, which no processor foresees.
_COSTS = np.array([0, *(interpreted(_cost)(count) for count in range(1, 256))], np.int64)


@kernel()
def _entropy(text, size, often):  # type: ignore[no-untyped-def]
    """Estimate the entropy of a byte, in 2**-24 nats, with Miller's correction (1955)."""
    often[:] = 0
    i = np.uint64(0)
    # Runs of one byte would wait for themselves in one row.
    while i + np.uint64(4) <= np.uint64(size):
        often[0, text[i]] += 1
        often[1, text[i + np.uint64(1)]] += 1
        often[2, text[i + np.uint64(2)]] += 1
        often[3, text[i + np.uint64(3)]] += 1
        i += np.uint64(4)
    while i < np.uint64(size):
        often[0, text[i]] += 1
        i += np.uint64(1)
    kinds = most = np.int32(0)
    for value in range(256):
        count = often[0, value] + often[1, value] + often[2, value] + often[3, value]
        often[0, value] = count
        kinds += np.int32(count != 0)
        most = max(most, count)
    cost = _cost(size)
    if most < len(_COSTS):
        for value in range(256):
            cost -= _COSTS[np.uint32(often[0, value])]
    else:
        for value in range(256):
            if often[0, value]:
                cost -= _cost(np.int64(often[0, value]))
    return (cost + ((np.int64(kinds) - 1) << np.int64(_NATS - 1))) // size


@kernel()
def _compressed(text, size, table, base, often):  # type: ignore[no-untyped-def]
    """Estimate the compressed bytes a byte, in 1 / ONE."""
    cost = np.int64(0)  # of matches, in bits
    alone = np.int64(size)  # bytes that no match covers
    at = np.int64(0)
    missed = np.int64(0)
    while at + 8 <= size:
        block = eight_bytes(text, np.uint64(at))
        slot = (block * _ODD) >> np.uint64(64 - _SLOTS)
        before = table[slot] - base
        table[slot] = base + at
        # One branch, that is hardly ever taken, for three that no processor foresees.
        near = (before >= 0) & (at - before <= _WINDOW)
        if not near & (eight_bytes(text, np.uint64(max(before, np.int64(0)))) == block):
            at += 1 + (missed >> _PATIENCE)
            missed += 1
            continue
        end = at + 8
        behind = before + 8
        while end < size and text[np.uint64(end)] == text[np.uint64(behind)]:
            end += 1
            behind += 1
        cost += _MATCH_BITS + ((end - at) >> _LONG) * _LONG_BITS
        alone -= end - at
        at = end
        missed = 0
    nats = cost * np.int64(_LN2) // size + _entropy(text, size, often) * alone // size
    return nats * np.int64(ONE // 8) // np.int64(_LN2)


@kernel()
def _symbols(text, size, classes):  # type: ignore[no-untyped-def]
    """Return the share of symbols among characters, in 1 / ONE."""
    symbols = more = np.uint64(0)
    for base in range(0, size, 64):
        at = np.uint64(base)
        others = mark_bytes(text, at, _A, _Z) | mark_bytes(text, at, _SMALL_A, _SMALL_Z)
        others |= mark_bytes(text, at, _ZERO, _NINE)
        others |= mark_bytes(text, at, 9, 13) | mark_bytes(text, at, 28, 32)
        wide = mark_bytes(text, at, 128, 255)
        if wide:
            leads = mark_bytes(text, at, 0xC0, 255)
            more += count_ones(wide & ~leads)
            while leads:
                i = at + trailing_zeros(leads)
                width = np.uint64(encoded_width(text[i]))
                symbols += np.uint64(not classes[code_point(text, i, width)] & (WORD | SILENT))
                leads &= leads - np.uint64(1)
        symbols += count_ones(~(others | wide))  # line feeds behind the text are none
    return np.int64(symbols) * ONE // (size - np.int64(more))


@kernel()
def _repeated(text, size, lines, stamps, stamp):  # type: ignore[no-untyped-def]
    """Return the share of bytes in repeated lines, in 1 / ONE; the padding ends the last line."""
    repeated = np.int64(0)
    remembered = np.int64(0)
    start = np.uint64(0)
    while start < np.uint64(size):
        state = np.uint64(0)
        i = start
        block = eight_bytes(text, i)
        feeds = mark_byte(block, np.uint64(_LINE_FEED))
        while not feeds:
            state = (state ^ block) * _ODD
            state ^= state >> np.uint64(32)
            i += np.uint64(8)
            block = eight_bytes(text, i)
            feeds = mark_byte(block, np.uint64(_LINE_FEED))
        first = feeds & (~feeds + np.uint64(1))
        state ^= block & ((first >> np.uint64(7)) - np.uint64(1))
        stop = i + (trailing_zeros(feeds) >> np.uint64(3))
        if stop > start:
            state = mix64(mix64(state) + (stop - start))
            place = find_slot(state, state, lines, stamps, stamp, len(lines))
            if stamps[place] >= stamp:
                repeated += np.int64(stop - start)
            elif remembered < _LINES:
                stamps[place] = stamp
                lines[place] = state
                remembered += 1
        start = stop + np.uint64(1)
    return repeated * ONE // size


@kernel()
def _line_feeds(data, start, stop):  # type: ignore[no-untyped-def]
    count = np.uint64(0)
    while start + 64 <= stop:
        count += count_ones(mark_bytes(data, np.uint64(start), 10, 10))
        start += 64
    for i in range(start, stop):
        count += np.uint64(data[i] == _LINE_FEED)
    return np.int64(count)


@kernel()
def _surface(data, offsets, classes, out):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    longest = np.int64(0)
    most = np.int64(0)
    for d in range(n):
        longest = max(longest, offsets[d + 1] - offsets[d])
        most = max(most, _line_feeds(data, offsets[d], offsets[d + 1]) + 1)
    places = table_size(min(most, _LINES))
    lines = np.empty(places, np.uint64)
    stamps = np.full(places, -1, np.int64)
    # Places of eight bytes, counted through all documents: what is before a document's first is of
    # another one, so that nothing has to be wiped.
    table = np.full(1 << _SLOTS, -1, np.int64)
    often = np.empty((4, 256), np.int32)
    text = np.zeros(longest + _PADDING, np.uint8)
    for d in range(n):
        size = offsets[d + 1] - offsets[d]
        out[d, 3] = min(size, np.int64(MISSING))
        if size < LEAST_BYTES:
            out[d, :3] = MISSING
            continue
        copy_bytes(data, offsets[d], offsets[d + 1], text)
        text[size : size + _PADDING] = _LINE_FEED
        out[d, 0] = _compressed(text, size, table, offsets[d], often)
        out[d, 1] = _symbols(text, size, classes)
        out[d, 2] = _repeated(text, size, lines, stamps, d)


def surface(texts: pa.Array) -> NDArray[np.uint32]:
    """Measure the surface of texts, in integers that are the same on every machine.

    *Compression*: the text is parsed greedily, as by LZ4, with a table of where eight bytes stood
    last, and no further back than 4 KiB, so that long texts compress little further than short
    ones. A match costs two bytes and one more for each 256 that it covers; bytes outside of matches
    cost their entropy, with Miller's correction (1955), that short texts don't seem to compress.

    *Symbols*: underscores, control characters and private ones are symbols, marks are not.

    *Repeated lines*: lines are compared byte by byte, without their line feeds; empty ones don't
    count, nor do repeats of a line that 65,536 others stood before.

    Args:
        texts: n texts, Arrow string or large_string, none of them null.

    Returns:
        uint32[n, 4], the measures of `SURFACE`; all but the length in 1 / `ONE`. Texts shorter than
        `LEAST_BYTES` have `MISSING` for all but the length.
    """
    data, offsets = buffers(texts)
    out = np.empty((len(texts), len(SURFACE)), np.uint32)
    _surface(data, offsets, character_classes(), out)
    return out


@dataclass(frozen=True)
class Bands:
    """Bands of human text.

    Attributes:
        low, high: least and largest value of human text, for each measure of `SURFACE`.
    """

    low: tuple[int, ...] = (0,) * len(SURFACE)
    high: tuple[int, ...] = (MISSING,) * len(SURFACE)

    def outside(self, measured: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Mark the measures of texts that are outside of their bands.

        Args:
            measured: uint32[n, 4], from `surface`.

        Returns:
            bool[n, 4].
        """
        low, high = (np.array(limits, np.uint32) for limits in (self.low, self.high))
        out = (measured < low) | (measured > high)
        out[:, :-1] &= measured[:, :-1] != MISSING
        return np.asarray(out)


def set_bands(measured: NDArray[np.uint32]) -> Bands:
    """Set the bands of human text: its .1 % and 99.9 % quantiles, and all that is `ORDINARY`.

    The quantiles are order statistics, so they are exact. Of a measure that fewer than
    `LEAST_DOCUMENTS` texts have there is no band: from the smallest to the largest of n values is a
    band that a further human text misses with a chance of 2 / n, and 8 / n with four measures, so
    that a few hundred texts would call some percent of all human text noise.

    Args:
        measured: uint32[n, 4], result of `surface` for human texts.
    """
    low, high = list(Bands.low), list(Bands.high)
    for m, (least, most) in enumerate(ORDINARY):
        values = measured[:, m]
        if m < len(SURFACE) - 1:
            values = values[values != MISSING]
        if len(values) >= LEAST_DOCUMENTS:
            ordered = np.sort(values)
            out = int(QUANTILE * len(ordered))
            low[m] = min(int(ordered[out]), least)
            high[m] = max(int(ordered[-1 - out]), most)
    return Bands(tuple(low), tuple(high))
