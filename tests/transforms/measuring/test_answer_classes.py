"""Classes of answers against plain leader clustering."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.measuring.answer_classes import (
    BY_ENCODER,
    BY_TABLE,
    SameRule,
    classify_answers,
)
from tests.support.answers import Documents, documents, partition, sketched

DATA = Path(os.environ.get("OUTCROSS_DATA", Path(__file__).parents[4] / "shared/data"))


RULES = st.sampled_from([BY_TABLE, BY_ENCODER])
Answer = tuple[set[int], NDArray[np.int64]]


def alike(left: Answer, right: Answer, rule: SameRule) -> bool:
    """Compare two answers by the documented rule."""
    (a, x), (b, y) = left, right
    if not a or not b:
        return False
    jaccard = len(a & b) / len(a | b)
    squares = int((x * x).sum()) * int((y * y).sum())
    cosine = int((x * y).sum()) / np.sqrt(float(squares)) if squares else jaccard
    return bool(jaccard + rule.weight * cosine >= (1 + rule.weight) * rule.least)


def plain_partition(answers: Documents, rule: SameRule) -> list[int]:
    """Leader clustering in plain Python."""
    by_fingerprint: dict[tuple[int, int], list[int]] = {}
    for d in range(len(answers.hi)):
        by_fingerprint.setdefault((int(answers.hi[d]), int(answers.lo[d])), []).append(d)
    classes = [0] * len(answers.hi)
    leaders: list[Answer] = []
    for _, copies in sorted(by_fingerprint.items()):
        row = min(copies, key=lambda d: answers.embeddings[d].tolist())
        words = set(answers.words[answers.offsets[row] : answers.offsets[row + 1]].tolist())
        vector = answers.embeddings[row].astype(np.int64)
        hits = (k for k, led in enumerate(leaders) if alike((words, vector), led, rule))
        number = next(hits, len(leaders))
        if number == len(leaders):
            leaders.append((words, vector))
        for d in copies:
            classes[d] = number
    return classes


@settings(max_examples=400)
@given(documents(), RULES)
def test_the_partition_is_that_of_plain_leader_clustering(
    answers: Documents, rule: SameRule
) -> None:
    assert partition(answers, rule) == plain_partition(answers, rule)


@given(documents(), RULES, st.randoms(use_true_random=False))
def test_the_partition_does_not_depend_on_the_order(
    answers: Documents, rule: SameRule, random: object
) -> None:
    rows = list(range(len(answers.hi)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert partition(answers.at(rows), rule) == [partition(answers, rule)[row] for row in rows]


def test_there_are_no_chains() -> None:
    """Put the outer two of three in a row into one class only if the middle one leads it."""
    ring = list(range(60))
    windows = [np.array(ring[first : first + 20], np.uint32) for first in (0, 4, 8)]
    angles = [0.0, 0.4, 0.8]
    embeddings = np.zeros((3, 256), np.int8)
    embeddings[:, 0] = [round(120 * np.cos(angle)) for angle in angles]
    embeddings[:, 1] = [round(120 * np.sin(angle)) for angle in angles]
    for fingerprint in itertools.permutations([1, 2, 3]):
        hi = np.array(fingerprint, np.uint64)
        classes = partition(
            Documents(np.arange(4) * 20, np.concatenate(windows), hi, hi, embeddings)
        )
        assert (classes[0] == classes[2]) == (fingerprint[1] == 1)
        assert classes[1] in (classes[0], classes[2])


def test_neither_one_template_nor_one_topic_is_the_same() -> None:
    classes = partition(
        sketched(
            [
                "Sure! Name your dog Buddy, a warm and loyal classic.",
                "You could name the dog Buddy: a warm, loyal, classic name.",
                "Sure! Name your opera Turandot, a dark and icy tragedy.",
                "Dogs need walks, food and water every single day of the year.",
                "Feed a puppy well and take it outside each morning.",
                "1984",
                "1984.",
                "42",
                "!?",
                "?!",
            ]
        )
    )
    assert classes[0] == classes[1]
    assert classes[5] == classes[6]
    assert len(set(classes)) == 8


def test_the_cosine_of_an_encoder_counts_three_times() -> None:
    """Share half of the words: .5 and a cosine of .72 are the same by the table's rule alone."""
    words = np.array([1, 2, 3, 2, 3, 4], np.uint32)
    hi = np.arange(2, dtype=np.uint64)
    for cosine, by_table, by_encoder in ((0.72, 1, 2), (0.8, 1, 1), (0.6, 2, 2)):
        angles = np.array([0, np.arccos(cosine)])
        embeddings = np.zeros((2, 256), np.int8)
        embeddings[:, 0], embeddings[:, 1] = np.rint(
            120 * np.array([np.cos(angles), np.sin(angles)])
        )
        answers = Documents(np.arange(3) * 3, words, hi, hi, embeddings)
        classes = [len(set(partition(answers, rule))) for rule in (BY_TABLE, BY_ENCODER)]
        assert classes == [by_table, by_encoder]


def test_where_the_embedder_has_nothing_to_say_words_decide() -> None:
    embeddings = np.zeros((3, 256), np.int8)
    words = np.array([1, 2, 3, 4, 1, 2, 3, 5, 1, 6, 7, 8], np.uint32)
    hi = np.arange(3, dtype=np.uint64)
    assert partition(Documents(np.arange(4) * 4, words, hi, hi, embeddings)) == [0, 0, 1]


def test_arrays_of_different_lengths_are_refused() -> None:
    prompt, answers = np.ones(2, np.uint64), sketched(["a", "b"])
    with pytest.raises(ValueError, match="3 prompts for 2 documents"):
        classify_answers(np.ones(3, np.uint64), *answers)
    with pytest.raises(ValueError, match="offsets of 2 answers, 1 and 2 halves"):
        classify_answers(prompt, *answers._replace(hi=answers.hi[:1]))


def test_jokes_of_one_model() -> None:
    """Over 90 % of these 1,008 jokes are 25 jokes (Jentzsch & Kersting 2023)."""
    path = DATA / "multisample/jokegpt.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; OUTCROSS_DATA names the folder of the corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        jokes = sketched([json.loads(line)["text"] for line in lines])
    largest = np.sort(np.bincount(partition(jokes)))[::-1]
    assert 0.9 < largest[:25].sum() / len(jokes.hi) < 0.95
