"""How far two texts mean the same beyond their words, by their items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from outcross.transforms.dedup.jaccard import gather
from outcross.transforms.sketches.store import Sketches, item_runs
from outcross.transforms.text.meaning import SHIFT, items
from outcross.transforms.text.words import Words

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
def _equal(left, right):  # type: ignore[no-untyped-def]
    return len(left) == len(right) and np.all(left == right)


@njit(nogil=True, cache=True)
def _agreement(tokens, letters, wording, offsets, items, left, right, out):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        first, second = left[pair], right[pair]
        ours = items[offsets[first] : offsets[first + 1]]
        theirs = items[offsets[second] : offsets[second + 1]]
        strict = min(tokens[first], tokens[second]) <= STRICT_TOKENS
        if strict and wording[first] == wording[second]:
            out[pair] = np.float32(_equal(ours, theirs))
        elif strict and (letters[first] == letters[second] or len(ours) != len(theirs)):
            out[pair] = np.float32(0)
        elif len(ours) == 0 and len(theirs) == 0:
            out[pair] = np.float32(1)
        else:
            share = _shared(np.sort(ours >> SHIFT), np.sort(theirs >> SHIFT))
            out[pair] = np.float32(np.floor(share)) if strict else np.float32(share)


@dataclass(frozen=True, eq=False)
class Meanings:
    """What some documents mean beyond their words.

    Attributes:
        tokens: int64[n], words of each document.
        letters: uint64[n], as in `Words`.
        wording: uint64[n], as from `items`.
        offsets: int64[n + 1]; document d has the items offsets[d] to offsets[d + 1].
        items: uint64[total], as from `items`.
    """

    tokens: NDArray[np.int64]
    letters: NDArray[np.uint64]
    wording: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    items: NDArray[np.uint64]

    @classmethod
    def of(cls, words: Words) -> Meanings:
        """Read the meanings of n texts from their words."""
        offsets, values, wording = items(words)
        return cls(np.diff(words.offsets), words.letters, wording, offsets, values)

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
        names = ["tokens", "letters", "wording"]
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
        tokens, letters, wording = (np.concatenate(column) for column in columns)
        return cls(tokens.astype(np.int64), letters, wording, offsets, values)

    def agreement(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how far the documents of each pair mean the same beyond their words.

        It is the Jaccard similarity of their multisets of items. Where the shorter has up to
        `STRICT_TOKENS` words it is 1 or 0: texts that differ in items alone need the same ones at
        the same places, and the others must not be the same letters with other vowel signs, tone
        marks or accents.

        Args:
            left: int64[m], places in the documents.
            right: int64[m], those to compare them with.
        """
        shares = np.empty(len(left), np.float32)
        _agreement(
            *(self.tokens, self.letters, self.wording, self.offsets, self.items),
            *(left, right, shares),
        )
        return shares
