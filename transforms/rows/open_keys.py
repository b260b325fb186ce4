"""Rows with an open set of keys: keys that some rows lack are packed into one column of JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pyarrow as pa

from outcross.schemas.columns import OTHER_KEYS, json_field
from outcross.schemas.sources import Source
from outcross.schemas.supertypes import MAX_FIELDS
from outcross.schemas.text_field import paths_of


def named_columns(source: Source) -> list[str]:
    """Return the columns and dotted paths named in a source's configuration."""
    fields = {name: value for name, value in source if name.endswith("_field")}
    text = paths_of(fields.pop("text_field"))
    return [*text, *(value for value in fields.values() if value is not None), *source.where]


def is_named(column: str, paths: Collection[str]) -> bool:
    """Return whether one of some dotted paths may lead into a column."""
    return any(f"{path}.".startswith(f"{column}.") for path in paths)


def is_open(names: Collection[str]) -> bool:
    """Return whether columns are too many for a schema, or the packed column is among them."""
    return len(names) > MAX_FIELDS or OTHER_KEYS in names


def pack_objects(objects: list[dict[str, Any]], paths: Collection[str]) -> list[dict[str, Any]]:
    """Return rows with their common and named keys, and all other keys packed into one.

    Args:
        objects: rows with many keys.
        paths: columns and dotted paths named in a configuration.
    """
    kept = set(objects[0]).intersection(*objects) - {OTHER_KEYS}
    kept |= {name for name in set().union(*objects) if is_named(name, paths)}
    rows = []
    for row in objects:
        rest = {name: value for name, value in row.items() if name not in kept}
        rows.append({name: row[name] for name in row if name in kept} | {OTHER_KEYS: rest})
    return rows


def narrow_schema(
    schema: pa.Schema, everywhere: Iterable[str], paths: Collection[str]
) -> pa.Schema:
    """Return the schema of a source with open keys: common and named columns, and the packed one.

    Args:
        schema: schema of all rows.
        everywhere: columns with a value in each row.
        paths: columns and dotted paths named in the configuration.
    """
    kept = set(everywhere) - {OTHER_KEYS}
    fields = [field for field in schema if field.name in kept or is_named(field.name, paths)]
    return pa.schema([*fields, json_field(OTHER_KEYS)])
