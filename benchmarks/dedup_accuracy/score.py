"""Score of a verdict on texts, against the exact similarity of all pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shingles import Pairs

BINS = np.round(np.arange(0.30, 1.0001, 0.05), 2)
SUPPORT = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class Ratio:
    """`hits` of `count`."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """NaN where there is nothing to count."""
        return self.hits / self.count if self.count else float("nan")

    def __str__(self) -> str:
        """Format the ratio for a table."""
        return f"{self.value:.4f} ({self.hits}/{self.count})"


@dataclass(frozen=True)
class Score:
    """Figures of one tool.

    Attributes:
        removed: number of documents removed.
        recall: of the pairs above J .85, those of which at most one document stays.
        recall_of_same: recall of the pairs that have the same numbers, signs and negations.
        precision_below: of the documents without another at J .75, those that stay.
        supported: of the documents removed, those with a kept document at J .75 or more.
        support: int64[10], documents removed by the J of the nearest kept one, between `SUPPORT`.
            Similarities below those of the given pairs count as below the lowest given one.
        least_support: lowest J of a removed document to the nearest kept one; 0 if unknown.
        families: connected components of J >= .8 with at least two documents.
        wiped_out: families of which nothing stays.
        curve: share of pairs of which at most one stays, by J between `BINS`. Only pairs in which
            neither document has a closer relative count, as others are not decided by this J.
        all_pairs: the same share over all pairs. Below the threshold it exceeds 0 for a perfect
            tool too, as a document may be removed for a closer one.
    """

    removed: int
    recall: Ratio
    recall_of_same: Ratio
    precision_below: Ratio
    supported: Ratio
    support: NDArray[np.int64]
    least_support: float
    families: int
    wiped_out: int
    curve: list[Ratio]
    all_pairs: list[Ratio]


def score(
    kept: NDArray[np.bool_], pairs: Pairs, same: NDArray[np.bool_], threshold: float = 0.8
) -> Score:
    """Judge which documents were kept.

    Args:
        kept: bool[documents], True for each kept document.
        pairs: all pairs of the texts at J .3 or more.
        same: bool[pairs], True if both texts have the same numbers, signs and negations.
        threshold: similarity that the documents were judged by.
    """
    best = pairs.best(len(kept))
    best_kept = pairs.best(len(kept), among=kept)[~kept]
    met = ~(kept[pairs.a] & kept[pairs.b])
    above = pairs.jaccard > 0.85
    lonely = best < 0.75
    mutual = (pairs.jaccard >= best[pairs.a]) & (pairs.jaccard >= best[pairs.b])
    family = components(pairs.above(threshold), len(kept))
    sizes, staying = np.bincount(family), np.bincount(family, weights=kept)
    return Score(
        removed=int((~kept).sum()),
        recall=Ratio(int(met[above].sum()), int(above.sum())),
        recall_of_same=Ratio(int(met[above & same].sum()), int((above & same).sum())),
        precision_below=Ratio(int(kept[lonely].sum()), int(lonely.sum())),
        supported=Ratio(int((best_kept >= 0.75).sum()), len(best_kept)),
        support=np.histogram(best_kept, SUPPORT)[0],
        least_support=float(best_kept.min()) if len(best_kept) else float("nan"),
        families=int((sizes > 1).sum()),
        wiped_out=int(((sizes > 1) & (staying == 0)).sum()),
        curve=_by_similarity(met[mutual], pairs.jaccard[mutual]),
        all_pairs=_by_similarity(met, pairs.jaccard),
    )


def components(pairs: Pairs, documents: int) -> NDArray[np.int64]:
    """Return the connected component of each document, int64[documents]."""
    label = np.arange(documents)
    while True:
        lower = np.minimum(label[pairs.a], label[pairs.b])
        before = label.copy()
        np.minimum.at(label, pairs.a, lower)
        np.minimum.at(label, pairs.b, lower)
        label = label[label]
        if np.array_equal(label, before):
            return np.unique(label, return_inverse=True)[1]


def _by_similarity(met: NDArray[np.bool_], jaccard: NDArray[np.float64]) -> list[Ratio]:
    place = np.minimum(np.digitize(jaccard, BINS) - 1, len(BINS) - 2)
    return [
        Ratio(int(met[place == i].sum()), int((place == i).sum())) for i in range(len(BINS) - 1)
    ]


@dataclass(frozen=True)
class Agreement:
    """Agreement of a clustering with the true one, over pairs of documents."""

    precision: float
    recall: float
    f1: float
    adjusted_rand: float


def agreement(clusters_: NDArray[np.int64], truth: NDArray[np.int64]) -> Agreement:
    """Pairwise precision, recall, F1 and adjusted Rand index (Hubert and Arabie 1985, eq. 5).

    Both int64[documents], the cluster of each document; all from the contingency table.
    """
    _, a = np.unique(clusters_, return_inverse=True)
    _, b = np.unique(truth, return_inverse=True)
    cells = np.unique(a * (b.max() + 1) + b, return_counts=True)[1]
    agreed, in_found, in_truth = (
        int((sizes * (sizes - 1) // 2).sum()) for sizes in (cells, np.bincount(a), np.bincount(b))
    )
    precision = agreed / in_found if in_found else 1.0
    recall = agreed / in_truth if in_truth else 1.0
    f1 = 2 * agreed / (in_found + in_truth) if in_found + in_truth else 1.0
    chance = in_found * in_truth / max(len(clusters_) * (len(clusters_) - 1) // 2, 1)
    most = (in_found + in_truth) / 2
    return Agreement(
        precision, recall, f1, 1.0 if most == chance else (agreed - chance) / (most - chance)
    )
