"""Gaps of a reference: cells of human text that the reference hardly covers.

Selection towards a reference that lacks a kind of text loses this text, and a loop that is closed
by such a reference collapses (arXiv:2606.13732). Every cluster was fitted on the reference, so none
is empty there. Text that the reference lacks lies far from all of it, in class off_support, or
swells the clusters that are nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.estimators.richness import OFF_SUPPORT, ClusterCounts

RATIO = 4
"""A cluster in a gap has more than RATIO times its share of the reference."""
ONE_IN = 100
"""Two samples of one distribution have a gap once in ONE_IN times at most."""
MOST = 20
"""The reference is incomplete if more than 1 / MOST of the tokens lie in gaps."""

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Gaps:
    """Tokens of human text in cells that the reference hardly covers.

    Attributes:
        total: tokens of the human text.
        off_support: int64[C], tokens of class off_support in gaps, by the nearest cluster.
        swollen: int64[C], other tokens in gaps, by cluster.
    """

    total: int
    off_support: Int64s
    swollen: Int64s

    @property
    def tokens(self) -> int:
        """Number of tokens in gaps."""
        return int(self.off_support.sum() + self.swollen.sum())

    @property
    def incomplete(self) -> bool:
        """True if more than 1 / MOST of the tokens lie in gaps."""
        return MOST * self.tokens > self.total

    @property
    def clusters(self) -> list[int]:
        """Clusters with tokens in gaps, those with most tokens first."""
        tokens = self.off_support + self.swollen
        order = np.lexsort((np.arange(len(tokens)), -tokens))
        return [int(cluster) for cluster in order if tokens[cluster]]


def find_gaps(human: Int64s, counts: ClusterCounts, held_out: ClusterCounts) -> Gaps:
    """Find the cells of human text that a reference hardly covers.

    A cell is a cluster, or class off_support. A cluster is a gap if its share of the human text is
    more than RATIO times its share of the reference, and no chance. The class holds what is farther
    from the reference than its own text, so it is a gap if its share is no chance. It is compared
    with the documents that were held out, as the others decided where the class begins.

    Args:
        human: int64[2, 2, C], human documents by class (all others, off_support), measure
            (documents, tokens) and cluster.
        counts: counts of all documents of the reference.
        held_out: counts of the documents that were held out.
    """
    documents, tokens = human[:, 0].sum(axis=0).tolist(), human[:, 1]
    total, references = sum(documents), int(counts.documents.sum())
    cells = len(documents) + 1
    gaps = np.zeros(len(documents), bool)
    for c, (n, r) in enumerate(zip(documents, counts.documents.tolist(), strict=True)):
        large = n * references > RATIO * r * total
        gaps[c] = large and is_excess(n, total, r, references, cells)
    classes = held_out.classes.tolist()
    off_support = int(human[1, 0].sum()), total, classes[OFF_SUPPORT], sum(classes)
    strange = is_excess(*off_support, cells)
    return Gaps(
        total=int(tokens.sum()),
        off_support=np.where(gaps | strange, tokens[1], 0),
        swollen=np.where(gaps, tokens[0], 0),
    )


def is_excess(human: int, humans: int, reference: int, references: int, cells: int) -> bool:
    """Return whether a cell has a larger share of human text than chance explains.

    If human text and reference are samples of one distribution, and t = human + reference documents
    lie in the cell, the human ones are binomial with p = humans / (humans + references): the
    conditional test of Przyborowski & Wilenski (1940). Hoeffding (1963, theorem 1) bounds the
    chance of so many by exp(-t KL(human / t ‖ p)) =
    exp(-human ln(human / (t p)) - reference ln(reference / (t (1 - p)))). This is compared with
    1 / (ONE_IN cells) (Bonferroni). Logarithms are decimal, with 40 digits: they are right for any
    counts, and no machine decides otherwise.

    Args:
        human: human documents in the cell.
        humans: all human documents.
        reference: documents of the reference in the cell.
        references: all documents of the reference.
        cells: number of cells that are looked at.
    """
    if human * references <= reference * humans:
        return False
    with localcontext(Context(prec=40)):
        less = Decimal(human + reference).ln() - Decimal(humans + references).ln()
        divergence = human * (Decimal(human).ln() - Decimal(humans).ln() - less)
        if reference:
            divergence += reference * (Decimal(reference).ln() - Decimal(references).ln() - less)
        return divergence > Decimal(ONE_IN * cells).ln()
