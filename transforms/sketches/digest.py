"""Hash of a row's content that does not depend on how the row is stored.

The same row has the same digest in any batch, column order and file format: integers and floats
of equal value agree, as do text types, dictionaries and their values, nulls and absent columns.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
from numba import types
from numpy.typing import NDArray

from outcross.schemas.columns import is_json, plain
from outcross.transforms.base.eight_bytes import eight_bytes
from outcross.transforms.base.kernels import borrowing, late_kernel

_Hashes = NDArray[np.uint64]
_Sizes = NDArray[np.int64]

# XXH64's primes; the kernel is its loop for short inputs, finished with its avalanche.
_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)

# Tags that make values of different types differ.
_MASK = 2**64 - 1
_INT, _BIG, _FLOAT, _BOOL, _LIST, _OBJECT, _TIME, _ROW = (
    np.uint64(i * int(_P3) & _MASK) for i in range(1, 9)
)

_bytes_in = types.Array(types.uint8, 1, "C", readonly=True)
_offsets_in = types.Array(types.int64, 1, "C", readonly=True)
_hashes_in = types.Array(types.uint64, 1, "C", readonly=True)


def row_digest(batch: pa.RecordBatch) -> tuple[_Hashes, _Sizes]:
    """Hash every row, and count its bytes.

    Args:
        batch: n rows.

    Returns:
        n 64-bit hashes of the content, and the rows' sizes in bytes: a string its UTF-8 bytes and
        4, a number 8, a boolean 1, a list its elements and 4, null nothing.
    """
    rows = batch.num_rows
    hashes, sizes = np.zeros(rows, np.uint64), np.zeros(rows, np.int64)
    for field, column in zip(batch.schema, batch.columns, strict=True):
        values, size = _loaded(column) if is_json(field) else _values(column)
        _add_members(hashes, _name(field.name), values)
        sizes += size
    return _tagged(hashes, _ROW), sizes


def _values(array: pa.Array) -> tuple[_Hashes, _Sizes]:
    """Hash every value, and count its bytes; the hash is 0 for null alone."""
    type_ = array.type
    rows = len(array)
    if isinstance(type_, pa.BaseExtensionType):
        return _values(array.storage)
    if pa.types.is_null(type_):
        return np.zeros(rows, np.uint64), np.zeros(rows, np.int64)
    if pa.types.is_dictionary(type_):
        at = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        if len(array.dictionary) == 0:
            return np.zeros(rows, np.uint64), np.zeros(rows, np.int64)
        hashes, sizes = _values(array.dictionary)
        return _without_nulls(array, hashes[at], sizes[at])
    if str(type_) in ("string_view", "binary_view"):
        return _values(array.cast(pa.large_binary()))
    if pa.types.is_struct(type_):
        hashes, sizes = np.zeros(rows, np.uint64), np.zeros(rows, np.int64)
        for i in range(type_.num_fields):
            values, size = _values(array.field(i))
            _add_members(hashes, _name(type_.field(i).name), values)
            sizes += size
        return _without_nulls(array, _tagged(hashes, _OBJECT), sizes)
    if pa.types.is_map(type_) or (pa.types.is_nested(type_) and hasattr(type_, "value_type")):
        return _nested(array)
    if pa.types.is_fixed_size_binary(type_):
        offsets = (array.offset + np.arange(rows + 1, dtype=np.int64)) * type_.byte_width
        return _binary(array, offsets, array.buffers()[1])
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        offsets = _offsets(array, np.int32).astype(np.int64)
        return _binary(array, offsets, array.buffers()[2])
    if pa.types.is_large_string(type_) or pa.types.is_large_binary(type_):
        return _binary(array, _offsets(array, np.int64), array.buffers()[2])
    if pa.types.is_boolean(type_):
        truth = array.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint64)
        return _without_nulls(array, _tagged(truth, _BOOL), np.ones(rows, np.int64))
    eights = np.full(rows, 8, np.int64)
    if pa.types.is_uint64(type_):
        unsigned = array.fill_null(0).to_numpy(zero_copy_only=False)
        big = unsigned >= np.uint64(2**63)
        tags = np.where(big, _BIG, _INT)
        return _without_nulls(array, _tagged(unsigned ^ tags, np.uint64(0)), eights)
    if pa.types.is_integer(type_):
        signed = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return _without_nulls(array, _tagged(signed.view(np.uint64), _INT), eights)
    if pa.types.is_floating(type_):
        floats = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        return _without_nulls(array, _floats(floats), eights)
    if pa.types.is_temporal(type_) and not pa.types.is_interval(type_):
        width = pa.int32() if type_.bit_width == 32 else pa.int64()
        ticks = array.view(width).cast(pa.int64()).fill_null(0)
        ticks = ticks.to_numpy(zero_copy_only=False).view(np.uint64)
        tag = np.uint64(int(_name(str(type_))) ^ int(_TIME))
        return _without_nulls(array, _tagged(ticks, tag), eights)
    return _pythons(plain(array))


def _nested(array: pa.Array) -> tuple[_Hashes, _Sizes]:
    type_ = array.type
    rows = len(array)
    if pa.types.is_fixed_size_list(type_):
        offsets = (array.offset + np.arange(rows + 1, dtype=np.int64)) * type_.list_size
    elif pa.types.is_map(type_) or pa.types.is_list(type_):
        offsets = _offsets(array, np.int32).astype(np.int64)
    elif pa.types.is_large_list(type_):
        offsets = _offsets(array, np.int64)
    else:  # list views
        return _values(array.cast(pa.large_list(type_.value_type)))
    first, last = int(offsets[0]), int(offsets[-1])
    offsets = offsets - first
    if pa.types.is_map(type_):
        keys, key_sizes = _values(array.keys.slice(first, last - first))
        values, sizes = _values(array.items.slice(first, last - first))
        hashes = _tagged(_maps(offsets, keys, values), _OBJECT)
        return _without_nulls(array, hashes, _sums(offsets, key_sizes + sizes))
    values, sizes = _values(array.values.slice(first, last - first))
    return _without_nulls(array, _lists(offsets, values), _sums(offsets, sizes) + 4)


def _offsets(array: pa.Array, dtype: type[np.int32] | type[np.int64]) -> NDArray[Any]:
    buffer = array.buffers()[1]
    if buffer is None or buffer.size == 0:  # allowed for an array of no values
        return np.zeros(1, dtype)
    return np.frombuffer(buffer, dtype)[array.offset : array.offset + len(array) + 1]


def _binary(array: pa.Array, offsets: _Sizes, buffer: Any) -> tuple[_Hashes, _Sizes]:
    data = np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)
    return _without_nulls(array, _strings(offsets, data), np.diff(offsets) + 4)


def _without_nulls(array: pa.Array, hashes: _Hashes, sizes: _Sizes) -> tuple[_Hashes, _Sizes]:
    if array.null_count:
        absent = array.is_null().to_numpy(zero_copy_only=False)
        hashes[absent] = 0
        sizes[absent] = 0
    return hashes, sizes


def _loaded(column: pa.Array) -> tuple[_Hashes, _Sizes]:
    """Hash the value in JSON text: a value is text in some blocks and not in others."""
    return _pythons([v if v is None else json.loads(v) for v in column.to_pylist()])


def _pythons(values: list[Any]) -> tuple[_Hashes, _Sizes]:
    digests = [_python(value) for value in values]
    hashes = np.array([h for h, _ in digests], np.uint64)
    return hashes, np.array([s for _, s in digests], np.int64)


def _python(value: Any) -> tuple[int, int]:
    """Return the hash and the size of one Python value, as the kernels hash it."""
    if value is None:
        return 0, 0
    if isinstance(value, str):
        data = value.encode()
        return int(_string(np.frombuffer(data, np.uint8), 0, len(data))), 4 + len(data)
    if isinstance(value, bool):
        return _mixed(int(value) ^ int(_BOOL)), 1
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return _mixed((value & _MASK) ^ int(_INT)), 8
        if 0 < value < 2**64:
            return _mixed(value ^ int(_BIG)), 8
        return _mixed(_python(str(value))[0] ^ int(_BIG)), 8
    if isinstance(value, float):
        return int(_floats(np.array([value]))[0]), 8
    if isinstance(value, list):
        parts = [_python(element) for element in value]
        elements = np.array([h for h, _ in parts], np.uint64)
        hashed = _lists(np.array([0, len(parts)], np.int64), elements)
        return int(hashed[0]), 4 + sum(size for _, size in parts)
    total = np.zeros(1, np.uint64)
    size = 0
    for name, member in value.items():
        hashed, part = _python(member)
        _add_members(total, _name(name), np.array([hashed], np.uint64))
        size += part
    return int(_tagged(total, _OBJECT)[0]), size


def _name(name: str) -> np.uint64:
    return np.uint64(_python(name)[0])


def _mixed(value: int) -> int:
    return int(_tagged(np.array([value], np.uint64), np.uint64(0))[0])


def _floats(values: NDArray[np.float64]) -> _Hashes:
    """Hash floats: one of integral value as that integer, all NaNs alike."""
    is_integer = (np.floor(values) == values) & (np.abs(values) < 2.0**63)
    signed = np.where(is_integer, values, 0.0).astype(np.int64).view(np.uint64)
    bits = np.where(np.isnan(values), math.nan, values).view(np.uint64)
    mixed: _Hashes = np.where(is_integer, signed ^ _INT, bits ^ _FLOAT)
    return _tagged(mixed, np.uint64(0))


@borrowing()
def _avalanche(h: np.uint64) -> np.uint64:
    h ^= h >> np.uint64(33)
    h *= _P2
    h ^= h >> np.uint64(29)
    h *= _P3
    h ^= h >> np.uint64(32)
    return h if h != np.uint64(0) else _P5  # 0 stands for null


@borrowing()
def _step(h: np.uint64, word: np.uint64) -> np.uint64:
    word *= _P2
    word = (word << np.uint64(31)) | (word >> np.uint64(33))
    h ^= word * _P1
    return ((h << np.uint64(27)) | (h >> np.uint64(37))) * _P1 + _P4


@borrowing()
def _string(data: NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    h = _P5 + np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        h = _step(h, eight_bytes(data, np.uint64(i)))
        i += 8
    word = np.uint64(0)
    shift = np.uint64(0)
    while i < stop:
        word |= np.uint64(data[i]) << shift
        shift += np.uint64(8)
        i += 1
    return _avalanche(_step(h, word))


@late_kernel(types.uint64[::1](_offsets_in, _bytes_in))
def _strings(offsets: _Sizes, data: NDArray[np.uint8]) -> _Hashes:
    out = np.empty(offsets.size - 1, np.uint64)
    for row in range(out.size):
        out[row] = _string(data, offsets[row], offsets[row + 1])
    return out


@late_kernel(types.uint64[::1](_hashes_in, types.uint64))
def _tagged(values: _Hashes, tag: np.uint64) -> _Hashes:
    out = np.empty(values.size, np.uint64)
    for row in range(out.size):
        out[row] = _avalanche(_step(_P5, values[row] ^ tag))
    return out


@late_kernel(types.void(types.uint64[::1], types.uint64, _hashes_in))
def _add_members(total: _Hashes, name: np.uint64, values: _Hashes) -> None:
    """Add hashes of members, so that their order doesn't count; null counts as absent."""
    for row in range(total.size):
        if values[row] != np.uint64(0):
            total[row] += _avalanche(_step(name, values[row]))


@late_kernel(types.uint64[::1](_offsets_in, _hashes_in))
def _lists(offsets: _Sizes, values: _Hashes) -> _Hashes:
    out = np.empty(offsets.size - 1, np.uint64)
    for row in range(out.size):
        h = _LIST + np.uint64(offsets[row + 1] - offsets[row])
        for at in range(offsets[row], offsets[row + 1]):
            h = _step(h, values[at])
        out[row] = _avalanche(h)
    return out


@late_kernel(types.uint64[::1](_offsets_in, _hashes_in, _hashes_in))
def _maps(offsets: _Sizes, keys: _Hashes, values: _Hashes) -> _Hashes:
    out = np.zeros(offsets.size - 1, np.uint64)
    for row in range(out.size):
        for at in range(offsets[row], offsets[row + 1]):
            if values[at] != np.uint64(0):
                out[row] += _avalanche(_step(keys[at], values[at]))
    return out


@late_kernel(types.int64[::1](_offsets_in, types.int64[::1]))
def _sums(offsets: _Sizes, sizes: _Sizes) -> _Sizes:
    out = np.zeros(offsets.size - 1, np.int64)
    for row in range(out.size):
        for at in range(offsets[row], offsets[row + 1]):
            out[row] += sizes[at]
    return out
