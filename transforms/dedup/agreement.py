"""Agreement of two texts: the similarity of their items (half of the near rule)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import kernel, late_kernel
from outcross.transforms.text.meaning import SHIFT, items
from outcross.transforms.text.ngrams import INT64
from outcross.transforms.text.words import Words

STRICT_TOKENS = 200
"""Largest number of words of a short text. Its items must all agree; in a longer text only the
share `near_threshold` of them. The shorter text of a pair decides."""


@kernel()
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


@kernel()
def _equal(left, right):  # type: ignore[no-untyped-def]
    i = 0
    if len(left) == len(right):
        while i < len(left) and left[i] == right[i]:
            i += 1
    return i == len(left) == len(right)


@kernel()
def _ascending(items):  # type: ignore[no-untyped-def]
    """Return the hashes of items, sorted by Shell's method, with Knuth's steps.

    NumPy's `sort` takes five times as long to compile.
    """
    out = items >> SHIFT
    step = 1
    while 3 * step < len(out):
        step = 3 * step + 1
    while step:
        for i in range(step, len(out)):
            value = out[i]
            k = i
            while k >= step and out[k - step] > value:
                out[k] = out[k - step]
                k -= step
            out[k] = value
        step //= 3
    return out


_INT64 = types.Array(types.int64, 1, "C", readonly=True)
_UINT64 = types.Array(types.uint64, 1, "C", readonly=True)


@late_kernel(
    types.void(*(_INT64, _UINT64, _UINT64, _INT64, _UINT64), INT64, INT64, types.float32[::1])
)
def _agreement(tokens, letters, wording, offsets, items, left, right, out):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        first, second = left[pair], right[pair]
        left_items = items[offsets[first] : offsets[first + 1]]
        right_items = items[offsets[second] : offsets[second + 1]]
        strict = min(tokens[first], tokens[second]) <= STRICT_TOKENS
        if strict and wording[first] == wording[second]:
            out[pair] = np.float32(_equal(left_items, right_items))
        elif strict and (letters[first] == letters[second] or len(left_items) != len(right_items)):
            out[pair] = np.float32(0)
        elif len(left_items) == 0 and len(right_items) == 0:
            out[pair] = np.float32(1)
        else:
            share = _shared(_ascending(left_items), _ascending(right_items))
            out[pair] = np.float32(np.floor(share)) if strict else np.float32(share)


@dataclass(frozen=True, eq=False)
class Meanings:
    """Items of some documents, and hashes of their words.

    Attributes:
        tokens: int64[n], words of each document.
        letters: uint64[n], hashes of `Words.letters`.
        wording: uint64[n], hashes of the words that are no items.
        offsets: int64[n + 1]; document d has the items offsets[d] to offsets[d + 1].
        items: uint64[total], result of `items`.
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

    def agreement(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the similarity of each pair's multisets of items: float32[m].

        Where the shorter text has up to `STRICT_TOKENS` words, the agreement is 1 or 0. Texts
        whose other words are equal then need the same items at the same places. Other texts must
        not have the same letters with different vowel signs, tone marks or accents.

        Args:
            left: int64[m], places in the documents.
            right: int64[m], places of the second documents.
        """
        shares = np.empty(len(left), np.float32)
        _agreement(
            *(self.tokens, self.letters, self.wording, self.offsets, self.items),
            *(left, right, shares),
        )
        return shares


@kernel()
def _item_sums(offsets, items):  # type: ignore[no-untyped-def]
    """Sum hashes of the items of each text: of the items alone, and with their places."""
    out = np.zeros((2, len(offsets) - 1), np.uint64)
    for d in range(len(offsets) - 1):
        for i in range(offsets[d], offsets[d + 1]):
            out[0, d] += mix64((items[i] >> SHIFT) + np.uint64(1))
            out[1, d] += mix64(items[i])
    return out


@dataclass(frozen=True, eq=False)
class Marks:
    """Hashes by which two short texts agree or don't, where their items are not at hand.

    Attributes:
        letters: uint64[n], hashes of `Words.letters`.
        wording: uint64[n], hashes of the words that are no items.
        items: uint64[n], hashes of the multisets of items.
        placed: uint64[n], hashes of the items with their places.
    """

    letters: NDArray[np.uint64]
    wording: NDArray[np.uint64]
    items: NDArray[np.uint64]
    placed: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        letters: NDArray[np.uint64],
        wording: NDArray[np.uint64],
        items: tuple[NDArray[np.int64], NDArray[np.uint64]],
    ) -> Marks:
        """Hash the items of n texts.

        Args:
            letters: uint64[n], as in `Meanings`.
            wording: uint64[n], as in `Meanings`.
            items: int64[n + 1] offsets, and uint64[total] items, as in `Meanings`.
        """
        return cls(letters, wording, *_item_sums(*items))

    def agree(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether `Meanings.agreement` of two short texts is 1: bool[m].

        Args:
            left: int64[m], places in the documents.
            right: int64[m], places of the second documents.
        """
        return np.where(
            self.wording[left] == self.wording[right],
            self.placed[left] == self.placed[right],
            (self.letters[left] != self.letters[right]) & (self.items[left] == self.items[right]),
        )
