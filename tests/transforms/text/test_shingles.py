"""Shingles against the n-grams of words in plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.text.shingles import shingles
from tests.support.words import split

documents = st.lists(
    st.lists(
        st.sampled_from(["a", "b", "Ein", "été", "x_1", "!", "longer_than_eight"]), max_size=25
    ),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)  # the first call compiles
@given(documents, st.integers(1, 7))
def test_shingles_are_equal_exactly_where_their_words_are(
    parts: list[list[str]], ngram: int
) -> None:
    words = split(*(" ".join(p) for p in parts))
    offsets, hashes = shingles(words, ngram)
    seen: dict[tuple[str, ...], int] = {}
    for d, part in enumerate(parts):
        real = [w.lower() for w in part if w != "!"]
        grams = [tuple(real[i : i + ngram]) for i in range(max(1, len(real) - ngram + 1))]
        assert offsets[d + 1] - offsets[d] == len(grams)
        for gram, found in zip(grams, hashes[offsets[d] : offsets[d + 1]].tolist(), strict=True):
            # Without words the characters count, as the next test holds.
            assert not gram or seen.setdefault(gram, found) == found
    assert len(set(seen.values())) == len(seen)


def test_an_ngram_has_a_word_or_more() -> None:
    with pytest.raises(ValueError, match="ngram is 0"):
        shingles(split("a b c"), 0)
