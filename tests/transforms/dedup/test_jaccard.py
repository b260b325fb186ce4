"""The Jaccard similarity of shingle sets, against Python's own sets."""

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.base.hashing import hash_ngrams, leaving_weight, mix64
from outcross.transforms.dedup.jaccard import Boilerplate, ShingleSets, count_shingles, table_bits
from tests.support.columns import numbers, word_runs
from tests.support.corpora import HeldSketches, paragraphs
from tests.support.dedup_definition import jaccard
from tests.support.text_definition import shingles_of, words_of


def held(texts, units=1):
    """Sketch texts in some units, one of them empty; they are numbered through."""
    cuts = [len(texts) * i // units for i in range(units + 1)]
    parts = [texts[a:b] for a, b in pairwise(cuts)]
    return HeldSketches([(0, [{"text": text} for text in part]) for part in [*parts, []]])


def sets_of(sketches, documents=None, ngram=5, boilerplate=None):
    documents = np.arange(len(sketches)) if documents is None else np.array(documents, np.int64)
    words = word_runs(sketches, documents)
    wordless = numbers(sketches, "fingerprint_lo")[documents]
    if boilerplate is None:
        return ShingleSets.of(words, wordless, ngram)
    table = count_shingles(words, wordless, ngram, table_bits(len(words[1])))
    return ShingleSets.of(words, wordless, ngram, Boilerplate(boilerplate, table))


def all_pairs(n):
    pairs = list(product(range(n), repeat=2))
    left, right = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    return pairs, left, right


WORDS = st.sampled_from(["a", "b", "été", "Été", "x_1", "²", "WORD", "?!", "…", " ", "日本", "’s"])
TEXTS = st.lists(st.lists(WORDS, max_size=14).map(" ".join), min_size=1, max_size=7)


@given(TEXTS, st.integers(1, 3), st.sampled_from([1, 2, 3, 5, 8, 20]))
def test_equals_python_sets(texts, units, ngram):
    """Short texts, texts without words, repeated shingles, and all else."""
    sets = sets_of(held(texts, units), ngram=ngram)
    expected = [shingles_of(text, ngram) for text in texts]
    pairs, left, right = all_pairs(len(texts))
    found = sets.similarity(left, right)
    assert found.dtype == np.float32
    for (one, other), similarity in zip(pairs, found, strict=True):
        assert similarity == jaccard(expected[one], expected[other])


def test_real_paragraphs_and_a_choice_of_documents():
    texts = paragraphs(20)[:80]
    texts += [" ".join(text.split()[i % 9 :]) for i, text in enumerate(texts)]
    chosen = [d for d in range(len(texts)) if d % 5 != 1]
    sets = sets_of(held(texts, units=4), chosen)
    expected = [shingles_of(texts[d]) for d in chosen]
    pairs, left, right = all_pairs(len(chosen))
    found = sets.similarity(left, right)
    by_python = [jaccard(expected[one], expected[other]) for one, other in pairs]
    assert (found == np.array(by_python, np.float32)).all()
    assert ((found > 0.5) & (found < 1)).sum() > 50


@pytest.mark.parametrize(
    ("one", "other", "ngram", "similarity"),
    [
        ("a b c", "A, b: c!", 5, 1),
        ("a b c", "a b", 5, 0),  # one shingle each, of what there is
        ("a b c d e", "a b c d", 5, 0),
        ("a b c d e f", "a b c d e", 5, 1 / 2),
        ("a a a a a a a", "a a", 2, 1),  # a set, however often
        ("a b a b a b", "b a b a", 2, 1),
        ("a b c", "c b a", 1, 1),
        ("?", "!", 5, 0),
        ("?", "?", 5, 1),
        ("", "?", 5, 0),
        ("", "", 5, 1),
        ("?", "a", 5, 0),
        ("? \n", "?", 5, 1),
        ("?", "？", 5, 0),
        ("它在这里", "它在这裡", 1, 3 / 5),
    ],
)
def test_small_texts(one, other, ngram, similarity):
    sets = sets_of(held([one, other]), ngram=ngram)
    zero, first = np.array([0]), np.array([1])
    assert sets.similarity(zero, first).tolist() == sets.similarity(first, zero).tolist()
    assert sets.similarity(zero, first)[0] == np.float32(similarity)


def test_no_documents():
    for boilerplate in (None, 2):
        sets = sets_of(held(["a b c d e"]), [], boilerplate=boilerplate)
        assert sets.similarity(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


def without_boilerplate(texts, limit, ngram=5):
    """Count in Python the texts with a shingle, and compare two texts."""
    shingles = [shingles_of(text, ngram) for text in texts]
    often = Counter(shingle for own in shingles for shingle in own)

    def similarity(one, other):
        rare = [{s for s in shingles[i] if often[s] < limit} for i in (one, other)]
        whole = jaccard(shingles[one], shingles[other])
        return min(whole, jaccard(*rare)) if rare[0] | rare[1] else whole

    return often, similarity


def estimates(sets):
    """Return each document's shingles, with their counts by the table and by definition."""
    own = []
    for start, stop in pairwise(sets.offsets):
        size = min(sets.ngram, stop - start)
        found = np.empty(stop - start - size + 1, np.uint64)
        hash_ngrams(sets.words, start, stop, size, leaving_weight(sets.ngram), found)
        own.append(set(found.tolist()))
    often = Counter(shingle for shingles in own for shingle in shingles)
    mask = len(sets.table) - 1
    table = {s: min(sets.table[s & mask], sets.table[mix64(np.uint64(s)) & mask]) for s in often}
    return own, table, often


TEMPLATE = "please answer this question in as few words as you can and give a reason for it"


def templated(texts):
    return [f"{TEMPLATE} {text} {TEMPLATE.upper()}" for text in texts]


@pytest.mark.parametrize("limit", [2, 5, 40])
def test_boilerplate_is_what_python_counts(limit):
    base = [" ".join(words_of(text)[:20]) for text in paragraphs()[:120]]
    near = [text.rsplit(" ", 2)[0] + " or other words" for text in base[:40]]
    texts = templated(base[:45]) + templated(near) + base[45:]
    sets = sets_of(held(texts, units=3), boilerplate=limit)
    own, found, often = estimates(sets)
    assert all(found[shingle] >= often[shingle] for shingle in often)
    assert sum(found[shingle] == often[shingle] for shingle in often) > 0.8 * len(often)
    wrong = {s for s in often if (found[s] >= limit) != (often[s] >= limit)}
    counts, expected = without_boilerplate(texts, limit)
    assert sorted(counts.values()) == sorted(often.values())
    pairs, left, right = all_pairs(len(texts))
    similarity = sets.similarity(left, right)
    exact = 0
    for (one, other), got in zip(pairs, similarity, strict=True):
        if not (own[one] | own[other]) & wrong:
            assert got == expected(one, other)
            exact += 1
    assert exact > (0.9 if limit > 2 else 0.01) * len(pairs)
    if limit == 5:  # the frame counts without the limit, and doesn't with it
        plain = sets_of(held(texts)).similarity(left, right)
        differ = (left < 45) & (right < 45) & (left != right)
        assert (plain[differ] > 0.15).all()
        assert (similarity[differ] < 0.1).mean() > 0.9
        alike = (left < 40) & (right == left + 45)
        assert (similarity[alike] > 0.5).mean() > 0.9


def test_boilerplate_alone_is_compared_as_a_whole():
    texts = [TEMPLATE] * 3 + [TEMPLATE + " now"] * 3 + [TEMPLATE + " now or a word that is here"]
    sets = sets_of(held(texts), boilerplate=3)
    _, found, often = estimates(sets)
    assert all((found[shingle] >= 3) == (often[shingle] >= 3) for shingle in often)
    got = sets.similarity(np.array([0, 0, 0, 6]), np.array([1, 3, 6, 3]))
    n = len(TEMPLATE.split()) - 4
    assert got[:2].tolist() == [1, np.float32(n / (n + 1))]
    assert got[2:].tolist() == [0, 0]  # the last has shingles of its own


def test_counts_stop_at_the_largest_of_their_type():
    """Check the largest limit: a shingle in so many documents is still boilerplate."""
    texts = ["a b c d e"] * 70_000 + ["a b c d e f"]
    sets = sets_of(held(texts), boilerplate=0xFFFF)
    assert sets.table.max() == 0xFFFF
    assert sets.similarity(np.array([0]), np.array([70_000])).tolist() == [0]
    few = sets_of(held(texts[-60_000:]), boilerplate=0xFFFF)
    assert few.similarity(np.array([0]), np.array([59_999])).tolist() == [0.5]


@given(TEXTS, st.data())
def test_neither_turn_nor_company_of_the_pairs_matters(texts, data):
    """Pairs share work: what is left in the tables by one is nothing to the next."""
    sets = sets_of(held(texts), ngram=2, boilerplate=data.draw(st.sampled_from([None, 2, 3])))
    place = st.integers(0, len(texts) - 1)
    pairs = data.draw(st.lists(st.tuples(place, place), max_size=30))
    left, right = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    one_by_one = [sets.similarity(np.array([one]), np.array([other]))[0] for one, other in pairs]
    assert sets.similarity(left, right).tolist() == one_by_one
    assert sets.similarity(right, left).tolist() == one_by_one
