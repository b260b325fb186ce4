r"""Exact Jaccard similarity of word n-grams, in NumPy alone, without the product's code.

Words are Python's `\w+` of the NFKC-normalised, lower-cased text; a text of fewer words than
`ngram` is one shingle of what there is; a text without words is one shingle of its characters.
Shingles are told apart by their words, never by a hash. All pairs from a given similarity upwards
are found by an inverted index (prefix filtering: Chaudhuri, Ganti and Kaushik 2006), not by LSH.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_AT_ONCE = 1 << 22  # pairs, or shingles of pairs, that are held in memory at a time


def words(text: str) -> list[str]:
    """Return the words of a text; a text without words is one word of its characters."""
    normal = unicodedata.normalize("NFKC", text).lower()
    return _WORD.findall(normal) or [normal.strip()]


def shingles(text: str, ngram: int = 5) -> set[tuple[str, ...]]:
    """Return the distinct word n-grams of a text."""
    all_words = words(text)
    last = max(len(all_words) - ngram, 0)
    return {tuple(all_words[i : i + ngram]) for i in range(last + 1)}


def jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    """Return |a ∩ b| / |a ∪ b|."""
    common = len(a & b)
    return common / (len(a) + len(b) - common)


@dataclass(frozen=True)
class Pairs:
    """All pairs of documents with at least some similarity.

    Attributes:
        a, b: int64[n], indices of the two documents, a < b.
        jaccard: float64[n], their similarity.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    jaccard: NDArray[np.float64]

    def above(self, least: float, *, strictly: bool = False) -> Pairs:
        """Return the pairs of `least` or more, or of more than `least`."""
        chosen = self.jaccard > least if strictly else self.jaccard >= least
        return Pairs(self.a[chosen], self.b[chosen], self.jaccard[chosen])

    def best(self, documents: int, among: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Similarity of each document to the most similar other one, 0.0 where no pair is known.

        `among`, bool[documents], restricts the others.
        """
        highest = np.zeros(documents)
        for first, second in ((self.a, self.b), (self.b, self.a)):
            counts = slice(None) if among is None else among[second]
            np.maximum.at(highest, first[counts], self.jaccard[counts])
        return highest


def exact_pairs(texts: Sequence[str], least: float = 0.3, ngram: int = 5) -> Pairs:
    """Return all pairs of `texts` whose Jaccard similarity is `least` or more, 0 < least <= 1."""
    document, shingle = _entries(texts, ngram)
    sizes = np.bincount(document, minlength=len(texts))
    # A pair at `least` shares one of the first size - ceil(least · size) + 1 shingles of each, in
    # any one order of all shingles; with the rarest first, the common ones are never looked up.
    frequency = np.bincount(shingle)
    by_rarity = np.argsort(frequency, kind="stable")
    rank = np.empty_like(by_rarity)
    rank[by_rarity] = np.arange(len(by_rarity))
    order = np.lexsort((rank[shingle], document))
    document, ranked = document[order], rank[shingle][order]
    start = np.concatenate([[0], np.cumsum(sizes)])
    place = np.arange(len(document)) - start[document]
    prefix = sizes - np.ceil(least * sizes - 1e-9).astype(np.int64) + 1
    in_prefix = place < prefix[document]
    a, b = _candidates(document[in_prefix], ranked[in_prefix], len(texts))
    alike = np.minimum(sizes[a], sizes[b]) >= least * np.maximum(sizes[a], sizes[b]) - 1e-9
    a, b = a[alike], b[alike]
    common = _shared(a, b, document, ranked, start)
    exact = common / (sizes[a] + sizes[b] - common)
    return Pairs(a, b, exact).above(least)


def _entries(texts: Sequence[str], ngram: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct (document, shingle), as two arrays; shingles numbered from 0."""
    vocabulary: dict[str, int] = {"": 0}  # what short texts are filled up with
    numbers: list[int] = []
    lengths: list[int] = []
    for text in texts:
        all_words = words(text)
        padded = all_words + [""] * (ngram - len(all_words))
        numbers.extend(vocabulary.setdefault(word, len(vocabulary)) for word in padded)
        lengths.append(len(padded))
    flat = np.array(numbers, dtype=np.int64)
    documents = np.repeat(np.arange(len(texts)), lengths)
    windows = len(flat) - ngram + 1
    inside = documents[:windows] == documents[ngram - 1 :]
    gram = flat[:windows]
    for step in range(1, ngram):
        pairs = gram * len(vocabulary) + flat[step : step + windows]
        gram = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
    count = int(gram.max()) + 1
    distinct = np.unique(documents[:windows][inside] * count + gram[inside])
    shingle = np.unique(distinct % count, return_inverse=True)[1].astype(np.int64)
    return distinct // count, shingle


def _candidates(
    document: NDArray[np.int64], shingle: NDArray[np.int64], documents: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct pairs of documents that share one of these entries."""
    order = np.lexsort((document, shingle))
    document, shingle = document[order], shingle[order]
    first = np.flatnonzero(np.diff(shingle, prepend=-1))
    size = np.diff(np.append(first, len(shingle)))
    codes = np.empty(0, dtype=np.int64)
    waiting: list[NDArray[np.int64]] = []
    buffered = 0
    for members in np.unique(size[size > 1]):
        one, second = np.triu_indices(members, 1)
        groups = first[size == members]
        step = max(1, _AT_ONCE // len(one))
        for begin in range(0, len(groups), step):
            rows = document[groups[begin : begin + step, None] + np.arange(members)]
            waiting.append(np.unique(rows[:, one] * documents + rows[:, second]))
            buffered += len(waiting[-1])
            if buffered > _AT_ONCE:
                codes, waiting, buffered = np.unique(np.concatenate([codes, *waiting])), [], 0
    codes = np.unique(np.concatenate([codes, *waiting]))
    return codes // documents, codes % documents


def _shared(
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    document: NDArray[np.int64],
    shingle: NDArray[np.int64],
    start: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count the shingles that the two documents of each pair share."""
    count = int(shingle.max()) + 1
    packed = document * count + shingle  # ascending: by document, then by rank
    common = np.zeros(len(a), dtype=np.int64)
    for block in _blocks(np.diff(start)[a]):
        length = np.diff(start)[a[block]]
        ends = np.cumsum(length)
        within = np.arange(ends[-1]) - np.repeat(ends - length, length)
        looked_up = shingle[np.repeat(start[a[block]], length) + within]
        wanted = np.repeat(b[block], length) * count + looked_up
        place = np.minimum(np.searchsorted(packed, wanted), len(packed) - 1)
        common[block] = np.add.reduceat(packed[place] == wanted, ends - length, dtype=np.int64)
    return common


def _blocks(lengths: NDArray[np.int64]) -> Iterator[slice]:
    """Yield slices of consecutive items that fit into memory together, at least one item each."""
    begin, total = 0, np.concatenate([[0], np.cumsum(lengths)])
    while begin < len(lengths):
        end = int(np.searchsorted(total, total[begin] + _AT_ONCE, side="right")) - 1
        yield slice(begin, max(end, begin + 1))
        begin = max(end, begin + 1)
