"""Shingles: hashes of the word n-grams of documents (Broder 1997)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hashing import hash_ngrams, leaving_weight, mix64
from outcross.transforms.base.kernels import kernel
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.words import Words


def shingles(words: Words, ngram: int = 5) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Hash all word n-grams of n documents, repeated ones included.

    A document with fewer words than `ngram` has one shingle, made of all its words. A document
    without words has one made of its characters. So deduplication leaves no document out.

    Args:
        words: words of n documents.
        ngram: words in a shingle.

    Returns:
        int64[n + 1] offsets and uint32[total] hashes, document after document.

    Raises:
        ValueError: `ngram` is less than 1.
    """
    if ngram < 1:
        raise ValueError(f"ngram is {ngram}; it must be at least 1")
    wordless = np.zeros(0, np.uint64)
    if np.any(words.offsets[1:] == words.offsets[:-1]):
        wordless, _ = fingerprints(words)
    offsets, hashes = _shingles(words.offsets, words.hashes, wordless, ngram, leaving_weight(ngram))
    return offsets, hashes


@kernel(inline="always")
def document_shingles(offsets, words, wordless, document, ngram, leaving, out):  # type: ignore[no-untyped-def]
    """Write the shingles of one document, repeated ones included, and return their number.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total] or uint64[total], word hashes.
        wordless: uint64[n], hashes of the documents without words.
        document: number of the document.
        ngram: words in a shingle.
        leaving: result of `leaving_weight(ngram)`.
        out: uint64[], filled from its beginning; `most_shingles` says how long it must be.
    """
    start, stop = offsets[document], offsets[document + 1]
    if start == stop:
        out[0] = mix64(wordless[document])
        return 1
    size = min(ngram, stop - start)
    hash_ngrams(words, start, stop, size, leaving, out)
    return stop - start - size + 1


@kernel()
def most_shingles(offsets, ngram):  # type: ignore[no-untyped-def]
    """Return the largest number of shingles that a document has."""
    most = np.int64(1)
    for d in range(len(offsets) - 1):
        most = max(most, offsets[d + 1] - offsets[d] - ngram + 1)
    return most


@kernel()
def _shingles(word_offsets, hashes, wordless, ngram, leaving):  # type: ignore[no-untyped-def]
    n = len(word_offsets) - 1
    offsets = np.zeros(n + 1, np.int64)
    for d in range(n):
        offsets[d + 1] = offsets[d] + max(1, word_offsets[d + 1] - word_offsets[d] - ngram + 1)
    out = np.empty(offsets[n], np.uint32)
    long = np.empty(most_shingles(word_offsets, ngram), np.uint64)
    for d in range(n):
        count = document_shingles(word_offsets, hashes, wordless, d, ngram, leaving, long)
        for i in range(count):
            out[offsets[d] + i] = np.uint32(long[i] >> np.uint64(32))
    return offsets, out
