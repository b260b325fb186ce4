"""Open addressing with linear probing, for kernels (Knuth, The Art of Computer Programming, 6.4).

A table is two arrays of equal length, a power of two: `keys`, and `marks`, which say what slots
hold. A slot is in use if its mark is at least `least`. So one array serves as many tables as there
are numbers: a new table that takes a higher `least` needs no clearing.
"""

from __future__ import annotations

import numpy as np

from outcross.transforms.base.kernels import borrowing


@borrowing(forceinline=True)
def table_size(entries):  # type: ignore[no-untyped-def]
    """Return the smallest power of two, at least 2, at which a table stays at most half full."""
    size = 2
    while size < 2 * entries:
        size *= 2
    return size


@borrowing(forceinline=True)
def find_slot(key, hashed, keys, marks, least, size):  # type: ignore[no-untyped-def]
    """Return the slot that holds a key, or the free one where it belongs.

    The caller reads the slot's mark, and inserts by setting `keys[slot]` and `marks[slot]`.

    Args:
        key: number to look for.
        hashed: uint64, hash of the key; the key itself where its bits are uniform.
        keys: numbers[slots], keys of the slots in use.
        marks: integers[slots].
        least: least mark of a slot in use.
        size: number of slots that count, a power of two; one at least is free.
    """
    mask = np.uint64(size) - np.uint64(1)
    slot = hashed & mask
    while marks[slot] >= least and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot
