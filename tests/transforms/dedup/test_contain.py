"""Evaluation texts inside documents: held against sets of tuples of words."""

from collections import Counter
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outcross.transforms.dedup.contain import ContainIndex, build_index, find_items
from outcross.transforms.text.minhash import agreement, signatures
from outcross.transforms.text.words import split_words, word_ids
from tests.support.corpora import paragraphs

LARGEST = 2**32 - 1


def packed(runs):
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs])]).astype(np.int64)
    return offsets, np.array([word for run in runs for word in run], np.uint32)


def index_of(items, ngram=8, common=32):
    return build_index(*packed(items), ngram, common)


def find(index, documents, least=0.5):
    item, share = find_items(index, *packed(documents), least)
    assert (item.dtype, share.dtype) == (np.int64, np.float32)
    return list(zip(item.tolist(), share.tolist(), strict=True))


def grams(run, ngram):
    return frozenset(tuple(run[i : i + ngram]) for i in range(len(run) - ngram + 1))


def reference_counted(items, ngram, common):
    """Return the n-grams by which each item is looked for; none where it is not."""
    sets = [grams(item, ngram) for item in items]
    often = Counter(gram for different in set(sets) for gram in different)
    left = [{gram for gram in found if often[gram] <= common} for found in sets]
    return [
        few if len(few) >= ngram or 2 * len(few) >= len(found) else set()
        for few, found in zip(left, sets, strict=True)
    ]


def reference_found(counted, document, ngram, least):
    held = grams(document, ngram)
    shares = [Fraction(len(few & held), len(few)) if few else Fraction(0) for few in counted]
    best = max(shares, default=Fraction(0))
    if not best or best.numerator / best.denominator < least:
        return -1, 0.0
    return shares.index(best), float(np.float32(best.numerator / best.denominator))


def words(rng, length):
    return rng.integers(0, 2**32, length).tolist()


RUNS = st.lists(st.sampled_from([0, 1, 2, LARGEST]), max_size=12)


@st.composite
def corpora(draw):
    """Items of few different words, and documents that are pieced together from them."""
    items = draw(st.lists(RUNS, max_size=8))
    pieces = st.one_of(RUNS, st.sampled_from(items)) if items else RUNS
    documents = draw(st.lists(st.lists(pieces, max_size=4), max_size=6))
    return items, [[word for piece in document for word in piece] for document in documents]


@settings(max_examples=500)
@given(
    corpora(), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.01, 1 / 3, 0.5, 0.7, 1.0])
)
@example(([[0] * 12], [[0] * 12]), 4, 1, 1.0)
@example(([[], [0]], [[0]]), 1, 1, 0.5)  # an n-gram whose hash is 0
@example(([], [[0, 1]]), 1, 1, 0.5)
@example(([[0, 1]], []), 1, 1, 0.5)
def test_it_finds_what_sets_of_tuples_find(corpus, ngram, common, least):
    items, documents = corpus
    index = index_of(items, ngram, common)
    counted = reference_counted(items, ngram, common)
    assert index.distinct.tolist() == [len(grams(item, ngram)) for item in items]
    assert index.counted.tolist() == [len(few) for few in counted]
    assert index.unsought.tolist() == [not few for few in counted]
    expected = [reference_found(counted, document, ngram, least) for document in documents]
    assert find(index, documents, least) == expected


@given(st.integers(0, 2**32 - 1))
def test_among_many_ngrams_each_is_found_again_and_no_other(seed):
    rng = np.random.default_rng(seed)
    items = [words(rng, 30) for _ in range(200)]
    halves = [item[:19] + words(rng, 20) for item in items]  # 12 of 23 n-grams
    others = [words(rng, 30) for _ in range(200)]
    found = find(index_of(items), items + halves + others)
    assert found[:200] == [(i, 1.0) for i in range(200)]
    assert found[200:400] == [(i, float(np.float32(12 / 23))) for i in range(200)]
    assert found[400:] == [(-1, 0.0)] * 200


def test_where_in_a_document_a_text_stands_makes_no_difference():
    rng = np.random.default_rng(0)
    text, around = words(rng, 20), words(rng, 2500)
    index = index_of([words(rng, 30), text])
    places = [0, *range(990, 1060), *range(2030, 2060), 2500]
    documents = [around[:place] + text + around[place:] for place in places]
    assert find(index, documents, 1.0) == [(1, 1.0)] * len(places)
    apart = [around[:place] + text[:14] + around[place:] for place in places]
    assert find(index, apart) == [(1, float(np.float32(7 / 13)))] * len(places)


def test_a_million_words_that_repeat_one_ngram_count_it_once():
    # The n-gram has as many postings as it may: walking them for each repeat would make 32 million
    # hits here, each of which would also raise the shares.
    rng = np.random.default_rng(0)
    phrase = words(rng, 8)
    items = [phrase + words(rng, 12) for _ in range(32)]
    index = index_of(items)
    assert (index.counted == 13).all()
    long = np.resize(np.array(phrase, np.uint32), 10**6)
    assert find(index, [long, [], long.tolist() + items[7]], 1 / 13) == [
        (0, float(np.float32(1 / 13))),
        (-1, 0.0),
        (7, 1.0),
    ]
    assert find(index, [long]) == [(-1, 0.0)]


