"""Measures of a set of documents by its words alone, without embeddings or clusters.

A set is the 32-bit hashes of its words, document after document. The measures depend on the number
of words, so `first_tokens` cuts sets to the same number before they are compared. Counts are
integers, and sums go over sorted counts. So the figures don't depend on the order of the documents
and have the same bits on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import hash_ngrams, leaving_weight, mix64
from outcross.transforms.base.kernels import late_kernel
from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.text.ngrams import INT64, UINT32, check_documents

_SHARED = np.int64(-1)  # marks an n-gram that stands in several documents


@late_kernel(types.Tuple((types.int64[::1], types.int64))(INT64, UINT32, types.int64, types.uint64))
def _count(offsets, words, n, leaving):  # type: ignore[no-untyped-def]
    """Count each n-gram, and the n-gram tokens that stand in another document too."""
    documents = len(offsets) - 1
    total, longest = 0, 0
    for d in range(documents):
        grams = max(offsets[d + 1] - offsets[d] - n + 1, 0)
        total += grams
        longest = max(longest, grams)
    hashes = np.empty(longest, np.uint64)
    # Quicker than sorting n-grams with their documents.
    size = table_size(total)
    keys = np.empty(size, np.uint64)
    counts = np.zeros(size, np.int64)  # 0 in empty slots
    where = np.empty(size, np.int64)
    distinct = 0
    for d in range(documents):
        grams = offsets[d + 1] - offsets[d] - n + 1
        if grams <= 0:
            continue
        hash_ngrams(words, offsets[d], offsets[d + 1], n, leaving, hashes)
        for i in range(grams):
            slot = find_slot(hashes[i], hashes[i], keys, counts, 1, size)
            if counts[slot] < 1:
                keys[slot] = hashes[i]
                where[slot] = d
                distinct += 1
            elif where[slot] != d:
                where[slot] = _SHARED
            counts[slot] += 1
    out = np.empty(distinct, np.int64)
    at, repeated = 0, 0
    for slot in range(size):
        if counts[slot] != 0:
            out[at] = counts[slot]
            at += 1
            if where[slot] == _SHARED:
                repeated += counts[slot]
    return out, repeated


@late_kernel(types.void(INT64, UINT32, types.int64, types.uint64[::1]))
def _openings(offsets, words, length, out):  # type: ignore[no-untyped-def]
    for d in range(len(out)):
        stop = min(offsets[d] + length, offsets[d + 1])
        if stop == offsets[d]:
            out[d] = 0
            continue
        start = np.uint64(stop - offsets[d])  # keeps [0] and [0, 0] apart
        for i in range(offsets[d], stop):
            start = mix64(start) + np.uint64(words[i])
        out[d] = mix64(start)


@late_kernel(types.void(UINT32, types.uint64[::1]))
def _mix(words, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = mix64(np.uint64(words[i]))


def _entropy(counts: NDArray[np.int64]) -> float:
    return entropy(np.sort(counts)) if len(counts) else 0.0


def _share(part: int, total: int) -> float:
    return part / total if total else 0.0


def beginnings(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Cut each document to its first words, so that no long document outweighs the others.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        most: words to keep of a document.

    Returns:
        Offsets and words of the beginnings.
    """
    check_documents(offsets, words)
    lengths = np.minimum(np.diff(offsets), most)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(ends[-1]) + np.repeat(offsets[:-1] - ends[:-1], lengths)
    return ends, words[places]


