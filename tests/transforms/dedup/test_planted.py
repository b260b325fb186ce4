"""Planted copies have about the wanted similarity, and share bands as often as is computed."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.dedup.planted import (
    COPIES,
    EXPECTED,
    SIMILARITIES,
    TOGETHER,
    UNIT,
    Bands,
    count_together,
    plant,
)
from outcross.transforms.text.shingles import shingles
from outcross.transforms.text.words import split_words
from tests.support.corpora import paragraphs

BANDS = Bands(ngram=5, num_perm=128, bands=17, rows=7)
TEXTS = paragraphs(60)[:400]
WORDS = st.lists(
    st.sampled_from(["and", "été", "数据", "C++", "-5", "don't", "ก็", "x"]), max_size=60
)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_copies_have_about_the_wanted_similarity(similarity: float) -> None:
    words = split_words(pa.array(TEXTS))
    documents, copies = plant(words, similarity, 5, seed=1)
    offsets, mine = shingles(words, 5)
    copied, theirs = shingles(split_words(pa.array(copies, pa.large_string())), 5)
    reached = []
    for place, document in enumerate(documents.tolist()):
        left = {*mine[offsets[document] : offsets[document + 1]].tolist()}
        right = {*theirs[copied[place] : copied[place + 1]].tolist()}
        reached.append(len(left & right) / len(left | right))
    assert abs(np.median(reached) - similarity) < 0.08


def test_bands_find_as_many_copies_as_is_computed() -> None:
    counts = count_together(TEXTS, BANDS, seed=0)
    copies, together = counts[:, COPIES], counts[:, TOGETHER]
    expected = counts[:, EXPECTED] / UNIT
    assert (copies > 30).all()
    # The copies of a text share its permutations' luck, so four standard errors are allowed.
    spread = np.sqrt(np.maximum(expected * (1 - expected / copies), 1))
    assert (np.abs(together - expected) <= 4 * spread).all()
    assert together[SIMILARITIES.index(0.9)] / copies[SIMILARITIES.index(0.9)] > 0.97
    few = count_together(TEXTS, Bands(5, 128, 2, 7), seed=0)
    assert (few[:, TOGETHER].sum()) < 0.7 * together.sum()


@settings(max_examples=30, deadline=None)
@given(st.lists(WORDS, max_size=8), st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_counts_add_up_over_any_parts_of_texts_in_every_script(
    documents: list[list[str]], seed: int, cut: int
) -> None:
    texts = [" ".join(words) for words in documents]
    whole = count_together(texts, BANDS, seed)
    parts = count_together(texts[:cut], BANDS, seed) + count_together(texts[cut:], BANDS, seed)
    assert whole.tolist() == parts.tolist()
    backwards = count_together(texts[::-1], BANDS, seed)
    assert whole.tolist() == backwards.tolist()
    assert (whole[:, TOGETHER] <= whole[:, COPIES]).all()
