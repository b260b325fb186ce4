"""Vectors of words: TF-IDF of the reference, projected at random, with equal bits everywhere."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.reference.codebook import fit_codebook
from outcross.transforms.reference.second_codebook import (
    BUCKETS,
    WORD_DIMS,
    SecondCodebook,
    count_documents,
    word_vectors,
    word_weights,
)
from outcross.transforms.text.embed import SCALE

DOCUMENTS = st.lists(st.lists(st.integers(0, 40), max_size=600), max_size=12)


def packed(documents: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Pack words, given by their buckets, with lower bits that must not matter."""
    lengths = [len(words) for words in documents]
    words = np.array([word for words in documents for word in words], np.uint32)
    lower = np.arange(len(words), dtype=np.uint32) % np.uint32(1 << 16)
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), (words << 16) | lower


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, st.integers(0, 2**32 - 1))
def test_documents_of_a_word_are_counted_once_in_any_parts(
    documents: list[list[int]], seed: int
) -> None:
    offsets, words = packed(documents)
    counted = np.flatnonzero(np.random.default_rng(seed).random(len(documents)) < 0.7)
    whole, parts = np.zeros(BUCKETS, np.int64), np.zeros(BUCKETS, np.int64)
    count_documents(offsets, words, counted, whole)
    for row in counted:
        count_documents(offsets, words, np.array([row]), parts)
    expected = np.zeros(BUCKETS, np.int64)
    for row in counted:
        expected[list({*documents[row]})] += 1
    assert whole.tolist() == parts.tolist() == expected.tolist()


def test_weights_fall_with_the_documents_that_have_a_word() -> None:
    frequencies = np.zeros(BUCKETS, np.int64)
    frequencies[:6] = [0, 1, 2, 10, 999, 1000]
    weights = word_weights(frequencies, 1000)
    expected = [0, 0, *(round(8 * math.log(1001 / (f + 0.5))) for f in (2, 10, 999, 1000))]
    assert weights[:6].tolist() == expected
    assert not weights[6:].any()
    assert word_weights(np.full(BUCKETS, 2), 10**11).tolist() == [127] * BUCKETS


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS, st.integers(0, 2**32 - 1))
def test_vectors_are_scaled_sums_that_know_no_order_of_words_and_no_neighbours(
    documents: list[list[int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 128, BUCKETS).astype(np.uint8)
    single = [[bucket] for bucket in range(41)]
    signs = np.sign(word_vectors(*packed(single), np.full(BUCKETS, 100, np.uint8))).astype(int)
    assert (np.abs(signs) == 1).all()
    vectors = word_vectors(*packed(documents), weights)
    for words, vector in zip(documents, vectors, strict=True):
        total = np.zeros(WORD_DIMS, np.int64)
        for word in words:
            total += int(weights[word]) * signs[word]
        length = math.sqrt(int((total * total).sum())) or 1.0
        assert vector.tolist() == np.rint(total * SCALE / length).clip(-127, 127).tolist()
        shuffled = rng.permutation(words).tolist()
        assert word_vectors(*packed([shuffled]), weights)[0].tolist() == vector.tolist()


def test_rows_of_different_words_are_as_good_as_orthogonal() -> None:
    buckets = np.random.default_rng(0).permutation(BUCKETS)[:2000].tolist()
    rows = word_vectors(*packed([[b] for b in buckets]), np.full(BUCKETS, 1, np.uint8))
    cosine = rows.astype(float) @ rows.T / (WORD_DIMS * float(rows[0, 0]) ** 2)
    off = cosine[~np.eye(len(rows), dtype=bool)]
    assert abs(off.mean()) < 0.001
    assert abs(off.std() * math.sqrt(WORD_DIMS) - 1) < 0.01
    assert np.abs(off).max() < 0.4


def test_documents_are_clustered_by_the_words_that_they_share() -> None:
    rng = np.random.default_rng(1)
    topic = np.arange(600) % 6
    documents = [
        [*rng.integers(100 * t, 100 * t + 40, 30).tolist(), *rng.integers(900, 910, 20).tolist()]
        for t in topic
    ]
    offsets, words = packed(documents)
    frequencies = np.zeros(BUCKETS, np.int64)
    count_documents(offsets, words, np.arange(600), frequencies)
    weights = word_weights(frequencies, 600)
    codebook = fit_codebook(word_vectors(offsets, words, weights), 12, 0)
    cluster = SecondCodebook(weights, codebook).nearest(offsets, words)
    pure = sum(np.bincount(topic[cluster == c]).max() for c in np.unique(cluster))
    assert pure == 600
