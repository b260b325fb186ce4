"""Where a document's parts stand in its row: dotted paths, filters, and what counts as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.columns import canonical, is_json, plain

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
    found = _find(batch, path)
    return _texts(found) if isinstance(found, list) else found


def string_field(batch: pa.RecordBatch, path: str | None) -> pa.Array | None:
    """The values at a dotted path as string: numbers and booleans as their plain text.

    A float without a fraction reads as the integer, since a block that mixes both holds floats.
    None without a path.
    """
    if path is None:
        return None
    found = _find(batch, path)
    if isinstance(found, list):
        return _texts(found)
    if pa.types.is_string(found.type) or pa.types.is_integer(found.type):
        return found.cast(pa.string())
    if pa.types.is_large_string(found.type) or pa.types.is_null(found.type):
        return found.cast(pa.string())
    return _texts(plain(found))


def text_of(batch: pa.RecordBatch, path: str) -> tuple[pa.Array, dict[int, str]]:
    """The documents' text, and why a row has none.

    Returns:
        n texts, string or large_string, null where invalid; the reason of every invalid row. A
        text is a string with at least one character that isn't white space.
    """
    found = _find(batch, path)
    reasons: dict[int, str] = {}

    def wrong(rows: Any, what: str) -> None:
        for row in rows:
            reasons.setdefault(int(row), f"text field {path!r} {what}")

    if isinstance(found, list):
        wrong((i for i, v in enumerate(found) if v is None), "is missing or null")
        for row, value in enumerate(found):
            if not isinstance(value, str):
                wrong([row], f"holds {kind_of(value)}; a string is expected")
        text = pa.array([v if isinstance(v, str) else None for v in found], pa.string())
    else:
        text = found
        if pa.types.is_dictionary(text.type):
            text = text.dictionary_decode()
        wrong(np.flatnonzero(_mask(text.is_null())), "is missing or null")
        if str(text.type) == "string_view":
            text = text.cast(pa.large_string())
        if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
            kinds = (kind for test, kind in _KINDS if test(text.type))
            wrong(range(len(text)), f"holds {next(kinds, 'bytes')}; a string is expected")
            text = pa.nulls(len(text), pa.string())
    wrong(np.flatnonzero(_mask(pc.equal(pc.binary_length(text), 0))), "is empty")
    # The test for white space walks whole texts, so only those that begin with it are tested.
    begin = np.flatnonzero(_mask(pc.utf8_is_space(pc.utf8_slice_codeunits(text, 0, 1))))
    wrong(begin[_mask(pc.utf8_is_space(text.take(pa.array(begin))))], "holds only white space")
    if reasons:
        invalid = np.zeros(len(text), bool)
        invalid[list(reasons)] = True
        text = pc.if_else(pa.array(invalid), pa.scalar(None, text.type), text)
    return text, reasons


def matches(batch: pa.RecordBatch, where: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which rows a filter keeps.

    Args:
        batch: n rows.
        where: dotted path to a value, or to a list of values of which one must be equal. Strings
            are compared with strings, numbers with numbers, booleans with booleans; null, missing
            and nested values never match.

    Returns:
        n booleans; a row is kept if all paths match.
    """
    kept = np.ones(batch.num_rows, bool)
    for path, wanted in where.items():
        found = _find(batch, path)
        options = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        hit = np.zeros(batch.num_rows, bool)
        for option in options:
            hit |= _equal(found, option)
        kept &= hit
    return kept


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


def _equal(found: pa.Array | list[Any], option: Any) -> NDArray[np.bool_]:
    kind = kind_of(option)
    if isinstance(found, list):
        return np.array([kind_of(v) == kind and v == option for v in found], bool)
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    type_ = found.type
    if pa.types.is_decimal(type_) or pa.types.is_float16(type_):
        found, type_ = found.cast(pa.float64()), pa.float64()
    alike = {
        "a boolean": pa.types.is_boolean(type_),
        "a number": pa.types.is_integer(type_) or pa.types.is_floating(type_),
        "a string": str(type_) in ("string", "large_string", "string_view"),
    }
    if not alike.get(kind):
        return np.zeros(len(found), bool)
    if pa.types.is_integer(type_) and isinstance(option, float):
        if not option.is_integer():
            return np.zeros(len(found), bool)
        option = int(option)
    try:
        scalar = pa.scalar(option, type_)
    except (OverflowError, pa.ArrowInvalid):  # a number that this column can't hold
        return np.zeros(len(found), bool)
    return _mask(pc.equal(found, scalar))


def _mask(array: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = array.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _texts(values: list[Any]) -> pa.Array:
    return pa.array([v if isinstance(v, str) else _text(v) for v in values], pa.string())


def _text(value: Any) -> str | None:
    """JSON of a value; None of NaN and infinities, which stand for no name."""
    return None if isinstance(value, float) and not math.isfinite(value) else canonical(value)


def _find(batch: pa.RecordBatch, path: str) -> pa.Array | list[Any]:
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
