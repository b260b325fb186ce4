"""How much of a set repeats itself, and how much of it would in a smaller sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.dedup.decide import Verdicts


def group_sizes(verdicts: Verdicts, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Sizes of the groups of documents that repeat one and the same document.

    Args:
        verdicts: of n documents.
        rows: bool[n], the set.

    Returns:
        int64[m, 2], ascending sizes and how many groups have each. A group is a kept document of
        the set with those that it stands for, or those alone where what they repeat is outside.
    """
    partner = np.where(rows, verdicts.partner, -1)
    own = rows & verdicts.kept
    repeated, often = np.unique(partner[partner >= 0], return_counts=True)
    size = own.astype(np.int64)
    inside = repeated < len(rows)
    size[repeated[inside]] += often[inside]
    value, many = np.unique(np.concatenate([size[size > 0], often[~inside]]), return_counts=True)
    return np.stack([value, many], axis=1).astype(np.int64)


def repeats_within(verdicts: Verdicts, part: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Count in each part of a corpus the documents that repeat another document of that part.

    Documents that stand for one kept document are one group, wherever the kept one is. All but one
    of a group's documents in a part count there.

    Args:
        verdicts: of n documents.
        part: int64[n], each document's part.
        parts: how many there are.

    Returns:
        int64[parts], documents.
    """
    document = np.arange(len(part))
    stands_for = np.where(verdicts.kept, document, verdicts.partner)
    width = int(stands_for.max(initial=0)) + 1
    different = np.unique(part * width + stands_for) // width
    return np.bincount(part, minlength=parts) - np.bincount(different, minlength=parts)


def repeated_share(groups: NDArray[np.int64], n: int) -> tuple[float, float]:
    """Share of near duplicates that a sample of n documents would show, and its standard error.

    A group of g documents repeats g - 1 of them; of a sample in which each document stands with
    chance q, g q documents are expected, of which one is new if any was drawn.

    Args:
        groups: int64[m, 2], of `group_sizes`.
        n: documents of the sample, at most those of the groups.

    Returns:
        The error is that of another set from the same source, in which other texts repeat: groups
        are drawn, not documents, and a large one comes as a whole.
    """
    size, often = groups[:, 0].astype(float), groups[:, 1].astype(float)
    total = float((size * often).sum())
    if total == 0 or n == 0:
        return 0.0, 0.0
    q = min(n / total, 1.0)
    repeats = (size * q - 1) + (1 - q) ** size  # in this order nothing remains of size 1
    return float((often * repeats).sum() / n), float(np.sqrt((often * repeats**2).sum()) / n)
