"""The union of the sources' columns, and batches brought to it.

`unite` is a join in a lattice (null < int < float, narrow < wide, everything < text holding JSON),
so its result does not depend on the order in which schemas are seen nor on how a source's rows
were split into files and blocks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

EXACT = 2**53  # integers up to here are the same as float64
MAX_DEPTH = 32  # Arrow's IPC refuses types that are nested much deeper
MAX_FIELDS = 1000  # a wider struct is an open set of keys, not a type

OTHER_KEYS = "outcross_keys"  # text holding JSON, of keys that not every row of a source has
LEDGER_COLUMN = "outcross_ledger"  # what a ledger notes of a row beside its own columns

_MARK, _WIDE, _NAME = b"outcross", b"outcross.wide", b"outcross.name"
_JSON = {_MARK: b"json"}
_Path = tuple[str, ...]


def json_field(name: str) -> pa.Field:
    """A column whose type differs between rows: text holding JSON."""
    return pa.field(name, pa.string(), metadata=_JSON)


def is_json(field: pa.Field) -> bool:
    """Whether the column is marked as text holding JSON."""
    return (field.metadata or {}).get(_MARK) == b"json"


def canonical(value: Any) -> str | None:
    """A value as JSON text that does not depend on the block that the value came through.

    Sorted keys; members that are null are left out, because a struct can't tell them from absent
    ones; floats without a fraction up to 2**53 are written as integers, because a column of both
    is float64; NaN and infinities, which JSON doesn't know, are null. None stays None.
    """
    value = _canonical(value)
    if value is None:
        return None
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def plain(array: pa.Array) -> list[Any]:
    """An array's values as JSON has them: bytes as base64, times as ISO, decimals as strings.

    A map with string keys is an object, one with other keys a list of pairs.
    """
    type_ = array.type
    if isinstance(type_, pa.BaseExtensionType):
        return plain(array.storage)
    if pa.types.is_dictionary(type_):
        return plain(array.dictionary_decode())
    if pa.types.is_struct(type_):
        children = [(type_.field(i).name, plain(array.field(i))) for i in range(type_.num_fields)]
        return [
            {name: values[row] for name, values in children} if valid else None
            for row, valid in enumerate(array.is_valid().to_pylist())
        ]
    if pa.types.is_map(type_):
        rows = plain(_as_list(array))
        if _is_text(type_.key_type):
            return [row and {e["key"]: e["value"] for e in row} for row in rows]
        return [row and [[e["key"], e["value"]] for e in row] for row in rows]
    if _is_list(type_):
        values = plain(array.flatten())
        lengths = pc.list_value_length(array).to_pylist()
        rows, at = [], 0
        for length in lengths:
            rows.append(None if length is None else values[at : at + length])
            at += length or 0
        return rows
    if _is_binary(type_):
        return [v if v is None else base64.b64encode(v).decode() for v in array.to_pylist()]
    if pa.types.is_timestamp(type_):
        zone = "" if type_.tz is None else "Z"
        text = array.cast(pa.int64()).cast(pa.timestamp(type_.unit)).cast(pa.string())
        return [v if v is None else v.replace(" ", "T") + zone for v in text.to_pylist()]
    if pa.types.is_date(type_) or pa.types.is_time(type_) or pa.types.is_decimal(type_):
        return list(array.cast(pa.string()).to_pylist())
    if pa.types.is_duration(type_):
        return list(array.cast(pa.int64()).to_pylist())
    if pa.types.is_float16(type_):
        array = array.cast(pa.float32())
    if pa.types.is_interval(type_):
        return [v if v is None else list(v) for v in array.to_pylist()]
    return list(array.to_pylist())


def mark_wide(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Notes, on their columns, integers beyond 2**53: they can't share a column with floats."""
    fields = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        paths = sorted(_wide_paths(column, ()))
        fields.append(_with_wide(field, frozenset(paths)) if paths else field)
    if fields == list(batch.schema) and not any(f.metadata and _WIDE in f.metadata for f in fields):
        return batch
    return pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


