"""A choice by smallest keys is the same for a union as for its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.measuring.smallest import smallest_until

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=40)


def plain(rows: list[tuple[int, int, int]], limit: int) -> list[tuple[int, int, int]]:
    """Take rows of key, place and weight in order while those before weigh less than the limit."""
    chosen: list[tuple[int, int, int]] = []
    for row in sorted(rows):
        if sum(weight for *_, weight in chosen) >= limit:
            break
        chosen.append(row)
    return chosen


def choose(rows: list[tuple[int, int, int]], limit: int) -> list[tuple[int, int, int]]:
    key, place, weight = np.array(rows, np.int64).reshape(-1, 3).T
    return [rows[at] for at in smallest_until(limit, weight, key, place).tolist()]


@given(ROWS, st.integers(1, 30), st.randoms(use_true_random=False), st.integers(1, 4))
def test_parts_are_cut_before_they_are_joined(
    keyed: list[tuple[int, int]], limit: int, random: Any, parts: int
) -> None:
    rows = [(key, place, weight) for place, (key, weight) in enumerate(keyed)]
    random.shuffle(rows)
    expected = plain(rows, limit)
    assert choose(rows, limit) == expected
    cut = [row for part in range(parts) for row in choose(rows[part::parts], limit)]
    assert choose(cut, limit) == expected
