"""Classes of answers to one prompt that say the same.

Two answers are the same if their words are (equal fingerprints), or if the mean of two figures is
large enough: the Jaccard similarity of their sets of words, and the cosine of their embeddings.
Each corrects the other. By words alone, answers from one template are the same even if the name in
them differs. By a static embedding alone, all answers about one topic are the same.

At the threshold of `BY_TABLE`, two answers are as likely the same as not by NoveltyBench's
published partitions (Zhang et al. 2025). On the half of its prompts that the rules were chosen on,
47 % of the pairs at .55 to .6 and 54 % of those at .6 to .65 are in one class. On the other half it
is 41 % and 55 %. An encoder reads the order of words as well. So its cosine counts three times in
`BY_ENCODER`, whose threshold was chosen on the same half (`benchmarks/measures/novelty.py`).

An answer joins the first leader that it is the same as, in the order of the fingerprints, else it
leads a class of its own (leader clustering; Hartigan 1975, chapter 3). So every answer is the same
as its leader, without chains, and the result does not depend on the order of the documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hash_table import find_slot, table_size
from outcross.transforms.base.hashing import mix64, seeded_hash
from outcross.transforms.base.kernels import kernel


@dataclass(frozen=True)
class SameRule:
    """Rule by which two answers are the same.

    Attributes:
        weight: how often the cosine counts in the mean; the Jaccard similarity counts once.
        least: mean from which two answers are the same.
    """

    weight: int
    least: float


BY_TABLE = SameRule(weight=1, least=0.6)
"""Rule for embeddings that are sums of words' vectors."""

BY_ENCODER = SameRule(weight=3, least=0.7)
"""Rule for embeddings of an encoder."""

MOST_ANSWERS = 512
"""Answers that are judged of one prompt, drawn by hash: pairs grow as the square."""

MOST_WORDS = 2048
"""First words that are compared of one answer: they bound the memory of a prompt."""


