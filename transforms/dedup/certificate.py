"""Certificate: how many documents deduplication could have kept at most, and how many it kept.

Two documents *repeat* each other if the near rule agrees and one may be removed in favour of the
other. What could be kept is the largest set of documents of which none repeats another. It is hard
to compute (a maximum independent set), but easy to bound: of documents that all repeat one another
at most one can be kept. So the number of disjoint cliques that cover the documents is a bound, n −
Σ (size − 1). All pairs of a component are verified for it, in a seeded sample of the components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

_NORMAL = 1.959964  # two-sided 95 % of a normal distribution


def clique_cover(documents: int, pairs: NDArray[np.int64]) -> int:
    """Count the cliques of a greedy cover: an upper bound on documents without a repeat.

    Each document in turn joins the first clique whose members it all repeats.

    Args:
        documents: number of documents, n.
        pairs: int64[m, 2], documents that repeat each other, 0 to n - 1.

    Returns:
        n − Σ (size − 1) over the cliques.
    """
    repeats = np.zeros((documents, documents), bool)
    repeats[pairs[:, 0], pairs[:, 1]] = True
    repeats[pairs[:, 1], pairs[:, 0]] = True
    cliques = np.zeros((documents, documents), bool)  # members of each clique
    sizes = np.zeros(documents, np.int64)
    used = 0
    for document in range(documents):
        known = (cliques[:used] & repeats[document]).sum(axis=1)
        fitting = np.flatnonzero(known == sizes[:used])
        place = int(fitting[0]) if len(fitting) else used
        used += place == used
        cliques[place, document] = True
        sizes[place] += 1
    return used


@dataclass(frozen=True)
class Component:
    """A component all of whose pairs were verified.

    Attributes:
        documents: number of its documents.
        kept: number of kept documents.
        bound: most documents that could be kept, from `clique_cover`.
        missed: number of kept documents that repeat another kept one.
    """

    documents: int
    kept: int
    bound: int
    missed: int


@dataclass(frozen=True)
class Share:
    """Estimate of the share that was kept of what could be kept.

    Attributes:
        kept: share of what could be kept, 0 to 1.
        error: half of the 95 % interval of that share.
        missed: share of the kept documents that repeat another kept one.
    """

    kept: float
    error: float
    missed: float


def share_kept(sample: Sequence[Component], components: int, others: int, kept: int) -> Share:
    """Estimate the share kept of what could be kept, from a sample of the components.

    Documents outside of the components repeat nothing, or are exact groups, of which one is kept.

    Args:
        sample: components drawn at random.
        components: number of components that the sample was drawn from, at least as many.
        others: number of documents that are kept outside of these components.
        kept: number of documents that are kept in these components.

    Returns:
        The share, (others + kept) / (others + kept + lost), where `lost` is estimated from the
        documents lost for each kept one in the sample. Its error is that of a ratio estimator
        without replacement (Cochran 1977, Sampling Techniques, section 6.3).
    """
    drawn, total = len(sample), others + kept
    of_sample = np.array([part.kept for part in sample], np.float64)
    if of_sample.sum() == 0:
        return Share(1.0, 0.0, 0.0)
    lost = np.array([max(part.bound - part.kept, 0) for part in sample], np.float64)
    missed = np.array([part.missed for part in sample], np.float64)
    rate = lost.sum() / of_sample.sum()
    residuals = lost - rate * of_sample
    spread = 0.0
    if drawn > 1:
        left = 1 - drawn / components
        spread = sqrt(left * drawn / (drawn - 1) * float(residuals @ residuals)) / of_sample.sum()
    could = total + rate * kept
    return Share(
        kept=total / could,
        error=_NORMAL * spread * kept * total / could**2,
        missed=float(missed.sum() / of_sample.sum()) * kept / total,
    )


def band_recall(similarity: float, bands: int, rows: int) -> float:
    """Compute the chance that two documents share a band: 1 − (1 − sʳ)ᵇ.

    Source: Indyk and Motwani 1998; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
    section 3.4.

    Args:
        similarity: Jaccard similarity s of their shingles, 0 to 1.
        bands: number of bands, b.
        rows: rows of a band, r.
    """
    return float(1.0 - (1.0 - similarity**rows) ** bands)
