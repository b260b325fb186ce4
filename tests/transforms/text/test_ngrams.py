"""Hashed counts: they merge in any order, keep to documents, and survive their file."""

from functools import reduce

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.text.ngrams import (
    PARTS,
    Tables,
    count_ngrams,
    merge_parts,
    pack_parts,
    unpack_parts,
)

BUCKETS = 1 << 8
CORPORA = st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=8), max_size=8)


def tables(documents, copies=None):
    out = Tables.empty(BUCKETS)
    copies = np.ones(len(documents), np.int32) if copies is None else np.asarray(copies)
    offsets = np.concatenate(([0], np.cumsum([len(d) for d in documents]))).astype(np.int64)
    ids = np.array([w for d in documents for w in d], np.uint32)
    count_ngrams(offsets, ids, copies, out.unigrams, out.bigrams)
    return out


def same(left, right):
    return (left.unigrams == right.unigrams).all() and (left.bigrams == right.bigrams).all()


def test_counts_know_no_neighbours():
    """A first word has no bigram: joining documents would add one."""
    assert tables([[1, 2], [3]]).totals == (3, 1)
    assert tables([[1, 2, 3]]).totals == (3, 2)


@given(CORPORA)
def test_merge_is_the_whole_in_any_order(documents):
    parts = [tables(documents[i::4]) for i in range(4)]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        merged = Tables.empty(BUCKETS)
        for i in order:
            merged = merged.merge(parts[i])
        assert same(merged, tables(documents))


def test_copies_count_and_what_is_masked_does_not():
    documents = [[1, 2, 3], [4, 5], [6, 6, 6]]
    expected = tables([documents[0]] * 2 + [documents[2]])
    assert same(tables(documents, np.array([2, 0, 1], np.int32)), expected)
    masked = tables(documents, [True, False, True])
    assert same(masked, tables([documents[0], documents[2]]))


@given(CORPORA)
def test_the_file_holds_every_count(documents):
    counted = tables(documents)
    assert same(Tables.from_bytes(counted.to_bytes()), counted)


def test_a_small_corpus_makes_a_small_file():
    assert len(Tables.empty().to_bytes()) == 24


@given(st.lists(CORPORA, min_size=1, max_size=4), st.sampled_from([1, 300, 10**6, 10**12]))
def test_parts_of_tables_add_up_to_the_sum(documents, factor):
    added = [tables(corpus) for corpus in documents]
    added = [Tables(t.unigrams * factor, t.bigrams * -factor) for t in added]
    packed = [pack_parts(t) for t in added]
    total = unpack_parts([merge_parts(parts) for parts in zip(*packed, strict=True)])
    expected = reduce(Tables.merge, added)
    assert (total.unigrams == expected.unigrams).all()
    assert (total.bigrams == expected.bigrams).all()
    assert len(packed[0]) == PARTS
