"""Residual scores against their formulas in floats, and what makes them the same everywhere."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.base.hashing import mix64
from outcross.transforms.selection.residual import (
    UNIT,
    Coherence,
    Moments,
    Scorer,
    in_steps,
    keys,
)
from outcross.transforms.text.ngrams import RING, Tables, count_ngrams

BUCKETS = 1 << 8


def pack(documents):
    """Join lists of word hashes as (offsets, ids)."""
    lengths = [len(d) for d in documents]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    return offsets, np.array([w for d in documents for w in d], np.uint32)


def tables(documents, copies=None, buckets=BUCKETS):
    out = Tables.empty(buckets)
    copies = np.ones(len(documents), np.int32) if copies is None else np.asarray(copies)
    count_ngrams(*pack(documents), copies, out.unigrams, out.bigrams)
    return out


def figures(reference, current, offsets, ids):
    """Return deficit, surprisal and coherence of all documents of a batch."""
    rows = np.arange(len(offsets) - 1)
    scores = Scorer(reference, current).score(offsets, ids, rows)
    return np.vstack([scores, Coherence(reference).score(offsets, ids, rows)])


def keys_among(scores):
    """Return the keys of documents that are all the candidates."""
    return keys(scores, [Moments.of(values) for values in scores])


def bigram(previous, word, buckets=BUCKETS):
    return int(mix64(np.uint64(previous << 32 | word))) % buckets


def plain_counts(documents, buckets=BUCKETS):
    unigrams, bigrams = [0] * buckets, [0] * buckets
    for d in documents:
        for i, w in enumerate(d):
            unigrams[w % buckets] += 1
            if i:
                bigrams[bigram(d[i - 1], w, buckets)] += 1
    return unigrams, bigrams


def plain_score(document, reference, current, buckets=BUCKETS):
    """Deficit, surprisal and coherence as they are written."""

    def lr(ref, cur, b):
        return math.log((ref[b] + 0.1) / (sum(ref) + 0.1 * buckets)) - math.log(
            (cur[b] + 0.1) / (sum(cur) + 0.1 * buckets)
        )

    def q(counts, i):
        """Return the word's probability by itself, and after the word before."""
        b = document[i] % buckets
        p = q = (counts[0][b] + 0.5) / (sum(counts[0]) + 0.5 * buckets)
        if i:
            k = bigram(document[i - 1], document[i], buckets)
            seen = counts[0][document[i - 1] % buckets]
            q = (max(counts[1][k] - 0.75, 0) + (0.75 * min(seen, 50) + 1) * p) / (seen + 1)
        return p, max(q, 1e-9)

    deficit = surprisal = coherence = 0.0
    for i, w in enumerate(document):
        deficit += lr(reference[0], current[0], w % buckets)
        if i:
            k = bigram(document[i - 1], w, buckets)
            deficit += lr(reference[1], current[1], k)
            p, foretold = q(reference, i)
            coherence += math.log(foretold / p)
        surprisal -= math.log(min(q(current, i)[1], 1))
    n = max(len(document), 1)
    return deficit / math.sqrt(n), surprisal / n, coherence / n


words = st.integers(0, 30) | st.integers(0, 2**32 - 1)
corpora = st.lists(st.lists(words, max_size=12), max_size=8)


def text(seed, documents, words_each=40, vocabulary=2000):
    """Draw documents with Zipf's frequencies."""
    rng = np.random.default_rng(seed)
    hashes = np.random.default_rng(0).integers(0, 2**32, vocabulary)
    draws = np.minimum(rng.zipf(1.3, (documents, words_each)), vocabulary) - 1
    return hashes[draws].tolist()


@settings(max_examples=60)
@given(corpora)
def test_counts_are_those_of_a_loop(documents):
    got = tables(documents)
    unigrams, bigrams = plain_counts(documents)
    assert got.unigrams.tolist() == unigrams
    assert got.bigrams.tolist() == bigrams
    assert got.totals == (
        sum(map(len, documents)),
        sum(max(len(d) - 1, 0) for d in documents),
    )