def test_shares_are_compared_as_fractions():
    rng = np.random.default_rng(0)
    item = words(rng, 17)  # 10 n-grams
    index = index_of([item])
    for held in range(1, 11):
        for least in (held / 10, np.nextafter(held / 10, 0)):
            assert find(index, [item[: held + 7]], least) == [(0, float(np.float32(held / 10)))]
        if held < 10:
            assert find(index, [item[: held + 7]], np.nextafter(held / 10, 1)) == [(-1, 0.0)]


def test_the_first_of_those_with_the_same_share_is_found():
    rng = np.random.default_rng(0)
    short, long, other = words(rng, 9), words(rng, 19), words(rng, 8)
    both = [*long[:13], *short[:8], *other[:7]]  # 6 of 12, and 1 of 2
    assert find(index_of([other, long, short]), [both]) == [(1, 0.5)]
    assert find(index_of([other, short, long]), [both]) == [(1, 0.5)]


def test_texts_shorter_than_an_ngram_are_never_looked_for():
    rng = np.random.default_rng(0)
    text = words(rng, 8)
    index = index_of([text[:7], [], text])
    assert index.unsought.tolist() == [True, True, False]
    assert index.distinct.tolist() == [0, 0, 1]
    assert find(index, [text, text[:7], []]) == [(2, 1.0), (-1, 0.0), (-1, 0.0)]
    nothing = index_of([text[:7], []])
    assert find(nothing, [text, text[:7], []], 0.01) == [(-1, 0.0)] * 3


def test_documents_in_a_template_are_not_taken_for_its_items():
    rng = np.random.default_rng(0)
    before, after = words(rng, 40), words(rng, 40)
    middle = [[*before, *words(rng, 1), *after] for _ in range(40)]
    at_the_end = [[*before, *after, *words(rng, 1)] for _ in range(40)]
    index = index_of(middle + at_the_end)
    assert index.counted.tolist() == [8] * 40 + [0] * 40
    assert index.unsought.tolist() == [False] * 40 + [True] * 40
    assert (index.distinct > 0).all()  # which is how the report tells them from short ones
    same_format = [[*before, *words(rng, 5), *after], before + after, after + before]
    assert find(index, same_format, 0.01) == [(-1, 0.0)] * 3
    assert find(index, middle) == [(i, 1.0) for i in range(40)]
    assert find(index, at_the_end, 0.01) == [(-1, 0.0)] * 40
    few = index_of(middle[:32])
    assert (few.counted == few.distinct).all()


def test_a_text_that_is_given_often_does_not_hide_itself():
    rng = np.random.default_rng(0)
    text, other = words(rng, 30), words(rng, 30)
    index = index_of([other] + [text] * 100)
    assert not index.unsought.any()
    assert index.counted.tolist() == [23] * 101
    assert find(index, [text, other]) == [(1, 1.0), (0, 1.0)]


def test_the_index_comes_back_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    template = words(rng, 20)
    items = [template + words(rng, 10) for _ in range(50)] + [[]]
    index = index_of(items, ngram=5, common=40)
    path = str(tmp_path / "index.npz")
    index.save(path)
    again = ContainIndex.load(path)
    assert again.ngram == 5
    for name in (field.name for field in fields(index) if field.name != "ngram"):
        found, expected = getattr(again, name), getattr(index, name)
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    assert find(again, items) == find(index, items) == [(i, 1.0) for i in range(50)] + [(-1, 0.0)]


def test_what_is_asked_must_make_sense():
    offsets, run = packed([[1, 2, 3]])
    for ngram, common, message in ((0, 1, "ngram is 0"), (1, 0, "common is 0")):
        with pytest.raises(ValueError, match=message):
            build_index(offsets, run, ngram, common)
    with pytest.raises(ValueError, match="offsets run from 0 to 3, but there are 2"):
        build_index(offsets, run[:2])
    index = build_index(offsets, run, 2)
    for least in (0.0, -1.0, 1.01, float("nan")):
        with pytest.raises(ValueError, match="it must be above 0 and at most 1"):
            find_items(index, offsets, run, least)
    with pytest.raises(ValueError, match="needed: int64 and uint32"):
        find_items(index, offsets, run.astype(np.int64), 0.5)


def test_a_quoted_paragraph_is_found_where_signatures_see_nothing():
    texts = paragraphs()
    quoted, rest = texts[::9], [text for i, text in enumerate(texts) if i % 9]
    documents = []
    for i, text in enumerate(quoted):
        around = [rest[(7 * i + j) % len(rest)] for j in range(12)]
        documents.append(" ".join([*around[:6], text.upper().replace(",", " -"), *around[6:]]))
    items, whole = split_words(pa.array(quoted)), split_words(pa.array(documents))
    index = build_index(items.offsets, word_ids(items))
    item, share = find_items(index, whole.offsets, word_ids(whole), 0.5)
    assert item.tolist() == list(range(len(quoted)))
    assert (share == 1).all()
    both = signatures(split_words(pa.array(quoted + documents)))
    rows = np.arange(len(quoted))
    assert np.median(agreement(both, rows, rows + len(quoted)) / 128) < 0.3
