"""Seeded hashes of document fingerprints: the source of every "random" choice of a run.

A random generator's choice depends on the number of draws before it, and so on order and
partition. A hash of (fingerprint, seed, salt) depends on the document alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base.kernels import borrowing, kernel, late_kernel


@kernel("uint64(uint64)", _nrt=False, forceinline=True)
def mix64(x):  # type: ignore[no-untyped-def]
    """Mix 64 bits by the finaliser of splitmix64.

    It is a bijection; each input bit flips each output bit with probability one half. Source:
    Steele, Lea & Flood 2014, with Stafford's variant 13.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_HALVES = types.Array(types.uint64, 1, "A", readonly=True)  # Arrow's buffers are read-only


@late_kernel(types.void(_HALVES, _HALVES, types.uint64, types.uint64[:]))
def _hash(hi, lo, start, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        # Two rounds: with one, documents whose halves differ by the same bits would collide.
        out[i] = mix64(mix64(hi[i] ^ start) + lo[i])


def seeded_hash(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], seed: int, salt: str
) -> NDArray[np.uint64]:
    """Return uniform 64-bit hashes of 128-bit fingerprints.

    Args:
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves.
        seed: seed of the run; any integer, taken modulo 2**64.
        salt: name of the use, such as "gumbel" or "shard". Hashes with different salts are
            independent, so a document's selection says nothing about its shard.

    Returns:
        uint64[n], the same on every machine.

    Raises:
        ValueError: `hi` and `lo` differ in length, or aren't uint64.
    """
    if hi.shape != lo.shape or hi.ndim != 1:
        raise ValueError(
            f"fingerprint halves have shapes {hi.shape} and {lo.shape}; both must be (n,)"
        )
    if hi.dtype != np.uint64 or lo.dtype != np.uint64:
        raise ValueError(f"fingerprint halves are {hi.dtype} and {lo.dtype}; both must be uint64")
    message = salt.encode() + (seed % 2**64).to_bytes(8, "little")
    start = int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "little")
    out = np.empty(len(hi), np.uint64)
    _hash(hi, lo, np.uint64(start), out)
    return out


_BASE = np.uint64(0x9E3779B97F4A7C15)


@borrowing()
def hash_ngrams(words, start, stop, ngram, leaving, out):  # type: ignore[no-untyped-def]
    """Fill `out` from its beginning with the hashes of the n-grams of a run of words.

    Args:
        words: uint32[total] or uint64[total], word hashes.
        start, stop: first word of the run, and the word after its last; `ngram` words or more.
        ngram: words in an n-gram, at least 1.
        leaving: uint64, value of `leaving_weight(ngram)`.
        out: uint64[stop - start - ngram + 1] or longer.
    """
    # A rolling polynomial in the word hashes modulo 2**64; its cost is independent of `ngram`.
    window = np.uint64(0)
    for i in range(start, start + ngram):
        window = window * _BASE + np.uint64(words[i])
    out[0] = mix64(window)
    for i in range(start + ngram, stop):
        window = window * _BASE + np.uint64(words[i]) - leaving * np.uint64(words[i - ngram])
        out[i - start - ngram + 1] = mix64(window)


def leaving_weight(ngram: int) -> np.uint64:
    """Return the weight of the oldest word in an n-gram's polynomial, modulo 2**64."""
    return np.uint64(pow(int(_BASE), ngram, 1 << 64))
