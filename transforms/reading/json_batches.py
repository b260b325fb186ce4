"""Record batches from JSON lines: by Arrow's parser, or from Python objects.

Both ways infer the same types. Arrow's parser infers times from text and rounds large integers, so
the types and values that it gives are checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from outcross.schemas.columns import OTHER_KEYS, canonical, json_field
from outcross.schemas.supertypes import EXACT, MAX_DEPTH, MAX_FIELDS
from outcross.transforms.rows.open_keys import is_open, pack_objects

_PREFIX = 64 << 10  # bytes whose types show which columns are text


def batch_from_lines(data: bytes, rows: int, long: bool) -> pa.RecordBatch | None:
    """Return the rows by Arrow's parser, None where its result would differ from the lines.

    Args:
        data: whole lines, each plainly one object.
        rows: number of lines.
        long: True if a number has 16 digits or more.
    """
    try:
        texts: list[pa.Field] = []
        if len(data) > 2 * _PREFIX:
            end = data.rfind(b"\n", 0, _PREFIX) + 1
            if end and _keys_expected(data[:end], rows) > MAX_FIELDS:
                return None
            texts = _texts(_read(data[:end], []).schema) if end else []
        table = _read(data, texts)
        if any(_has_times(type_) for type_ in table.schema.types):
            table = _read(data, _texts(table.schema))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
        return None
    if table.num_rows != rows or table.num_columns > MAX_FIELDS:
        return None
    if any(_has_times(type_) or not _holds(type_, 1) for type_ in table.schema.types):
        return None
    if not table.num_columns:
        return _empty(rows)
    batch = table.select(sorted(table.column_names)).combine_chunks().to_batches()[0]
    if long and any(_rounds(column) for column in batch.columns):
        return None
    return batch


def batch_from_objects(
    objects: list[dict[str, Any]], named: Collection[str] = ()
) -> pa.RecordBatch:
    """Return rows from Python objects; columns of disagreeing types are text holding JSON.

    Args:
        objects: the rows.
        named: columns and paths that stay columns where keys are an open set.
    """
    names = sorted(set().union(*objects))
    if not names:
        return _empty(len(objects))
    if is_open(names):
        objects = pack_objects(objects, named)
        names = sorted(set().union(*objects))
    fields, columns = [], []
    for name in names:
        values = [row.get(name) for row in objects]
        type_ = None if name == OTHER_KEYS else _infer(values, 1)
        if type_ is None:
            fields.append(json_field(name))
            columns.append(pa.array([canonical(value) for value in values], pa.string()))
        else:
            fields.append(pa.field(name, type_))
            columns.append(pa.array(values, type_))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _keys_expected(prefix: bytes, rows: int) -> float:
    """Return the expected number of keys of all rows, from the rate of new keys in the first."""
    try:
        keys = [set(orjson.loads(line)) for line in prefix.splitlines()]
    except ValueError:  # Arrow refuses them too
        return 0
    half = set().union(*keys[: len(keys) // 2])
    every = half.union(*keys)
    fresh = (len(every) - len(half)) / max(1, len(keys) - len(keys) // 2)
    return len(every) + fresh * (rows - len(keys))


def _read(data: bytes, texts: list[pa.Field]) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=pa.schema(texts) if texts else None),
    )


def _texts(fields: Iterable[pa.Field]) -> list[pa.Field]:
    """Return the fields that Arrow read as text or times, with text as their type."""
    typed = ((field, _text(field.type)) for field in fields)
    return [field.with_type(type_) for field, type_ in typed if type_ is not None]


def _text(type_: pa.DataType) -> pa.DataType | None:
    if pa.types.is_string(type_) or pa.types.is_timestamp(type_):
        return pa.string()
    if pa.types.is_struct(type_):
        fields = _texts(type_)
        return pa.struct(fields) if fields else None
    if pa.types.is_list(type_):
        value = _text(type_.value_type)
        return None if value is None else pa.list_(value)
    return None


def _has_times(type_: pa.DataType) -> bool:
    if pa.types.is_nested(type_):
        return any(_has_times(type_.field(i).type) for i in range(type_.num_fields))
    return bool(pa.types.is_timestamp(type_))


def _holds(type_: pa.DataType, depth: int) -> bool:
    if not pa.types.is_nested(type_):
        return True
    if depth > MAX_DEPTH or type_.num_fields > MAX_FIELDS:
        return False
    return all(_holds(type_.field(i).type, depth + 1) for i in range(type_.num_fields))


def _rounds(array: pa.Array) -> bool:
    """Return whether an array may hold integers that float64 rounded."""
    if pa.types.is_struct(array.type):
        return any(_rounds(array.field(i)) for i in range(array.type.num_fields))
    if pa.types.is_list(array.type):
        return _rounds(array.flatten())
    if not pa.types.is_floating(array.type):
        return False
    largest = pc.max(pc.abs(array)).as_py()
    return largest is not None and largest >= EXACT


def _empty(rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


def _infer(values: list[Any], depth: int) -> pa.DataType | None:
    """Return the type that Arrow's parser gives to some values, None where they disagree."""
    kinds = {type(value) for value in values}
    kinds.discard(type(None))
    if not kinds:
        return pa.null()
    if kinds == {str}:
        return pa.string()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        fits = all(v is None or -(2**63) <= v < 2**63 for v in values)
        return pa.int64() if fits else None
    if kinds <= {int, float}:
        exact = all(not isinstance(v, int) or abs(v) <= EXACT for v in values)
        return pa.float64() if exact else None
    if depth > MAX_DEPTH:
        return None
    if kinds == {list}:
        value = _infer([e for v in values if v is not None for e in v], depth + 1)
        return None if value is None else pa.list_(value)
    if kinds != {dict}:
        return None
    members: dict[str, list[Any]] = {}
    for value in values:
        if value is not None:
            for name, member in value.items():
                members.setdefault(name, []).append(member)
    if len(members) > MAX_FIELDS:
        return None
    inferred = {name: _infer(members[name], depth + 1) for name in members}
    if any(type_ is None for type_ in inferred.values()):
        return None
    return pa.struct(list(inferred.items()))
