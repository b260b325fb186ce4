"""Packed tables come back the same, from memory and from files, in no more memory than due."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.exchange import packing
from outcross.transforms.exchange.packing import Packed, Packer, unpack

ROWS = st.lists(
    st.fixed_dictionaries({"id": st.none() | st.text(), "words": st.binary()}), max_size=5
)
SCHEMA = pa.schema([("id", pa.string()), ("words", pa.large_binary())])
MANY = 1 << 16


def packed(tables: list[pa.Table], folder: str | None) -> list[Packed]:
    with Packer(folder, "rows") as packer:
        return [packer.pack(table) for table in tables]


@given(st.lists(ROWS, min_size=1, max_size=6), st.sampled_from([0, 1, 20, 200]), st.booleans())
def test_tables_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[list[dict[str, Any]]],
    limit: int,
    spilled: bool,
) -> None:
    tables = [pa.Table.from_pylist(rows, SCHEMA) for rows in drawn]
    folder = str(tmp_path_factory.mktemp("spill")) if spilled else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "IN_MEMORY", limit)
        joined = unpack(packed(tables, folder))
    joined.validate(full=True)
    assert joined.equals(pa.concat_tables(tables))


def numbered(part: int) -> pa.Table:
    return pa.table({"number": np.arange(part, part + MANY)})


@pytest.mark.parametrize("parts_in_memory", [1, 3, 8])
def test_bytes_beyond_the_limit_take_no_memory(
    monkeypatch: pytest.MonkeyPatch, parts_in_memory: int
) -> None:
    size = 8 * MANY
    monkeypatch.setattr(packing, "IN_MEMORY", size * parts_in_memory - 1)
    parts = packed([numbered(part) for part in range(8)], None)
    before = pa.total_allocated_bytes()
    joined = unpack(parts)
    assert pa.total_allocated_bytes() - before <= size * (parts_in_memory + 0.5)
    assert joined.equals(pa.concat_tables([numbered(part) for part in range(8)]))
    del joined
    assert pa.total_allocated_bytes() <= before


@pytest.mark.parametrize("limit", [0, 1 << 40])
def test_parts_are_let_go_one_by_one(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY", limit)
    noise = pa.table({"number": np.random.default_rng(0).integers(0, 1 << 60, MANY)})
    (part,) = packed([noise], None)
    assert isinstance(part, bytes)
    tracemalloc.start()
    try:
        joined = unpack(bytes(bytearray(part)) for _ in range(16))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert joined.num_rows == 16 * MANY
    assert peak < 5 * len(part)
