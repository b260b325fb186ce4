"""Every value of random Arrow schemas stands in the shards, and four readers see it there."""

from __future__ import annotations

import math
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.schemas.columns import canonical, conform, is_json, plain, settle, unite
from outcross.schemas.sources import Source
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.writing.shards import ShardSet, write_shard

ROWS, COLUMNS = 40, 24

WHOLE = [pa.int8(), pa.int32(), pa.uint8(), pa.uint32(), pa.int64(), pa.uint64()]
FAMILIES = [
    WHOLE,
    [*WHOLE[:4], pa.float16(), pa.float32(), pa.float64()],
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(3)],
    [pa.timestamp(unit) for unit in ("ms", "us", "ns")],  # Parquet has no seconds
    [pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC")],
    [pa.duration("ms"), pa.duration("us")],
    [pa.date32(), pa.date64()],
    [pa.time32("ms"), pa.time64("us")],
    [pa.decimal128(5, 2), pa.decimal128(12, 4), pa.decimal32(6, 1)],
    [pa.bool_()],
    [pa.uuid()],
    [pa.null()],
]


def random_type(draw, family, depth=0):
    """Draw a type of a family, or one that nests it."""
    choice = draw.random()
    if depth == 2 or choice < 0.45:
        return draw.choice(family)
    # Arrow can't write views inside lists.
    inner = [t for t in family if "view" not in str(t)]
    if choice < 0.6:
        return pa.struct(
            [
                (name, random_type(draw, inner, depth + 1))
                for name in draw.sample("abc", draw.randint(1, 3))
            ]
        )
    if choice < 0.7:
        return pa.list_(random_type(draw, inner, depth + 1))
    if choice < 0.75:
        return pa.large_list(random_type(draw, inner, depth + 1))
    if choice < 0.9:
        return pa.list_(random_type(draw, inner, depth + 1), draw.choice([1, 2, 2, 3]))
    if choice < 0.95 and depth == 0 and inner[0] != pa.uuid():
        return pa.list_view(draw.choice(inner))
    return pa.map_(pa.string(), random_type(draw, inner, depth + 1))


def random_value(draw, type_, nulls):
    """Draw a value of a type, as `pa.array` takes it."""
    if pa.types.is_null(type_) or draw.random() < nulls:
        return None
    if isinstance(type_, pa.BaseExtensionType):
        return draw.randbytes(16)
    if pa.types.is_dictionary(type_):
        return random_value(draw, type_.value_type, 0)
    if pa.types.is_struct(type_):
        return {f.name: random_value(draw, f.type, nulls) for f in type_}
    if pa.types.is_map(type_):
        keys = draw.sample("xyz", draw.randint(0, 3))
        return [(key, random_value(draw, type_.item_type, nulls)) for key in keys]
    if pa.types.is_nested(type_):
        fixed = pa.types.is_fixed_size_list(type_)
        size = type_.list_size if fixed else draw.randint(0, 3)
        return [random_value(draw, type_.value_type, nulls) for _ in range(size)]
    if pa.types.is_boolean(type_):
        return draw.random() < 0.5
    if pa.types.is_integer(type_):
        bits = draw.randint(1, type_.bit_width - 1)
        return draw.randrange(2**bits) * (1 if str(type_)[0] == "u" else draw.choice([1, -1]))
    if pa.types.is_floating(type_):
        return draw.choice([0.5, 1.0, -2.25, float("nan"), float("inf"), -0.0])
    if pa.types.is_decimal(type_):
        return Decimal(draw.randint(-9999, 9999)).scaleb(-type_.scale)
    if pa.types.is_fixed_size_binary(type_):
        return draw.randbytes(type_.byte_width)
    if "binary" in str(type_):
        return draw.randbytes(draw.randint(0, 4))
    least = 1700 if type_ == pa.timestamp("ns") else 1000
    moment = datetime(draw.randint(least, 2200), 3, 4, 5, 6, draw.randint(0, 59))
    if pa.types.is_timestamp(type_):
        return moment if type_.tz is None else moment.replace(tzinfo=timezone.utc)
    if pa.types.is_date(type_):
        return moment.date()
    if pa.types.is_time(type_):
        return moment.time()
    if pa.types.is_duration(type_):
        return timedelta(milliseconds=draw.randint(-(10**9), 10**9))
    return "".join(draw.choices('aé😀\n"{ ', k=draw.randint(0, 5)))


def stored(type_):
    """Return the type with storage for its UUIDs, which `pa.array` can't make at every depth."""
    if pa.types.is_struct(type_):
        return pa.struct([(f.name, stored(f.type)) for f in type_])
    if pa.types.is_map(type_):
        return pa.map_(pa.string(), stored(type_.item_type))
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(stored(type_.value_type), type_.list_size)
    if pa.types.is_list(type_):
        return pa.list_(stored(type_.value_type))
    if pa.types.is_large_list(type_):
        return pa.large_list(stored(type_.value_type))
    return pa.binary(16) if isinstance(type_, pa.BaseExtensionType) else type_


