"""The codebook: spherical k-means on human text, exact assignment, and a density over its cells.

Embeddings and centroids are int8 with a fixed scale, so every partial sum of a dot product stays
below 2**24 and the float32 matrix product is exact in any order of summation: the assignment has
the same bits on every machine, batch size and thread count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.text.embed import SCALE

ASSIGNMENTS = pa.schema(
    [
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("dot", pa.int32(), nullable=False),
        pa.field("density", pa.int64(), nullable=False),
        pa.field("audit_cluster", pa.int32(), nullable=False),
    ]
)


POINTS_PER_CENTROID = 64
MAX_CLUSTERS = 4096
ITERATIONS = 10
BATCH = 2048

# Kernel of the density: exp(10 (cos - 1)) in fixed point over the cosine in steps of 1/2016.
_SHARPNESS = 10.0
_STEP_BITS = 5
_LOWEST = -(1 << 16)
_STEPS = 1 << 13
_FIXED = 1 << 30


def _kernel_table() -> NDArray[np.int64]:
    middle = (np.arange(_STEPS) + 0.5) * (1 << _STEP_BITS) + _LOWEST
    cosine = np.minimum(middle / (SCALE * SCALE), 1.0)
    return np.rint(np.exp(_SHARPNESS * (cosine - 1.0)) * _FIXED).astype(np.int64)


_KERNEL = _kernel_table()


@dataclass(frozen=True)
class Codebook:
    """Centroids and how much human text each of them stands for.

    Attributes:
        centroids: int8[K, d], scaled like the embeddings.
        dims: int64[d], the embedding's dimensions that the codebook looks at.
        counts: int64[K], documents of the training sample in each cell, weights of the density.
    """

    centroids: NDArray[np.int8]
    dims: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def size(self) -> int:
        return len(self.centroids)

    def assign(
        self, embeddings: NDArray[np.int8]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Nearest centroid, its dot product, and the density, for each document.

        The density is the fixed-point sum over the cells of counts * exp(10 (cos - 1)); only its
        order matters, so the logarithm is not taken.

        Args:
            embeddings: int8[n, D], all dimensions of the embedder.

        Returns:
            cluster int32[n] (the lowest number wins a tie), dot int32[n], density int64[n].
        """
        n = len(embeddings)
        cluster = np.zeros(n, np.int32)
        dot = np.zeros(n, np.int32)
        density = np.zeros(n, np.int64)
        right = np.ascontiguousarray(self.centroids.astype(np.float32).T)
        for start in range(0, n, BATCH):
            part = slice(start, min(start + BATCH, n))
            left = np.ascontiguousarray(embeddings[part][:, self.dims], dtype=np.float32)
            _nearest(left @ right, self.counts, _KERNEL, cluster[part], dot[part], density[part])
        return cluster, dot, density


@numba.njit(nogil=True, cache=True)
def _nearest(
    products: NDArray[np.float32],
    counts: NDArray[np.int64],
    kernel: NDArray[np.int64],
    cluster: NDArray[np.int32],
    dot: NDArray[np.int32],
    density: NDArray[np.int64],
) -> None:
    for i in range(products.shape[0]):
        best = 0
        highest = np.int32(products[i, 0])
        total = np.int64(0)
        for c in range(products.shape[1]):
            value = np.int32(products[i, c])
            if value > highest:
                highest = value
                best = c
            step = (value - _LOWEST) >> _STEP_BITS
            total += counts[c] * kernel[min(max(step, 0), _STEPS - 1)]
        cluster[i] = best
        dot[i] = highest
        density[i] = total


def default_clusters(documents: int) -> int:
    """K such that counts can carry the estimators: 64 reference documents a cluster."""
    return max(1, min(MAX_CLUSTERS, documents // POINTS_PER_CENTROID))


def smallest(hashes: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    """Places of the `size` smallest hashes, in their order: a sample that no order can change."""
    return np.argsort(hashes, kind="stable")[:size].astype(np.int64)


def fit_codebook(
    embeddings: NDArray[np.int8], clusters: int, seed: int, dims: NDArray[np.int64]
) -> Codebook:
    """Spherical k-means by FAISS, one thread, from rows that are already in a fixed order.

    FAISS depends on the order of its rows as much as on the seed, so the caller sorts the sample
    by hash. The only floats of the decisions are here; the result is an artifact.

    Args:
        embeddings: int8[n, D] of the training sample.
        clusters: K; fewer when there are fewer documents that have words.
        seed: of the initial centroids.
        dims: int64[d], the dimensions to look at.
    """
    import faiss

    sample = np.ascontiguousarray(embeddings[:, dims], dtype=np.float32)
    sample = sample[np.any(sample != 0, axis=1)]
    if len(sample) == 0:  # no document has a word that the embedder knows
        return Codebook(np.zeros((1, len(dims)), np.int8), dims, np.zeros(1, np.int64))
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        kmeans = faiss.Kmeans(
            len(dims),
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
    unweighted = Codebook(centroids, dims, np.zeros(len(centroids), np.int64))
    cluster, _, _ = unweighted.assign(embeddings)
    counts = np.bincount(cluster, minlength=len(centroids)).astype(np.int64)
    return Codebook(centroids, dims, counts)
