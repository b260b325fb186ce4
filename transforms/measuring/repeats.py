"""Share of repeats in a sample of documents, predicted from the sizes of their groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def repeated_share(groups: NDArray[np.int64], n: int) -> tuple[float, float]:
    """Predict the share of near duplicates in a sample of n documents, and its standard error.

    A group of g documents has g - 1 repeats. A sample that draws each document with chance q
    draws g q documents of the group, and one of them is new if there are any.

    Args:
        groups: int64[m, 2], from `group_sizes`.
        n: documents of the sample, at most those of the groups.

    Returns:
        The share and its error. The error is that of another set from the same source, where
        groups, not documents, are drawn, and a large group comes complete.
    """
    size, number = groups[:, 0].astype(float), groups[:, 1].astype(float)
    total = float((size * number).sum())
    if total == 0 or n == 0:
        return 0.0, 0.0
    q = min(n / total, 1.0)
    repeats = (size * q - 1) + (1 - q) ** size  # in this order, exactly 0 for size 1
    return float((number * repeats).sum() / n), float(np.sqrt((number * repeats**2).sum()) / n)
