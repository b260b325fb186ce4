"""Tokens that clusters lack, and candidates to ask for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.budget.lacking import Cells, in_whole_tokens, tokens_to_ask
from outcross.transforms.estimators.entropy import Floats, kl

AMOUNTS = st.floats(0, 1e6).map(lambda value: round(value, 3))
COLUMNS = st.integers(1, 8).flatmap(
    lambda n: st.tuples(*(st.lists(AMOUNTS, min_size=n, max_size=n).map(np.array),) * 2)
)


def cells(**columns: list[float]) -> Cells:
    arrays = {name: np.array(values, float) for name, values in columns.items()}
    return Cells(alpha=1.0, drawn=True, **arrays)


def test_a_cluster_lacks_its_target_without_human_text_and_without_copies() -> None:
    planned = cells(
        reference=[0.5, 0.3, 0.2],
        synthetic=[600, 200, 0],  # unused text, all text twice, no text
        human=[0, 100, 100],
        available=[900, 100, 0],
    )
    assert planned.wanted == pytest.approx([500, 200, 100])
    assert planned.lacking == pytest.approx([0, 100, 100])


def test_a_tempered_target_wants_more_of_what_is_rare() -> None:
    columns = {"synthetic": [900, 100], "human": [0, 0], "available": [900, 100]}
    arrays = {name: np.array(values, float) for name, values in columns.items()}
    uniform = Cells(reference=np.array([0.9, 0.1]), alpha=0.0, drawn=True, **arrays)
    assert uniform.lacking == pytest.approx([0, 400])
    assert cells(reference=[0.9, 0.1], **columns).lacking == pytest.approx([0, 0])


def test_human_text_that_is_a_choice_leaves_the_generator_its_share() -> None:
    columns = {"synthetic": [60.0, 0.0], "human": [0.0, 40.0], "available": [90.0, 0.0]}
    drawn = cells(reference=[0.5, 0.5], **columns)
    assert drawn.complement == pytest.approx([50, 10])
    assert replace(drawn, drawn=False).complement == pytest.approx([30, 30])


@given(COLUMNS, st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_is_asked_adds_up_and_is_never_negative(
    columns: tuple[Floats, Floats], tokens: int, unasked: int
) -> None:
    wanted, available = columns
    asked = tokens_to_ask(wanted, available, tokens, unasked)
    assert (asked >= 0).all()
    assert asked.sum() == pytest.approx(tokens if wanted.any() else 0, rel=1e-6, abs=1e-3)
    assert not asked[wanted == 0].any()


@given(COLUMNS, st.integers(1, 10**6))
def test_without_unasked_candidates_the_asked_ones_are_spread_as_the_target(
    columns: tuple[Floats, Floats], tokens: int
) -> None:
    wanted, available = columns
    if wanted.any():
        asked = tokens_to_ask(wanted, available, tokens, 0)
        assert asked / tokens == pytest.approx(wanted / wanted.sum(), abs=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_no_other_spread_brings_all_candidates_nearer_to_the_target(seed: int) -> None:
    draw = np.random.default_rng(seed)
    wanted, available = draw.dirichlet(np.ones(6)) + 1e-3, draw.dirichlet(np.ones(6))
    tokens, unasked = 1000.0, draw.uniform(0, 3000)
    asked = tokens_to_ask(wanted, available, tokens, unasked)
    nearest = kl(unasked * available + asked, wanted)
    for other in draw.dirichlet(np.ones(6), 20):
        assert nearest <= kl(unasked * available + tokens * other, wanted) + 1e-9


def test_a_cluster_that_has_less_is_asked_for_more() -> None:
    asked = tokens_to_ask(np.array([1.0, 1.0]), np.array([30.0, 10.0]), 100, 100)
    assert asked == pytest.approx([25, 75])
    assert tokens_to_ask(np.zeros(2), np.ones(2), 100, 0).tolist() == [0, 0]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_whole_tokens_keep_the_sum_and_are_next_to_the_amounts(amounts: list[float]) -> None:
    tokens = np.array(amounts)
    whole = in_whole_tokens(tokens)
    assert whole.sum() == round(float(tokens.sum()))
    assert (np.abs(whole - tokens) <= 1).all()
