"""Topics of documents: a small semantic space, and its clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from documents import END, UNKNOWN, Documents
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

_ROUNDS = 30


def _counts(documents: Documents, vocabulary: int) -> csr_matrix:
    """Return ln(1 + occurrences) of every word in every document, (n, vocabulary)."""
    units = np.ones(len(documents.tok), np.float32)
    shape = (documents.n, vocabulary)
    counts = csr_matrix((units, documents.tok.copy(), documents.off.copy()), shape)
    counts.sum_duplicates()
    counts.data = np.log1p(counts.data)
    return counts


@dataclass(frozen=True)
class Codebook:
    """Latent semantic analysis (Deerwester et al. 1990) with k-means on the unit sphere.

    Attributes:
        projection: float32[vocabulary, dimensions], vectors of the words, times their inverse
            document frequency.
        centres: float32[k, dimensions], centres of the clusters.
    """

    projection: NDArray[np.float32]
    centres: NDArray[np.float32]

    @classmethod
    def fit(
        cls, documents: Documents, vocabulary: int, k: int, dimensions: int, seed: int
    ) -> Codebook:
        """Fit on `documents`. Words in fewer than 3 of them, or in over 30 %, say nothing of it.

        The singular vectors are divided by the square roots of their values, so that the first few
        don't decide alone.
        """
        counts = _counts(documents, vocabulary)
        found_in = np.bincount(counts.indices, minlength=vocabulary)
        idf = np.log((documents.n + 1) / (found_in + 1))
        idf[(found_in < 3) | (found_in > 0.3 * documents.n)] = 0
        idf[[UNKNOWN, END]] = 0
        weighted = counts.multiply(idf.astype(np.float32)).tocsr()
        norms = np.sqrt(np.asarray(weighted.power(2).sum(axis=1)).ravel()) + 1e-6
        start = np.random.default_rng(seed).standard_normal(min(weighted.shape))
        _, values, vectors = svds(
            weighted.multiply(1 / norms[:, None]).tocsr(), dimensions, v0=start, tol=1e-3
        )
        projection = (idf[:, None] * vectors.T / np.sqrt(values)).astype(np.float32)
        centres, _ = kmeans2(
            _vectors(counts, projection), k, iter=_ROUNDS, minit="++", missing="warn", rng=seed
        )
        return cls(projection, centres.astype(np.float32))

    @property
    def k(self) -> int:
        return len(self.centres)

    def assign(self, documents: Documents) -> NDArray[np.int32]:
        """Return the nearest centre of each document, int32[n]."""
        vectors = _vectors(_counts(documents, len(self.projection)), self.projection)
        distances = (self.centres**2).sum(axis=1) - 2 * vectors @ self.centres.T
        return distances.argmin(axis=1).astype(np.int32)

    def shares(self, documents: Documents) -> NDArray[np.float64]:
        """Share of the tokens that each cluster has, float64[k]."""
        tokens = np.bincount(self.assign(documents), documents.lengths, self.k)
        return tokens / tokens.sum()


def _vectors(counts: csr_matrix, projection: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = counts @ projection
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6)
