"""How far two texts mean the same beyond their words, by their items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from transforms.jaccard import gather
from transforms.meaning import SHIFT, items
from transforms.sketch import Sketches, item_runs
from transforms.words import Words

STRICT_TOKENS = 200
"""Up to so many words all items must agree; above, as large a share as the threshold asks for."""


@njit(nogil=True, cache=True)
def _shared(left, right):  # type: ignore[no-untyped-def]
    """Return the Jaccard similarity of two ascending multisets."""
    i = j = common = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            common += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return common / (len(left) + len(right) - common)


@njit(nogil=True, cache=True)
def _agreement(tokens, wording, letters, offsets, items, left, right, out):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        l, r = left[pair], right[pair]
        ours, theirs = items[offsets[l] : offsets[l + 1]], items[offsets[r] : offsets[r + 1]]
        strict = min(tokens[l], tokens[r]) <= STRICT_TOKENS
        placed = strict and wording[l] == wording[r]
        same = len(ours) == len(theirs)
        for k in range(len(ours)):
            if not same:
                break
            same = ours[k] == theirs[k] if placed else ours[k] >> SHIFT == theirs[k] >> SHIFT
        if strict and not placed and letters[l] == letters[r]:
            same = False
        if same or strict:
            out[pair] = np.float32(same)
        else:
            out[pair] = np.float32(_shared(np.sort(ours >> SHIFT), np.sort(theirs >> SHIFT)))


@dataclass(frozen=True, eq=False)
class Meanings:
    """What some documents mean beyond their words.

    Attributes:
        tokens: int64[n], words of each document.
        wording, letters: uint64[n], as in `Words`.
        offsets: int64[n + 1]; document d has the items offsets[d] to offsets[d + 1].
        items: uint64[total], as from `items`.
    """

    tokens: NDArray[np.int64]
    wording: NDArray[np.uint64]
    letters: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    items: NDArray[np.uint64]

    @classmethod
    def of(cls, words: Words) -> Meanings:
        """Read the meanings of n texts from their words."""
        return cls(np.diff(words.offsets), words.wording, words.letters, *items(words))

    @classmethod
    def of_sketches(
        cls, sketches: Sketches, documents: NDArray[np.int64], scratch: IO[bytes]
    ) -> Meanings:
        """Read the meanings of some documents from their sketches.

        Args:
            sketches: of all units.
            documents: ascending document numbers.
            scratch: an empty file that the items are kept in.
        """
        names = ["tokens", "wording", "letters"]
        columns: list[list[NDArray[Any]]] = [[np.zeros(0, np.uint64)] for _ in names]
        ends = [np.zeros(1, np.int64)]
        for unit, rows, _ in sketches.rows_of(documents):
            table = sketches.table(unit, [*names, "items"])
            for column, name in zip(columns, names, strict=True):
                column.append(table[name].to_numpy()[rows])
            places, values = gather(*item_runs(table["items"]), rows)
            ends.append(places + ends[-1][-1])
            values.tofile(scratch)
        scratch.flush()
        offsets = np.concatenate(ends)
        total = int(offsets[-1])
        values = np.zeros(0, np.uint64)
        if total:
            values = np.memmap(scratch, np.uint64, "r", shape=(total,))
        tokens, wording, letters = (np.concatenate(column) for column in columns)
        return cls(tokens.astype(np.int64), wording, letters, offsets, values)

    def agreement(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how far the documents of each pair mean the same beyond their words.

        Where the shorter has up to `STRICT_TOKENS` words it is 1 or 0. Texts of the same words need
        the same items at the same places. Others need the same items in the same order, and must
        not be the same letters with other vowel signs, tone marks or accents. Longer texts have the
        Jaccard similarity of their multisets of items.

        Args:
            left: int64[m], places in the documents.
            right: int64[m], those to compare them with.
        """
        shares = np.empty(len(left), np.float32)
        _agreement(
            *(self.tokens, self.wording, self.letters, self.offsets, self.items),
            *(left, right, shares),
        )
        return shares
