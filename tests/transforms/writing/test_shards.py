"""Shards: their names, numbers, reports and row groups, and that they can be read back."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.transforms.writing.shards import (
    ShardSet,
    count_shards,
    is_shard,
    read_back,
    shard_name,
    shard_of,
    write_shard,
)
from tests.support.layouts import ByNumber

UNION = pa.schema([("number", pa.int64()), ("text", pa.string())])


def test_shards_without_rows(tmp_path):
    layout = ByNumber(UNION, [])
    shard_set = ShardSet(layout, str(tmp_path), str(tmp_path), [0], 1, 1)
    write_shard(shard_set, [layout.no_rows()], 0)
    table = pq.read_table(tmp_path / shard_name("part", 0, 1))
    assert table.num_rows == 0
    assert table.schema.remove_metadata().equals(layout.schema.remove_metadata())
    assert json.loads((tmp_path / "shard-00000.json").read_text())["rows"] == 0
    assert pq.read_metadata(tmp_path / shard_name("part", 0, 1)).num_row_groups == 0


def test_a_shard_has_a_page_index(tmp_path):
    layout = ByNumber(UNION, [])
    shard_set = ShardSet(layout, str(tmp_path), str(tmp_path), [0], 1, 2)
    rows = pa.Table.from_pylist(
        [{"number": n, "text": "t"} for n in range(2)], schema=layout.schema
    )
    write_shard(shard_set, [(rows, pa.table({"copy": [1, 1], "number": [0, 1]}))], 0)
    group = pq.read_metadata(tmp_path / shard_name("part", 0, 1)).row_group(0)
    for at in range(group.num_columns):
        assert group.column(at).has_offset_index
        assert group.column(at).has_column_index


def test_readers_take_a_shard_without_rows_beside_others(tmp_path, monkeypatch):
    """Load with `datasets`, which fails on a row group without rows."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    layout = ByNumber(UNION, [])
    (tmp_path / "data").mkdir()
    shards = ShardSet(layout, str(tmp_path / "data"), str(tmp_path), [0, 1], 2, 1)
    write_shard(shards, [layout.no_rows()], 0)
    rows = pa.Table.from_pylist([{"number": 1, "text": "t"}], schema=layout.schema)
    write_shard(shards, [(rows, pa.table({"copy": [1], "number": [1]}))], 1)
    loaded = datasets.load_dataset(
        "parquet", data_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "cache")
    )
    assert loaded["train"].num_rows == pq.read_table(tmp_path / "data").num_rows == 1


def test_a_shard_that_does_not_read_back_stops_the_run_with_its_name(tmp_path):
    null = pa.table({"c": pa.array([[1, 2], None], pa.list_(pa.int8(), 2))})
    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(null, path)
    with pytest.raises(OSError, match=r"train-00000-of-00001.parquet was written, but can't be"):
        read_back(str(path), 2)
    pq.write_table(pa.table({"c": [1, 2]}), path)
    read_back(str(path), 2)
    with pytest.raises(OSError, match="holds 2 rows, 3 were written"):
        read_back(str(path), 3)
    data = bytearray(path.read_bytes())
    data[20:40] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(OSError, match=r"train-00000-of-00001.parquet was written"):
        read_back(str(path), 2)


def test_shards_are_known_by_their_names():
    assert is_shard("out/data/train-00003-of-00016.parquet", "train")
    for other in ("train-3-of-16.parquet", "train-00003-of-00016.parquet.bak", "mine.parquet"):
        assert not is_shard(f"out/data/{other}", "train")
    assert not is_shard("out/removed/train-00003-of-00016.parquet", "removed")


def test_shards_are_counted_by_size():
    assert [count_shards(size << 20, 8) for size in (0, 1, 8, 9, 16, 17)] == [1, 1, 1, 2, 2, 3]
    assert count_shards((8 << 20) + 1, 8) == 2
    # Never more than rows: six books of three megabytes each.
    assert [count_shards(18 << 20, 1, rows) for rows in (0, 1, 6, 100)] == [1, 1, 6, 18]
    assert [count_shards(size << 20, 256) for size in (32, 33, 200, 512, 4096, 4097)] == [
        *(1, 2, 7, 16),
        *(16, 17),
    ]


def test_a_hash_deals_every_appearance_to_one_shard():
    rng = np.random.default_rng(0)
    hi, lo = rng.integers(0, 2**64, (2, 30_000), dtype=np.uint64)
    lo[0] = 2**64 - 1
    copy = rng.integers(1, 5, 30_000)
    for shards in (1, 2, 7):
        shard = shard_of(hi, lo, copy, 3, shards)
        assert shard.dtype == np.int64
        share = np.bincount(shard) / 30_000
        assert len(share) == shards
        assert np.abs(share * shards - 1).max() < 0.1
        order = rng.permutation(30_000)
        reordered = shard_of(hi[order], lo[order], copy[order].astype(np.int8), 3, shards)
        assert (reordered == shard[order]).all()
        # Another appearance, and another seed, is dealt out by itself.
        for other in (shard_of(hi, lo, copy + 1, 3, shards), shard_of(hi, lo, copy, 4, shards)):
            assert (other == shard).mean() == pytest.approx(1 / shards, abs=0.02)
