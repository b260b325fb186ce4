"""Removed rows of a run as a file of their own schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from outcross.pipeline.commands.explain import run_config
from outcross.pipeline.engine.artifacts import MANIFEST, read_manifest, work_folder
from outcross.pipeline.engine.locks import another_place, check_writable
from outcross.pipeline.stages.sketched import saved_units
from outcross.schemas.columns import is_json, original_name, plain, settle, unite, unsettled
from outcross.schemas.config import Config
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import STAGES
from outcross.transforms.sketches.store import UnitReport

_FILTERS = ("stage", "rule", "source")


@dataclass(frozen=True)
class Restored:
    """Result of `restore`.

    Attributes:
        file: path of the file; None where no row matches the filters.
        rows: number of its rows.
    """

    file: str | None
    rows: int


def restore(out: str, path: str, filters: Mapping[str, str]) -> Restored:
    """Write removed rows back as their sources had them, shard by shard.

    Columns have the names and types of the sources whose rows are written. Where types differ,
    the column has the narrowest common type, as in data/.

    Args:
        out: output directory of a run or a deduplication.
        path: path of the file, `.parquet` or `.jsonl`; it must not exist yet.
        filters: values of `stage`, `rule` and `source` that a row must have; empty for all rows.

    Raises:
        ConfigError: when there is no run or no work of it, or the file can't be written.
    """
    config = run_config(out, "restore")
    if not path.endswith((".parquet", ".jsonl")):
        raise ConfigError(f"output: {path} is neither .parquet nor .jsonl; name such a file")
    if files.exists(path):
        raise ConfigError(f"output: {path} exists already; choose another file, or delete it")
    check_writable("output", files.absolute_path(path).rpartition("/")[0])
    _check_filters(config, filters)
    shards = files.list_files(files.join(out, "removed", "*.parquet"))
    chosen = _chosen_sources(shards, filters)
    if not chosen:
        return Restored(None, 0)
    schema = unite(_schemas(out, config, chosen))
    rows = 0

    def write(sink: BinaryIO) -> None:
        nonlocal rows
        tables = (_restored(part, schema) for part in _removed(shards, filters))
        rows = (_write_jsonl if path.endswith(".jsonl") else _write_parquet)(sink, tables)

    with another_place("output"):
        files.write_whole(path, write)
    return Restored(path, rows)


def _check_filters(config: Config, filters: Mapping[str, str]) -> None:
    known = {
        "stage": list(STAGES.values()),
        "source": [source.name for source in config.sources],
    }
    for name, values in known.items():
        if name in filters and filters[name] not in values:
            raise ConfigError(
                f"{name}: found {filters[name]!r}; there are {', '.join(map(repr, values))}"
            )


def _mask(table: pa.Table, filters: Mapping[str, str]) -> Any:
    """Return bool[n], rows that match the filters; a scalar without filters."""
    mask: Any = pa.scalar(True)
    for name, value in filters.items():
        mask = pc.and_(mask, pc.equal(table[name], value))
    return mask


def _chosen_sources(shards: list[str], filters: Mapping[str, str]) -> set[str]:
    """Return the names of the sources with rows to write."""
    names: set[str] = set()
    for path in shards:
        table = files.read_table(path, _FILTERS)
        if filters:
            table = table.filter(_mask(table, filters))
        names |= set(table["source"].unique().to_pylist())
    return names


def _schemas(out: str, config: Config, chosen: set[str]) -> Iterator[pa.Schema]:
    """Yield the schemas of the chosen sources' rows, as they were read.

    Raises:
        ConfigError: when the work with the schemas is gone.
    """
    folder = work_folder(out, read_manifest(out) or {}, "sketch")
    path = files.join(folder, MANIFEST)
    if not files.exists(path):
        raise ConfigError(
            f"restore: {path} is gone, which has the columns' types; run again with the "
            "configuration in manifest.json to make it anew"
        )
    for unit in saved_units(folder):
        report = UnitReport.load(files.join(folder, "units"), unit.index)
        if config.sources[unit.source].name in chosen and report.rows:
            yield report.arrow_schema()


def _removed(shards: list[str], filters: Mapping[str, str]) -> Iterator[pa.Table]:
    """Yield the removed rows that match the filters, a row group at a time."""
    for path in shards:
        for table in files.row_groups(path, [*_FILTERS, "row"]):
            chosen = table.filter(_mask(table, filters)) if filters else table
            if len(chosen):
                row = chosen["row"].combine_chunks()
                fields = pa.schema(list(row.type))
                yield pa.Table.from_arrays(row.flatten(), schema=fields)


def _restored(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the names and types that their sources have.

    Args:
        rows: rows of removed/.
        schema: united schema of the sources.
    """
    originals = {
        original_name(field): field.with_name(original_name(field)) for field in settle([schema])
    }
    names = {field.name: original_name(field) for field in rows.schema}
    return unsettled(
        rows,
        {name: originals[column] for name, column in names.items() if column in originals},
    )


def _write_parquet(sink: BinaryIO, tables: Iterator[pa.Table]) -> int:
    rows, first = 0, next(tables)
    with files.parquet_writer(sink, first.schema) as writer:
        for table in _after(first, tables):
            writer.write_table(table)
            rows += len(table)
    return rows


def _write_jsonl(sink: BinaryIO, tables: Iterator[pa.Table]) -> int:
    """Write a row per line, without nulls: in a column of all sources, absent is null as well."""
    rows = 0
    for table in tables:
        columns = {
            field.name: _values(column.combine_chunks(), is_json(field))
            for field, column in zip(table.schema, table.columns, strict=True)
        }
        for values in zip(*columns.values(), strict=True):
            pairs = zip(columns, values, strict=True)
            row = {name: value for name, value in pairs if value is not None}
            sink.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
        rows += len(table)
    return rows


def _values(column: pa.Array, holds_json: bool) -> list[Any]:
    """Return a column's values as JSON has them, without members that are null."""
    values = plain(column)
    if holds_json:
        return [None if text is None else json.loads(text) for text in values]
    return [_bare(value) for value in values]


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(member) for key, member in value.items() if member is not None}
    return [_bare(element) for element in value] if isinstance(value, list) else value


def _after(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest
