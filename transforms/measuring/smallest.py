"""Rows with the smallest keys until their weights reach a limit, chosen so that parts merge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def smallest_until(limit: int, weight: NDArray[np.int64], *keys: NDArray[Any]) -> NDArray[np.int64]:
    """Choose rows by ascending keys until the rows before have reached a weight.

    The choice from a union stands in the choices from its parts, so parts may be cut first.

    Args:
        limit: weight from which on no further row is chosen.
        weight: int64[n], weight of each row, 0 or more.
        keys: arrays[n] to sort by, the most important first; together they differ in every row.

    Returns:
        int64[m], places of the chosen rows, in the order of their keys.
    """
    order = np.lexsort(keys[::-1])
    before = np.cumsum(weight[order]) - weight[order]
    return order[: int(np.searchsorted(before, limit))].astype(np.int64)
