"""Exact products of int8 vectors against NumPy's product of whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.base.products import Columns


@given(
    st.integers(0, 40),
    st.integers(0, 70),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_products_of_any_number_of_rows_and_columns(
    rows: int, columns: int, dims: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    left = draw.integers(-128, 128, (rows, dims), np.int8)
    right = draw.integers(-128, 128, (columns, dims), np.int8)
    products = Columns.of(right).products(left)
    assert products.dtype == np.int32
    assert np.array_equal(products, left.astype(np.int64) @ right.astype(np.int64).T)


def test_more_columns_than_stay_in_the_cache() -> None:
    draw = np.random.default_rng(0)
    left, right = (draw.integers(-128, 128, (n, 256), np.int8) for n in (25, 1003))
    products = Columns.of(right).products(left)
    assert np.array_equal(products, left.astype(np.int64) @ right.astype(np.int64).T)


@pytest.mark.parametrize("value", [-128, 127])
def test_the_largest_sums(value: int) -> None:
    left = np.full((6, 1 << 17), -128, np.int8)
    right = np.full((16, 1 << 17), value, np.int8)
    if value == -128:  # 2 ** 31 is one more than int32 holds
        left[:, 0] = -127
    assert (
        Columns.of(right).products(left) == left[0].astype(np.int64) @ right[0].astype(int)
    ).all()


def test_vectors_of_other_lengths_are_refused() -> None:
    columns = Columns.of(np.ones((3, 8), np.int8))
    with pytest.raises(ValueError, match="rows have 7 values; the columns have 8"):
        columns.products(np.ones((2, 7), np.int8))
