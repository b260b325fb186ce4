"""Find a document's parts in its row by dotted paths."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.columns import canonical, is_json, plain

_KINDS: list[tuple[Callable[[pa.DataType], bool], str]] = [
    (pa.types.is_boolean, "a boolean"),
    (pa.types.is_integer, "a number"),
    (pa.types.is_floating, "a number"),
    (pa.types.is_decimal, "a number"),
    (pa.types.is_struct, "an object"),
    (pa.types.is_map, "an object"),
    (pa.types.is_nested, "a list"),
    (pa.types.is_temporal, "a time"),
]


def extract(batch: pa.RecordBatch, path: str) -> pa.Array:
    """The values at a dotted path, through struct fields, list positions and map keys.

    Args:
        batch: n rows.
        path: such as messages.1.content; a negative position counts from the end. A column or
            field whose own name holds dots wins over the path.

    Returns:
        n values, null where the path leads nowhere. From a column of text that holds JSON, strings
        are themselves and everything else is JSON.
    """
    found = find(batch, path)
    return _texts(found) if isinstance(found, list) else found


def string_field(batch: pa.RecordBatch, path: str | None) -> pa.Array | None:
    """The values at a dotted path as string: numbers and booleans as their plain text.

    A float without a fraction reads as the integer, since a block that mixes both holds floats.
    None without a path.
    """
    if path is None:
        return None
    found = find(batch, path)
    if isinstance(found, list):
        return _texts(found)
    if pa.types.is_string(found.type) or pa.types.is_integer(found.type):
        return found.cast(pa.string())
    if pa.types.is_large_string(found.type) or pa.types.is_null(found.type):
        return found.cast(pa.string())
    return _texts(plain(found))


def kind_of(value: Any) -> str:
    """What JSON calls a value, with its article."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if value is None:
        return "null"
    return "a list" if isinstance(value, list) else "an object"


def kind_of_type(type_: pa.DataType) -> str:
    """Return what JSON calls the values of an Arrow type, with its article."""
    if is_text(type_):
        return "a string"
    return next((kind for test, kind in _KINDS if test(type_)), "bytes")


def is_text(type_: pa.DataType) -> bool:
    """Tell whether a type is string, large_string or string_view."""
    return str(type_) in ("string", "large_string", "string_view")


def mask_of(array: pa.Array) -> NDArray[np.bool_]:
    """Return booleans as NumPy has them; null is False."""
    mask: NDArray[np.bool_] = array.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def is_blank(texts: pa.Array) -> NDArray[np.bool_]:
    """Tell which strings are empty or hold only white space; null is neither.

    Args:
        texts: n values, string or large_string.
    """
    blank = mask_of(pc.equal(pc.binary_length(texts), 0))
    # The test for white space walks whole texts, so only those that begin with it are tested.
    begin = np.flatnonzero(mask_of(pc.utf8_is_space(pc.utf8_slice_codeunits(texts, 0, 1))))
    blank[begin[mask_of(pc.utf8_is_space(texts.take(pa.array(begin))))]] = True
    return blank


def _texts(values: list[Any]) -> pa.Array:
    return pa.array([v if isinstance(v, str) else _text(v) for v in values], pa.string())


def _text(value: Any) -> str | None:
    """JSON of a value; None of NaN and infinities, which stand for no name."""
    return None if isinstance(value, float) and not math.isfinite(value) else canonical(value)


def find(batch: pa.RecordBatch, path: str) -> pa.Array | list[Any]:
    """The values at a path: an array, or Python values from a column of text that holds JSON."""
    parts = path.split(".")
    for used in range(len(parts), 0, -1):
        at = batch.schema.get_field_index(".".join(parts[:used]))
        if at < 0:
            continue
        column, rest = batch.column(at), parts[used:]
        if is_json(batch.schema.field(at)):
            loaded = [v if v is None else json.loads(v) for v in column.to_pylist()]
            return [_walk_value(value, rest) for value in loaded]
        found = _walk(column, rest)
        if found is not None:
            return found
    return pa.nulls(batch.num_rows)


def _walk(array: pa.Array, parts: list[str]) -> pa.Array | None:
    if not parts or pa.types.is_null(array.type):
        return array
    type_ = array.type
    if pa.types.is_dictionary(type_):
        return _walk(array.dictionary_decode(), parts)
    if pa.types.is_struct(type_):
        for used in range(len(parts), 0, -1):
            at = type_.get_field_index(".".join(parts[:used]))
            if at >= 0:
                found = _walk(pc.struct_field(array, [at]), parts[used:])
                if found is not None:
                    return found
        return None
    if pa.types.is_map(type_):
        used = 1 if pa.types.is_nested(type_.item_type) else len(parts)
        try:
            key = pa.scalar(".".join(parts[:used])).cast(type_.key_type)
        except pa.ArrowInvalid:  # not a number, where keys are numbers
            return None
        return _walk(pc.map_lookup(array, key, "first"), parts[used:])
    if pa.types.is_nested(type_) and hasattr(type_, "value_type"):
        position = _position(parts[0])
        return None if position is None else _walk(_elements(array, position), parts[1:])
    return None


def _elements(array: pa.Array, position: int) -> pa.Array:
    """Element `position` of every list, null where the list is shorter."""
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    lengths = lengths.astype(np.int64)
    ends = np.cumsum(lengths)  # flatten() leaves out what null lists stand over
    at = ends + position if position < 0 else ends - lengths + position
    absent = lengths < -position if position < 0 else lengths <= position
    return array.flatten().take(pa.array(at, mask=absent))


def _walk_value(value: Any, parts: list[str]) -> Any:
    if not parts or value is None:
        return value
    if isinstance(value, dict):
        for used in range(len(parts), 0, -1):
            name = ".".join(parts[:used])
            if name in value:
                found = _walk_value(value[name], parts[used:])
                if found is not None:
                    return found
        return None
    position = _position(parts[0])
    if isinstance(value, list) and position is not None and -len(value) <= position < len(value):
        return _walk_value(value[position], parts[1:])
    return None


def _position(part: str) -> int | None:
    return (
        int(part) if part.removeprefix("-").isascii() and part.removeprefix("-").isdigit() else None
    )
