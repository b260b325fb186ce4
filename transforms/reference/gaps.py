"""Gaps of a reference: cells of human text that the reference hardly covers.

Selection towards a reference that lacks a kind of text loses this text, and a loop that is closed
by such a reference collapses (arXiv:2606.13732). Every cluster was fitted on the reference, so none
is empty there. Text that the reference lacks lies far from all of it, in class off_support, or
swells the clusters that are nearest to it.
"""

from __future__ import annotations

from collections.abc import Sequence
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
"""The reference lacks a source if more than 1 / MOST of its tokens lie in gaps."""

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Gaps:
    """Tokens of human sources in cells that the reference hardly covers.

    Attributes:
        totals: int64[S], tokens of each source.
        tokens: int64[S, C], tokens in gaps, by source and nearest cluster.
        certain: int64[S], tokens in gaps where the source's own share is no chance.
    """

    totals: Int64s
    tokens: Int64s
    certain: Int64s

    @property
    def lacking(self) -> list[int]:
        """Sources that the reference hardly covers, those with most tokens in gaps first.

        More than 1 / MOST of a source's tokens lie in gaps, and no chance. If there is no such
        source, but more than 1 / MOST of all tokens lie in gaps, these are all sources with gaps.
        """
        gaps = self.tokens.sum(axis=1)
        order = np.lexsort((np.arange(len(gaps)), -gaps)).tolist()
        lacking = [source for source in order if MOST * self.certain[source] > self.totals[source]]
        if not lacking and MOST * gaps.sum() > self.totals.sum():
            lacking = [source for source in order if gaps[source]]
        return lacking

    @property
    def clusters(self) -> list[int]:
        """Clusters with tokens of lacking sources in gaps, those with most tokens first."""
        tokens = self.tokens[self.lacking].sum(axis=0)
        order = np.lexsort((np.arange(len(tokens)), -tokens))
        return [int(cluster) for cluster in order if tokens[cluster]]


def find_gaps(human: Int64s, counts: ClusterCounts, held_out: ClusterCounts) -> Gaps:
    """Find the cells of human sources that a reference hardly covers.

    A cell is a cluster, or class off_support. It can be a gap if all human text has a larger share
    of it than the reference, and no chance. So no split of a text into sources makes a gap.

    A cluster is a gap for each source with more than RATIO times its share of the reference, if one
    of two more conditions holds:

    - All human text has more than RATIO times the reference's share.
    - The source's share is no chance, and all such sources together have more than RATIO times what
      the others leave: the reference's share without the others' part of the human text. So text
      that the reference has hides no text that it lacks. Sources of one topic each are no gaps.

    The class holds what is farther from the reference than its own text. It is a gap for each
    source with a larger share of it than the reference. It is compared with the documents that were
    held out, as the others decided where the class begins.

    Args:
        human: int64[S, 2, 2, C], documents of human sources, by class (all others, off_support),
            measure (documents, tokens) and cluster.
        counts: counts of all documents of the reference.
        held_out: counts of the documents that were held out.
    """
    documents, tokens = human[:, :, 0].sum(axis=1), human[:, :, 1]
    totals, references = documents.sum(axis=1), int(counts.documents.sum())
    cells = documents.shape[1] + 1
    classes = held_out.classes.tolist()
    strange = _Cell.of(
        human[:, 1, 0].sum(axis=1), totals, classes[OFF_SUPPORT], sum(classes), cells
    )
    beyond, sure_beyond = strange.gaps(ratio=1)
    in_clusters = [
        _Cell.of(cluster, totals, reference, references, cells).gaps(RATIO)
        for cluster, reference in zip(documents.T, counts.documents.tolist(), strict=True)
    ]
    gaps, sure = (np.array(columns, bool).T for columns in zip(*in_clusters, strict=True))
    return Gaps(
        totals=tokens.sum(axis=(1, 2)),
        tokens=_tokens(tokens, gaps, beyond),
        certain=_tokens(tokens, sure, sure_beyond).sum(axis=1),
    )


def _tokens(tokens: Int64s, gaps: NDArray[np.bool_], off_support: Sequence[bool]) -> Int64s:
    """Return the tokens in gaps: int64[S, C].

    Args:
        tokens: int64[S, 2, C], tokens of each source by class and cluster.
        gaps: bool[S, C], gaps of each source.
        off_support: sources for which class off_support is a gap.
    """
    strange = gaps | np.array(off_support, bool)[:, None]
    chosen: Int64s = np.where(gaps, tokens[:, 0], 0) + np.where(strange, tokens[:, 1], 0)
    return chosen


@dataclass(frozen=True)
class _Cell:
    """A cell, and the text in it.

    Attributes:
        documents: documents of each source in the cell.
        totals: documents of each source.
        reference: documents of the reference in the cell.
        references: all documents of the reference.
        cells: number of cells that are looked at.
    """

    documents: Sequence[int]
    totals: Sequence[int]
    reference: int
    references: int
    cells: int

    @classmethod
    def of(
        cls, documents: Int64s, totals: Int64s, reference: int, references: int, cells: int
    ) -> _Cell:
        """Make a cell of arrays: Python's integers have any size."""
        return cls(documents.tolist(), totals.tolist(), reference, references, cells)

    def gaps(self, ratio: int) -> tuple[list[bool], list[bool]]:
        """Return for which sources the cell is a gap, and for which of these it is no chance.

        Args:
            ratio: a source's share is more than so many times the reference's.
        """
        no = [False] * len(self.totals)
        human, humans = sum(self.documents), sum(self.totals)
        sources = list(zip(self.documents, self.totals, strict=True))
        large = [n * self.references > ratio * self.reference * total for n, total in sources]
        if not any(large) or not self._excess(human, humans, self.cells):
            return no, no
        tests = self.cells * sum(total > 0 for total in self.totals)
        certain = [
            is_large and self._excess(*source, tests)
            for is_large, source in zip(large, sources, strict=True)
        ]
        if human * self.references > ratio * self.reference * humans:
            return large, certain
        lacking = sum(n for n, sure in zip(self.documents, certain, strict=True) if sure)
        left = self.reference * humans - (human - lacking) * self.references
        return (certain, certain) if lacking * self.references > ratio * left else (no, no)

    def _excess(self, human: int, humans: int, tests: int) -> bool:
        return is_excess(human, humans, self.reference, self.references, tests)


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
