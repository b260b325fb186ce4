"""What the answers to one prompt are worth: which say the same, and how many different there are.

Two answers are the same if their words are (equal fingerprints), or if the mean of two figures is
at least `SAME`: the Jaccard similarity of their sets of words, and the cosine of their embeddings.
Each corrects the other. Words alone take answers made from one template for the same when only the
name in it differs; a static embedding alone takes whatever is about one topic for the same.

`SAME` is where two answers are as likely the same as not by NoveltyBench's published partitions
(Zhang et al. 2025). On the half of its prompts that it was chosen on they have 45 % of the pairs at
.55 to .6 in one class, and 54 % of those at .6 to .65; on the other half 41 % and 54 %
(`benchmarks/measures/novelty.py`).

An answer joins the first leader that it is the same as, in the order of the fingerprints, else it
leads a class of its own (leader clustering; Hartigan 1975, chapter 3). So every answer is the same
as its leader, without chains, and no order of the documents shows in the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import mix64, seeded_hash
from outcross.transforms.estimators.entropy import entropy

SAME = 0.6
"""Mean of Jaccard similarity and cosine from which two answers are the same."""

MOST_ANSWERS = 512
"""Of a prompt with more answers, so many drawn by hash are judged: pairs grow as the square."""

MOST_WORDS = 2048
"""Of a longer answer, so many first words are compared: it bounds the memory a prompt needs."""

DRAWS = 10
"""The most answers that distinct ones are counted among, as NoveltyBench does."""

CURVE = 32
"""The last answer whose gain the saturation curve shows."""

SATURATED = 1 / 20
"""Sampling has stopped paying where an answer adds less than this part of what the first did."""

COLLAPSED = 0.5
"""Chance that two answers are the same from which a prompt has collapsed: what it gives is worth
at most two equally likely answers (1 / chance, Hill's number of order 2)."""

COLLAPSED_ANSWERS = 4
"""Fewer answers don't show a collapse: of two or three, the chance hangs on one more pair."""


@njit(nogil=True, cache=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.int32(0)  # 256 products of bytes stay below 2 ** 23
    for q in range(len(a)):
        total = np.int32(total + np.int32(a[q]) * np.int32(b[q]))
    return total


@njit(nogil=True, cache=True)
def _copies(rows, prompt, hi, lo, embeddings):  # type: ignore[no-untyped-def]
    """Puts one row in the place of all copies: of those with one prompt and one fingerprint.

    Embedders that read the text itself may tell copies apart by their punctuation; so it is the
    row with the least embedding, not the first one.
    """
    begin = 0
    while begin < len(rows):
        least = rows[begin]
        end = begin + 1
        while (
            end < len(rows)
            and prompt[rows[end]] == prompt[least]
            and hi[rows[end]] == hi[least]
            and lo[rows[end]] == lo[least]
        ):
            for q in range(embeddings.shape[1]):
                if embeddings[rows[end], q] != embeddings[least, q]:
                    if embeddings[rows[end], q] < embeddings[least, q]:
                        least = rows[end]
                    break
            end += 1
        rows[begin:end] = least
        begin = end


@njit(nogil=True, cache=True)
def _word_sets(rows, offsets, words, most):  # type: ignore[no-untyped-def]
    """Sets of words as numbers from 0, for the prompt alone; those of copies are left empty."""
    often = np.int64(0)
    for i in range(len(rows)):
        if i == 0 or rows[i] != rows[i - 1]:
            often += min(most, offsets[rows[i] + 1] - offsets[rows[i]])
    size = table_size(often)
    keys = np.empty(size, np.uint32)
    number = np.full(size, -1, np.int32)
    latest = np.full(often, -1, np.int32)  # the answer that held a word last
    starts = np.zeros(len(rows) + 1, np.int64)
    members = np.empty(often, np.int32)
    known = filled = 0
    for i in range(len(rows)):
        if i == 0 or rows[i] != rows[i - 1]:
            first = offsets[rows[i]]
            for w in range(first, min(first + most, offsets[rows[i] + 1])):
                hashed = mix64(np.uint64(words[w]))
                slot = find_slot(words[w], hashed, keys, number, 0, size)
                if number[slot] < 0:
                    keys[slot] = words[w]
                    number[slot] = known
                    known += 1
                if latest[number[slot]] != i:
                    latest[number[slot]] = i
                    members[filled] = number[slot]
                    filled += 1
        starts[i + 1] = filled
    return starts, members, known


@njit(nogil=True, cache=True)
def _lead(rows, offsets, words, embeddings, same, most_words, leader):  # type: ignore[no-untyped-def]
    """Fills `leader` with the place in `rows` of each answer's leader.

    `rows` are one prompt's answers in the order of their fingerprints, copies as `_copies` has
    them.
    """
    starts, members, vocabulary = _word_sets(rows, offsets, words, most_words)
    held = np.zeros(vocabulary, np.uint8)
    squares = np.empty(len(rows), np.int64)
    leaders = np.empty(len(rows), np.int64)
    classes = 0
    for i in range(len(rows)):
        if i > 0 and rows[i] == rows[i - 1]:
            leader[i] = leader[i - 1]
            continue
        own = embeddings[rows[i]]
        own_set = members[starts[i] : starts[i + 1]]
        squares[i] = _dot(own, own)
        for word in own_set:
            held[word] = 1
        leader[i] = i
        for c in range(classes):
            other = leaders[c]
            other_set = members[starts[other] : starts[other + 1]]
            fewest = min(len(own_set), len(other_set))
            if fewest == 0:
                continue
            # Correctly rounded operations on exact integers: the same bits on every machine.
            cosine = 1.0
            silent = squares[i] == 0 or squares[other] == 0
            if not silent:
                product = _dot(own, embeddings[rows[other]])
                cosine = product / np.sqrt(np.float64(squares[i] * squares[other]))
            if fewest / max(len(own_set), len(other_set)) + cosine < 2 * same:
                continue
            shared = np.int64(0)
            for word in other_set:
                shared += held[word]
            jaccard = shared / (len(own_set) + len(other_set) - shared)
            if silent:  # no row of the embedder's table: words alone decide
                cosine = jaccard
            if jaccard + cosine >= 2 * same:
                leader[i] = other
                break
        if leader[i] == i:
            leaders[classes] = i
            classes += 1
        for word in own_set:
            held[word] = 0


@njit(nogil=True, cache=True)
def _lead_each(starts, rows, offsets, words, embeddings, same, most_words):  # type: ignore[no-untyped-def]
    leader = np.empty(len(rows), np.int64)
    for p in range(len(starts) - 1):
        begin, end = starts[p], starts[p + 1]
        own = leader[begin:end]
        _lead(rows[begin:end], offsets, words, embeddings, same, most_words, own)
        own += begin
    return leader


@njit(nogil=True, cache=True)
def _gains(counts, out):  # type: ignore[no-untyped-def]
    """Fills `out` with what the k-th draw adds: it is of a class that no earlier one was of."""
    n = counts.sum()
    missed = np.ones(len(counts), np.float64)
    for k in range(len(out)):
        out[k] = 0.0
        for c in range(len(counts)):  # products and sums of what is positive: nothing cancels
            out[k] += missed[c] * counts[c]
            missed[c] *= max(0, n - counts[c] - k) / (n - k)
        out[k] /= n - k


def _checked(
    offsets: NDArray[np.int64],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    embeddings: NDArray[np.int8],
) -> None:
    n = len(offsets) - 1
    if not n == len(hi) == len(lo) == len(embeddings):
        raise ValueError(
            f"there are offsets of {n} answers, {len(hi)} and {len(lo)} halves of fingerprints and "
            f"{len(embeddings)} embeddings; all must be of the same answers"
        )


def same_answers(
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    fingerprint_hi: NDArray[np.uint64],
    fingerprint_lo: NDArray[np.uint64],
    embeddings: NDArray[np.int8],
) -> NDArray[np.int64]:
    """Partitions the answers to one prompt into classes of the same answer.

    Time grows as answers times classes.

    Args:
        offsets: int64[n + 1]; answer d has the words offsets[d] to offsets[d + 1].
        words: uint32[total], their hashes.
        fingerprint_hi, fingerprint_lo: uint64[n].
        embeddings: int8[n, dims]; where one is all zeros, words alone decide.

    Returns:
        int64[n], the class of each answer, counted from 0 in the order of the leaders'
        fingerprints. What class an answer is in does not depend on the order of the answers.

    Raises:
        ValueError: the arrays are not of the same number of answers.
    """
    _checked(offsets, fingerprint_hi, fingerprint_lo, embeddings)
    order = np.lexsort((fingerprint_lo, fingerprint_hi))
    rows = order.copy()
    one = np.zeros(len(rows), np.uint64)
    _copies(rows, one, fingerprint_hi, fingerprint_lo, embeddings)
    starts = np.array([0, len(rows)], np.int64)
    leader = _lead_each(starts, rows, offsets, words, embeddings, SAME, MOST_WORDS)
    classes = np.empty(len(rows), np.int64)
    classes[order] = np.unique(leader, return_inverse=True)[1]
    return classes


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to one prompt, as integers from which all its figures follow.

    Attributes:
        counts: int64[distinct], answers a class, none of them 0.
    """

    counts: NDArray[np.int64]

    @property
    def answers(self) -> int:
        return int(self.counts.sum())

    @property
    def distinct(self) -> int:
        return len(self.counts)

    def distinct_rarefied(self, k: int) -> float:
        """Distinct answers to be expected among k of them, drawn without replacement.

        Hurlbert (1971): the sum over the classes of 1 - C(n - c, k) / C(n, k), here as the sum of
        what each of the k draws adds.

        Raises:
            ValueError: k is not within 1 and the number of answers.
        """
        if not 1 <= k <= self.answers:
            raise ValueError(f"k is {k}; of {self.answers} answers 1 to {self.answers} are drawn")
        return math.fsum(self.gains(k))

    def gains(self, most: int) -> NDArray[np.float64]:
        """What the k-th answer adds to the distinct ones: float64[min(most, answers)]."""
        out = np.empty(min(most, self.answers))
        _gains(self.counts, out)
        return out

    @property
    def effective(self) -> float:
        """exp(entropy): how many equally likely answers these are worth.

        Not corrected for what was not seen, so at most `answers`: to be compared between prompts,
        or generations, of equally many answers.
        """
        return math.exp(entropy(self.counts))

    @property
    def same_chance(self) -> float | None:
        """Chance that two answers, drawn without replacement, are the same (Simpson 1949).

        Unbiased whatever the number of answers; None for fewer than two.
        """
        n = self.answers
        if n < 2:
            return None
        return int((self.counts * (self.counts - 1)).sum()) / (n * (n - 1))


def saturation(classes: Sequence[NDArray[np.int64]], most: int = CURVE) -> list[float]:
    """How many new answers the k-th answer to a prompt adds, by rarefaction.

    Each k averages over the prompts that have at least k answers, so that none has to be left out
    of the beginning, and ends where no prompt has that many. Where numbers of answers differ, the
    later ones are of fewer prompts (`Prompts.reached`).

    Args:
        classes: for each prompt int64[distinct], answers a class.
        most: the last k.

    Returns:
        The mean gains for k = 1 and on; the first one is 1.
    """
    gains = [Answers(counts).gains(most) for counts in classes]
    longest = max(map(len, gains), default=0)
    columns = [[gain[k] for gain in gains if len(gain) > k] for k in range(longest)]
    return [math.fsum(column) / len(column) for column in columns]


def saturates_at(curve: Sequence[float]) -> int | None:
    """The first k whose gain is below `SATURATED` of the first one's; None if none is."""
    return next((k for k, gain in enumerate(curve, 1) if gain < SATURATED * curve[0]), None)


@dataclass(frozen=True)
class Collapsed:
    """A prompt that gets the same answer again and again.

    Attributes:
        prompt: its hash.
        answers: how many were judged.
        distinct: how many different ones there are among them.
        same_chance: that two of them are the same.
        row: the document that leads the commonest class: all in it are the same as this one.
        times: how many of the answers are.
    """

    prompt: int
    answers: int
    distinct: int
    same_chance: float
    row: int
    times: int


@dataclass(frozen=True)
class Prompts:
    """The answers of one source, over all its prompts.

    Means are over prompts, each of the same weight, and None where there is nothing to average.

    Attributes:
        prompts: how many have answers.
        several: how many have two answers or more: only these enter the means.
        thinned: how many have more than `MOST_ANSWERS`, and are judged by a sample of them.
        answers: documents with a prompt, judged or not.
        k: among how many answers distinct ones are counted: the lower median of the numbers of
            answers of prompts with several, so that at least half of them enter; at most `DRAWS`.
        distinct: mean of the distinct answers expected among k, over prompts that have k.
        effective: mean of the effective answers.
        same_chance: mean chance that two answers are the same.
        gains: what the k-th answer adds, for k up to `CURVE`; see `saturation`.
        reached: how many prompts each of the gains averages over.
        saturates_at: the k from which on sampling again stops paying, by `saturates_at`.
        collapsed: prompts with `COLLAPSED_ANSWERS` or more of which two are the same with a chance
            of `COLLAPSED` or more; by falling chance, then falling answers, then hash.
    """

    prompts: int
    several: int
    thinned: int
    answers: int
    k: int | None
    distinct: float | None
    effective: float | None
    same_chance: float | None
    gains: tuple[float, ...]
    reached: tuple[int, ...]
    saturates_at: int | None
    collapsed: tuple[Collapsed, ...]


def summarise(
    prompt: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    embeddings: NDArray[np.int8],
    seed: int = 0,
) -> Prompts:
    """Groups documents by prompt and measures what the answers are worth.

    But for the numbers of rows, the result does not depend on the order of the documents.

    Args:
        prompt: uint64[n], hash of each document's prompt; 0 for none, and then it is ignored.
        offsets: int64[n + 1]; document d has the words offsets[d] to offsets[d + 1].
        words: uint32[total], their hashes.
        hi, lo: uint64[n], the halves of the fingerprints.
        embeddings: int8[n, dims].
        seed: of the draw of answers where a prompt has more than `MOST_ANSWERS`.

    Raises:
        ValueError: the arrays are not of the same number of documents.
    """
    _checked(offsets, hi, lo, embeddings)
    if len(prompt) != len(hi):
        raise ValueError(f"there are {len(prompt)} prompts for {len(hi)} documents")
    rows = np.flatnonzero(prompt)
    rows = rows[np.lexsort((lo[rows], hi[rows], prompt[rows]))]
    _copies(rows, prompt, hi, lo, embeddings)
    answers = len(rows)
    sizes = _sizes(prompt[rows])
    rows = _thin(rows, sizes, hi, lo, seed)
    thinned = int((sizes > MOST_ANSWERS).sum())
    starts = np.concatenate([[0], np.cumsum(np.minimum(sizes, MOST_ANSWERS))]).astype(np.int64)
    leader = _lead_each(starts, rows, offsets, words, embeddings, SAME, MOST_WORDS)
    leads, counts = np.unique(leader, return_counts=True)
    ends = np.searchsorted(leads, starts)
    found = [Answers(counts[ends[p] : ends[p + 1]]) for p in range(len(sizes))]
    collapsed = []
    for p, own in enumerate(found):
        chance = own.same_chance
        if chance is not None and chance >= COLLAPSED and own.answers >= COLLAPSED_ANSWERS:
            commonest = int(np.argmax(own.counts))
            row = int(rows[leads[ends[p] + commonest]])
            times = int(own.counts[commonest])
            collapsed.append(
                Collapsed(int(prompt[row]), own.answers, own.distinct, chance, row, times)
            )
    collapsed.sort(key=lambda one: (-one.same_chance, -one.answers, one.prompt))
    several = [own for own in found if own.answers > 1]
    k = (
        min(DRAWS, sorted(own.answers for own in several)[(len(several) - 1) // 2])
        if several
        else None
    )
    gains = saturation([own.counts for own in found])
    return Prompts(
        prompts=len(sizes),
        several=len(several),
        thinned=thinned,
        answers=answers,
        k=k,
        distinct=_mean([own.distinct_rarefied(k) for own in several if k and own.answers >= k]),
        effective=_mean([own.effective for own in several]),
        same_chance=_mean([c for own in several if (c := own.same_chance) is not None]),
        gains=tuple(gains),
        reached=tuple(int((sizes > j).sum()) for j in range(len(gains))),
        saturates_at=saturates_at(gains),
        collapsed=tuple(collapsed),
    )


def _sizes(prompts: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Lengths of the runs of equal values."""
    edges = np.flatnonzero(prompts[1:] != prompts[:-1]) + 1
    return np.diff(np.concatenate([[0], edges, [len(prompts)]])) if len(prompts) else edges


def _thin(
    rows: NDArray[np.int64],
    sizes: NDArray[np.int64],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    seed: int,
) -> NDArray[np.int64]:
    """Of every prompt the `MOST_ANSWERS` answers with the least hashes, in the same order.

    Copies are told apart by their number, or all of them would come or none.
    """
    kept = np.ones(len(rows), np.bool_)
    ends = np.cumsum(sizes)
    for p in np.flatnonzero(sizes > MOST_ANSWERS):
        begin, end = ends[p] - sizes[p], ends[p]
        own = rows[begin:end]
        first = np.concatenate([[True], own[1:] != own[:-1]])
        places = np.arange(len(own))
        copy = places - np.maximum.accumulate(np.where(first, places, 0))
        drawn = seeded_hash(hi[own], lo[own] + copy.astype(np.uint64), seed, "answers")
        kept[begin:end] = False
        kept[begin + np.argsort(drawn, kind="stable")[:MOST_ANSWERS]] = True
    return rows[kept]


def _mean(values: list[float]) -> float | None:
    # Exactly rounded sums don't depend on the order.
    return math.fsum(values) / len(values) if values else None
