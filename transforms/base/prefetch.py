"""Prefetching for kernels that look up tables larger than the caches, at places without order."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 32
"""Lookups between the prefetch of a value and its use, enough for main memory to answer."""

_READ, _KEEP, _DATA = 0, 3, 1  # arguments of LLVM's `prefetch`


@intrinsic
def prefetch(_: Any, array: Any, index: Any) -> Any:
    """Ask for a value of an array, so that a later load finds it in the caches.

    Nothing is read, so an index outside the array does no harm.

    Args:
        array: contiguous array.
        index: integer, place of the value in the flattened array.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer, number = ir.PointerType(ir.IntType(8)), ir.IntType(32)
        address = builder.bitcast(builder.gep(values.data, [arguments[1]]), pointer)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [address, number(_READ), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate
