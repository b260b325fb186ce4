"""Sixty-four bytes of a text at once: one bit of a number for each, the lowest for the first."""

from __future__ import annotations

from typing import Any

from llvmlite.ir import Constant, IntType, VectorType
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTE, _BITS = IntType(8), IntType(64)
_BYTES = VectorType(_BYTE, 64)
# LLVM makes the widest instructions of these vectors that the processor has.


def _place(context: Any, builder: Any, array_type: Any, array: Any, i: Any) -> Any:
    """Return the address of 64 bytes of an array."""
    data = cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [i]), _BYTES.as_pointer())


def _within(builder: Any, block: Any, least: int, most: int) -> Any:
    """Compare bytes with a range: one bit for each byte."""
    low, width = (Constant(_BYTES, [value] * 64) for value in (least, most - least))
    return builder.icmp_unsigned("<=", builder.sub(block, low), width)


@intrinsic(prefer_literal=True)
def mark_bytes(context, data, i, least, most):  # type: ignore[no-untyped-def]
    """Mark which of the 64 bytes from `i` on are within a range.

    Args:
        context: numba's own.
        data: uint8 array, with 64 bytes from `i` on.
        i: uint64, place of the first byte.
        least, most: the range, literal integers.
    """
    first, last = least.literal_value, most.literal_value

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        place = _place(context, builder, signature.args[0], *arguments[:2])
        marks = _within(builder, builder.load(place, align=1), first, last)
        return builder.bitcast(marks, _BITS)

    return types.uint64(data, i, least, most), generate


@intrinsic
def lower_bytes(context, data, i, lowered):  # type: ignore[no-untyped-def]
    """Copy the 64 bytes from `i` on to the same place of another array, A to Z in lower case."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array_type, _, lowered_type = signature.args
        block = builder.load(_place(context, builder, array_type, *arguments[:2]), align=1)
        small = builder.add(block, Constant(_BYTES, [32] * 64))
        block = builder.select(_within(builder, block, ord("A"), ord("Z")), small, block)
        place = _place(context, builder, lowered_type, arguments[2], arguments[1])
        builder.store(block, place, align=1)
        return context.get_dummy_value()

    return types.void(data, i, lowered), generate