@settings(max_examples=60)
@given(corpora, corpora, corpora)
def test_scores_are_those_of_the_formulas(reference, current, documents):
    scores = figures(tables(reference), tables(current), *pack(documents))
    for d, got in zip(documents, scores.T, strict=True):
        wanted = plain_score(d, plain_counts(reference), plain_counts(current))
        assert got[0] * UNIT == pytest.approx(wanted[0], abs=3 * UNIT * math.sqrt(len(d)) + UNIT)
        assert got[1:] * UNIT == pytest.approx(wanted[1:], abs=2 * UNIT)


def test_scores_of_a_corpus_and_large_counts():
    reference, current = text(1, 300), text(2, 300)
    ref, cur = tables(reference), tables(current)
    huge = Tables(ref.unigrams * 10**9, ref.bigrams * 10**9)
    for human, factor in ((ref, 1), (huge, 10**9)):
        scores = figures(human, cur, *pack(current))
        plain_reference = [[c * factor for c in t] for t in plain_counts(reference)]
        for i in range(0, 300, 50):
            wanted = plain_score(current[i], plain_reference, plain_counts(current))
            assert scores[0, i] * UNIT == pytest.approx(wanted[0], abs=25 * UNIT)
            assert scores[1, i] * UNIT == pytest.approx(wanted[1], abs=2 * UNIT)
            if factor == 1:  # else counts are beyond what a table holds of the reference's
                assert scores[2, i] * UNIT == pytest.approx(wanted[2], abs=2 * UNIT)


# More and fewer words than are prefetched, with gaps that are and aren't longer.
lengths = st.lists(st.integers(0, 2 * RING), min_size=1, max_size=12)


@given(lengths, st.lists(st.integers(0, 11), max_size=20))
def test_rows_in_any_order_have_the_scores_of_documents_alone(sizes, chosen):
    rng = np.random.default_rng(len(sizes))
    documents = [rng.integers(0, 2**32, size).tolist() for size in sizes]
    rows = np.array([row % len(sizes) for row in chosen], np.int64)
    both = tables(documents[::2]), tables(documents)
    offsets, ids = pack(documents)
    alone = [figures(*both, *pack([document]))[:, 0] for document in documents]
    wanted = np.array([alone[row] for row in rows]).reshape(-1, 3).T
    assert (Scorer(*both).score(offsets, ids, rows) == wanted[:2]).all()
    assert (Coherence(both[0]).score(offsets, ids, rows) == wanted[2]).all()


@given(lengths, st.data())
def test_long_documents_with_gaps_are_counted_as_by_a_loop(sizes, data):
    rng = np.random.default_rng(len(sizes))
    documents = [rng.integers(0, 2**32, size).tolist() for size in sizes]
    copies = data.draw(st.lists(st.integers(0, 1), min_size=len(sizes), max_size=len(sizes)))
    got = tables(documents, np.array(copies, np.int32))
    counted = [document for document, copy in zip(documents, copies, strict=True) if copy]
    unigrams, bigrams = plain_counts(counted)
    assert got.unigrams.tolist() == unigrams
    assert got.bigrams.tolist() == bigrams


def test_unseen_words_stop_at_the_floor():
    # v was seen 10**12 times and never before w, w never at all: q = (.75 * 50 + 1) P(w) / 10**12.
    current = Tables.empty(BUCKETS)
    current.unigrams[3] = 10**12
    _, surprisal, _ = figures(Tables.empty(BUCKETS), current, *pack([[3, 4]]))
    second = 2 * surprisal[0] * UNIT - -math.log((10**12 + 0.5) / (10**12 + 0.5 * BUCKETS))
    assert second == pytest.approx(-math.log(1e-9), abs=1e-6)


def test_documents_without_and_with_one_word():
    reference, current = [[1, 2, 3]], [[3, 2, 1], [5]]
    both = tables(reference), tables(current)
    scores = figures(*both, *pack([[], [7], [], [1]]))
    deficit, surprisal, coherence = scores
    assert not scores[:, [0, 2]].any()
    assert not coherence.any()
    unigram = math.log((1 + 0.1) / (3 + 25.6)) - math.log((1 + 0.1) / (4 + 25.6))
    assert deficit[3] * UNIT == pytest.approx(unigram, abs=2 * UNIT)
    assert surprisal[3] * UNIT == pytest.approx(-math.log(1.5 / (4 + 128)), abs=2 * UNIT)
    assert figures(*both, *pack([])).shape == (3, 0)


