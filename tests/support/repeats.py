"""Groups of documents that repeat one document, counted over all documents of a small corpus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.measuring.repeat_groups import count_groups


def group_sizes(partner: NDArray[np.int64], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the sizes of the groups of a set, and the number of groups of each size.

    Args:
        partner: int64[n], document that each document repeats; -1 kept.
        rows: bool[n], documents of the set.

    Returns:
        int64[m, 2].
    """
    stands = np.where(partner < 0, np.arange(len(partner)), partner)
    return count_groups(stands, np.zeros(len(partner), np.int64), rows, 1)[1]
