"""Hash tables against Python's dictionaries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from outcross.transforms.base.hash_table import find_slot, table_size


@njit
def _number(keys, slots, marks, least, size, numbers):  # type: ignore[no-untyped-def]
    """Give the distinct keys numbers from `least` on, in the order of their first places."""
    following = least
    for i in range(len(keys)):
        slot = find_slot(keys[i], keys[i], slots, marks, least, size)
        if marks[slot] < least:
            slots[slot], marks[slot] = keys[i], following
            following += 1
        numbers[i] = marks[slot]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.lists(st.integers(0, 40), max_size=60), min_size=1, max_size=4), st.booleans())
def test_each_key_keeps_its_mark_and_higher_marks_begin_a_new_table(
    tables: list[list[int]], far: bool
) -> None:
    room = table_size(max(map(len, tables)))
    slots, marks = np.empty(room, np.uint64), np.zeros(room, np.int64)
    least = 1
    for table in tables:
        # Keys that differ in their upper bits alone all want the same slot.
        keys = np.array(table, np.uint64) << np.uint64(50 if far else 0)
        numbers = np.empty(len(keys), np.int64)
        _number(keys, slots, marks, least, table_size(len(keys)), numbers)
        expected: dict[int, int] = {}
        for key in table:
            expected.setdefault(key, least + len(expected))
        assert numbers.tolist() == [expected[key] for key in table]
        least += len(table) + 1


@pytest.mark.parametrize(
    ("entries", "size"), [(0, 2), (1, 2), (2, 4), (4, 8), (5, 16), (1 << 20, 1 << 21)]
)
def test_tables_are_at_most_half_full(entries: int, size: int) -> None:
    assert table_size(entries) == size