def test_scores_do_not_depend_on_the_batch():
    documents = [*text(5, 50), [], [9]]
    both = tables(text(6, 50)), tables(text(7, 50))
    scores = figures(*both, *pack(documents))
    order = np.random.default_rng(0).permutation(len(documents))
    shuffled = figures(*both, *pack([documents[i] for i in order]))
    assert (shuffled == scores[:, order]).all()
    offsets, ids = pack(documents)
    ids.flags.writeable = offsets.flags.writeable = False  # as Arrow's
    assert (figures(*both, offsets[20:31], ids) == scores[:, 20:30]).all()
    rows = np.array([7, 3, 3])
    assert (Scorer(*both).score(offsets, ids, rows) == scores[:2, rows]).all()
    assert (Coherence(both[0]).score(offsets, ids, rows) == scores[2, rows]).all()


def test_values_never_change():
    """Pin the bits: other bits mean other documents, and need a new version of the format."""
    reference, current = text(8, 100), text(9, 100)
    scores = figures(tables(reference), tables(current), *pack(current[:4]))
    assert scores[0].tolist() == [-12230157, -6891376, -1363311, 300153]
    assert scores[1].tolist() == [28077639, 30676743, 29901840, 31672586]
    assert scores[2].tolist() == [40635465, 23882365, 39794814, 17490278]
    got = keys_among(scores)
    assert [float(k).hex() for k in got] == [
        "0x1.22591b3ff17eep+0",
        "0x1.55a6bb170673dp-2",
        "-0x1.c7de483abcc3ep-1",
        "-0x1.27a74bd0a973cp-1",
    ]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_mean_and_deviation_come_from_exact_sums(values):
    n, total, squares = len(values), sum(values), sum(v * v for v in values)
    mean, deviation = Moments.of(np.array(values, np.int64)).mean_and_deviation
    assert mean == total / n * UNIT
    assert deviation == math.sqrt((n * squares - total**2) / n**2) * UNIT


@given(st.lists(st.integers(-(2**45), 2**45), min_size=1, max_size=30))
def test_mean_and_deviation_are_the_usual_figures(values):
    mean, deviation = Moments.of(np.array(values, np.int64)).mean_and_deviation
    assert mean == pytest.approx(np.mean(values) * UNIT, rel=1e-9, abs=1e-9)
    assert deviation == pytest.approx(np.std(values) * UNIT, rel=1e-9, abs=1e-6)


def test_mean_and_deviation_of_more_values_than_one_part():
    values = np.full((1 << 20) + 5, -(2**62), np.int64)
    values[-1] = 2**62
    n = len(values)
    mean, deviation = Moments.of(values).mean_and_deviation
    assert mean == (2 - n) * 2**62 / n * UNIT
    assert deviation == pytest.approx(math.sqrt(4 * (n - 1) / n**2) * 2**62 * UNIT, rel=1e-12)


def test_equal_values_have_no_deviation():
    assert Moments.of(np.full(1000, 2**50 + 1)).mean_and_deviation[1] == 0
    assert Moments.of(np.zeros(0, np.int64)).mean_and_deviation == (0, 0)


def test_keys_are_those_of_the_formula():
    scores = np.random.default_rng(0).integers(-(2**30), 2**30, (3, 500))
    z = sum((v - v.mean()) / v.std() for v in scores)
    assert keys_among(scores) == pytest.approx(-z / math.sqrt(3), abs=1e-12)


def test_keys_do_not_depend_on_the_order_and_differ_by_figures_alone():
    scores = np.random.default_rng(0).integers(-5, 5, (3, 500))
    order = np.random.default_rng(1).permutation(500)
    key = keys_among(scores)
    assert (keys_among(scores[:, order]) == key[order]).all()
    _, first, every = np.unique(scores, axis=1, return_index=True, return_inverse=True)
    assert (key == key[first][every.ravel()]).all()


def test_figures_without_moments_are_refused():
    with pytest.raises(ValueError, match="moments of 1; needed: as many"):
        keys(np.zeros((3, 2), np.int64), [Moments()])


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20))
def test_keys_in_steps_have_the_order_of_the_keys(values):
    steps = in_steps(np.array(values)).tolist()
    for (a, in_a), (b, in_b) in itertools.combinations(zip(values, steps, strict=True), 2):
        assert (in_a <= in_b) if a <= b else (in_a >= in_b)
        if max(abs(a), abs(b)) < 64 and abs(a - b) > 2**-40:
            assert in_a != in_b


