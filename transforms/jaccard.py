"""The Jaccard similarity of shingle sets itself, for the few pairs that share a band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np
from numba import njit
from numpy.typing import NDArray

from transforms.hashing import hash_ngrams, leaving_weight, mix64
from transforms.sketch import Sketches, packed_runs

_LARGEST_TABLE = 27  # 2 ** 27 counts of 2 bytes
_MOST = np.uint16(0xFFFF)


@njit(nogil=True, cache=True)
def _sets(offsets, words, rows, wordless, ngram, leaving):  # type: ignore[no-untyped-def]
    """Sorted distinct shingle hashes of some rows, one after another."""
    room = np.int64(0)
    longest = np.int64(1)
    for row in rows:
        often = max(1, offsets[row + 1] - offsets[row] - ngram + 1)
        room += often
        longest = max(longest, often)
    out = np.empty(room, np.uint64)
    ends = np.empty(len(rows), np.int64)
    own = np.empty(longest, np.uint64)
    filled = 0
    for r in range(len(rows)):
        start, stop = offsets[rows[r]], offsets[rows[r] + 1]
        often = max(1, stop - start - ngram + 1)
        if start == stop:
            own[0] = wordless[r]
        else:
            hash_ngrams(words, start, stop, min(ngram, stop - start), leaving, own)
        ordered = np.sort(own[:often])
        for i in range(often):
            if i == 0 or ordered[i] != ordered[i - 1]:
                out[filled] = ordered[i]
                filled += 1
        ends[r] = filled
    return ends, out[:filled].copy()


@njit(nogil=True, cache=True, inline="always")
def _places(shingle, mask):  # type: ignore[no-untyped-def]
    return shingle & mask, mix64(shingle) & mask


@njit(nogil=True, cache=True)
def _count(shingles, table):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    for i in range(len(shingles)):
        one, other = _places(shingles[i], mask)
        if table[one] < _MOST:
            table[one] += np.uint16(1)
        if other != one and table[other] < _MOST:
            table[other] += np.uint16(1)


@njit(nogil=True, cache=True)
def _similarities(offsets, shingles, table, limit, left, right):  # type: ignore[no-untyped-def]
    out = np.empty(len(left), np.float32)
    mask = np.uint64(len(table) - 1)
    for pair in range(len(left)):
        i, i_stop = offsets[left[pair]], offsets[left[pair] + 1]
        j, j_stop = offsets[right[pair]], offsets[right[pair] + 1]
        common = either = rare_common = rare_either = 0
        while i < i_stop or j < j_stop:
            both = False
            if j == j_stop or (i < i_stop and shingles[i] < shingles[j]):
                shingle = shingles[i]
                i += 1
            elif i == i_stop or shingles[j] < shingles[i]:
                shingle = shingles[j]
                j += 1
            else:
                shingle = shingles[i]
                both = True
                i += 1
                j += 1
            either += 1
            common += both
            if limit:
                one, other = _places(shingle, mask)
                if min(table[one], table[other]) < limit:
                    rare_either += 1
                    rare_common += both
        if rare_either:
            common, either = rare_common, rare_either
        out[pair] = np.float32(common / either)
    return out


@dataclass(frozen=True, eq=False)
class ShingleSets:
    """The shingle sets of some documents.

    Attributes:
        offsets: int64[n + 1]; document d has the shingles offsets[d] to offsets[d + 1].
        shingles: uint64[total], distinct and ascending in each document.
        limit: shingles in so many documents or more don't count; 0 to count all.
        table: uint16[2**k], in how many documents a shingle stands, by two of its hashes, of which
            the smaller count is nearer (count-min; Cormode and Muthukrishnan 2005).
    """

    offsets: NDArray[np.int64]
    shingles: NDArray[np.uint64]
    limit: int
    table: NDArray[np.uint16]

    @classmethod
    def of(
        cls,
        sketches: Sketches,
        documents: NDArray[np.int64],
        ngram: int,
        boilerplate: int | None,
        scratch: IO[bytes],
    ) -> ShingleSets:
        """The sets of some documents, read from the words in their sketches.

        Args:
            sketches: of all units.
            documents: ascending document numbers.
            ngram: words in a shingle; of shorter texts there is one shingle of what there is.
            boilerplate: shingles in so many of these documents or more don't count.
            scratch: an empty file that the sets are kept in.
        """
        ends = [np.zeros(1, np.int64)]
        for unit, rows, _ in sketches.rows_of(documents):
            table = sketches.table(unit, ["words", "fingerprint_lo"])
            offsets, words = packed_runs(table["words"])
            # A text without words is known by its characters, and repeats none that differs.
            wordless = table["fingerprint_lo"].to_numpy()[rows]
            own, shingles = _sets(offsets, words, rows, wordless, ngram, leaving_weight(ngram))
            ends.append(own + ends[-1][-1])
            shingles.tofile(scratch)
        scratch.flush()
        offsets = np.concatenate(ends)
        total = int(offsets[-1])
        kept: NDArray[np.uint64] = np.zeros(0, np.uint64)
        if total:
            kept = np.memmap(scratch, np.uint64, "r", shape=(total,))
        limit = 0 if boilerplate is None else boilerplate
        bits = min(max(total, 1).bit_length() + 1, _LARGEST_TABLE) if limit else 0
        counts = np.zeros(1 << bits, np.uint16)
        if limit:
            _count(kept, counts)
        return cls(offsets, kept, limit, counts)

    def similarity(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of each pair, the share of shingles that both have among those that either has.

        Where all shingles of a pair are boilerplate, all count.

        Args:
            left: int64[m], places in the documents.
            right: int64[m], those to compare them with.
        """
        found: NDArray[np.float32] = _similarities(
            self.offsets, self.shingles, self.table, self.limit, left, right
        )
        return found
