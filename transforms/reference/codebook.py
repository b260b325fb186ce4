"""The codebook: spherical k-means on human text, exact assignment, and a density over its cells.

Embeddings and centroids are int8 with a fixed scale, so a dot product is a whole number. So the
assignment has the same bits on every machine, for every batch size and thread count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel
from outcross.transforms.base.products import Columns
from outcross.transforms.text.embed import SCALE

POINTS_PER_CENTROID = 64
MAX_CLUSTERS = 4096
ITERATIONS = 10
BATCH = 256  # rows, whose products with all centroids stay in the cache

# Kernel of the density: exp(10 (cos - 1)) in fixed point, over the cosine in steps of 1/2016.
_SHARPNESS = 10.0
_STEP_BITS = 5
_LOWEST = -(1 << 16)  # smaller products, by rounding, count as this one
_BELOW = 1 << 16  # smaller products that the table has room for
_STEPS = 1 << 14
_FIXED = 1 << 30


def _kernel_table() -> NDArray[np.uint32]:
    middle = (np.arange(_STEPS) + 0.5) * (1 << _STEP_BITS) + (_LOWEST - _BELOW)
    middle = np.maximum(middle, _LOWEST + 0.5 * (1 << _STEP_BITS))
    cosine = np.minimum(middle / (SCALE * SCALE), 1.0)
    return np.rint(np.exp(_SHARPNESS * (cosine - 1.0)) * _FIXED).astype(np.uint32)


_KERNEL = _kernel_table()


@dataclass(frozen=True)
class Codebook:
    """Centroids, and the number of human documents at each.

    Attributes:
        centroids: int8[K, D], scaled like the embeddings.
        counts: int64[K], documents of the training sample in each cell; weights of the density.
    """

    centroids: NDArray[np.int8]
    counts: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of clusters, K."""
        return len(self.centroids)

    def assign(
        self, embeddings: NDArray[np.int8]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Assign each document to its nearest centroid, and compute its density.

        The density is the fixed-point sum over the cells of counts * exp(10 (cos - 1)). Only its
        order matters, so no logarithm is taken.

        Args:
            embeddings: int8[n, D].

        Returns:
            cluster int32[n] (the lowest number wins a tie), dot int32[n], density int64[n].
        """
        n = len(embeddings)
        cluster = np.zeros(n, np.int32)
        dot = np.zeros(n, np.int32)
        density = np.zeros(n, np.int64)
        for batch, products in self._products(embeddings):
            _nearest(products, self.counts, _KERNEL, cluster[batch], dot[batch], density[batch])
        return cluster, dot, density

    def nearest(self, embeddings: NDArray[np.int8]) -> NDArray[np.int32]:
        """Find the nearest centroid of each document, as `assign` does, without the density."""
        cluster = np.zeros(len(embeddings), np.int32)
        for batch, products in self._products(embeddings):
            cluster[batch] = products.argmax(axis=1)
        return cluster

    def _products(self, embeddings: NDArray[np.int8]) -> Iterator[tuple[slice, NDArray[np.int32]]]:
        """Yield batches of documents, and their products with all centroids."""
        columns = Columns.of(self.centroids)
        for start in range(0, len(embeddings), BATCH):
            batch = slice(start, min(start + BATCH, len(embeddings)))
            yield batch, columns.products(embeddings[batch])


@kernel()
def _nearest(
    products: NDArray[np.int32],
    counts: NDArray[np.int64],
    kernel: NDArray[np.uint32],
    cluster: NDArray[np.int32],
    dot: NDArray[np.int32],
    density: NDArray[np.int64],
) -> None:
    lowest = np.int32(_LOWEST - _BELOW)
    for i in range(products.shape[0]):
        row = products[i]
        highest = row[0]
        total = np.int64(0)
        for c in range(len(row)):
            highest = max(highest, row[c])
            step = np.uint32(row[c] - lowest) >> np.uint32(_STEP_BITS)
            total += counts[c] * np.int64(kernel[step & np.uint32(_STEPS - 1)])
        best = 0
        while row[best] != highest:
            best += 1
        cluster[i] = best
        dot[i] = highest
        density[i] = total


def default_clusters(documents: int) -> int:
    """Choose K so that the estimators have 64 reference documents for each cluster."""
    return max(1, min(MAX_CLUSTERS, documents // POINTS_PER_CENTROID))


def smallest(hashes: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    """Find the rows of the `size` smallest hashes, a sample that no order of rows can change.

    Returns:
        int64[min(n, size)], rows by ascending hash.
    """
    return np.argsort(hashes, kind="stable")[:size].astype(np.int64)


def fit_codebook(embeddings: NDArray[np.int8], clusters: int, seed: int) -> Codebook:
    """Fit centroids by spherical k-means (FAISS, one thread).

    The centroids depend on the order of the rows as much as on the seed, so the caller sorts the
    sample by hash. They are stored, as their floats may differ between machines.

    Args:
        embeddings: int8[n, D], embeddings of the training sample in a fixed order.
        clusters: K; there are fewer where fewer documents have words.
        seed: seed of the initial centroids.
    """
    import faiss

    dims = embeddings.shape[1]
    sample = np.ascontiguousarray(embeddings, dtype=np.float32)
    sample = sample[np.any(sample != 0, axis=1)]
    if len(sample) == 0:  # no document has a word that the embedder knows
        return Codebook(np.zeros((1, dims), np.int8), np.zeros(1, np.int64))
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        kmeans = faiss.Kmeans(
            dims,
            min(clusters, len(sample)),
            niter=ITERATIONS,
            seed=seed % (1 << 31),
            spherical=True,
            min_points_per_centroid=1,
            max_points_per_centroid=len(sample),
        )
        kmeans.train(sample)
    finally:
        faiss.omp_set_num_threads(threads)
    centroids = np.clip(np.rint(np.asarray(kmeans.centroids) * SCALE), -127, 127).astype(np.int8)
    unweighted = Codebook(centroids, np.zeros(len(centroids), np.int64))
    cluster = unweighted.nearest(embeddings)
    counts = np.bincount(cluster, minlength=len(centroids)).astype(np.int64)
    return Codebook(centroids, counts)
