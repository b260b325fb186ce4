"""The second codebook: clusters of documents by their words, without an embedder.

A document's vector is the sum of a row for each of its words, scaled like an embedding. The row of
a word is a random row of signs times the word's inverse document frequency in the reference:
TF-IDF, projected at random (Achlioptas 2003, "Database-friendly random projections"). So what the
embedder can't see, such as words of another language, this codebook sees. No decision looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import kernel
from outcross.transforms.base.logarithm import LOG_BITS, log
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.text.embed import ROWS_IN_INT16, add_rows, quantise

BUCKETS = 1 << 16
"""Buckets of the words; those of one bucket count as one word."""
WORD_DIMS = 256
"""Length of a vector of words."""
LEAST_DOCUMENTS = 2
"""Reference documents that a word of weight occurs in; others say nothing of shared themes."""

_WEIGHT_UNIT = 8
_SHIFT = np.uint32(16)  # from a word's id to its bucket
_DRAWS = WORD_DIMS // 64


@dataclass(frozen=True)
class SecondCodebook:
    """Weights of words and centroids of their vectors.

    Attributes:
        weights: uint8[BUCKETS], from `word_weights`.
        codebook: centroids, and the number of human documents at each.
    """

    weights: NDArray[np.uint8]
    codebook: Codebook

    @property
    def size(self) -> int:
        """Number of clusters."""
        return self.codebook.size

    def nearest(self, offsets: NDArray[np.int64], words: NDArray[np.uint32]) -> NDArray[np.int32]:
        """Find the nearest centroid of each document.

        Args:
            offsets: int64[n + 1], where the words of each document begin.
            words: uint32[total], ids of the words.
        """
        return self.codebook.nearest(word_vectors(offsets, words, self.weights))


@kernel()
def count_documents(
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    rows: NDArray[np.int64],
    frequencies: NDArray[np.int64],
) -> None:
    """Count the documents that have a word of each bucket.

    Args:
        offsets: int64[n + 1], where the words of each document begin.
        words: uint32[total], ids of the words.
        rows: int64[m], documents that count, each at most once.
        frequencies: int64[BUCKETS], which the counts are added to.
    """
    last = np.full(len(frequencies), -1, np.int64)
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            bucket = words[i] >> _SHIFT
            if last[bucket] != row:
                last[bucket] = row
                frequencies[bucket] += 1


def word_weights(frequencies: NDArray[np.int64], documents: int) -> NDArray[np.uint8]:
    """Compute the weight of each word: 8 ln((documents + 1) / (frequency + 1/2)), rounded.

    Args:
        frequencies: int64[BUCKETS], reference documents that have a word of each bucket.
        documents: number of reference documents.

    Returns:
        uint8[BUCKETS], at most 127; 0 for words of fewer than `LEAST_DOCUMENTS` documents.
    """
    weights: NDArray[np.uint8] = _weights(frequencies, documents)
    return weights


@kernel()
def _weights(frequencies, documents):  # type: ignore[no-untyped-def]
    out = np.zeros(len(frequencies), np.uint8)
    all_documents = log(np.float64(2 * documents + 2))
    half = np.int64(1) << (LOG_BITS - 1)
    for bucket in range(len(frequencies)):
        if frequencies[bucket] >= LEAST_DOCUMENTS:
            nats = all_documents - log(np.float64(2 * frequencies[bucket] + 1))
            out[bucket] = min(max((_WEIGHT_UNIT * nats + half) >> LOG_BITS, 0), 127)
    return out


def word_vectors(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], weights: NDArray[np.uint8]
) -> NDArray[np.int8]:
    """Project the words of documents.

    Args:
        offsets: int64[n + 1], where the words of each document begin.
        words: uint32[total], ids of the words.
        weights: uint8[BUCKETS], from `word_weights`.

    Returns:
        int8[n, WORD_DIMS], scaled like embeddings; zeros for documents without words of weight.
    """
    table = _table(np.ascontiguousarray(weights).tobytes())
    out = np.empty((len(offsets) - 1, WORD_DIMS), np.int8)
    _project(offsets, words, table, weights, out)
    return out


@lru_cache(maxsize=2)  # threads of a worker share it; a comparison has two references
def _table(weights: bytes) -> NDArray[np.int8]:
    """Make the rows of all words: int8[BUCKETS, WORD_DIMS], some 16 MB."""
    places = np.arange(BUCKETS * _DRAWS, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    # The finaliser of SplitMix64 (Steele, Lea, Flood 2014) makes 64 random signs of each place.
    bits = (places ^ (places >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    drawn = np.unpackbits(bits.astype("<u8").view(np.uint8)).reshape(BUCKETS, WORD_DIMS)
    weight = np.frombuffer(weights, np.uint8).astype(np.int8)[:, None]
    table: NDArray[np.int8] = np.where(drawn, weight, -weight)
    table.flags.writeable = False
    return table


@kernel()
def _project(offsets, words, table, weights, out):  # type: ignore[no-untyped-def]
    total = np.zeros(table.shape[1], np.int64)
    batch = np.empty(ROWS_IN_INT16, np.int64)
    for d in range(len(offsets) - 1):
        total[:] = 0
        pending = np.int64(0)
        for i in range(offsets[d], offsets[d + 1]):
            bucket = words[i] >> _SHIFT
            if weights[bucket] == 0:
                continue
            batch[pending] = bucket
            pending += 1
            if pending == ROWS_IN_INT16:
                add_rows(table, batch, pending, total)
                pending = 0
        add_rows(table, batch, pending, total)
        quantise(total, out[d])
