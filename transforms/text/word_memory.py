"""Memory of an embedder: which table rows a word is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.kernels import interpreted, kernel

_FEWEST_SLOTS = 1 << 12  # of a table of words


@kernel()
def _find(hashes, keys, entries):  # type: ignore[no-untyped-def]
    """Return the entry of each word, -1 for words that the table lacks."""
    out = np.empty(len(hashes), np.int32)
    for i in range(len(hashes)):
        out[i] = entries[find_slot(hashes[i], hashes[i], keys, entries, 0, len(keys))]
    return out


@kernel()
def _insert(hashes, first, keys, entries):  # type: ignore[no-untyped-def]
    """Give new words the entries from `first` on."""
    for i in range(len(hashes)):
        slot = find_slot(hashes[i], hashes[i], keys, entries, 0, len(keys))
        keys[slot] = hashes[i]
        entries[slot] = first + i


@kernel()
def number_new(hashes, entries, number):  # type: ignore[no-untyped-def]
    """Give each distinct word without an entry the next number.

    The table grows with the distinct words, which are few, so it stays in the processor's cache.

    Args:
        hashes: uint64[n], hashes of words.
        entries: int32[n], their entries; -1, for words without, is replaced.
        number: first number to give.

    Returns:
        int64[d], where each of the d new words stands first, in the order of their numbers.
    """
    size = _FEWEST_SLOTS
    keys, numbers = np.empty(size, np.uint64), np.full(size, -1, np.int32)
    # Most of it is never touched, and so never becomes memory.
    first = np.empty(len(hashes), np.int64)
    distinct = 0
    for i in range(len(hashes)):
        if entries[i] >= 0:
            continue
        word = hashes[i]
        slot = find_slot(word, word, keys, numbers, 0, size)
        if numbers[slot] < 0:
            keys[slot], numbers[slot] = word, number + distinct
            first[distinct] = i
            distinct += 1
        entries[i] = numbers[slot]
        if 2 * distinct > size:
            size *= 4
            keys, numbers = np.empty(size, np.uint64), np.full(size, -1, np.int32)
            for k in range(distinct):
                word = hashes[first[k]]
                slot = find_slot(word, word, keys, numbers, 0, size)
                keys[slot], numbers[slot] = word, number + k
    return first[:distinct].copy()


class WordMemory:
    """Table rows of words, by the words' hashes: open addressing, at most half full.

    Attributes:
        starts: int64[words + 1], where the rows of each word begin in `rows`.
        rows: int32[], table rows of all words, one word after another.
        states: uint8[words], bits that the embedder sets.
    """

    def __init__(self) -> None:
        self._keys = np.zeros(_FEWEST_SLOTS, np.uint64)
        self._entries = np.full(_FEWEST_SLOTS, -1, np.int32)
        self._hashes = np.zeros(0, np.uint64)
        self.starts = np.zeros(1, np.int64)
        self.rows = np.zeros(0, np.int32)
        self.states = np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self._hashes) + len(self.rows)

    @property
    def words(self) -> int:
        """Number of words, and so the entry of the next one."""
        return len(self._hashes)

    def find(self, hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the entries of words, -1 for words that it lacks.

        Args:
            hashes: uint64[n], hashes of words.

        Returns:
            int32[n].
        """
        entries: NDArray[np.int32] = _find(hashes, self._keys, self._entries)
        return entries

    def add(
        self,
        hashes: NDArray[np.uint64],
        offsets: NDArray[np.int64],
        rows: NDArray[np.int32],
        states: NDArray[np.uint8],
    ) -> None:
        """Add new words; no hash may come twice.

        Args:
            hashes: uint64[n], hashes of the words.
            offsets: int64[n + 1], where the rows of each word begin.
            rows: int32[], table rows.
            states: uint8[n], bits that the embedder sets.
        """
        known = len(self._hashes)
        self._hashes = np.concatenate([self._hashes, hashes])
        self.starts = np.concatenate([self.starts, self.starts[-1] + offsets[1:]])
        self.rows = np.concatenate([self.rows, rows])
        self.states = np.concatenate([self.states, states])
        if 2 * len(self._hashes) > len(self._keys):
            slots = interpreted(table_size)(2 * len(self._hashes))
            self._keys = np.zeros(slots, np.uint64)
            self._entries = np.full(slots, -1, np.int32)
            known, hashes = 0, self._hashes
        _insert(hashes, known, self._keys, self._entries)
