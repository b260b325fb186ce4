"""Estimators of diversity, and accumulators that merge exactly because they hold integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.waterfill import entropy, kl

HEAD, TAIL, OFF_SUPPORT = 0, 1, 2
CLASSES = ("head", "tail", "off_support")

_COVERED = 0.95  # sample coverage from which the jackknife has less bias than Chao-Shen


def sample_coverage(counts: NDArray[np.int64]) -> float:
    """Share of the distribution that the sample has seen (Good-Turing; Chao & Jost 2012)."""
    n = int(counts.sum())
    once = int((counts == 1).sum())
    twice = int((counts == 2).sum())
    if n == 0 or once == 0:
        return 1.0 if n else 0.0
    if twice:
        unseen = (n - 1) * once / ((n - 1) * once + 2 * twice)
    elif once > 1:
        unseen = (n - 1) * (once - 1) / ((n - 1) * (once - 1) + 2)
    else:
        unseen = 1.0
    return 1.0 - once / n * unseen


def chao_shen(counts: NDArray[np.int64]) -> float:
    """Entropy in nats, corrected for cells that were not seen (Chao & Shen 2003)."""
    n = int(counts.sum())
    share = sample_coverage(counts) * counts[counts > 0] / n
    share = share[share > 0]
    return float(-(share * np.log(share) / (1 - (1 - share) ** n)).sum()) + 0.0


def jackknife(counts: NDArray[np.int64]) -> float:
    """Entropy in nats by the delete-one jackknife (Zahl 1977), from the histogram alone.

    n H - (n - 1) mean(H without one) = g(n) - sum of c/n g(c) over the cells, with
    g(c) = c ln c - (c - 1) ln(c - 1), in which no large numbers cancel.
    """
    n = int(counts.sum())
    if n < 2:
        return 0.0
    value, often = np.unique(counts[counts > 0], return_counts=True)
    gain = _gain(np.append(value, n).astype(float))
    return float(gain[-1] - (value * often / n * gain[:-1]).sum()) + 0.0


def _gain(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    rest = np.maximum(counts - 1, 0)
    share = np.where(counts > 1, 1 / counts, 0.0)  # of the document in its cell; nothing rests of 1
    return np.asarray(np.log(counts) - rest * np.log1p(-share), np.float64)


def effective_number(counts: NDArray[np.int64]) -> float:
    """How many equally likely cells the distribution is worth: Hill's number of order 1.

    The entropy is estimated by Chao-Shen where the sample coverage is below .95, else by the
    jackknife.

    Args:
        counts: int64[K], documents a cell. Documents, not tokens: the corrections assume
            independent draws.
    """
    if int(np.sum(counts)) == 0:
        return 0.0
    covered = sample_coverage(counts) >= _COVERED
    return float(np.exp(jackknife(counts) if covered else chao_shen(counts)))


@dataclass
class ClusterCounts:
    """Documents and tokens by cluster and class: integers, so that merging is exact.

    Attributes:
        documents, tokens: int64[K].
        classes: int64[3], documents by head, tail, off-support.
        audit: int64[K2], documents on the second codebook.
        copies: further appearances of documents that stand more than once.
        near_duplicates: documents that repeat another one, verified or as a further copy.
    """

    documents: NDArray[np.int64]
    tokens: NDArray[np.int64]
    classes: NDArray[np.int64]
    audit: NDArray[np.int64]
    copies: int = 0
    near_duplicates: int = 0

    @classmethod
    def empty(cls, clusters: int, audit_clusters: int) -> ClusterCounts:
        return cls(
            np.zeros(clusters, np.int64),
            np.zeros(clusters, np.int64),
            np.zeros(len(CLASSES), np.int64),
            np.zeros(audit_clusters, np.int64),
        )

    def add(
        self,
        cluster: NDArray[Any],
        tokens: NDArray[Any],
        kind: NDArray[Any],
        audit_cluster: NDArray[Any],
        copies: int = 0,
        near_duplicates: int = 0,
    ) -> None:
        """Adds rows.

        Args:
            cluster: int[n], cell of each row.
            tokens: int[n].
            kind: int[n], class of each row.
            audit_cluster: int[n], cell on the second codebook.
            copies: how many of the rows are further copies.
            near_duplicates: how many of the rows repeat another document.
        """
        self.documents += np.bincount(cluster, minlength=len(self.documents))
        np.add.at(self.tokens, cluster, tokens)
        self.classes += np.bincount(kind, minlength=len(CLASSES))
        self.audit += np.bincount(audit_cluster, minlength=len(self.audit))
        self.copies += copies
        self.near_duplicates += near_duplicates

    def merge(self, other: ClusterCounts) -> ClusterCounts:
        """The counts of both, as a new object."""
        return ClusterCounts(
            self.documents + other.documents,
            self.tokens + other.tokens,
            self.classes + other.classes,
            self.audit + other.audit,
            self.copies + other.copies,
            self.near_duplicates + other.near_duplicates,
        )

    def extract(self, reference: NDArray[np.float64] | None) -> dict[str, Any]:
        """The figures that a report shows.

        Args:
            reference: float64[K], the human reference's smoothed token shares; None without
                human text, and then the figure against it is absent.
        """
        documents = int(self.documents.sum())
        figures: dict[str, Any] = {
            "documents": documents,
            "tokens": int(self.tokens.sum()),
            "copies": self.copies,
            "near_duplicates": self.near_duplicates,
        }
        if documents == 0:
            return figures
        figures |= {
            "near_duplicate_rate": self.near_duplicates / documents,
            "effective_clusters": effective_number(self.documents),
            "audit_effective_clusters": effective_number(self.audit),
            "sample_coverage": sample_coverage(self.documents),
        }
        if self.tokens.sum() > 0:
            figures["token_entropy"] = entropy(self.tokens)
        if reference is not None:
            figures["tail_mass"] = int(self.classes[TAIL]) / documents
            figures["off_support"] = int(self.classes[OFF_SUPPORT]) / documents
            if self.tokens.sum() > 0:
                figures["kl_to_reference"] = kl(self.tokens, reference)
        return figures

    def to_json(self) -> dict[str, Any]:
        return {
            "documents": self.documents.tolist(),
            "tokens": self.tokens.tolist(),
            "classes": self.classes.tolist(),
            "audit": self.audit.tolist(),
            "copies": self.copies,
            "near_duplicates": self.near_duplicates,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ClusterCounts:
        def column(name: str) -> NDArray[np.int64]:
            return np.array(value[name], np.int64)

        return cls(
            column("documents"),
            column("tokens"),
            column("classes"),
            column("audit"),
            value["copies"],
            value["near_duplicates"],
        )
