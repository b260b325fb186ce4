"""Repeats of a corpus are judged by all of it, however large the reference is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.pipeline.stages.reporting.figures import near_duplicates
from outcross.schemas.figures import Measure
from outcross.schemas.gates import Gates
from outcross.transforms.measuring.contrast import LEAST_DOCUMENTS
from outcross.transforms.measuring.gate import outcome
from outcross.transforms.reference.reference import Reference
from tests.support.references import reference

Groups = dict[int, int]  # how many groups have a size
NOTHING_TWICE: Groups = {1: 1000}


@cache
def _reference() -> Reference:
    return reference(pool=2)


def _array(groups: Groups) -> NDArray[np.int64]:
    return np.array(sorted(groups.items()), np.int64).reshape(-1, 2)


def figure(corpus: Groups, human: Groups) -> Measure:
    return near_duplicates(_array(corpus), replace(_reference(), repeats=_array(human)))


def gate(corpus: Groups, human: Groups = NOTHING_TWICE) -> str:
    return outcome(figure(corpus, human), Gates())


@pytest.mark.parametrize(
    "corpus",
    [
        {1000: 1},  # one text
        {1: 200, 800: 1},  # four fifths are one text
        {3: 400},
        {3: 100_000},  # every text three times, in a corpus much larger than the reference
        {1: 9000, 2: 800},
        {1: 90_000, 10_000: 1},
    ],
)
def test_a_corpus_that_repeats_itself_stops(corpus: Groups) -> None:
    assert gate(corpus) == "stop"


@pytest.mark.parametrize(
    ("corpus", "human"),
    [
        ({1: 1000}, {1: 1000}),
        ({1: 1_000_000}, {1: 500}),
        ({1: 900, 2: 50}, {1: 900, 2: 50}),
        ({1: 500, 50: 10}, {1: 500, 50: 10}),  # a page that stands in a crawl again and again
        ({1: 1000}, {1: 500, 50: 10}),
        ({1: 9990, 2: 5}, NOTHING_TWICE),
    ],
)
def test_what_repeats_itself_as_human_text_does_goes_on(corpus: Groups, human: Groups) -> None:
    assert gate(corpus, human) == "go"


def test_the_share_is_that_of_the_whole_corpus_whatever_the_size_of_the_reference() -> None:
    for human in (200, 5000, 1_000_000):
        measure = figure({3: 1000}, {1: human})
        assert (measure.value, measure.human, measure.n) == (pytest.approx(2 / 3), 0.0, 3000)
        assert measure.against == pytest.approx(2 / 3)


def test_human_text_is_that_of_as_many_documents() -> None:
    """Show fewer repeats in a small corpus than in a large reference."""
    human = {1: 90_000, 2: 5000}
    shares = [figure({1: n}, human).human for n in (200, 5000, 100_000)]
    assert shares == sorted(shares)
    assert shares[0] < 0.001
    assert shares[-1] == pytest.approx(0.05)
    # And a larger one is beside all that there is.
    assert figure({1: 1_000_000}, human).human == shares[-1]


def test_the_error_is_that_of_a_draw_where_human_text_repeats_nothing() -> None:
    measure = figure({1: 800, 2: 100}, NOTHING_TWICE)
    assert measure.error == pytest.approx((0.1 * 0.9 / 1000) ** 0.5)
    # Human text that repeats a few texts often says less of what is usual.
    sure, unsure = (
        figure({1: 800, 2: 100}, human) for human in ({1: 800, 2: 100}, {1: 899, 101: 1})
    )
    assert sure.human == unsure.human == pytest.approx(0.1)
    assert sure.error is not None
    assert unsure.error is not None
    assert unsure.error > 5 * sure.error


def test_too_few_documents_on_either_side_are_not_judged() -> None:
    few = LEAST_DOCUMENTS - 1
    for corpus, human in (({few: 1}, {1: 1000}), ({1000: 1}, {1: few}), ({}, {1: 1000})):
        measure = figure(corpus, human)
        assert (measure.value, measure.against, measure.outcome) == (None, None, "too few")
        assert measure.n == min(sum(s * n for s, n in groups.items()) for groups in (corpus, human))
    assert gate({LEAST_DOCUMENTS: 1}, {1: LEAST_DOCUMENTS}) == "stop"


SOME = st.dictionaries(st.integers(1, 60), st.integers(1, 200), min_size=1)


@given(SOME, SOME)
def test_figures_are_shares_and_no_group_stops_beside_itself(corpus: Groups, human: Groups) -> None:
    measure = figure(corpus, human)
    if measure.value is not None and measure.human is not None and measure.error is not None:
        assert 0 <= measure.value < 1
        assert 0 <= measure.human < 1
        assert measure.error >= 0
    assert gate(corpus, corpus) in ("go", "too few")
