"""Prefetching changes no result, whatever the place is."""

from __future__ import annotations

import numpy as np
from numba import njit

from outcross.transforms.base.prefetch import prefetch


@njit
def _sum(values, ahead):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(len(values)):
        prefetch(values, i + ahead)
        total += values[i]
    return total


def test_a_place_outside_the_array_does_no_harm() -> None:
    values = np.arange(1000)
    for ahead in (0, 32, 1 << 40, -(1 << 40)):
        assert _sum(values, ahead) == values.sum()