@given(st.lists(st.lists(st.integers(-(2**45), 2**45), max_size=9), max_size=5))
def test_moments_of_parts_add_up(parts):
    together = Moments.of(np.array([value for part in parts for value in part], np.int64))
    assert sum((Moments.of(np.array(p, np.int64)) for p in parts), Moments()) == together


def test_without_deviation_a_figure_does_not_count():
    flat, varied = np.full(10, 7), np.arange(10) << 20
    got = keys_among(np.array([varied, flat]))
    assert got == pytest.approx(-(varied - varied.mean()) / varied.std() / math.sqrt(2))
    assert (keys_among(np.array([flat, flat])) == 0).all()


def test_what_the_mix_lacks_comes_first():
    """Human text speaks of two things, the mix of one: candidates of the other are wanted."""
    rng = np.random.default_rng(0)
    common, rare = rng.integers(0, 2**32, (2, 300)).tolist()

    def speak(vocabulary, n):
        return [[vocabulary[i] for i in rng.integers(0, 300, 30)] for _ in range(n)]

    human = speak(common, 100) + speak(rare, 100)
    candidates = speak(common, 190) + speak(rare, 10)
    reference, lacking = tables(human, buckets=1 << 14), tables(speak(common, 200), buckets=1 << 14)

    def first(current):
        scores = figures(reference, current, *pack(candidates))
        order = np.argsort(keys_among(scores))
        return set(order[:10].tolist())

    assert first(lacking) == set(range(190, 200))
    # Once the mix has what it lacked, and in excess, the same documents are not wanted.
    full = tables(speak(common, 20) + speak(rare, 180), buckets=1 << 14)
    assert len(first(full) & set(range(190, 200))) <= 1


def test_noise_is_not_what_is_lacking():
    """Prefer, of two documents that are new to the mix, the one in human word order."""
    rng = np.random.default_rng(0)
    vocabulary = rng.integers(0, 2**32, 400)
    follows = rng.integers(0, 400, (400, 3))  # in human text a word has three successors

    def human(n):
        out = []
        for _ in range(n):
            words = [int(rng.integers(400))]
            while len(words) < 30:
                words.append(int(follows[words[-1], rng.integers(3)]))
            out.append(vocabulary[words].tolist())
        return out

    salad = [rng.permutation(document).tolist() for document in human(100)]
    candidates = human(100) + salad
    reference, current = tables(human(400), buckets=1 << 16), tables(salad[:50], buckets=1 << 16)
    scores = figures(reference, current, *pack(candidates))
    assert scores[2, :100].min() > scores[2, 100:].max()  # coherence tells them apart
    order = np.argsort(keys_among(scores))
    assert (order[:50] < 100).mean() > 0.9


def test_wrong_input_is_named():
    good, (offsets, ids) = Tables.empty(8), pack([[1, 2], [3]])
    pair = np.ones(2, np.int32)
    with pytest.raises(ValueError, match="12 buckets"):
        Tables.empty(12)
    with pytest.raises(ValueError, match="int32"):
        Tables(np.zeros(8, np.int32), np.zeros(8, np.int64))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(8,\) and \(16,\)"):
        Tables(np.zeros(8, np.int64), np.zeros(16, np.int64))
    with pytest.raises(ValueError, match="8 and 16"):
        good.merge(Tables.empty(16))
    with pytest.raises(ValueError, match="reference has 16 buckets, current 8"):
        Scorer(Tables.empty(16), good)
    with pytest.raises(ValueError, match=r"copies has shape \(1,\)"):
        count_ngrams(offsets, ids, pair[:1], good.unigrams, good.bigrams)
    with pytest.raises(ValueError, match="copies are float64"):
        count_ngrams(offsets, ids, pair * 0.5, good.unigrams, good.bigrams)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0 to 3, but there are 2 ids"):
        Scorer(good, good).score(offsets, ids[:2], np.arange(2))
    with pytest.raises(ValueError, match="never fall"):
        Scorer(good, good).score(offsets[::-1], ids, np.arange(2))
    with pytest.raises(ValueError, match="ids int64"):
        Scorer(good, good).score(offsets, ids.astype(np.int64), np.arange(2))  # type: ignore[arg-type]
