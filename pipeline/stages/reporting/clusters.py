"""Clusters of a report: human share, share of the corpus, place on a map, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.report import EXTREMES, Cluster
from outcross.transforms.reference.reference import Reference

_TINY = 1e-300


def clusters(reference: Reference, documents: NDArray[np.int64]) -> list[Cluster]:
    """Return the clusters, without texts of the corpus.

    Args:
        reference: reference of the job.
        documents: int64[C], documents of the corpus in each cluster, copies included.

    Returns:
        An empty list without a human reference.
    """
    if not reference.human:
        return []
    human = reference.counts.documents / max(int(reference.counts.documents.sum()), 1)
    share = documents / max(int(documents.sum()), 1)
    place = _map(reference.codebook.centroids, human)
    named = {row["cluster"]: row for row in reference.names.to_pylist()}
    return [
        Cluster(
            cluster=c,
            x=float(place[c, 0]),
            y=float(place[c, 1]),
            human_share=float(human[c]),
            share=float(share[c]),
            words=named[c]["words"] if c in named else [],
            human_text=named[c]["texts"][0] if c in named and named[c]["texts"] else None,
            text=None,
        )
        for c in range(reference.codebook.size)
    ]


def extremes(lines: Sequence[Cluster]) -> set[int]:
    """Return the numbers of the most starved and most swollen clusters."""
    ordered = [line.cluster for line in sorted(lines, key=lambda line: line.excess)]
    return {*ordered[:EXTREMES], *ordered[-EXTREMES:]}


def with_examples(lines: Sequence[Cluster], examples: Mapping[int, str]) -> list[Cluster]:
    """Return the clusters with the example texts that are shown, by cluster."""
    return [line.model_copy(update={"text": examples.get(line.cluster)}) for line in lines]


def _map(centroids: NDArray[np.int8], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project the centroids on their two first principal components, from -1 to 1.

    Args:
        centroids: int8[C, dimensions], centroids of the codebook.
        weights: float64[C], human share of each cluster.

    Returns:
        float64[C, 2].
    """
    points = centroids.astype(float)
    points -= np.average(points, axis=0, weights=weights + _TINY)
    _, axes = np.linalg.eigh((points * weights[:, None]).T @ points)
    axes = axes[:, -1:-3:-1]
    # The sign of an axis means nothing: the largest entry is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    place = points @ axes
    # Rounded, as the last digits of an eigenvector depend on the machine and its load.
    return np.round(place / max(float(np.abs(place).max()), 1e-12), 4) + 0.0