def first_tokens(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Take the first documents of a set, the last of them cut, with `tokens` words in all.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        tokens: number of words to keep, 0 or more.

    Returns:
        Offsets from 0 on, and a view of the words; all of them where there are fewer.

    Raises:
        ValueError: the offsets don't fit the words, or `tokens` is negative.
    """
    check_documents(offsets, words)
    if tokens < 0:
        raise ValueError(f"tokens is {tokens}; needed: 0 or more")
    start, stop = int(offsets[0]), int(offsets[-1])
    if stop - start > tokens:
        stop = start + tokens
        documents = int(np.searchsorted(offsets, stop))  # those that begin before `stop`
        offsets = np.append(offsets[:documents], stop)
    return offsets - start, words[start:stop]


def opening_hashes(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], length: int = 5
) -> NDArray[np.uint64]:
    """Hash the first words of each document.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        length: words in an opening. A shorter document has an opening of all its words, which
            equals only that of another document with exactly these words.

    Returns:
        uint64[n], equal where documents begin alike; 0 for a document without words.

    Raises:
        ValueError: the offsets don't fit the words, or `length` is below 1.
    """
    check_documents(offsets, words)
    if length < 1:
        raise ValueError(f"length is {length}; needed: 1 or more")
    hashes = np.empty(len(offsets) - 1, np.uint64)
    _openings(offsets, words, length, hashes)
    return hashes


def openings(hashes: NDArray[np.uint64], most: int = 100) -> float:
    """Return the share of documents that begin with one of the `most` commonest openings.

    An opening of a single document is not common: otherwise any n documents would have `most`
    common openings. Ties between equally common openings make no difference.

    Args:
        hashes: uint64[n], from `opening_hashes`; documents without words (0) do not count.
        most: number of openings.

    Returns:
        0 to 1; 0 where no document has words.

    Raises:
        ValueError: `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most is {most}; needed: 1 or more")
    hashes = hashes[hashes != 0]
    counts = np.unique(hashes, return_counts=True)[1]
    common = np.sort(counts[counts > 1])[-most:]
    return _share(int(common.sum()), len(hashes))


def rare_words(
    words: NDArray[np.uint32], least: int = 2, most: int = 5, limit: int = 65_536
) -> NDArray[np.uint32]:
    """Find the words that are rare but occur more than once.

    Args:
        words: uint32[total], word hashes.
        least: least occurrences of a rare word. A word that occurs once is mostly misspelt.
        most: most occurrences of a rare word.
        limit: most words to return. If there are more, those with the smallest mixed hashes are
            taken, a choice that depends neither on the words nor on their order.

    Returns:
        uint32[m], sorted, m at most `limit`.
    """
    value, counts = np.unique(words, return_counts=True)
    rare = value[(counts >= least) & (counts <= most)]
    if len(rare) > limit:
        hashes = np.empty(len(rare), np.uint64)
        _mix(rare, hashes)  # a bijection: no two are equal
        rare = np.sort(rare[np.argsort(hashes)[:limit]])
    return rare


def retained(rare: NDArray[np.uint32], words: NDArray[np.uint32]) -> float:
    """Compute the share of the rare words that occur.

    Args:
        rare: uint32[m], from `rare_words`.
        words: uint32[total], word hashes.

    Returns:
        0 to 1; 0 where `rare` is empty, as there was nothing to retain.

    Raises:
        ValueError: `rare` is not sorted, or holds a word twice.
    """
    if (wrong := np.flatnonzero(rare[1:] <= rare[:-1])).size:
        at = int(wrong[0])
        raise ValueError(
            f"rare[{at + 1}] = {rare[at + 1]} follows rare[{at}] = {rare[at]}; "
            "needed: sorted, each word once"
        )
    if not len(rare) or not len(words):
        return 0.0
    ordered = np.sort(words)
    at_least = np.searchsorted(ordered, rare)
    occurs = ordered[np.minimum(at_least, len(ordered) - 1)] == rare
    return _share(int(occurs.sum()), len(rare))


@dataclass(frozen=True)
class Lexical:
    """Lexical measures of a set; comparable between sets of the same number of words.

    N-grams lie within documents and are told apart by 64-bit hashes.

    Attributes:
        tokens: number of words.
        vocabulary: number of different words.
        distinct_1: different words / words (Li et al. 2016).
        distinct_2: different pairs / pairs.
        distinct_3: different triples / triples.
        entropy_1: Shannon entropy of the words' shares, nats, as counted.
        entropy_2: Shannon entropy of the pairs' shares, nats, as counted.
        self_repetition: share of 4-gram tokens that another document has too. Salkar et al. (2022)
            score each document by the logarithm of the documents that share its 4-grams. The share
            of tokens counts the same phrases but is easier to read, and one boilerplate text does
            not outweigh the set.
    """

    tokens: int
    vocabulary: int
    distinct_1: float
    distinct_2: float
    distinct_3: float
    entropy_1: float
    entropy_2: float
    self_repetition: float


def lexical(offsets: NDArray[np.int64], words: NDArray[np.uint32]) -> Lexical:
    """Compute all lexical measures of a set.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.

    Raises:
        ValueError: the offsets don't fit the words.
    """
    parts = [of_ngrams(offsets, words, n) for n in (1, 2, 3, 4)]
    return Lexical(**{name: value for part in parts for name, value in part.items()})


def of_ngrams(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], n: Literal[1, 2, 3, 4]
) -> dict[str, Any]:
    """Compute the lexical measures of a set that depend on its n-grams alone.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        n: words of an n-gram.

    Returns:
        Attributes of `Lexical` by name.

    Raises:
        ValueError: the offsets don't fit the words.
    """
    check_documents(offsets, words)
    counts, repeated = _count(offsets, words, n, leaving_weight(n))
    distinct = {f"distinct_{n}": _share(len(counts), int(counts.sum()))}
    if n == 1:
        tokens, entropy_1 = int(counts.sum()), _entropy(counts)
        return distinct | {"tokens": tokens, "vocabulary": len(counts), "entropy_1": entropy_1}
    if n == 2:
        return distinct | {"entropy_2": _entropy(counts)}
    return distinct if n == 3 else {"self_repetition": _share(int(repeated), int(counts.sum()))}