def random_tables(seed):
    """Two tables of columns whose types are the same, of one family, or have nothing in common."""
    draw = random.Random(seed)
    tables = [{"id": [f"{side}{row}" for row in range(ROWS)]} for side in "ab"]
    for number in range(COLUMNS):
        family = draw.choice(FAMILIES)
        first = random_type(draw, family)
        second = draw.choice(
            [
                first,
                first,
                random_type(draw, family),
                random_type(draw, draw.choice(FAMILIES)),
                None,
            ]
        )
        for table, type_ in zip(tables, (first, second), strict=True):
            if type_ is not None:
                nulls = draw.choice([0, 0, 0.2])
                values = [random_value(draw, type_, nulls) for _ in range(ROWS)]
                array = pa.array(values, stored(type_))
                table[f"c{number}"] = array if array.type == type_ else array.cast(type_)
    for table in tables:
        table["text"] = [f"text {row}" for row in range(ROWS)]
    return [pa.table(table) for table in tables]


@dataclass
class AsRead:
    """Layout of the users' columns alone."""

    union: pa.Schema
    name: str = "train"
    measured = ("id",)

    @property
    def schema(self):
        return self.union

    def measure(self, columns):
        return columns.num_rows


def written(folder, tables):
    """Write a shard with the rows of these tables, each a source, and return its path."""
    blocks, united = [], []
    for number, table in enumerate(tables):
        path = folder / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=25)
        source = Source(name="s", role="human", files=[str(path)], id_field="id")
        source_blocks = [
            b for u in plan_units([source]) for b in read_unit(u, source, batch_bytes=2000)
        ]
        assert not [reject for block in source_blocks for reject in block.rejects]
        united.append(unite(block.batch.schema for block in source_blocks))
        blocks += source_blocks
    union = settle(united)
    groups = [pa.Table.from_batches([conform(block.batch, union)]) for block in blocks]
    (folder / "data").mkdir()
    shards = ShardSet(AsRead(union), str(folder / "data"), str(folder), [0], 1, ROWS)
    write_shard(shards, [(rows, rows) for rows in groups], 0)
    return folder / "data" / "train-00000-of-00001.parquet", union


def by_pyarrow(path):
    return pq.read_table(path)


def by_duckdb(path):
    return duckdb.sql(f"set timezone = 'UTC'; from '{path}'").to_arrow_table()


def by_polars(path):
    return polars.read_parquet(path).to_arrow()


def by_datasets(path):
    import datasets

    cache = str(path.parent.parent / "cache")
    return datasets.Dataset.from_parquet(str(path), cache_dir=cache).data.table


def known_to_datasets(field):
    """Return whether `datasets` has a name for a type; it reads no file that has another."""
    import datasets

    try:
        datasets.Features.from_arrow_schema(pa.schema([field]))
    except ValueError:
        assert holds_uuids(field.type) or "map<" in str(field.type), field
        return False
    return True


def comparable(value, uuids=False):
    """Return a value that equals the one of another reader; `uuids`: bytes are UUIDs."""
    if isinstance(value, dict):
        return {k: comparable(v, uuids) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [comparable(element, uuids) for element in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    if uuids and isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    if isinstance(value, float) and math.isnan(value):
        return "not a number"
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc)
    return value


def holds_uuids(type_):
    return "arrow.uuid" in str(type_)


def expected(tables, field):
    for table in tables:
        if field.name not in table.column_names:
            yield from [None] * ROWS
        elif is_json(field):
            yield from map(canonical, plain(table[field.name].combine_chunks()))
        else:
            yield from map(comparable, table[field.name].to_pylist())


@pytest.mark.parametrize("seed", range(8))
def test_every_value_stands_in_the_shards(tmp_path, monkeypatch, seed):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tables = random_tables(seed)
    path, union = written(tmp_path, tables)
    wanted = {field.name: list(expected(tables, field)) for field in union}
    assert sum(is_json(field) for field in union) < 0.7 * COLUMNS
    known = {field.name for field in union if known_to_datasets(field)}
    assert len(known) > COLUMNS // 2
    (tmp_path / "known").mkdir()
    chosen = [t.select([name for name in t.column_names if name in known]) for t in tables]
    path_of_known, _ = written(tmp_path / "known", chosen)
    for read in (by_pyarrow, by_duckdb, by_polars, by_datasets):
        table = read(path_of_known if read is by_datasets else path)
        assert {*table.column_names} == (known if read is by_datasets else {*union.names})
        for name in table.column_names:
            column = table[name].combine_chunks()
            uuids = holds_uuids(union.field(name).type)
            if not uuids:  # which are text for DuckDB
                column = column.cast(union.field(name).type)
            values = [comparable(value, uuids) for value in column.to_pylist()]
            assert values == wanted[name], (read, name, union.field(name))
