"""Jaccard similarity of shingle sets, for the few pairs that share a band (half of `near`).

Sets are made pair by pair from the words, in hash tables that stay in the cache. Pairs are sorted
by their second document, which many may share, and whose set is then made once. Sorting the sets
once and merging them took six times as long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import leaving_weight, mix64
from outcross.transforms.base.kernels import kernel
from outcross.transforms.text.shingles import document_shingles, most_shingles

_LARGEST_TABLE = 27  # 2 ** 27 counts of 2 bytes
_MOST = np.uint16(0xFFFF)


@kernel(inline="always")
def _places(shingle, mask):  # type: ignore[no-untyped-def]
    """Return the two places where a shingle is counted."""
    return shingle & mask, mix64(shingle) & mask


@kernel()
def _count(offsets, words, wordless, ngram, leaving, table):  # type: ignore[no-untyped-def]
    """Count the documents of every shingle, in `table`, at two places."""
    longest = most_shingles(offsets, ngram)
    shingles = np.empty(longest, np.uint64)
    keys = np.empty(table_size(longest), np.uint64)
    stamps = np.full(len(keys), -1, np.int64)
    places = np.uint64(len(table) - 1)
    for d in range(len(offsets) - 1):
        count = document_shingles(offsets, words, wordless, d, ngram, leaving, shingles)
        size = table_size(count)
        for i in range(count):
            slot = find_slot(shingles[i], shingles[i], keys, stamps, d, size)
            if stamps[slot] >= d:
                continue
            stamps[slot], keys[slot] = d, shingles[i]
            first, second = _places(shingles[i], places)
            if table[first] < _MOST:
                table[first] += np.uint16(1)
            if second != first and table[second] < _MOST:
                table[second] += np.uint16(1)


@kernel()
def _similarities(offsets, words, wordless, ngram, leaving, table, limit, left, right, order, out):  # type: ignore[no-untyped-def]
    longest = np.int64(1)
    for pair in order:
        for document in (left[pair], right[pair]):
            longest = max(longest, offsets[document + 1] - offsets[document] - ngram + 1)
    shingles = np.empty(longest, np.uint64)
    room = table_size(longest)
    # The second document's shingles, the turn in which each was added, whether it is rare, and the
    # last pair that has it in common. Then the first document's shingles that the second lacks.
    keys, turns = np.empty(room, np.uint64), np.full(room, -1, np.int64)
    rare, met = np.empty(room, np.bool_), np.full(room, -1, np.int64)
    lacking, missed = np.empty(room, np.uint64), np.full(room, -1, np.int64)
    places = np.uint64(len(table) - 1)
    turn = np.int64(-1)
    slots = 2
    size = rare_size = 0
    for n in range(len(order)):
        pair = order[n]
        if n == 0 or right[pair] != right[order[n - 1]]:
            turn = n
            count = document_shingles(
                offsets, words, wordless, right[pair], ngram, leaving, shingles
            )
            slots = table_size(count)
            size = rare_size = 0
            for i in range(count):
                slot = find_slot(shingles[i], shingles[i], keys, turns, turn, slots)
                if turns[slot] < turn:
                    turns[slot], keys[slot] = turn, shingles[i]
                    size += 1
                    if limit:
                        first, second = _places(shingles[i], places)
                        rare[slot] = min(table[first], table[second]) < limit
                        rare_size += rare[slot]
        count = document_shingles(offsets, words, wordless, left[pair], ngram, leaving, shingles)
        left_slots = table_size(count)
        common = rare_common = 0
        either, rare_either = size, rare_size
        for i in range(count):
            slot = find_slot(shingles[i], shingles[i], keys, turns, turn, slots)
            if turns[slot] >= turn:
                if met[slot] != n:
                    met[slot] = n
                    common += 1
                    rare_common += limit > 0 and rare[slot]
                continue
            slot = find_slot(shingles[i], shingles[i], lacking, missed, n, left_slots)
            if missed[slot] < n:
                missed[slot], lacking[slot] = n, shingles[i]
                either += 1
                if limit:
                    first, second = _places(shingles[i], places)
                    rare_either += min(table[first], table[second]) < limit
        similarity = common / either
        if rare_either:
            similarity = min(similarity, rare_common / rare_either)
        out[pair] = np.float32(similarity)


@dataclass(frozen=True)
class Boilerplate:
    """Numbers of documents with each shingle.

    Attributes:
        limit: a shingle in this many documents or more is boilerplate; 0 for no limit.
        table: uint16[2**k], number of documents with a shingle, at two places. The smaller number
            is nearer to the truth (count-min sketch; Cormode and Muthukrishnan 2005).
    """

    limit: int
    table: NDArray[np.uint16]


def table_bits(words: int) -> int:
    """Return k, so that a table of 2**k numbers counts the shingles of so many words."""
    return min(max(words, 1).bit_length() + 1, _LARGEST_TABLE)


def count_shingles(
    words: tuple[NDArray[np.int64], NDArray[np.uint32]],
    wordless: NDArray[np.uint64],
    ngram: int,
    bits: int,
) -> NDArray[np.uint16]:
    """Count the documents with each shingle: uint16[2**bits].

    Args:
        words: int64[n + 1] offsets, and uint32[total] hashes of the words.
        wordless: uint64[n], lower halves of the fingerprints.
        ngram: words in a shingle.
        bits: result of `table_bits`.
    """
    table = np.zeros(1 << bits, np.uint16)
    _count(*words, wordless, ngram, leaving_weight(ngram), table)
    return table


@dataclass(frozen=True, eq=False)
class ShingleSets:
    """The shingle sets of some documents.

    Attributes:
        offsets: int64[n + 1]; document d has the words offsets[d] to offsets[d + 1].
        words: uint32[total], their hashes.
        wordless: uint64[n], hashes that stand for documents without words.
        ngram: words in a shingle. A shorter text has one shingle of all its words.
        limit: a shingle in this many documents or more is boilerplate; 0 for no limit.
        table: uint16[2**k], table of `Boilerplate`.
    """

    offsets: NDArray[np.int64]
    words: NDArray[np.uint32]
    wordless: NDArray[np.uint64]
    ngram: int
    limit: int
    table: NDArray[np.uint16]

    @classmethod
    def of(
        cls,
        words: tuple[NDArray[np.int64], NDArray[np.uint32]],
        wordless: NDArray[np.uint64],
        ngram: int,
        boilerplate: Boilerplate | None = None,
    ) -> ShingleSets:
        """Return the shingle sets of n documents.

        Args:
            words: int64[n + 1] offsets, and uint32[total] hashes of the words.
            wordless: uint64[n], lower halves of the fingerprints. A text without words is known by
                its characters, and repeats none that differs.
            ngram: words in a shingle.
            boilerplate: numbers of documents with each shingle; None for no limit.
        """
        counts = Boilerplate(0, np.zeros(1, np.uint16)) if boilerplate is None else boilerplate
        return cls(*words, wordless, ngram, counts.limit, counts.table)

    def similarity(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the Jaccard similarity of each pair: float32[m].

        With a limit it is the smaller of two similarities, with and without boilerplate. So more
        is kept, and nothing is removed for its substance alone. Where all shingles of a pair are
        boilerplate, all count.

        Args:
            left: int64[m], places in the documents.
            right: int64[m], places of the second documents.
        """
        similarity = np.empty(len(left), np.float32)
        _similarities(
            self.offsets,
            self.words,
            self.wordless,
            self.ngram,
            leaving_weight(self.ngram),
            self.table,
            self.limit,
            left,
            right,
            np.argsort(right, kind="stable"),
            similarity,
        )
        return similarity
