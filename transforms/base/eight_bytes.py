"""Eight bytes of a text in one number, the first of them the lowest, to read them all at once."""

from __future__ import annotations

import sys

import numpy as np
from llvmlite.ir import Constant, IntType
from numba import types
from numba.core.cgutils import create_struct_proxy
from numba.extending import intrinsic

from outcross.transforms.base.kernels import borrowing

ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
"""Eight bytes of 1, and eight bytes of 128."""


@intrinsic
def eight_bytes(context, data, i):  # type: ignore[no-untyped-def]
    """Return eight bytes from `i` on, the first of them the lowest; `i` is unsigned.

    Putting them together byte by byte gives the same load, and takes longer to compile.
    """

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = create_struct_proxy(signature.args[0])(context, builder, value=arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        number = builder.load(builder.bitcast(place, IntType(64).as_pointer()), align=1)
        return builder.bswap(number) if sys.byteorder == "big" else number

    return types.uint64(data, types.uint64), generate


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
