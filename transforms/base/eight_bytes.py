"""Eight bytes of a text in one number, the first of them the lowest, to read them all at once."""

from __future__ import annotations

import numpy as np
from llvmlite.ir import Constant, IntType
from numba import types
from numba.extending import intrinsic

from outcross.transforms.base.kernels import borrowing

ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
"""Eight bytes of 1, and eight bytes of 128."""


@borrowing(inline="always")
def eight_bytes(data, i):  # type: ignore[no-untyped-def]
    """Return eight bytes from `i` on, the first of them the lowest; `i` is unsigned."""
    # Bytes are put together in one order on every machine; LLVM makes one load of it.
    return (
        np.uint64(data[i])
        | np.uint64(data[i + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[i + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[i + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[i + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[i + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[i + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[i + np.uint64(7)]) << np.uint64(56)
    )


@borrowing(inline="always")
def mark_byte(block, byte):  # type: ignore[no-untyped-def]
    """Mark where a byte stands among eight: 128 in its first place; 0 where it doesn't stand.

    Marks above the first may be wrong (Warren, Hacker's Delight, 6-1).
    """
    differing = block ^ ONES * byte
    return (differing - ONES) & ~differing & TOPS


@intrinsic
def trailing_zeros(context, number):  # type: ignore[no-untyped-def]
    """Count the zeros below the lowest bit of a number that isn't 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], Constant(IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def leading_zeros(context, number):  # type: ignore[no-untyped-def]
    """Count the zeros above the highest bit of a number that isn't 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctlz(arguments[0], Constant(IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def count_ones(context, number):  # type: ignore[no-untyped-def]
    """Count the bits of a number that are 1."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate
