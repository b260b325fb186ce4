"""Measures of a set of documents beside those of human text, at the same n.

Diversity grows with the size of a sample, and a divergence between two samples is never quite 0. So
a figure alone means little. Every measure of a set is taken of n of its documents (or words), and
of n held-out human ones in many splits. The mean of the splits is what human text would show, and
their spread is what chance alone causes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.figures import Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators.lexical import (
    beginnings,
    first_tokens,
    of_ngrams,
    opening_hashes,
    openings,
    retained,
)
from outcross.transforms.estimators.richness import (
    CLASSES,
    OFF_SUPPORT,
    TAIL,
    effective_number,
    js,
    js_each,
    rare_clusters,
    tail_coverage,
)
from outcross.transforms.estimators.vendi import moments, vendi
from outcross.transforms.reference.reference import Reference
from outcross.transforms.reference.sample import DOCUMENTS, TOKENS, Sample

SPLITS = 20
LEAST_DOCUMENTS = 100
LEAST_TOKENS = 1 << 12
LEAST_RARE = 8  # rare clusters; among fewer, one that is missed by chance is a large share
DOCUMENTS_IN_TOKENS = 64  # a document gives at most this fraction (1/64) of the words
_DIVERGENCES = ("js", "audit_js")
_Part = Literal[0, 1, 2, 3, 4]  # words of an n-gram; 0 for rare words
_WORDS: dict[str, _Part] = {
    "rare_words": 0,
    "vocabulary": 1,
    "entropy_1": 1,
    "distinct_2": 2,
    "entropy_2": 2,
    "distinct_3": 3,
    "self_repetition": 4,
}

Words = tuple[NDArray[np.int64], NDArray[np.uint32]]
ResultT = TypeVar("ResultT")


def _once(
    function: Callable[..., ResultT], lock: AbstractContextManager[Any]
) -> Callable[..., ResultT]:
    """Return the function with its results kept, so that no two threads compute the same."""
    cached = cache(function)

    def result(*args: int) -> ResultT:
        with lock:
            return cached(*args)

    return result


def stepped(n: int, steps: int) -> int:
    """Round n down to 2**(i / steps), so that sets of nearly the same size share human text.

    Args:
        n: number of documents or words, at least 1.
        steps: number of steps in a factor of two.
    """
    return int(2.0 ** (math.floor(math.log2(n) * steps + 1e-9) / steps))


@dataclass(frozen=True)
class _Human:
    """Measures of human text at one n.

    Attributes:
        mean: mean of each measure over the splits.
        deviation: standard deviation of each measure over samples that share no document.
        n: documents or words of a sample.
        pool: documents or words of the pool.
    """

    mean: Mapping[str, float]
    deviation: Mapping[str, float]
    n: int
    pool: int


class Contrast:
    """Comparison of sets with the human text of a reference.

    Args:
        reference: reference of human text.
    """

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.pool = reference.pool.sample
        documents = reference.counts.documents
        self.shares = documents / max(int(documents.sum()), 1)
        self.rare = rare_clusters(self.shares)
        self.words = self.pool.words
        self.openings = opening_hashes(*self.words)
        lock = RLock()
        self.order = _once(self._order, lock)
        self.by_documents = _once(self._by_documents, lock)
        self.by_openings = _once(self._by_openings, lock)
        self.by_tokens = _once(self._by_tokens, lock)
        self.splits = _once(self._splits, lock)

    def measures(self, sample: Sample, names: Collection[str] = tuple(MEASURES)) -> list[Measure]:
        """Measure a set; the outcomes are set later, by the gates.

        Args:
            sample: sample of the set.
            names: names of the measures to take.

        Returns:
            The measures, in the order of `MEASURES`.
        """
        offsets, words = sample.words
        # Only the first documents of a sample have their words, and so an opening.
        opened = len(offsets) - 1, len(self.openings) // 2
        documents = len(sample), len(self.pool) // 2
        n = {"documents": min(*documents, DOCUMENTS), "openings": min(*opened, DOCUMENTS)}
        n["tokens"] = self._tokens(np.diff(offsets))
        least = {"documents": LEAST_DOCUMENTS, "openings": LEAST_DOCUMENTS, "tokens": LEAST_TOKENS}
        measures: dict[str, Measure] = {}
        wanted = {_sampled(name) for name in names if name != "near_duplicates"}
        wanted = {unit for unit in wanted if n[unit] >= least[unit]}
        if "documents" in wanted:
            size = stepped(n["documents"], 4)
            rows = np.arange(size)
            values = self._of_documents(sample, rows)
            values |= self._divergences(sample, rows)
            if len(self.rare) < LEAST_RARE:
                del values["tail_coverage"]
            measures |= self._against(values, self.by_documents(size))
        if "openings" in wanted:
            size = stepped(n["openings"], 4)
            values = {"openings": openings(opening_hashes(offsets, words)[:size])}
            measures |= self._against(values, self.by_openings(size))
        if "tokens" in wanted:
            size = n["tokens"]
            cut = _cut(offsets, words, size)
            for part in {_WORDS[name] for name in names if name in _WORDS}:
                values = self._of_words(*cut, part)
                measures |= self._against(values, self.by_tokens(size, part))
        empty = {
            name: too_few(name, n[_sampled(name)]) for name in names if name != "near_duplicates"
        }
        return [measures.get(name, empty[name]) for name in MEASURES if name in empty]

    def _tokens(self, lengths: NDArray[np.int64]) -> int:
        """Find the most words that can be compared, with a limit on each document's words.

        Args:
            lengths: int64[n], words of the set's documents.

        Returns:
            All available words where these are too few.
        """
        human = np.diff(self.words[0])
        for step in range(2 * int(math.log2(TOKENS)), 2 * int(math.log2(LEAST_TOKENS)) - 1, -1):
            n = int(2.0 ** (step / 2))
            each = n // DOCUMENTS_IN_TOKENS
            if min(_limited(lengths, each), _limited(human, each) // 2) >= n:
                return n
        each = LEAST_TOKENS // DOCUMENTS_IN_TOKENS
        return min(_limited(lengths, each), _limited(human, each) // 2)

    def _against(self, values: Mapping[str, float], human: _Human) -> dict[str, Measure]:
        # The set's sample varies as human samples do, and the pool of the mean is a sample as well.
        inflate = math.sqrt(1 + human.n / human.pool)
        return {
            name: measure(name, value, human.mean[name], human.deviation[name], inflate, human.n)
            for name, value in values.items()
        }

    def _order(self, split: int, n: int) -> NDArray[np.int64]:
        key = self.pool.column("key")[:n]
        return np.argsort(seeded_hash(key, key, split, "split"), kind="stable")

    def _by_documents(self, n: int) -> _Human:
        splits = []
        for split in range(SPLITS):
            order = self.order(split, len(self.pool))
            first, second = order[:n], order[n : 2 * n]
            values = self._of_documents(self.pool, first)
            for name, (column, size) in self._codebooks.items():
                cells = self.pool.column(column)
                pair = (np.bincount(cells[rows], minlength=size) for rows in (first, second))
                values[name] = js(*pair)
            splits.append(values)
        return _summary(splits, n, len(self.pool), self._steps(n))

    def _steps(self, n: int) -> dict[str, float]:
        """Return the smallest differences that shares of few things can have."""
        return {"tail_mass": 1 / n, "off_support": 1 / n, "tail_coverage": 1 / len(self.rare)}

    def _by_openings(self, n: int) -> _Human:
        documents = len(self.openings)
        orders = (self.order(split, documents)[:n] for split in range(SPLITS))
        splits = [{"openings": openings(self.openings[rows])} for rows in orders]
        return _summary(splits, n, documents, {"openings": 2 / n})

    def _by_tokens(self, n: int, part: _Part) -> _Human:
        splits = [self._of_words(*words, part) for words in self.splits(n)]
        lengths = np.minimum(np.diff(self.words[0]), n // DOCUMENTS_IN_TOKENS)
        return _summary(splits, n, int(lengths.sum()), {})

    def _splits(self, n: int) -> list[Words]:
        """Draw samples of n human words."""
        offsets, words = self.words
        documents = len(offsets) - 1
        lengths = np.minimum(np.diff(offsets), n // DOCUMENTS_IN_TOKENS)
        splits = []
        for split in range(SPLITS):
            order = self.order(split, documents)
            before = np.cumsum(lengths[order])
            order = order[: int(np.searchsorted(before, n)) + 1]
            runs = [words[offsets[d] : offsets[d] + lengths[d]] for d in order]
            ends = np.cumsum([0, *map(len, runs)], dtype=np.int64)
            splits.append(_cut(ends, np.concatenate(runs), n))
        return splits

    @property
    def _codebooks(self) -> dict[str, tuple[str, int]]:
        """Return the column of the clusters and their number, by the name of the divergence."""
        clusters, second_clusters = self.reference.sizes
        return {"js": ("cluster", clusters), "audit_js": ("audit_cluster", second_clusters)}

    def _divergences(self, sample: Sample, rows: NDArray[np.int64]) -> dict[str, float]:
        """Average, over the splits, the divergences from as many human documents."""
        means = {}
        for name, (column, size) in self._codebooks.items():
            counts = np.bincount(sample.column(column)[rows], minlength=size)
            human = self.pool.column(column)
            drawn = (self.order(split, len(human))[: len(rows)] for split in range(SPLITS))
            histograms = (np.bincount(human[some], minlength=size) for some in drawn)
            means[name] = float(np.mean(js_each(counts, histograms)))
        return means

    def _of_documents(self, sample: Sample, rows: NDArray[np.int64]) -> dict[str, float]:
        cluster, audit = (sample.column(name)[rows] for name in ("cluster", "audit_cluster"))
        documents = np.bincount(cluster, minlength=self.reference.sizes[0])
        classes = np.bincount(sample.column("class")[rows], minlength=len(CLASSES))
        second = moments(sample.embeddings[rows])
        return {
            "effective_clusters": effective_number(documents),
            "audit_effective_clusters": effective_number(np.bincount(audit)),
            "tail_mass": int(classes[TAIL]) / len(rows),
            "tail_coverage": tail_coverage(documents, self.shares),
            "off_support": int(classes[OFF_SUPPORT]) / len(rows),
            "vendi": vendi(second, 1),
            "vendi_2": vendi(second, 2),
        }

    def _of_words(
        self, offsets: NDArray[np.int64], words: NDArray[np.uint32], part: _Part
    ) -> dict[str, float]:
        if part == 0:
            return {"rare_words": retained(self.reference.rare, words)}
        values = of_ngrams(offsets, words, part)
        return {name: float(value) for name, value in values.items() if _WORDS.get(name) == part}


def _cut(offsets: NDArray[np.int64], words: NDArray[np.uint32], n: int) -> Words:
    """Cut documents to n words, and each of them to the most that it may give."""
    return first_tokens(*beginnings(offsets, words, n // DOCUMENTS_IN_TOKENS), n)


def _sampled(name: str) -> str:
    """Return the unit of a measure's samples: documents, openings or tokens."""
    return "openings" if name == "openings" else MEASURES[name].per


