"""Union of the sources' columns, and conversion of batches to it.

`unite` is a join in a lattice (null < int < float, narrow < wide, everything < text holding
JSON). Its result depends neither on the order of the schemas nor on how a source's rows were
split into files and blocks.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outcross.schemas.supertypes import (
    EXACT,
    Limits,
    bare,
    cast,
    has_empty_struct,
    is_binary,
    is_list,
    is_text,
    is_uuid,
    join,
    limits_of,
    settled,
)

OTHER_KEYS = "outcross_keys"  # text holding JSON, of keys that not every row of a source has
LEDGER_COLUMN = "outcross_ledger"  # column that a ledger adds to the columns of a row

_MARK, _LIMITS, _NAME, _ORDER = (
    b"outcross" + name for name in (b"", b".limits", b".name", b".order")
)
_JSON = {_MARK: b"json"}


def json_field(name: str) -> pa.Field:
    """Return the field of a column whose type differs between rows: text holding JSON."""
    return pa.field(name, pa.string(), metadata=_JSON)


def is_json(field: pa.Field) -> bool:
    """Return whether a column is marked as text holding JSON."""
    return (field.metadata or {}).get(_MARK) == b"json"


def canonical(value: Any) -> str | None:
    """Return a value as JSON text that does not depend on the block that held the value.

    Keys are sorted. Members that are null are left out, because a struct can't tell them from
    absent ones. Floats without a fraction up to 2**53 are written as integers, because a column of
    both is float64. NaN and infinities, which JSON lacks, are NaN, Infinity and -Infinity, as in
    Python's json. None stays None.
    """
    if value is None:
        return None
    return json.dumps(_canonical(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def plain(array: pa.Array) -> list[Any]:
    """Return an array's values as JSON: bytes as base64, times as ISO, decimals as strings.

    A map with string keys is an object, one with other keys a list of pairs. A UUID is text in its
    usual form.
    """
    type_ = array.type
    if is_uuid(type_):
        return [v and str(uuid.UUID(bytes=v)) for v in array.storage.to_pylist()]
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
        entry = pa.struct([("key", type_.key_type), ("value", type_.item_type)])
        rows = plain(array.cast(pa.list_(entry)))
        if is_text(type_.key_type):
            objects = (row and [(e["key"], e["value"]) for e in row] for row in rows)
            return [None if pairs is None else dict(pairs) for pairs in objects]
        return [row and [[e["key"], e["value"]] for e in row] for row in rows]
    if is_list(bare(type_)):
        values = plain(array.flatten())
        lengths = pc.list_value_length(array).to_pylist()
        rows, at = [], 0
        for length in lengths:
            rows.append(None if length is None else values[at : at + length])
            at += length or 0
        return rows
    if is_binary(bare(type_)):
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


def ordered(batch: pa.RecordBatch, weight: Sequence[int], names: Sequence[str]) -> pa.RecordBatch:
    """Return the batch with the given columns first, in their order, and all others by name.

    Args:
        batch: n rows.
        weight: weight of the order; `unite` takes the heaviest order.
        names: names of columns, in the order of the row that the order comes from.
    """
    present = set(batch.schema.names)
    first = [name for name in names if name in present]
    rest = sorted(present - {*first})
    note = json.dumps([list(weight), first]).encode()
    return batch.select([*first, *rest]).replace_schema_metadata({_ORDER: note})


def mark_wide(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with a note on each column of the wider types that can't hold its values.

    Floats hold integers up to 2**53, int64 up to 2**63 - 1, and fine units of time short spans.
    """
    fields = [
        _with_limits(field.remove_metadata(), limits, field.metadata)
        if (limits := frozenset(limits_of(column, ())))
        else field
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(
        batch.columns, schema=pa.schema(fields, batch.schema.metadata)
    )


def unite(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the smallest schema that holds all of the schemas.

    null + X is X; integers of two widths are int64, floats float64, both together float64, unless
    a value doesn't fit; times of two units have the finer one, unless a value doesn't fit;
    decimals of two widths are as wide as both need, up to 38 digits; text of two kinds is string,
    bytes of two kinds binary; lists, structs and maps unite recursively; a list of fixed size that
    may be null is a list; all else is text holding JSON, and so is the whole column if only a
    part inside it disagrees. Types nested deeper than 32 levels and structs of more than 1,000
    fields are text holding JSON.

    Columns stand in the heaviest order that is noted (see `ordered`), others follow by name.
    Members of structs stand by name. A schema without columns stands for no rows.

    The result is associative and independent of order. Columns of nulls stay null until `settle`.
    """
    schemas = [schema for schema in schemas if schema.names]
    order = max((_order(schema) for schema in schemas), default=([], []))
    present = {name for schema in schemas for name in schema.names}
    fields = []
    for name in dict.fromkeys([*order[1], *sorted(present)]):
        places = [(schema, schema.get_field_index(name)) for schema in schemas]
        fields.append(_united(name, [s.field(at) if at >= 0 else None for s, at in places]))
    return pa.schema(fields, {_ORDER: json.dumps(order).encode()} if fields else None)


def settle(sources: Sequence[pa.Schema]) -> pa.Schema:
    """Return the schema of the shards, from the united schema of each source.

    Columns stand in the order of the first source that has them. A column that is null in all rows
    is string. A column that Parquet can't write (a struct without fields) is text holding JSON. A
    column called `outcross` becomes `outcross_earlier`, and so on if that name is taken as well.
    The column of a ledger's notes is left out.

    Args:
        sources: united schemas of the sources, in the order of the configuration.
    """
    union = unite(sources)
    order = list(dict.fromkeys(name for source in sources for name in source.names))
    order = [name for name in order if name != LEDGER_COLUMN]
    fields = []
    for name in order:
        field = union.field(name)
        if not is_json(field):
            writable = not has_empty_struct(field.type)
            field = field.with_type(settled(field.type)) if writable else json_field(name)
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
    """Return the name that a column of a settled schema has in the sources."""
    return str((field.metadata or {}).get(_NAME, field.name.encode()).decode())


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Convert the batch to a settled schema: absent columns become null, and types are widened.

    Values of types that disagree become text holding JSON.

    Raises:
        ValueError: if the schema lacks a column of the batch, or was not settled from it.
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
        columns.append(cast(column, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _packed(batch: pa.RecordBatch, kept: Mapping[str, pa.Field]) -> pa.RecordBatch:
    """Return the batch with all columns that the schema lacks as members of one object."""
    extra = [name for name in batch.schema.names if name not in {*kept, LEDGER_COLUMN}]
    if not extra:
        return batch
    rows: list[dict[str, Any]] = [{} for _ in range(batch.num_rows)]
    for name in [OTHER_KEYS, *extra]:
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
    fields = [f for f in batch.schema if f.name not in {*extra, OTHER_KEYS}]
    columns = [batch.column(f.name) for f in fields]
    packed = pa.array([canonical(row) for row in rows], pa.string())
    return pa.RecordBatch.from_arrays([*columns, packed], schema=pa.schema([*fields, field]))


def unsettled(rows: pa.Table, was: Mapping[str, pa.Field]) -> pa.Table:
    """Convert rows of a settled schema back to their source's own schema, where nothing is lost.

    Args:
        rows: rows with a settled schema.
        was: the source's own fields, by the column's name in the settled schema.
    """
    columns, fields = [], []
    for name, origin in was.items():
        column = rows[name].combine_chunks()
        field = pa.field(origin.name, origin.type)
        if not is_json(rows.schema.field(name)):
            with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
                column = cast(column, origin.type)
            field = field.with_type(column.type)
        elif is_json(origin) or not _from_json(origin.type):
            field = json_field(origin.name)
        else:
            values = [None if text is None else json.loads(text) for text in column.to_pylist()]
            column = pa.array(values, origin.type)
        columns.append(column)
        fields.append(field)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _from_json(type_: pa.DataType) -> bool:
    """Return whether `canonical` followed by JSON parsing restores values of the type."""
    if pa.types.is_struct(type_):
        return all(_from_json(field.type) for field in type_)
    if is_list(type_):
        return _from_json(type_.value_type)
    return bool(
        is_text(type_)
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
    if isinstance(value, float) and abs(value) <= EXACT and value.is_integer():
        return int(value)
    return value


def _order(schema: pa.Schema) -> tuple[list[int], list[str]]:
    note = (schema.metadata or {}).get(_ORDER)
    weight, names = ([], list(schema.names)) if note is None else json.loads(note)
    return weight, names


def _noted(field: pa.Field) -> Limits:
    text = (field.metadata or {}).get(_LIMITS)
    return frozenset(tuple(path) for path in json.loads(text)) if text else frozenset()


def _with_limits(field: pa.Field, limits: Limits, metadata: Any = None) -> pa.Field:
    paths = json.dumps(sorted(limits)).encode()
    return field.with_metadata({**(metadata or {}), _LIMITS: paths})


def _united(name: str, fields: Sequence[pa.Field | None]) -> pa.Field:
    """Return the column that holds all of these; None stands for a column of nulls."""
    limits = frozenset(path for f in fields if f is not None for path in _noted(f))
    types = [pa.null() if f is None else None if is_json(f) else bare(f.type) for f in fields]
    type_ = reduce(lambda a, b: join(a, b, limits, ()), types, types[0])
    if type_ is None:
        return json_field(name)
    return _with_limits(pa.field(name, type_), limits) if limits else pa.field(name, type_)