def unite(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The smallest schema that holds all of these: columns sorted by name, and so are structs.

    null + X is X; integers of two widths are int64, floats float64, both together float64, unless
    an integer is beyond 2**53 or the type is uint64, which joins only itself; text of two kinds is
    string; lists, structs and maps unite recursively; a dictionary is its values' type; all else
    is text holding JSON, and so is the whole column when only a part inside it disagrees. Types
    nested deeper than 32 levels and structs of more than 1,000 fields are text holding JSON.

    Associative and independent of order. Null-only columns stay null until `settle`.
    """
    found: dict[str, tuple[pa.DataType | None, frozenset[_Path]]] = {}
    for schema in schemas:
        for field in schema:
            type_ = None if is_json(field) else field.type
            before, wide = found.get(field.name, (pa.null(), frozenset()))
            wide |= _wide_of(field)
            joined = None
            if before is not None and type_ is not None:
                joined = _join(before, type_, wide, ())
            found[field.name] = joined, wide
    return pa.schema([_field(name, *found[name]) for name in sorted(found)])


def settle(sources: Sequence[pa.Schema]) -> pa.Schema:
    """The schema of the shards, from the united schema of every source in configuration order.

    Columns stand in the order of the first source that has them, by name inside a source. What is
    null in all rows is string; what Parquet can't write (a struct without fields) is text holding
    JSON; a column called `outcross` becomes `outcross_earlier`, and one that is in its way moves
    on in the same manner. What a ledger has noted is left out.
    """
    whole = unite(sources)
    order = list(dict.fromkeys(name for source in sources for name in sorted(source.names)))
    order = [name for name in order if name != LEDGER_COLUMN]
    fields = []
    for name in order:
        field = whole.field(name)
        if not is_json(field):
            type_ = _settled(field.type)
            field = json_field(name) if type_ is None else field.with_type(type_)
        fields.append(field)
    taken = "outcross"
    for _ in order:
        if taken not in order:
            break
        place = order.index(taken)
        metadata = {**(fields[place].metadata or {}), _NAME: taken.encode()}
        taken += "_earlier"
        fields[place] = fields[place].with_name(taken).with_metadata(metadata)
    return pa.schema(fields)


def original_name(field: pa.Field) -> str:
    """What the column of a settled schema is called in the sources."""
    return str((field.metadata or {}).get(_NAME, field.name.encode()).decode())


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with a settled schema: absent columns null, types widened, disagreeing ones JSON.

    Raises:
        ValueError: when the schema lacks a column of the batch, or was not settled from it.
    """
    sources = {original_name(field): field for field in schema}
    if OTHER_KEYS in sources:
        batch = _packed(batch, sources)
    lost = sorted({*batch.schema.names} - {*sources, LEDGER_COLUMN})
    if lost:
        raise ValueError(f"columns {lost} are not in the schema {list(sources)}; settle it again")
    columns = []
    for name, field in sources.items():
        at = batch.schema.get_field_index(name)
        if at < 0:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        marked = is_json(batch.schema.field(at))
        column = batch.column(at)
        if is_json(field) and not marked:
            column = pa.array([canonical(value) for value in plain(column)], pa.string())
        elif marked and not is_json(field):
            raise ValueError(f"column {name!r} holds JSON, the schema says {field.type}")
        columns.append(_cast(column, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _packed(batch: pa.RecordBatch, kept: Mapping[str, pa.Field]) -> pa.RecordBatch:
    """Return the batch with all columns that the schema lacks as members of one object."""
    others = [name for name in batch.schema.names if name not in {*kept, LEDGER_COLUMN}]
    if not others:
        return batch
    rows: list[dict[str, Any]] = [{} for _ in range(batch.num_rows)]
    for name in [OTHER_KEYS, *others]:
        at = batch.schema.get_field_index(name)
        if at < 0:
            continue
        values = plain(batch.column(at))
        if is_json(batch.schema.field(at)):
            values = [None if value is None else json.loads(value) for value in values]
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row.update(value if name == OTHER_KEYS else {name: value})
    field = json_field(OTHER_KEYS)
    fields = [f for f in batch.schema if f.name not in {*others, OTHER_KEYS}]
    columns = [batch.column(f.name) for f in fields]
    packed = pa.array([canonical(row) for row in rows], pa.string())
    return pa.RecordBatch.from_arrays([*columns, packed], schema=pa.schema([*fields, field]))


def unsettled(rows: pa.Table, was: Mapping[str, pa.Field]) -> pa.Table:
    """Rows of a settled schema as their own source had them, as far as nothing is lost by it.

    Args:
        rows: with a settled schema.
        was: by a column's name there, the source's own field.
    """
    columns, fields = [], []
    for name, own in was.items():
        column = rows[name].combine_chunks()
        field = pa.field(own.name, own.type)
        if not is_json(rows.schema.field(name)):
            with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                column = column.cast(own.type)
            field = field.with_type(column.type)
        elif is_json(own) or not _from_json(own.type):
            field = json_field(own.name)
        else:
            values = [None if text is None else json.loads(text) for text in column.to_pylist()]
            column = pa.array(values, own.type)
        columns.append(column)
        fields.append(field)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _from_json(type_: pa.DataType) -> bool:
    """Whether `canonical` and JSON give values of the type back as they were."""
    if pa.types.is_struct(type_):
        return all(_from_json(field.type) for field in type_)
    if _is_list(type_):
        return _from_json(type_.value_type)
    return bool(
        _is_text(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
    )


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        members = ((key, _canonical(member)) for key, member in value.items())
        return {key: member for key, member in members if member is not None}
    if isinstance(value, list):
        return [_canonical(element) for element in value]
    if isinstance(value, float):
        if abs(value) <= EXACT:
            return int(value) if value.is_integer() else value
        return value if abs(value) < float("inf") else None
    return value


def _is_text(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_) or pa.types.is_large_string(type_) or _named(type_, "string_view")
    )


def _is_binary(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_fixed_size_binary(type_)
        or _named(type_, "binary_view")
    )


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def _named(type_: pa.DataType, name: str) -> bool:
    return str(type_) == name


def _as_list(array: pa.Array) -> pa.Array:
    """A map as the list of its entries, without a copy."""
    entry = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    entries = pa.StructArray.from_arrays([array.keys, array.items], fields=list(entry))
    return pa.Array.from_buffers(
        pa.list_(entry), len(array), array.buffers()[:2], offset=array.offset, children=[entries]
    )


def _wide_of(field: pa.Field) -> frozenset[_Path]:
    text = (field.metadata or {}).get(_WIDE)
    return frozenset(tuple(path) for path in json.loads(text)) if text else frozenset()


def _with_wide(field: pa.Field, wide: frozenset[_Path]) -> pa.Field:
    paths = json.dumps(sorted(wide)).encode()
    return field.with_metadata({**(field.metadata or {}), _WIDE: paths})


def _wide_paths(array: pa.Array, path: _Path) -> Iterable[_Path]:
    type_ = array.type
    if pa.types.is_int64(type_) or pa.types.is_uint64(type_):
        ends = pc.min_max(array)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is not None and (low < -EXACT or high > EXACT):
            yield path
    elif pa.types.is_struct(type_):
        for i in range(type_.num_fields):
            yield from _wide_paths(array.field(i), (*path, type_.field(i).name))
    elif pa.types.is_map(type_):
        yield from _wide_paths(array.items, (*path, "{}"))
    elif _is_list(type_):
        yield from _wide_paths(array.flatten(), (*path, "[]"))


def _field(name: str, type_: pa.DataType | None, wide: frozenset[_Path]) -> pa.Field:
    if type_ is None:
        return json_field(name)
    field = pa.field(name, type_)
    return _with_wide(field, wide) if wide else field


def _join(
    a: pa.DataType, b: pa.DataType, wide: frozenset[_Path], path: _Path
) -> pa.DataType | None:
    """The type that holds both, or None when only text does; `wide`: paths of wide integers."""
    if len(path) > MAX_DEPTH:
        return None
    a, b = _bare(a), _bare(b)
    if pa.types.is_null(a):
        a = b
    elif pa.types.is_null(b):
        b = a
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        return _join_structs(a, b, wide, path)
    if pa.types.is_map(a) and pa.types.is_map(b):
        key = _join(a.key_type, b.key_type, wide, (*path, "key"))
        item = _join(a.item_type, b.item_type, wide, (*path, "{}"))
        return None if key is None or item is None else pa.map_(key, item)
    if _is_list(a) and _is_list(b):
        value = _join(a.value_type, b.value_type, wide, (*path, "[]"))
        if value is None:
            return None
        if pa.types.is_large_list(a) and pa.types.is_large_list(b):
            return pa.large_list(value)
        fixed = pa.types.is_fixed_size_list(a) and pa.types.is_fixed_size_list(b)
        if fixed and a.list_size == b.list_size:
            return pa.list_(value, a.list_size)
        return pa.list_(value)
    if a == b:
        return a
    if _is_text(a) and _is_text(b):
        return pa.string()
    if _is_binary(a) and _is_binary(b):
        fixed = pa.types.is_fixed_size_binary(a) or pa.types.is_fixed_size_binary(b)
        return None if fixed else pa.binary()
    if pa.types.is_uint64(a) or pa.types.is_uint64(b):
        return None
    if pa.types.is_integer(a) and pa.types.is_integer(b):
        return pa.int64()
    if pa.types.is_floating(a) and pa.types.is_floating(b):
        return pa.float64()
    numbers = [pa.types.is_integer(t) or pa.types.is_floating(t) for t in (a, b)]
    return pa.float64() if all(numbers) and path not in wide else None


def _join_structs(
    a: pa.DataType, b: pa.DataType, wide: frozenset[_Path], path: _Path
) -> pa.DataType | None:
    sides = [{f.name: f.type for f in struct} for struct in (a, b)]
    names = sorted(set(sides[0]) | set(sides[1]))
    if len(names) > MAX_FIELDS:
        return None
    fields = []
    for name in names:
        left, right = (side.get(name, pa.null()) for side in sides)
        type_ = _join(left, right, wide, (*path, name))
        if type_ is None:
            return None
        fields.append(pa.field(name, type_))
    return pa.struct(fields)


def _bare(type_: pa.DataType) -> pa.DataType:
    """The type without what only says how Arrow holds it."""
    if isinstance(type_, pa.BaseExtensionType):
        return _bare(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return _bare(type_.value_type)
    if _named(type_, "string_view"):
        return pa.string()
    if _named(type_, "binary_view"):
        return pa.binary()
    return type_


def _settled(type_: pa.DataType) -> pa.DataType | None:
    if pa.types.is_null(type_):
        return pa.string()
    if pa.types.is_struct(type_):
        types = [_settled(field.type) for field in type_]
        if not types or any(t is None for t in types):
            return None
        return pa.struct([f.with_type(t) for f, t in zip(type_, types, strict=True)])
    if pa.types.is_map(type_):
        key, item = _settled(type_.key_type), _settled(type_.item_type)
        return None if key is None or item is None else pa.map_(key, item)
    if _is_list(type_):
        value = _settled(type_.value_type)
        if value is None:
            return None
        if pa.types.is_fixed_size_list(type_):
            return pa.list_(value, type_.list_size)
        return pa.large_list(value) if pa.types.is_large_list(type_) else pa.list_(value)
    return type_


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    """The array as a type that `unite` made of its own: structs gain fields at any depth."""
    type_ = array.type
    if isinstance(type_, pa.BaseExtensionType):
        return _cast(array.storage, target)
    if type_ == target:
        return array
    if pa.types.is_dictionary(type_):
        return _cast(array.dictionary_decode(), target)
    if pa.types.is_struct(target) and pa.types.is_struct(type_):
        children = []
        for field in target:
            at = type_.get_field_index(field.name)
            children.append(
                pa.nulls(len(array), field.type) if at < 0 else _cast(array.field(at), field.type)
            )
        return pa.StructArray.from_arrays(children, fields=list(target), mask=array.is_null())
    if pa.types.is_map(target) and pa.types.is_map(type_):
        entry = pa.struct([target.key_field, target.item_field])
        children = [_cast(array.keys, target.key_type), _cast(array.items, target.item_type)]
        entries = pa.StructArray.from_arrays(children, fields=list(entry))
        return pa.Array.from_buffers(
            target, len(array), array.buffers()[:2], offset=array.offset, children=[entries]
        )
    if _is_list(target) and _is_list(type_):
        if type_.id != target.id:
            array = array.cast(pa.list_(type_.value_type))
        kept = 1 if pa.types.is_fixed_size_list(target) else 2
        return pa.Array.from_buffers(
            target,
            len(array),
            array.buffers()[:kept],
            offset=array.offset,
            children=[_cast(array.values, target.value_type)],
        )
    return array.cast(target)
