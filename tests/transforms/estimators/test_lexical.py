"""Measures of words against their definitions in plain Python."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.base.hashing import mix64
from outcross.transforms.estimators.lexical import (
    first_tokens,
    lexical,
    opening_hashes,
    openings,
    rare_words,
    retained,
)

Documents = list[list[int]]

# Few different words, so that n-grams repeat; zero and the largest, as their hashes are special.
WORDS = st.sampled_from([0, 1, 2, 3, 2**32 - 1])
CORPORA = st.lists(st.lists(WORDS, max_size=9), max_size=9)


def columns(documents: Documents, before: int = 0):
    """Return offsets and words as Arrow has them: read-only, perhaps part of a longer buffer."""
    lengths = [before, *(len(document) for document in documents)]
    words = [7] * before + [word for document in documents for word in document] + [7]
    offsets = pa.array(np.cumsum(lengths), pa.int64()).to_numpy()
    hashes = pa.array(words, pa.uint32()).to_numpy()
    assert not offsets.flags.writeable
    return offsets, hashes


def ngrams(documents: Documents, n: int) -> list[list[tuple[int, ...]]]:
    return [[tuple(d[i : i + n]) for i in range(len(d) - n + 1)] for d in documents]


def plain_entropy(documents: Documents, n: int) -> float:
    counts = Counter(gram for grams in ngrams(documents, n) for gram in grams)
    total = sum(counts.values())
    return -sum(c / total * math.log(c / total) for c in counts.values())


def plain_repetition(documents: Documents, n: int) -> float:
    grams = ngrams(documents, n)
    total = sum(map(len, grams))
    shared = sum(
        any(gram in other for j, other in enumerate(grams) if j != i)
        for i, run in enumerate(grams)
        for gram in run
    )
    return shared / total if total else 0.0


@given(CORPORA, st.integers(0, 3))
def test_ngrams_are_those_within_documents(documents: Documents, before: int) -> None:
    measures = lexical(*columns(documents, before))
    grams = {n: [gram for run in ngrams(documents, n) for gram in run] for n in (1, 2, 3)}
    assert measures.tokens == len(grams[1])
    assert measures.vocabulary == len(set(grams[1]))
    shares = (measures.distinct_1, measures.distinct_2, measures.distinct_3)
    assert shares == tuple(len(set(run)) / max(len(run), 1) for run in grams.values())
    assert measures.entropy_1 == pytest.approx(plain_entropy(documents, 1), abs=1e-12)
    assert measures.entropy_2 == pytest.approx(plain_entropy(documents, 2), abs=1e-12)
    assert measures.self_repetition == plain_repetition(documents, 4)


@given(CORPORA, st.randoms(use_true_random=False))
def test_the_order_of_documents_changes_no_bit(documents: Documents, random) -> None:
    shuffled = random.sample(documents, len(documents))
    assert lexical(*columns(shuffled)) == lexical(*columns(documents))
    by_shuffled, by_order = (
        openings(opening_hashes(*columns(d), 2), 2) for d in (shuffled, documents)
    )
    assert by_shuffled == by_order


def test_a_phrase_that_one_document_repeats_is_no_self_repetition() -> None:
    phrase = [1, 2, 3, 4]
    assert lexical(*columns([[*phrase, 9, *phrase]])).self_repetition == 0
    assert lexical(*columns([[*phrase, 9, *phrase], phrase])).self_repetition == 3 / 7


def test_ngrams_of_a_large_set_are_told_apart() -> None:
    """Fill the hash table as far as it ever is, with counts that are known."""
    words = np.arange(1 << 16, dtype=np.uint32) * np.uint32(2654435761)
    offsets = np.arange(0, len(words) + 1, 64)
    once = lexical(offsets, words)
    assert (once.vocabulary, once.distinct_3, once.self_repetition) == (1 << 16, 1, 0)
    assert once.entropy_1 == pytest.approx(16 * math.log(2), rel=1e-12)
    twice = lexical(np.concatenate([offsets, offsets[1:] + len(words)]), np.tile(words, 2))
    assert (twice.vocabulary, twice.distinct_3, twice.self_repetition) == (1 << 16, 0.5, 1)


@given(CORPORA, st.integers(0, 40), st.integers(0, 3))
def test_the_first_tokens_are_whole_documents_and_one_that_is_cut(
    documents: Documents, tokens: int, before: int
) -> None:
    offsets, words = first_tokens(*columns(documents, before), tokens)
    total = sum(map(len, documents))
    assert offsets[0] == 0
    assert offsets[-1] == len(words) == min(tokens, total)
    runs = [words[a:b].tolist() for a, b in pairwise(offsets)]
    if total <= tokens:
        assert runs == documents
    else:
        uncut, cut = runs[:-1], runs[-1:]
        assert uncut == documents[: len(uncut)]
        assert all(last and last == documents[len(uncut)][: len(last)] for last in cut)


@given(CORPORA, st.integers(1, 4), st.integers(1, 4))
def test_openings_are_the_commonest_first_words(
    documents: Documents, length: int, most: int
) -> None:
    counts = Counter(tuple(d[:length]) for d in documents if d)
    common = sum(count for _, count in counts.most_common(most) if count > 1)
    expected = common / counts.total() if counts else 0
    assert openings(opening_hashes(*columns(documents), length), most) == expected


@given(st.integers(1, 300), st.integers(1, 150))
def test_documents_that_all_begin_differently_have_no_common_opening(n: int, most: int) -> None:
    assert openings(opening_hashes(*columns([[i, 1, 2] for i in range(n)])), most) == 0


def test_a_short_document_begins_as_no_longer_one_does() -> None:
    hashes = opening_hashes(*columns([[0], [0, 0], [0, 0, 0], [], [0], []]))
    assert openings(hashes, 1) == 1 / 2
    assert (hashes == 0).tolist() == [False, False, False, True, False, True]


@given(st.lists(st.integers(0, 40), max_size=120), st.integers(0, 50))
def test_rare_words_stand_two_to_five_times(words: list[int], limit: int) -> None:
    counts = Counter(words)
    rare = sorted(word for word, count in counts.items() if 2 <= count <= 5)
    hashes = rare_words(np.array(words, np.uint32))
    assert hashes.dtype == np.uint32
    assert hashes.tolist() == rare
    kept = rare_words(np.array(words, np.uint32), limit=limit)
    by_hash = sorted(rare, key=lambda word: mix64(np.uint64(word)))
    assert kept.tolist() == sorted(by_hash[:limit])


@given(st.sets(st.integers(0, 60)), st.lists(st.integers(0, 60)))
def test_retained_is_the_share_of_rare_words_that_occur(rare: set[int], words: list[int]) -> None:
    share = retained(np.array(sorted(rare), np.uint32), np.array(words, np.uint32))
    assert share == (len(rare & set(words)) / len(rare) if rare else 0)


def test_nothing_has_no_diversity() -> None:
    for documents in ([], [[]], [[], []]):
        measures = lexical(*columns(documents))
        assert not any(vars(measures).values())
        assert openings(opening_hashes(*columns(documents))) == 0
    assert len(rare_words(np.zeros(0, np.uint32))) == 0


def test_what_is_no_set_is_refused() -> None:
    offsets, words = columns([[1, 2], [3]])
    with pytest.raises(ValueError, match="never fall"):
        lexical(offsets[::-1], words)
    with pytest.raises(ValueError, match="int64 and uint32"):
        lexical(offsets, words.astype(np.int64))
    with pytest.raises(ValueError, match="tokens is -1"):
        first_tokens(offsets, words, -1)
    with pytest.raises(ValueError, match="length is 0"):
        opening_hashes(offsets, words, 0)
    with pytest.raises(ValueError, match="most is 0"):
        openings(opening_hashes(offsets, words), 0)
    with pytest.raises(ValueError, match=r"rare\[2\] = 5 follows rare\[1\] = 5"):
        retained(np.array([1, 5, 5], np.uint32), words)
