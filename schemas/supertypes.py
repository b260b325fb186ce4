"""The smallest Arrow type that holds the values of several types.

Any two types have one smallest type that holds both, so sources may be joined in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

EXACT = 2**53  # integers up to here are the same as float64
MAX_DEPTH = 32  # Arrow's IPC refuses types that are nested much deeper
MAX_FIELDS = 1000  # a wider struct is an open set of keys, not a type

_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}  # of times, in nanoseconds
_VIEWS = {"string_view": pa.string(), "binary_view": pa.binary()}
_DIGITS = 38  # of a decimal that every reader takes

_Path = tuple[str, ...]
Limits = frozenset[_Path]
"""Paths inside a column, each ending in a type or unit that can't hold the values there."""


def bare(type_: pa.DataType) -> pa.DataType:
    """Return the type without details of how Arrow stores it, at any depth.

    Views and dictionaries become the type of their values. Extensions, except UUID, become their
    storage. Decimals of less than 128 bits become wider. Lists of size 0 become lists of any size.
    """
    if is_uuid(type_):
        return type_
    if isinstance(type_, pa.BaseExtensionType):
        return bare(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return bare(type_.value_type)
    if pa.types.is_decimal(type_) and type_.bit_width < 128:
        return pa.decimal128(type_.precision, type_.scale)
    if pa.types.is_list_view(type_):
        return pa.list_(bare(type_.value_type))
    if pa.types.is_large_list_view(type_):
        return pa.large_list(bare(type_.value_type))
    if pa.types.is_fixed_size_list(type_) and type_.list_size == 0:
        return pa.list_(bare(type_.value_type))
    return _VIEWS.get(str(type_)) or _rebuilt(type_, bare)


def is_uuid(type_: pa.DataType) -> bool:
    """Return whether values of the type are UUIDs."""
    return isinstance(type_, pa.BaseExtensionType) and type_.extension_name == "arrow.uuid"


def without_null_lists(array: pa.Array, type_: pa.DataType) -> pa.DataType:
    """Return the type with lists of any size for lists of fixed size that are null in the array.

    Parquet can hold such a null, but Arrow can't read it.

    Args:
        array: n values, with lists of any size.
        type_: bare type of the values, with lists of fixed size.
    """
    if pa.types.is_struct(type_):
        pairs = zip(type_, array.flatten(), strict=True)
        return pa.struct([f.with_type(without_null_lists(a, f.type)) for f, a in pairs])
    if pa.types.is_map(type_):
        return pa.map_(type_.key_type, without_null_lists(array.items, type_.item_type))
    if not is_list(type_):
        return type_
    value = without_null_lists(array.flatten(), type_.value_type)
    if array.null_count and pa.types.is_fixed_size_list(type_):
        return pa.list_(value)
    return _rebuilt(type_, lambda _: value)


def inside(type_: pa.DataType) -> Iterator[pa.DataType]:
    """Yield the type, and all types inside it."""
    yield type_
    if isinstance(type_, pa.BaseExtensionType):
        yield from inside(type_.storage_type)
    elif pa.types.is_nested(type_):
        for i in range(type_.num_fields):
            yield from inside(type_.field(i).type)


def cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Cast an array to a type that holds its values.

    A slice that contains nulls without a type is copied first, as Arrow casts it wrongly.
    """
    array = _without_list_views(array)
    if array.type == type_:
        return array
    if pa.types.is_nested(array.type) and any(map(pa.types.is_null, inside(array.type))):
        array = array.take(pa.array(range(len(array)), pa.int64()))
    array = array.cast(type_)
    _count_nulls(array)
    return array


def _without_list_views(array: pa.Array) -> pa.Array:
    """Replace views of lists, also as members of structs, by lists: Arrow casts them wrongly.

    Args:
        array: n values.
    """
    type_ = array.type
    if pa.types.is_struct(type_) and any(map(_is_list_view, inside(type_))):
        parts = [_without_list_views(array.field(i)) for i in range(type_.num_fields)]
        names = [type_.field(i).name for i in range(type_.num_fields)]
        return pa.StructArray.from_arrays(parts, names=names, mask=array.is_null())
    if not _is_list_view(type_):
        return array
    lists = pa.LargeListArray if pa.types.is_large_list_view(type_) else pa.ListArray
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), 0))
    offsets = pa.concat_arrays([pa.array([0], ends.type), ends])
    return lists.from_arrays(offsets, _without_list_views(array.flatten()), mask=array.is_null())


def _is_list_view(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_))


def _count_nulls(array: pa.Array) -> None:
    """Make Arrow count the nulls of map keys: it aborts on keys whose nulls it has not counted."""
    type_ = array.type
    if pa.types.is_map(type_):
        _ = array.keys.null_count
        _count_nulls(array.items)
    elif pa.types.is_struct(type_):
        for i in range(type_.num_fields):
            _count_nulls(array.field(i))
    elif is_list(type_):
        _count_nulls(array.values)


def limits_of(array: pa.Array, path: _Path) -> Iterator[_Path]:
    """Yield paths of values, each with a type or unit at its end that can't hold them."""
    type_ = array.type
    if pa.types.is_int64(type_) or pa.types.is_uint64(type_) or _is_span(type_):
        ends = pc.min_max(array.cast(pa.int64()) if _is_span(type_) else array)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is None:
            return
        if not _is_span(type_):
            large = {"float64": max(-low, high) > EXACT, "int64": high >= 2**63}
        else:
            large = {
                unit: max(-low, high) * (_UNITS[type_.unit] // size) >= 2**63
                for unit, size in _UNITS.items()
                if size < _UNITS[type_.unit]
            }
        yield from ((*path, kind) for kind, exceeded in large.items() if exceeded)
    elif pa.types.is_struct(type_):
        for i in range(type_.num_fields):
            yield from limits_of(array.field(i), (*path, type_.field(i).name))
    elif pa.types.is_map(type_):
        yield from limits_of(array.items, (*path, "{}"))
    elif is_list(type_):
        yield from limits_of(array.flatten(), (*path, "[]"))


def join(
    a: pa.DataType | None, b: pa.DataType | None, limits: Limits, path: _Path
) -> pa.DataType | None:
    """Return the type that holds both types, or None if only text does.

    Args:
        a, b: bare types, or None for text.
        limits: types that can't hold the values, as found by `limits_of`.
        path: path of the types in their column.
    """
    if a is None or b is None or len(path) > MAX_DEPTH:
        return None
    if pa.types.is_null(a) or pa.types.is_null(b):
        type_ = b if pa.types.is_null(a) else a
        a = b = type_ if a == b else _nullable(type_)
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        return _join_structs(a, b, limits, path)
    if pa.types.is_map(a) and pa.types.is_map(b):
        key = join(a.key_type, b.key_type, limits, (*path, "key"))
        item = join(a.item_type, b.item_type, limits, (*path, "{}"))
        return None if key is None or item is None else pa.map_(key, item)
    if is_list(a) and is_list(b):
        value = join(a.value_type, b.value_type, limits, (*path, "[]"))
        if value is None:
            return None
        alike = a.id == b.id and (not pa.types.is_fixed_size_list(a) or a.list_size == b.list_size)
        return _rebuilt(a, lambda _: value) if alike else pa.list_(value)
    if a == b:
        return a
    if is_text(a) and is_text(b):
        return pa.string()
    if is_binary(a) and is_binary(b):
        return pa.binary()
    if _is_number(a) and _is_number(b):
        integers = pa.types.is_integer(a) and pa.types.is_integer(b)
        joined = pa.int64() if integers else pa.float64()
        return None if (*path, "int64" if integers else "float64") in limits else joined
    return _join_by_arrow(a, b, limits, path)


def _join_by_arrow(
    a: pa.DataType, b: pa.DataType, limits: Limits, path: _Path
) -> pa.DataType | None:
    """Return the type in which Arrow holds times or decimals of two widths."""
    if not (pa.types.is_decimal(a) and pa.types.is_decimal(b)) and not (
        pa.types.is_temporal(a) and pa.types.is_temporal(b)
    ):
        return None
    try:
        schemas = [pa.schema([("", a)]), pa.schema([("", b)])]
        joined = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowTypeError:
        return None
    if pa.types.is_decimal(joined):
        return joined if joined.precision <= _DIGITS else None
    return None if _is_span(joined) and (*path, joined.unit) in limits else joined


def _join_structs(
    a: pa.DataType, b: pa.DataType, limits: Limits, path: _Path
) -> pa.DataType | None:
    sides = [{f.name: f.type for f in struct} for struct in (a, b)]
    names = sorted(set(sides[0]) | set(sides[1]))
    if len(names) > MAX_FIELDS:
        return None
    fields = []
    for name in names:
        left, right = (side.get(name, pa.null()) for side in sides)
        type_ = join(left, right, limits, (*path, name))
        if type_ is None:
            return None
        fields.append(pa.field(name, type_))
    return pa.struct(fields)


def _nullable(type_: pa.DataType) -> pa.DataType:
    """Return the type for values of which some are null; lists of fixed size can't be."""
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(type_.value_type)
    return _rebuilt(type_, _nullable) if pa.types.is_struct(type_) else type_


def settled(type_: pa.DataType) -> pa.DataType:
    """Return the type with string for null, at any depth."""
    return pa.string() if pa.types.is_null(type_) else _rebuilt(type_, settled)


def has_empty_struct(type_: pa.DataType) -> bool:
    """Return whether the type contains a struct without fields."""
    return any(pa.types.is_struct(kind) and kind.num_fields == 0 for kind in inside(type_))


def is_text(type_: pa.DataType) -> bool:
    """Return whether values of the type are strings."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def is_binary(type_: pa.DataType) -> bool:
    """Return whether values of the type are bytes."""
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_fixed_size_binary(type_)
    )


def is_list(type_: pa.DataType) -> bool:
    """Return whether values of the type are lists of any or fixed size."""
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _is_span(type_: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(type_) or pa.types.is_duration(type_))


def _rebuilt(type_: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return the type with a change made to its immediate members."""
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, change(field.type)) for field in type_])
    if pa.types.is_map(type_):
        return pa.map_(change(type_.key_type), change(type_.item_type))
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(change(type_.value_type), type_.list_size)
    if pa.types.is_large_list(type_):
        return pa.large_list(change(type_.value_type))
    return pa.list_(change(type_.value_type)) if pa.types.is_list(type_) else type_
