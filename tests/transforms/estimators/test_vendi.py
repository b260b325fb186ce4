"""The Vendi score against its definition on the n x n kernel; moments that merge exactly."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.estimators.vendi import DIMS, UNIT, moments, unit_rows, vendi


@st.composite
def embeddings(draw: st.DrawFn) -> NDArray[np.int8]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, dims = draw(st.integers(0, 40)), draw(st.sampled_from([1, 8, 64, 65, 256]))
    rows = rng.integers(-128, 128, (n, dims)).astype(np.int8)
    rows[rng.random(n) < draw(st.sampled_from([0, 0.3, 1]))] = 0
    return rows


def from_kernel(x: NDArray[Any], order: int) -> float:
    """Friedman & Dieng 2023 as they write it, on the rows that are not 0."""
    rows = x[:, :DIMS].astype(np.float64)
    rows = rows[rows.any(axis=1)]
    if not len(rows):
        return 0.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    if order == 1:
        return float(np.exp(-(eigenvalues * np.log(eigenvalues)).sum()))
    return float(1 / (eigenvalues**2).sum())


@given(embeddings())
def test_rows_are_unit_vectors_rounded_by_integers_alone(x: NDArray[np.int8]) -> None:
    rows = unit_rows(x)
    assert rows.shape == (len(x), DIMS)
    for row, out in zip(x[:, :DIMS].astype(int), rows, strict=True):
        squares = int((row**2).sum())
        for value, got in zip(row, out, strict=False):
            # |got| - 1/2 <= |value| UNIT / sqrt(squares) <= |got| + 1/2, without a root.
            scaled = 4 * int(value) ** 2 * UNIT**2
            low, high = max(2 * abs(int(got)) - 1, 0), 2 * abs(int(got)) + 1
            assert low**2 * squares <= scaled <= high**2 * squares
            assert int(got) * int(value) >= 0
        assert not out[len(row) :].any()


@given(embeddings(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_moments_of_parts_in_any_order_are_those_of_the_whole(
    x: NDArray[np.int8], parts: int, random: Any
) -> None:
    of_part = np.array([random.randrange(parts) for _ in x], np.int64)
    pieces = [moments(x[of_part == part]) for part in range(parts)]
    random.shuffle(pieces)
    complete = moments(x)
    assert complete.dtype == np.int64
    assert (sum(pieces) == complete).all()
    rows = unit_rows(x).astype(np.int64)
    assert (complete == rows.T @ rows).all()


def test_moments_are_exact_over_many_batches() -> None:
    x = np.random.default_rng(0).integers(-128, 128, (20_000, 70)).astype(np.int8)
    rows = unit_rows(x).astype(np.int64)
    assert (moments(x) == rows.T @ rows).all()
    vectors = np.full((100_000, 64), 0, np.int8)
    vectors[:, 3] = -128
    assert moments(vectors)[3, 3] == 100_000 * UNIT**2
    assert moments(vectors).sum() == 100_000 * UNIT**2


@given(embeddings(), st.sampled_from([1, 2]))
def test_the_score_is_that_of_the_kernel(x: NDArray[np.int8], order: Any) -> None:
    assert vendi(moments(x), order) == pytest.approx(from_kernel(x, order), rel=2e-3)


def test_known_scores() -> None:
    axes = np.zeros((7, 256), np.int8)
    axes[np.arange(7), np.arange(7)] = 127
    for order in (1, 2):
        assert vendi(moments(axes), order) == pytest.approx(7)
        assert vendi(moments(np.tile(axes, (50, 1))), order) == pytest.approx(7)
        assert vendi(moments(axes[:1]), order) == pytest.approx(1)
        assert vendi(moments(np.zeros((3, 256), np.int8)), order) == 0
    beyond = np.zeros((3, 256), np.int8)
    beyond[:, DIMS:] = 9
    assert vendi(moments(beyond), 1) == 0  # other dimensions are not looked at


@given(embeddings())
def test_the_scores_are_ordered_and_bounded(x: NDArray[np.int8]) -> None:
    order_1, order_2 = vendi(moments(x), 1), vendi(moments(x), 2)
    assert order_2 <= order_1 * (1 + 1e-9)
    assert order_1 <= min(np.count_nonzero(x[:, :DIMS].any(axis=1)), DIMS) * (1 + 1e-9)
    assert order_2 == 0 or order_2 >= 1 - 1e-9


def test_what_has_no_score_is_refused() -> None:
    with pytest.raises(ValueError, match="order is 3"):
        vendi(np.eye(4, dtype=np.int64), 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="square"):
        vendi(np.ones((2, 3), np.int64), 1)
    with pytest.raises(ValueError, match=r"float32\[2, 64\]"):
        moments(np.ones((2, 64), np.float32))  # type: ignore[arg-type]
