"""Rows whose keys are an open set: what not every row has becomes one column of JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pyarrow as pa

from outcross.schemas.columns import OTHER_KEYS, json_field
from outcross.schemas.sources import Source
from outcross.schemas.supertypes import MAX_FIELDS
from outcross.schemas.text_field import paths_of


def named_columns(source: Source) -> list[str]:
    """Return the columns and dotted paths that a source's configuration names."""
    fields = {name: value for name, value in source if name.endswith("_field")}
    text = paths_of(fields.pop("text_field"))
    return [*text, *(value for value in fields.values() if value is not None), *source.where]


def is_named(column: str, paths: Collection[str]) -> bool:
    """Return whether one of the paths leads into a column."""
    return any(f"{path}.".startswith(f"{column}.") for path in paths)


def is_open(names: Collection[str]) -> bool:
    """Return whether columns are too many to be a schema, or some have been packed already."""
    return len(names) > MAX_FIELDS or OTHER_KEYS in names


def packed_objects(objects: list[dict[str, Any]], paths: Collection[str]) -> list[dict[str, Any]]:
    """Return rows with the keys that all of them have, or that are named, and the rest as one.

    Args:
        objects: rows of many keys.
        paths: that a configuration names.
    """
    kept = set(objects[0]).intersection(*objects) - {OTHER_KEYS}
    kept |= {name for name in set().union(*objects) if is_named(name, paths)}
    rows = []
    for row in objects:
        rest = {name: value for name, value in row.items() if name not in kept}
        rows.append({name: row[name] for name in row if name in kept} | {OTHER_KEYS: rest})
    return rows


def narrowed(schema: pa.Schema, everywhere: Iterable[str], paths: Collection[str]) -> pa.Schema:
    """Return the schema of an open source: what each row has or is named, and one column more.

    Args:
        schema: of all its rows.
        everywhere: columns with a value in each row.
        paths: that the configuration names.
    """
    kept = set(everywhere) - {OTHER_KEYS}
    fields = [field for field in schema if field.name in kept or is_named(field.name, paths)]
    return pa.schema([*fields, json_field(OTHER_KEYS)])
