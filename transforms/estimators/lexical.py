"""Measures of a set of documents by its words alone, which no embedding or clustering can spoil.

A set is the 32-bit hashes of its words, document after document. These measures depend on how many
words are looked at, so sets are cut to the same number before they are compared: `first_tokens`.
Counts are integers, and sums go over sorted counts, so that no figure depends on the order of the
documents, and all are the same bits on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import hash_ngrams, leaving_weight, mix64
from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.text.ngrams import INT64, UINT32, check_documents

_SHARED = np.int64(-1)  # in place of a document: the n-gram stands in several


@njit(
    types.Tuple((types.int64[::1], types.int64))(INT64, UINT32, types.int64, types.uint64),
    nogil=True,
    cache=True,
)
def _count(offsets, words, n, leaving):  # type: ignore[no-untyped-def]
    """How often each n-gram stands, and how many n-gram tokens stand in another document too."""
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
    counts = np.zeros(size, np.int64)  # 0 where nothing is
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


@njit(
    types.void(INT64, UINT32, types.int64, types.uint64[::1]),
    nogil=True,
    cache=True,
)
def _openings(offsets, words, length, out):  # type: ignore[no-untyped-def]
    for d in range(len(out)):
        stop = min(offsets[d] + length, offsets[d + 1])
        if stop == offsets[d]:
            out[d] = 0
            continue
        start = np.uint64(stop - offsets[d])  # else [0] and [0, 0] would begin alike
        for i in range(offsets[d], stop):
            start = mix64(start) + np.uint64(words[i])
        out[d] = mix64(start)


@njit(types.void(UINT32, types.uint64[::1]), nogil=True, cache=True)
def _mix(words, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = mix64(np.uint64(words[i]))


def _counted(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], n: int
) -> tuple[NDArray[np.int64], int]:
    check_documents(offsets, words)
    if n < 1:
        raise ValueError(f"n is {n}; an n-gram has 1 word or more")
    counts, repeated = _count(offsets, words, n, leaving_weight(n))
    return counts, int(repeated)


def _entropy(counts: NDArray[np.int64]) -> float:
    return entropy(np.sort(counts)) if len(counts) else 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def beginnings(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The first words of every document, so that none of them outweighs the others.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        most: words of a document that are kept.
    """
    check_documents(offsets, words)
    lengths = np.minimum(np.diff(offsets), most)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(ends[-1]) + np.repeat(offsets[:-1] - ends[:-1], lengths)
    return ends, words[places]


