from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.budget.generations import lasting_error

SHARES = st.floats(min_value=0, max_value=1)
TOKENS = st.floats(min_value=1, max_value=1e12)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.1, 5.26), (0.2, 2.78), (0.4, 1.56), (0.7, 1.10), (1.0, 1.0)],
)
def test_many_tokens_give_the_factors_of_the_limit(share: float, expected: float) -> None:
    assert lasting_error(share, 1e9) == pytest.approx(expected, abs=0.005)


@given(SHARES, TOKENS, TOKENS)
def test_it_is_the_fixed_point_of_the_recursion(share: float, tokens: float, first: float) -> None:
    error = lasting_error(share, tokens, first)
    next_error = first / tokens + (1 - 1 / tokens) * (1 - share) ** 2 * error
    assert next_error == pytest.approx(error, rel=1e-9)


@given(TOKENS)
def test_without_human_text_all_is_lost(tokens: float) -> None:
    # The sampling error of human text alone is (1 - sum of p²) / n. All but one outcome is lost.
    assert lasting_error(0, tokens) == pytest.approx(tokens)


@given(SHARES, SHARES, TOKENS)
def test_more_human_text_leaves_less_error(share: float, other: float, tokens: float) -> None:
    low, high = sorted([share, other])
    assert lasting_error(high, tokens) <= lasting_error(low, tokens) * (1 + 1e-12)
    assert lasting_error(high, tokens) >= 1 - 1e-12


@pytest.mark.parametrize("arguments", [(-0.1, 10), (1.1, 10), (0.5, 0), (0.5, 10, 0)])
def test_arguments_out_of_range_are_refused(arguments: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="human_share"):
        lasting_error(*arguments)


@pytest.mark.parametrize(
    ("share", "tokens", "first"), [(0.1, 400, 400), (0.4, 400, 400), (0.7, 400, 400), (0.3, 90, 30)]
)
def test_a_loop_of_multinomial_samples_comes_to_it(share: float, tokens: int, first: int) -> None:
    rng = np.random.default_rng(5)
    human = rng.dirichlet(np.full(30, 0.5))
    loops, burn_in, generations = 400, 60, 100
    current = rng.multinomial(first, human, size=loops) / first
    mean_of_loop = np.zeros(loops)
    for generation in range(burn_in + generations):
        mix = (1 - share) * current + share * human
        current = rng.multinomial(tokens, mix) / tokens
        if generation >= burn_in:
            mean_of_loop += ((current - human) ** 2).sum(axis=1) / generations
    alone = (1 - (human**2).sum()) / first
    ratio = mean_of_loop / alone
    error = ratio.std(ddof=1) / np.sqrt(loops)
    assert error < 0.02 * ratio.mean()
    assert ratio.mean() == pytest.approx(lasting_error(share, tokens, first), abs=4 * error)
