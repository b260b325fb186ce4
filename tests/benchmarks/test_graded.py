from itertools import combinations, pairwise
from pydoc_data.topics import topics

import numpy as np
import pytest
from editions import same_paragraphs
from graded import KINDS, LINKS, VERSIONS, edited, make, reformat
from hypothesis import given
from hypothesis import strategies as st
from shingles import exact_pairs, jaccard, shingles

TEXTS = [text for _, text in sorted(topics.items()) if 60 <= len(text.split()) <= 1000]


@pytest.fixture(scope="module")
def rows():
    return make(TEXTS[:48], 7, TEXTS[48:])


def test_shingles_are_of_normalised_words_and_no_text_is_without():
    assert shingles("Ｏne, TWO… three four-five six") == {
        ("one", "two", "three", "four", "five"),
        ("two", "three", "four", "five", "six"),
    }
    assert shingles("One two") == {("one", "two")}
    assert shingles("!?") != shingles("??")


few_words = st.lists(st.sampled_from(["a", "b", "c", "!"]), max_size=12).map(" ".join)


@given(
    texts=st.lists(few_words, min_size=1, max_size=12),
    least=st.sampled_from([0.3, 0.5, 0.8, 1.0]),
    ngram=st.sampled_from([1, 2, 5]),
)
def test_all_pairs_are_found_with_the_similarity_of_the_definition(texts, least, ngram):
    sets = [shingles(text, ngram) for text in texts]
    expected = {
        (i, j): jaccard(sets[i], sets[j])
        for i, j in combinations(range(len(texts)), 2)
        if jaccard(sets[i], sets[j]) >= least
    }
    pairs = exact_pairs(texts, least, ngram)
    assert dict(zip(zip(pairs.a, pairs.b, strict=True), pairs.jaccard, strict=True)) == expected


@pytest.mark.parametrize("aim", [0.5, 0.7, 0.85, 0.97])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_edit_comes_near_every_similarity(kind, aim):
    text = max(TEXTS, key=len)
    boilerplate = " ".join(TEXTS[:5]).split()
    version = edited(text, kind, aim, np.random.default_rng(1), [boilerplate])
    coarse = 0.03 if kind == "shuffle" else 0.01  # a sentence that is moved costs many shingles
    assert jaccard(shingles(text), shingles(version)) == pytest.approx(aim, abs=coarse)


def test_reformatting_leaves_nothing_but_the_words():
    for text in TEXTS[:40]:
        again = reformat(text)
        assert again != text
        assert shingles(again) == shingles(text)


def test_the_set_covers_the_similarities_evenly(rows):
    original = {row.family: row.text for row in rows if "/" not in row.id}
    sizes = np.bincount([row.family for row in rows])
    singles = [
        jaccard(shingles(row.text), shingles(original[row.family]))
        for row in rows
        if "/1/" in row.id and sizes[row.family] == 2 and not row.id.endswith("reformat")
    ]
    counts, _ = np.histogram(singles, bins=[0.49, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert len(singles) >= 28
    assert counts.min() >= len(singles) / 5 - 4
    assert sizes[:48].tolist() == [2] * 32 + [VERSIONS + 1] * 16
    assert set(sizes[48:]) == {1}
    assert {row.text for row in rows if row.family >= 48} == set(TEXTS[48:])


def test_a_chain_has_links_above_and_ends_below_the_threshold(rows):
    ends = []
    for family in range(40, 48):
        texts = [row.text for row in sorted(row for row in rows if row.family == family)]
        sets = [shingles(text) for text in texts]
        links = [jaccard(first, other) for first, other in pairwise(sets)]
        assert min(links) > LINKS[0] - 0.05
        ends.append(jaccard(sets[0], sets[-1]))
    assert max(ends) < 0.8


def test_the_same_seed_gives_the_same_set(rows):
    assert make(TEXTS[:48], 7, TEXTS[48:]) == rows
    assert make(TEXTS[:48], 8, TEXTS[48:]) != rows
    assert len({row.id for row in rows}) == len(rows)


def test_paragraphs_are_the_same_by_their_place_in_the_book():
    a, b, c, d, e = (" ".join(f"{name}{i}" for i in range(12)) for name in "abcde")
    rewritten = " ".join(f"other{i}" for i in range(12))
    refrain = "and so it went"  # shorter than an anchor: known by what stands around it
    first = [a, refrain, b, c, refrain, d + " " + e]
    other = [a.upper(), refrain, b, rewritten, refrain, d, e + " more"]
    pairs = same_paragraphs(first + other, ["first"] * len(first) + ["other"] * len(other))
    at = len(first)
    same = {(0, at), (1, at + 1), (2, at + 2), (3, at + 3), (4, at + 4), (5, at + 5), (5, at + 6)}
    assert set(pairs) == same
