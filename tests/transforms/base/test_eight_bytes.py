"""Numbers of eight bytes, and their bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from outcross.transforms.base.eight_bytes import (
    count_ones,
    eight_bytes,
    leading_zeros,
    mark_byte,
    trailing_zeros,
)


@njit
def _bits(number):  # type: ignore[no-untyped-def]
    return trailing_zeros(number), leading_zeros(number), count_ones(number)


@njit
def _block(data, i):  # type: ignore[no-untyped-def]
    return eight_bytes(data, i)


@given(st.integers(1, (1 << 64) - 1))
def test_zeros_and_ones_of_a_number(number: int) -> None:
    low, high, ones = _bits(np.uint64(number))
    assert low == (number & -number).bit_length() - 1
    assert high == 64 - number.bit_length()
    assert ones == number.bit_count()


@given(st.binary(min_size=12, max_size=12), st.integers(0, 4))
def test_eight_bytes_are_one_number(data: bytes, start: int) -> None:
    block = _block(np.frombuffer(data, np.uint8), np.uint64(start))
    assert block == int.from_bytes(data[start : start + 8], "little")
    byte = data[start + 3]
    marks = int(mark_byte(np.uint64(block), np.uint64(byte)))
    first = data[start : start + 8].index(byte)
    assert marks & -marks == 0x80 << 8 * first
