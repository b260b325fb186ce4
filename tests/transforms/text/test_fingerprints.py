"""Fingerprints against the composed texts themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.text.fingerprints import fingerprints
from tests.support.text_definition import composed
from tests.support.texts import texts
from tests.support.words import split


def distinct(*values: str) -> int:
    return len(set(zip(*(half.tolist() for half in fingerprints(split(*values))), strict=True)))


BLANKS = st.text(st.sampled_from("ab \t\r\n\v\u00a0"), max_size=24)


@given(st.lists(BLANKS | texts, min_size=1, max_size=8))
def test_fingerprints_are_equal_exactly_where_composed_texts_are(values: list[str]) -> None:
    values += [v.replace("\n", " \r\n") + "\n \t" for v in values]
    halves = zip(*(half.tolist() for half in fingerprints(split(*values))), strict=True)
    texts_of: dict[tuple[int, int], set[str]] = {}
    for pair, value in zip(halves, values, strict=True):
        texts_of.setdefault(pair, set()).add(composed(value))
    assert all(len(same) == 1 for same in texts_of.values())
    assert len(texts_of) == len({composed(v) for v in values})


def test_exact_is_normal_form_line_ends_and_blanks_at_ends() -> None:
    assert distinct("é\na", "e\u0301\r\na", "é \ra", "é\t \na  \n\n\v\f") == 1
    assert distinct("a", "A", " a", "a.", "\na", "ａ", "a\u200b", "a\u00a0", "**a**", "") == 10
    assert distinct("a b", "a  b", "a\tb", "a\nb", "a\n\nb", "a\n b", "a\v\nb") == 7
    assert distinct("it's", "it’s", "-5", "5", "C++", "C#", "C", "10²", "102", "🙂", "🙃") == 11


def test_fingerprints_see_order_and_number() -> None:
    assert distinct("a b", "b a", "ab", "a b b", "a", "a a", "a a a", "", "b") == 9
    zeros = ["\0" * n for n in range(20)]
    assert distinct(*(z + "x" for z in zeros), *("x" + z for z in zeros)) == 39


def test_halves_of_fingerprints_are_independent_and_mixed() -> None:
    # Documents that differ in one word, and chained ones, should look random in every bit.
    hi, lo = fingerprints(split(*(f"the same start {i} the same end" for i in range(20_000))))
    for half in (hi, lo, hi ^ lo):
        bits = np.unpackbits(half.view(np.uint8)).reshape(-1, 64).mean(0)
        assert abs(bits - 0.5).max() < 6 * 0.5 / np.sqrt(20_000)
        assert len(np.unique(half)) == 20_000
