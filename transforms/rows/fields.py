"""Find the fields of rows by dotted paths."""

from __future__ import annotations

import json
import math
import re
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
    """Return the values at a dotted path, through struct fields, list positions and map keys.

    Args:
        batch: n rows.
        path: dotted path, such as messages.1.content; a negative position counts from the end. A
            column or field with dots in its name comes before the path.

    Returns:
        n values, null where the path leads nowhere. In text that holds JSON, strings stay strings
        and all other values become JSON.
    """
    values = find(batch, path)
    return _texts(values) if isinstance(values, list) else values


def string_field(batch: pa.RecordBatch, path: str | None) -> pa.Array | None:
    """Return the values at a dotted path as plain text, string[n]; None without a path.

    A float without a fraction is written as an integer, since blocks that mix both hold floats.

    Args:
        batch: n rows.
        path: dotted path, or None.
    """
    if path is None:
        return None
    values = find(batch, path)
    if isinstance(values, list):
        return _texts(values)
    type_ = values.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return values.cast(pa.string())
    if pa.types.is_integer(type_) or pa.types.is_null(type_):
        return values.cast(pa.string())
    return _texts(plain(values))


def kind_of(value: Any) -> str:
    """Return JSON's name for the type of a value, with its article."""
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
    """Return JSON's name for an Arrow type, with its article."""
    if is_text(type_):
        return "a string"
    return next((kind for test, kind in _KINDS if test(type_)), "bytes")


def is_text(type_: pa.DataType) -> bool:
    """Return whether a type is string, large_string or string_view."""
    return str(type_) in ("string", "large_string", "string_view")


def mask_of(array: pa.Array) -> NDArray[np.bool_]:
    """Return an Arrow array of booleans as bool[n]; null becomes False."""
    mask: NDArray[np.bool_] = array.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def is_blank(texts: pa.Array) -> NDArray[np.bool_]:
    """Return bool[n], True for strings that are empty or white space; False for null.

    Args:
        texts: n values, string or large_string.
    """
    blank = mask_of(pc.equal(pc.binary_length(texts), 0))
    # The test reads complete texts, so only texts that begin with white space are tested.
    begin = np.flatnonzero(mask_of(pc.utf8_is_space(pc.utf8_slice_codeunits(texts, 0, 1))))
    blank[begin[mask_of(pc.utf8_is_space(texts.take(pa.array(begin))))]] = True
    return blank


def _texts(values: list[Any]) -> pa.Array:
    return pa.array([v if isinstance(v, str) else _text(v) for v in values], pa.string())


def _text(value: Any) -> str | None:
    """Return the JSON of a value; None for NaN and infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else canonical(value)


def find(batch: pa.RecordBatch, path: str) -> pa.Array | list[Any]:
    """Return the values at a dotted path.

    Args:
        batch: n rows.
        path: dotted path.

    Returns:
        An array of n values, or a list of n Python values from text that holds JSON. Text is looked
        into where the path goes on behind it.
    """
    parts = path.split(".")
    for into_text in (False, True):  # types say where a path leads, and text may say anything
        for used in range(len(parts), 0, -1):
            at = batch.schema.get_field_index(".".join(parts[:used]))
            if at < 0:
                continue
            column, rest = batch.column(at), parts[used:]
            if is_json(batch.schema.field(at)):
                loaded = [v if v is None else json.loads(v) for v in column.to_pylist()]
                return [_walk_value(value, rest) for value in loaded]
            values = _walk(column, rest, into_text)
            if values is not None:
                return values
    return pa.nulls(batch.num_rows)


def _walk(array: pa.Array, parts: list[str], into_text: bool) -> pa.Array | list[Any] | None:
    if not parts or pa.types.is_null(array.type):
        return array
    type_ = array.type
    if into_text and is_text(type_):
        return [_walk_value(_loaded(text), parts) for text in array.to_pylist()]
    if pa.types.is_dictionary(type_):
        return _walk(array.dictionary_decode(), parts, into_text)
    if pa.types.is_struct(type_):
        for used in range(len(parts), 0, -1):
            at = type_.get_field_index(".".join(parts[:used]))
            if at >= 0:
                values = _walk(pc.struct_field(array, [at]), parts[used:], into_text)
                if values is not None:
                    return values
        return None
    if pa.types.is_map(type_):
        used = 1 if pa.types.is_nested(type_.item_type) else len(parts)
        try:
            key = pa.scalar(".".join(parts[:used])).cast(type_.key_type)
        except pa.ArrowInvalid:  # the keys are numbers, and this is none
            return None
        return _walk(pc.map_lookup(array, key, "first"), parts[used:], into_text)
    if pa.types.is_nested(type_) and hasattr(type_, "value_type"):
        position = _position(parts[0])
        if position is None:
            return None
        return _walk(_elements_at(array, position), parts[1:], into_text)
    return None


def _elements_at(array: pa.Array, position: int) -> pa.Array:
    """Return the element at a position of each list, null where the list is shorter."""
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    lengths = lengths.astype(np.int64)
    ends = np.cumsum(lengths)  # flatten() omits the values below null lists
    at = ends + position if position < 0 else ends - lengths + position
    absent = lengths < -position if position < 0 else lengths <= position
    return array.flatten().take(pa.array(at, mask=absent))


def _loaded(text: str | None) -> Any:
    """Return the object or list that a text holds as JSON; None if it holds none."""
    if text is None or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _walk_value(value: Any, parts: list[str]) -> Any:
    if not parts or value is None:
        return value
    if isinstance(value, dict):
        for used in range(len(parts), 0, -1):
            name = ".".join(parts[:used])
            if name in value:
                member = _walk_value(value[name], parts[used:])
                if member is not None:
                    return member
        return None
    position = _position(parts[0])
    if isinstance(value, list) and position is not None and -len(value) <= position < len(value):
        return _walk_value(value[position], parts[1:])
    return None


def _position(part: str) -> int | None:
    return int(part) if re.fullmatch("-?[0-9]+", part) else None
