"""Sixty-four bytes at once against one byte after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from outcross.transforms.base.sixty_four_bytes import lower_bytes, mark_bytes

BLOCKS = st.binary(min_size=80, max_size=80)
RANGES = ((0, 0), (10, 10), (ord("A"), ord("Z")), (28, 32), (128, 255), (0, 255), (255, 255))


@njit
def _marks(data, i):  # type: ignore[no-untyped-def]
    return (
        mark_bytes(data, i, 0, 0),
        mark_bytes(data, i, 10, 10),
        mark_bytes(data, i, 65, 90),
        mark_bytes(data, i, 28, 32),
        mark_bytes(data, i, 128, 255),
        mark_bytes(data, i, 0, 255),
        mark_bytes(data, i, 255, 255),
    )


@njit
def _lower(data, i, out):  # type: ignore[no-untyped-def]
    lower_bytes(data, i, out)


@given(BLOCKS, st.integers(0, 16))
def test_a_bit_for_each_byte_within_a_range(block: bytes, start: int) -> None:
    marks = _marks(np.frombuffer(block, np.uint8), np.uint64(start))
    for (least, most), mark in zip(RANGES, marks, strict=True):
        wanted = sum(
            1 << k for k, byte in enumerate(block[start : start + 64]) if least <= byte <= most
        )
        assert mark == wanted, (least, most)


@given(BLOCKS, st.integers(0, 16))
def test_capitals_of_ascii_become_small(block: bytes, start: int) -> None:
    out = np.zeros(80, np.uint8)
    _lower(np.frombuffer(block, np.uint8), np.uint64(start), out)
    assert out[start : start + 64].tobytes() == block[start : start + 64].lower()
    assert not out[:start].any()
    assert not out[start + 64 :].any()