@dataclass(frozen=True, eq=False)
class AnswerClasses:
    """Answers in the order of prompts and fingerprints, and the leader of each.

    Attributes:
        sizes: int64[P], answers of each prompt, judged or not.
        starts: int64[P + 1]; prompt p has the judged answers starts[p] to starts[p + 1].
        rows: int64[m], document of each judged answer; one document stands for all its copies.
        leader: int64[m], position in `rows` of each answer's leader.
    """

    sizes: NDArray[np.int64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    leader: NDArray[np.int64]


def classify_answers(
    prompt: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    embeddings: NDArray[np.int8],
    *,
    rule: SameRule = BY_TABLE,
    seed: int = 0,
    most: int = MOST_ANSWERS,
) -> AnswerClasses:
    """Partition the answers to each prompt into classes of the same answer.

    An answer's class does not depend on the order of the documents. Time grows as answers times
    classes.

    Args:
        prompt: uint64[n], hash of each document's prompt; documents with 0 are left out.
        offsets: int64[n + 1]; document d has the words offsets[d] to offsets[d + 1].
        words: uint32[total], word hashes.
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves of the fingerprints.
        embeddings: int8[n, dims]; where one is all zeros, words alone decide.
        rule: rule by which two answers are the same.
        seed: seed of the draw where a prompt has more than `most` answers.
        most: answers of a prompt that are judged.

    Raises:
        ValueError: the arrays have different numbers of documents.
    """
    n = len(offsets) - 1
    if not n == len(hi) == len(lo) == len(embeddings):
        raise ValueError(
            f"there are offsets of {n} answers, {len(hi)} and {len(lo)} halves of fingerprints and "
            f"{len(embeddings)} embeddings; all must be of the same answers"
        )
    if len(prompt) != n:
        raise ValueError(f"there are {len(prompt)} prompts for {n} documents")
    rows = np.flatnonzero(prompt)
    rows = rows[np.lexsort((lo[rows], hi[rows], prompt[rows]))]
    _copies(rows, prompt, hi, lo, embeddings)
    sizes = _sizes(prompt[rows])
    rows = _thin(rows, sizes, hi, lo, seed, most)
    starts = np.concatenate([[0], np.cumsum(np.minimum(sizes, most))]).astype(np.int64)
    leader = _lead_each(
        starts, rows, offsets, words, embeddings, rule.weight, rule.least, MOST_WORDS
    )
    return AnswerClasses(sizes, starts, rows, leader)


def _sizes(prompts: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the lengths of the runs of equal values."""
    edges = np.flatnonzero(prompts[1:] != prompts[:-1]) + 1
    return np.diff(np.concatenate([[0], edges, [len(prompts)]])) if len(prompts) else edges


def _thin(
    rows: NDArray[np.int64],
    sizes: NDArray[np.int64],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    seed: int,
    most: int,
) -> NDArray[np.int64]:
    """Keep the `most` answers of each prompt with the least hashes, in the same order.

    The hash includes a copy's number; otherwise all copies would be kept or none.
    """
    kept = np.ones(len(rows), np.bool_)
    ends = np.cumsum(sizes)
    for p in np.flatnonzero(sizes > most):
        begin, end = ends[p] - sizes[p], ends[p]
        answers = rows[begin:end]
        first = np.concatenate([[True], answers[1:] != answers[:-1]])
        places = np.arange(len(answers))
        copy = places - np.maximum.accumulate(np.where(first, places, 0))
        drawn = seeded_hash(hi[answers], lo[answers] + copy.astype(np.uint64), seed, "answers")
        kept[begin:end] = False
        kept[begin + np.argsort(drawn, kind="stable")[:most]] = True
    return rows[kept]


@kernel()
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.int32(0)  # 1,024 products of bytes stay below 2 ** 24
    for q in range(len(a)):
        total = np.int32(total + np.int32(a[q]) * np.int32(b[q]))
    return total


@kernel()
def _copies(rows, prompt, hi, lo, embeddings):  # type: ignore[no-untyped-def]
    """Replace all copies, answers with one prompt and one fingerprint, by one row.

    Embedders that read the text itself may tell copies apart by their punctuation. So the row with
    the least embedding stands for them, not the first one.
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


@kernel()
def _word_sets(rows, offsets, words, most):  # type: ignore[no-untyped-def]
    """Give the words of one prompt numbers and list each answer's set; a copy's set is empty."""
    total = np.int64(0)
    for i in range(len(rows)):
        if i == 0 or rows[i] != rows[i - 1]:
            total += min(most, offsets[rows[i] + 1] - offsets[rows[i]])
    size = table_size(total)
    keys = np.empty(size, np.uint32)
    number = np.full(size, -1, np.int32)
    latest = np.full(total, -1, np.int32)  # last answer with each word
    starts = np.zeros(len(rows) + 1, np.int64)
    members = np.empty(total, np.int32)
    distinct = filled = 0
    for i in range(len(rows)):
        if i == 0 or rows[i] != rows[i - 1]:
            first = offsets[rows[i]]
            for w in range(first, min(first + most, offsets[rows[i] + 1])):
                hashed = mix64(np.uint64(words[w]))
                slot = find_slot(words[w], hashed, keys, number, 0, size)
                if number[slot] < 0:
                    keys[slot] = words[w]
                    number[slot] = distinct
                    distinct += 1
                if latest[number[slot]] != i:
                    latest[number[slot]] = i
                    members[filled] = number[slot]
                    filled += 1
        starts[i + 1] = filled
    return starts, members, distinct


@kernel()
def _lead(rows, offsets, words, embeddings, weight, least, most_words, leader):  # type: ignore[no-untyped-def]
    """Fill `leader` with the position in `rows` of each answer's leader.

    `rows` are one prompt's answers in the order of their fingerprints, copies replaced.
    """
    starts, members, vocabulary = _word_sets(rows, offsets, words, most_words)
    enough = (1 + weight) * least
    in_set = np.zeros(vocabulary, np.uint8)
    squares = np.empty(len(rows), np.int64)
    leaders = np.empty(len(rows), np.int64)
    classes = 0
    for i in range(len(rows)):
        if i > 0 and rows[i] == rows[i - 1]:
            leader[i] = leader[i - 1]
            continue
        answer = embeddings[rows[i]]
        answer_set = members[starts[i] : starts[i + 1]]
        squares[i] = _dot(answer, answer)
        for word in answer_set:
            in_set[word] = 1
        leader[i] = i
        for c in range(classes):
            led_by = leaders[c]
            leader_set = members[starts[led_by] : starts[led_by + 1]]
            fewest = min(len(answer_set), len(leader_set))
            if fewest == 0:
                continue
            # Correctly rounded operations on exact integers: the same bits on every machine.
            cosine = 1.0
            unknown = squares[i] == 0 or squares[led_by] == 0
            if not unknown:
                product = _dot(answer, embeddings[rows[led_by]])
                cosine = product / np.sqrt(np.float64(squares[i] * squares[led_by]))
            if fewest / max(len(answer_set), len(leader_set)) + weight * cosine < enough:
                continue
            shared = np.int64(0)
            for word in leader_set:
                shared += in_set[word]
            jaccard = shared / (len(answer_set) + len(leader_set) - shared)
            if unknown:  # no row of the embedder's table: words alone decide
                cosine = jaccard
            if jaccard + weight * cosine >= enough:
                leader[i] = led_by
                break
        if leader[i] == i:
            leaders[classes] = i
            classes += 1
        for word in answer_set:
            in_set[word] = 0


@kernel()
def _lead_each(starts, rows, offsets, words, embeddings, weight, least, most_words):  # type: ignore[no-untyped-def]
    leader = np.empty(len(rows), np.int64)
    for p in range(len(starts) - 1):
        begin, end = starts[p], starts[p + 1]
        part = leader[begin:end]
        _lead(rows[begin:end], offsets, words, embeddings, weight, least, most_words, part)
        part += begin
    return leader
