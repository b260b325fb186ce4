"""Words of several texts: their places, and what a batch doesn't change."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from outcross.transforms.text.fingerprints import fingerprints
from tests.support.texts import SENTENCES, texts
from tests.support.words import split


def test_spans_of_some_words_in_any_order() -> None:
    words = split("one TWO three", "", "Été four", "five")
    spans = words.spans(np.array([5, 0, 3, 1]))
    data = words.characters.data
    assert [data[a:b].tobytes().decode() for a, b in spans] == ["five", "one", "été", "TWO"]


@given(st.lists(texts, min_size=1, max_size=8))
@example([*SENTENCES.values(), "ASCII alone", "", "x" * 300])
def test_splitting_does_not_depend_on_the_batch(values: list[str]) -> None:
    together = split(*values)
    hi, lo = fingerprints(together)
    for i, value in enumerate(values):
        alone = split(value)
        part = slice(together.offsets[i], together.offsets[i + 1])
        assert np.array_equal(alone.hashes, together.hashes[part])
        assert np.array_equal(alone.kinds, together.kinds[part])
        assert np.array_equal(alone.edges, together.edges[2 * part.start : 2 * part.stop])
        assert alone.letters[0] == together.letters[i]
        assert [x.tolist() for x in fingerprints(alone)] == [[hi[i]], [lo[i]]]