def _limited(lengths: NDArray[np.int64], each: int) -> int:
    """Count the words of documents, at most `each` of one document."""
    return int(np.minimum(lengths, each).sum())


def too_few(name: str, n: int) -> Measure:
    """Make an empty measure of a set that is too small.

    Args:
        name: name of the measure.
        n: available documents or words.
    """
    return Measure(
        name=name,
        value=None,
        human=None,
        low=None,
        high=None,
        against=None,
        error=None,
        n=n,
        outcome="too few",
    )


def measure(
    name: str, value: float, human: float, deviation: float, inflate: float, n: int
) -> Measure:
    """Make a measure beside human text, not judged yet.

    Args:
        name: name of the measure.
        value: value of the set.
        human: mean value of human text at the same n.
        deviation: standard deviation of human text at that n.
        inflate: standard error of value - human, in deviations.
        n: number of documents or words.
    """
    error: float | None = deviation * inflate
    against: float | None = value - human
    if MEASURES[name].kind == "ratio":
        against, error = (value / human, deviation * inflate / human) if human else (None, None)
    return Measure(
        name=name,
        value=value,
        human=human,
        low=max(human - CONFIDENCE * deviation, 0.0),  # no measure is negative
        high=human + CONFIDENCE * deviation,
        against=against,
        error=error,
        n=n,
        outcome="shown",
    )


def _summary(
    splits: Sequence[Mapping[str, float]], n: int, pool: int, steps: Mapping[str, float]
) -> _Human:
    """Compute mean and deviation over splits.

    Samples of n out of a pool of N vary less than independent ones, by 1 - n / N. The deviation is
    at least half of the smallest step, as splits may agree by chance.
    """
    mean, deviation = {}, {}
    for name in splits[0]:
        values = np.array([values[name] for values in splits])
        mean[name] = float(values.mean())
        spread = values.std(ddof=1)
        correct = 1.0 if name in _DIVERGENCES else math.sqrt(1 - n / pool)
        deviation[name] = max(float(spread / correct), steps.get(name, 0.0) / 2)
    return _Human(mean, deviation, n, pool)
