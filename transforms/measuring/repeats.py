"""Repeats within a set of documents, and their share in a smaller sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.dedup.decide import Verdicts


def group_sizes(verdicts: Verdicts, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the groups of documents that repeat one document, by size.

    A group is a kept document of the set with the removed ones that it stands for. Where the kept
    document is outside the set, the group is the removed ones alone.

    Args:
        verdicts: verdicts on n documents.
        rows: bool[n], the set.

    Returns:
        int64[m, 2], ascending sizes and the number of groups of each size.
    """
    partner = np.where(rows, verdicts.partner, -1)
    repeated, repeats = np.unique(partner[partner >= 0], return_counts=True)
    size = (rows & verdicts.kept).astype(np.int64)
    inside = repeated < len(rows)
    size[repeated[inside]] += repeats[inside]
    sizes = np.concatenate([size[size > 0], repeats[~inside]])
    return np.stack(np.unique(sizes, return_counts=True), axis=1).astype(np.int64)


def repeats_within(verdicts: Verdicts, part: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Count in each part of a corpus the documents that repeat another document of that part.

    A kept document and those removed for it are one group, across all parts. In each part, all but
    one of a group's documents count.

    Args:
        verdicts: verdicts on n documents.
        part: int64[n], part of each document.
        parts: number of parts.

    Returns:
        int64[parts], documents.
    """
    document = np.arange(len(part))
    stands_for = np.where(verdicts.kept, document, verdicts.partner)
    width = int(stands_for.max(initial=0)) + 1
    different = np.unique(part * width + stands_for) // width
    return np.bincount(part, minlength=parts) - np.bincount(different, minlength=parts)


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
