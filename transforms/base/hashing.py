"""Seeded hashes of document fingerprints: every "random" choice of a run comes from here.

A choice made by a generator depends on how many draws came before it, and so on order and
partition. A choice made by hashing (fingerprint, seed, salt) depends on the document alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit, types
from numpy.typing import NDArray


@njit("uint64(uint64)", nogil=True, cache=True, inline="always")
def mix64(x):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014; Stafford's variant 13).

    A bijection on 64 bits in which every input bit flips every output bit half of the time.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_HALVES = types.Array(types.uint64, 1, "A", readonly=True)  # as Arrow's buffers are


@njit(types.void(_HALVES, _HALVES, types.uint64, types.uint64[:]), nogil=True, cache=True)
def _hash(hi, lo, start, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        # Two rounds: with one, documents whose halves differ by the same bits would collide.
        out[i] = mix64(mix64(hi[i] ^ start) + lo[i])


def seeded_hash(
    hi: NDArray[np.uint64], lo: NDArray[np.uint64], seed: int, salt: str
) -> NDArray[np.uint64]:
    """Uniform 64-bit hashes of 128-bit fingerprints.

    Args:
        hi: uint64[n], the upper halves of the fingerprints.
        lo: uint64[n], the lower halves.
        seed: the run's seed; any integer, taken modulo 2**64.
        salt: the name of the use ("gumbel", "shard"). Uses with different salts are
            independent, so that who is chosen says nothing about where it is written.

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
_SIGNATURES = [
    types.void(
        types.Array(word, 1, "A", readonly=True),
        *(types.int64, types.int64, types.int64, types.uint64, types.uint64[::1]),
    )
    for word in (types.uint32, types.uint64)
]


@njit(
    _SIGNATURES,
    nogil=True,
    cache=True,
)
def hash_ngrams(words, start, stop, ngram, leaving, out):  # type: ignore[no-untyped-def]
    """Fills `out` from its beginning with the hashes of the n-grams between two words.

    Args:
        words: uint32[total] or uint64[total], word hashes.
        start, stop: of a run of `ngram` words or more.
        ngram: words in an n-gram, at least 1.
        leaving: of `leaving_weight(ngram)`.
        out: uint64[stop - start - ngram + 1] or longer.
    """
    # A polynomial in the word hashes modulo 2**64, rolled: its cost does not grow with ngram.
    window = np.uint64(0)
    for i in range(start, start + ngram):
        window = window * _BASE + np.uint64(words[i])
    out[0] = mix64(window)
    for i in range(start + ngram, stop):
        window = window * _BASE + np.uint64(words[i]) - leaving * np.uint64(words[i - ngram])
        out[i - start - ngram + 1] = mix64(window)


def leaving_weight(ngram: int) -> np.uint64:
    """The weight that a word has in an n-gram's polynomial when it leaves it."""
    return np.uint64(pow(int(_BASE), ngram, 1 << 64))