def first_tokens(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The first documents of a set, the last of them cut, so that they hold `tokens` words.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        tokens: how many words to keep, 0 or more.

    Returns:
        Offsets from 0 on, and a view of the words; all of both where there are fewer.

    Raises:
        ValueError: the set is not one, or `tokens` is negative.
    """
    check_documents(offsets, words)
    if tokens < 0:
        raise ValueError(f"tokens is {tokens}; needed: 0 or more")
    start, stop = int(offsets[0]), int(offsets[-1])
    if stop - start > tokens:
        stop = start + tokens
        kept = int(np.searchsorted(offsets, stop))  # documents that begin before `stop`
        offsets = np.append(offsets[:kept], stop)
    return offsets - start, words[start:stop]


def distinct(offsets: NDArray[np.int64], words: NDArray[np.uint32], n: int) -> int:
    """How many different n-grams stand within documents (Li et al. 2016, before dividing).

    Args:
        offsets: int64[documents + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        n: words in an n-gram, 1 or more. N-grams are told apart by 64-bit hashes.

    Raises:
        ValueError: the set is not one, or `n` is below 1.
    """
    return len(_counted(offsets, words, n)[0])


def ngram_entropy(offsets: NDArray[np.int64], words: NDArray[np.uint32], n: int) -> float:
    """Shannon entropy of the n-grams' shares in nats, as counted; 0 without any.

    Arguments and errors are those of `distinct`.
    """
    return _entropy(_counted(offsets, words, n)[0])


def self_repetition(offsets: NDArray[np.int64], words: NDArray[np.uint32], n: int = 4) -> float:
    """Share of the n-gram tokens that also stand in another document of the set; 0 without any.

    After Salkar et al. 2022, who score a document by the logarithm of how many other documents
    hold its 4-grams, summed over them, and average that over documents. The share of tokens counts
    the same phrases, but can be read as it is, and one boilerplate text does not outweigh the set.

    Arguments and errors are those of `distinct`.
    """
    counts, repeated = _counted(offsets, words, n)
    return _share(repeated, int(counts.sum()))


def opening_hashes(
    offsets: NDArray[np.int64], words: NDArray[np.uint32], length: int = 5
) -> NDArray[np.uint64]:
    """Hash the first words of each document.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        length: words in an opening. A document with fewer begins with all that it has, and only
            another document of these words alone begins alike.

    Returns:
        uint64[n], equal where documents begin alike; 0 for a document without words.

    Raises:
        ValueError: the set is not one, or `length` is below 1.
    """
    check_documents(offsets, words)
    if length < 1:
        raise ValueError(f"length is {length}; needed: 1 or more")
    hashes = np.empty(len(offsets) - 1, np.uint64)
    _openings(offsets, words, length, hashes)
    return hashes


def openings(hashes: NDArray[np.uint64], most: int = 100) -> float:
    """Return the share of documents that begin with one of the `most` commonest openings.

    An opening of a single document is not common. Without that, `most` of n documents would count
    whatever they say. Which of several equally common openings are taken makes no difference.

    Args:
        hashes: uint64[n], from `opening_hashes`; documents without words (0) do not count.
        most: how many openings.

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
    """The words that stand there seldom, but not by accident.

    Args:
        words: uint32[total], word hashes.
        least, most: how often a rare word stands there. What stands once is mostly misspelt.
        limit: if there are more, those with the smallest hashes are taken, so that a word's
            chance does not depend on what it is, nor the choice on the order of words.

    Returns:
        uint32[m], sorted, m at most `limit`.
    """
    value, often = np.unique(words, return_counts=True)
    rare = value[(often >= least) & (often <= most)]
    if len(rare) > limit:
        hashes = np.empty(len(rare), np.uint64)
        _mix(rare, hashes)  # a bijection: no two are equal
        rare = np.sort(rare[np.argsort(hashes)[:limit]])
    return rare


def retained(rare: NDArray[np.uint32], words: NDArray[np.uint32]) -> float:
    """Share of the rare words that occur.

    Args:
        rare: uint32[m], of `rare_words`.
        words: uint32[total], word hashes.

    Returns:
        0 to 1; 0 where `rare` is empty, which says nothing: there was nothing to retain.

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
    found = ordered[np.minimum(at_least, len(ordered) - 1)] == rare
    return _share(int(found.sum()), len(rare))


@dataclass(frozen=True)
class Lexical:
    """Lexical measures of a set; comparable between sets of as many words.

    Attributes:
        tokens: words that were looked at.
        vocabulary: different words.
        distinct_1, distinct_2, distinct_3: different n-grams / n-gram tokens.
        entropy_1, entropy_2: of words and of word pairs, nats.
        self_repetition: share of 4-gram tokens that another document has too.
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
    """All of a set's measures, each n-gram counted once. See the functions of the same names.

    Args:
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.

    Raises:
        ValueError: the set is not one.
    """
    (one, _), (two, _), (three, _), (four, repeated) = (
        _counted(offsets, words, n) for n in (1, 2, 3, 4)
    )
    tokens = int(one.sum())
    return Lexical(
        tokens=tokens,
        vocabulary=len(one),
        distinct_1=_share(len(one), tokens),
        distinct_2=_share(len(two), int(two.sum())),
        distinct_3=_share(len(three), int(three.sum())),
        entropy_1=_entropy(one),
        entropy_2=_entropy(two),
        self_repetition=_share(repeated, int(four.sum())),
    )
