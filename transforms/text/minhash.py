"""MinHash signatures of word n-grams, with datasketch's permutations and its values.

For the same 32-bit shingle hashes a signature is, bit for bit, what
`datasketch.MinHash(num_perm, seed, scheme="affine32")` computes: the hash is mixed by the finaliser
of MurmurHash3, then permutation k is a[k] * h + b[k] modulo 2**32, a[k] odd.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import kernel
from outcross.transforms.text.shingles import shingles
from outcross.transforms.text.words import Words

SCHEME = "affine32"

_WEIGHTS = (0.02, 0.98)
"""Weights of false positives and false negatives. Only the latter are lost, as candidates are
verified."""

_BASE = np.uint64(0x9E3779B97F4A7C15)


@functools.cache
def permutations(num_perm: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the parameters a and b of datasketch's permutations: uint32[num_perm] each.

    Raises:
        ValueError: `num_perm` is less than 1 or more than 65,535.
    """
    if not 1 <= num_perm <= 0xFFFF:
        raise ValueError(f"num_perm is {num_perm}; it must be between 1 and 65535")
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, num_perm, np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, num_perm, np.uint32)
    for array in (a, b):
        array.flags.writeable = False
    return a, b


@functools.cache
def lsh_parameters(threshold: float, num_perm: int) -> tuple[int, int]:
    """Choose the bands and rows with the fewest errors around a Jaccard threshold.

    They are datasketch's `MinHashLSH(threshold, num_perm, weights=(.02, .98))`: (17, 7) for .8
    and 128 permutations, which find 98 of 100 pairs at the threshold. A missed pair weighs 49
    times a false candidate, which verification drops.

    With b bands of r rows, a pair of similarity s isn't found with probability (1 - s^r)^b, a
    polynomial of a degree up to `num_perm`. Gauss and Legendre's rule integrates it exactly.

    Raises:
        ValueError: `threshold` is not within [0, 1], `num_perm` is less than 2, or the best choice
            is one band.
    """
    if not 0 <= threshold <= 1 or num_perm < 2:
        raise ValueError(f"threshold is {threshold} and num_perm {num_perm}; [0, 1] and 2 or more")
    points, weights = np.polynomial.legendre.leggauss(num_perm // 2 + 1)
    halves = (1 + points) / 2  # of [0, 1]
    below, above = threshold * halves, threshold + (1 - threshold) * halves
    false_weight, missed_weight = (
        weight * length / 2 * weights
        for weight, length in zip(_WEIGHTS, (threshold, 1 - threshold), strict=True)
    )
    best, least = (0, 0), math.inf
    for rows in range(1, num_perm + 1):
        unlike, alike = 1 - below**rows, 1 - above**rows
        for bands in range(1, num_perm // rows + 1):
            error = float(false_weight @ (1 - unlike**bands) + missed_weight @ alike**bands)
            if error < least or (error == least and bands < best[0]):
                best, least = (bands, rows), error
    if best[0] < 2:
        raise ValueError(f"{num_perm} permutations are too few for a threshold of {threshold}")
    return best


@kernel(inline="always")
def _premixed(h):  # type: ignore[no-untyped-def]
    h ^= h >> np.uint32(16)
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h ^= h >> np.uint32(13)
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel()
def _minima(offsets, hashes, a, b):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    out = np.empty((n, len(a)), np.uint32)
    row = np.empty(len(a), np.uint32)
    for d in range(n):
        row[:] = np.uint32(0xFFFFFFFF)
        last = offsets[d + 1] - 1
        # Four at a time, as the row is read and written once for all of them. What is missing at
        # the end is filled up with the last one, which changes no minimum.
        for i in range(offsets[d], last + 1, 4):
            h0 = _premixed(hashes[i])
            h1 = _premixed(hashes[min(i + 1, last)])
            h2 = _premixed(hashes[min(i + 2, last)])
            h3 = _premixed(hashes[min(i + 3, last)])
            for k in range(len(a)):
                v0 = np.uint32(a[k] * h0 + b[k])
                v1 = np.uint32(a[k] * h1 + b[k])
                v2 = np.uint32(a[k] * h2 + b[k])
                v3 = np.uint32(a[k] * h3 + b[k])
                row[k] = min(row[k], v0, v1, v2, v3)
        for k in range(len(a)):  # assigning the row takes four seconds longer to compile
            out[d, k] = row[k]
    return out


def signatures(
    words: Words, ngram: int = 5, num_perm: int = 128, seed: int = 1
) -> NDArray[np.uint32]:
    """Return the MinHash signatures of n documents: uint32[n, num_perm].

    Args:
        words: words of n documents.
        ngram: words in a shingle.
        num_perm: number of permutations.
        seed: seed of the permutations.

    Raises:
        ValueError: `ngram` or `num_perm` is out of range.
    """
    a, b = permutations(num_perm, seed)
    result: NDArray[np.uint32] = _minima(*shingles(words, ngram), a, b)
    return result


@kernel()
def _band_values(signatures, bands, rows):  # type: ignore[no-untyped-def]
    n = len(signatures)
    out = np.empty((n, bands), np.uint64)
    for d in range(n):
        for band in range(bands):
            state = np.uint64(band)
            for k in range(band * rows, (band + 1) * rows):
                state = mix64(state * _BASE + np.uint64(signatures[d, k]))
            out[d, band] = state
    return out


def band_values(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Hash every band of every signature: uint64[n, bands].

    The number of the band goes into the hash, so that all bands can share one table.

    Raises:
        ValueError: a signature has fewer than bands * rows values.
    """
    if bands < 1 or rows < 1 or bands * rows > signatures.shape[1]:
        raise ValueError(
            f"{bands} bands of {rows} rows don't fit signatures of {signatures.shape[1]} values"
        )
    values: NDArray[np.uint64] = _band_values(
        np.ascontiguousarray(signatures, np.uint32), bands, rows
    )
    return values


@kernel()
def _agreement(signatures, left, right):  # type: ignore[no-untyped-def]
    out = np.empty(len(left), np.uint16)
    for i in range(len(left)):
        a = signatures[left[i]]
        b = signatures[right[i]]
        equal = np.uint32(0)
        for k in range(len(a)):
            equal += np.uint32(a[k] == b[k])
        out[i] = equal
    return out


def agreement(
    signatures: NDArray[np.uint32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """Count the positions in which the signatures of each pair agree.

    Divided by num_perm it is the estimate of the pair's Jaccard similarity (Broder 1997).

    Args:
        signatures: uint32[n, num_perm].
        left: int64[m], rows of `signatures`.
        right: int64[m], the rows to compare them with.

    Raises:
        ValueError: `left` and `right` differ in length.
        IndexError: a row is not within [0, n).
    """
    if left.shape != right.shape:
        raise ValueError(f"left has {left.shape} rows and right {right.shape}; they must be pairs")
    for name, rows in (("left", left), ("right", right)):
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(signatures):
            raise IndexError(
                f"{name} has rows from {rows.min()} to {rows.max()}; "
                f"there are {len(signatures)} signatures"
            )
    counts: NDArray[np.uint16] = _agreement(
        np.ascontiguousarray(signatures, np.uint32),
        np.ascontiguousarray(left, np.int64),
        np.ascontiguousarray(right, np.int64),
    )
    return counts
