"""Rows arrive at their shards once a copy, untouched, in the same bytes whatever the way there."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.schemas.columns import settle, unite
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.writing.shards import (
    Routes,
    ShardSet,
    count_shards,
    is_shard,
    read_back,
    shard_name,
    shard_of,
    shard_report,
    write_shard,
)
from outcross.transforms.writing.write_shards import WriteShards
from tests.support.corpora import over, source, write_jsonl

SHARDS = 4
MIXED = [1, "one", None, {"a": [1, None]}, 2.5, True]


def rows_of(start, stop):
    for i in range(start, stop):
        row = {
            "number": i,
            "text": f"text {i} " + "ä word " * (i % 5),
            "mixed": MIXED[i % len(MIXED)],
            "tags": None if i % 4 == 0 else [f"t{i}", None][: i % 3],
            "meta": None if i % 7 == 0 else {"x": i / 2, "deep": {"y": ["z"] * (i % 3)}},
        }
        yield row if i % 11 else {"number": i, "text": row["text"]}


@dataclass
class ByNumber:
    """A layout that knows rows by their column `number`, and copies every third one."""

    union: pa.Schema
    sources: list
    name: str = "part"
    empty: int = -1

    @property
    def schema(self):
        return self.union.append(pa.field("beside", pa.struct([pa.field("copy", pa.int64())])))

    def setup(self):
        pass

    def routes(self, unit):
        blocks = list(read_unit(unit, self.sources[unit.source], 400))
        number = np.array(
            [n for b in blocks if len(b.rows) for n in b.batch["number"].to_pylist()], np.int64
        )
        copies = np.array([copies_of(n) for n in number.tolist()], np.int64)
        row = np.repeat(np.arange(len(number)), copies)
        number = number[row]
        copy = np.arange(len(row)) - (np.cumsum(copies) - copies)[row] + 1
        return Routes(
            row=row,
            shard=(number * 7 + copy) % SHARDS,
            key=(number % 5).astype(np.uint64),
            tie=number * 10 + copy,
            columns=pa.table({"copy": copy, "number": number}),
        )

    def rows(self, rows, columns):
        beside = pa.StructArray.from_arrays([columns["copy"].combine_chunks()], names=["copy"])
        return pa.Table.from_arrays([*rows.columns, beside], schema=self.schema)

    measured = ("number",)

    def measure(self, columns):
        return {"numbers": sorted(set(columns["number"].to_pylist()))}

    def nothing(self):
        columns = pa.schema([("copy", pa.int64()), ("number", pa.int64())])
        return self.schema.empty_table(), columns.empty_table()


def copies_of(number):
    return 2 if number % 3 == 0 else 0 if number % 5 == 1 else 1


def shard_by_number(number, copy):
    return (number * 7 + copy) % SHARDS


@dataclass
class Corpus:
    """Two sources, and what is known of them."""

    sources: list
    union: pa.Schema
    read: dict  # by number, the row as it was read


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    lines = write_jsonl(folder / "a.jsonl", rows_of(0, 60))
    with lines.open("a") as file:
        file.write('{"text": null}\n\nbroken\n')
    table = pa.table(
        {
            "number": pa.array(range(60, 100), pa.int32()),
            "text": pa.array([f"column {i}" for i in range(60, 100)], pa.large_string()),
            "mixed": pa.array([i / 4 for i in range(60, 100)]),
            "when": pa.array(range(40), pa.timestamp("us", "UTC")),
            "kind": pa.array(["x", None] * 20).dictionary_encode(),
        }
    )
    pq.write_table(table, folder / "b.parquet", row_group_size=9)
    sources = [
        source("a", "synthetic", lines),
        source("b", "human", folder / "b.parquet"),
    ]
    return Corpus(sources, union_of(sources), {**by_number(rows_of(0, 60)), **by_number(table)})


def by_number(rows):
    rows = rows.to_pylist() if isinstance(rows, pa.Table) else rows
    return {row["number"]: row for row in rows}


def union_of(sources):
    united = []
    for number, made in enumerate(sources):
        units = [unit for unit in plan_units(sources) if unit.source == number]
        united.append(
            unite(b.batch.schema for u in units for b in read_unit(u, made) if b.rows.size)
        )
    return settle(united)


def write(
    folder,
    corpus,
    unit_bytes=1 << 20,
    lanes=1,
    numbers=range(SHARDS),
    text_out=None,
    spills=True,
    rows=7,
):
    """Writes some of the shards, and returns the bytes of all that are there, by name."""
    for name in ("data", "reports", "spill"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    units = plan_units(corpus.sources, unit_bytes)
    union = corpus.union
    if text_out is not None:
        union = union.append(pa.field(text_out, pa.string()))
    layout = ByNumber(union, corpus.sources)
    dealt = [units[i::lanes] for i in range(lanes)]
    to = (str(folder / "data"), str(folder / "reports"))
    spill = str(folder / "spill") if spills else None
    one = ShardSet(layout, *to, numbers, SHARDS, rows, text_out)
    over(dealt, WriteShards(corpus.sources, [one], spill))
    return {p.name: p.read_bytes() for d in ("data", "reports") for p in (folder / d).iterdir()}


def tables(folder):
    return {
        number: pq.read_table(folder / "data" / shard_name("part", number, SHARDS))
        for number in range(SHARDS)
    }


def test_every_row_arrives_once_a_copy_as_it_was(tmp_path, corpus):
    write(tmp_path, corpus, unit_bytes=700, lanes=3)
    arrived = Counter()
    for number, table in tables(tmp_path).items():
        assert table.schema.remove_metadata().equals(
            ByNumber(corpus.union, []).schema.remove_metadata()
        )
        table.validate(full=True)
        keys = []
        for row in table.to_pylist():
            copy = row.pop("beside")["copy"]
            assert shard_by_number(row["number"], copy) == number
            arrived[row["number"], copy] += 1
            keys.append((row["number"] % 5, row["number"] * 10 + copy))
            check_untouched(row, corpus.read[row["number"]])
        assert keys == sorted(keys)
    assert arrived == {(n, c + 1): 1 for n in range(100) for c in range(copies_of(n))}


def check_untouched(row, before):
    """Values are what was read; absent ones null, mixed ones JSON."""
    for name, value in row.items():
        expected = before.get(name)
        if name == "mixed":
            value = None if value is None else json.loads(value)  # noqa: PLW2901
            if isinstance(expected, dict):
                expected = {"a": [1, None]}
        assert value == expected or (name == "meta" and value == with_all(expected))


def with_all(meta):
    return None if meta is None else {"x": meta["x"], "deep": {"y": meta["deep"]["y"]}}


def test_the_bytes_do_not_depend_on_units_lanes_or_the_shuffle(tmp_path, corpus):
    expected = write(tmp_path / "0", corpus)
    assert len(expected) == 2 * SHARDS
    groups = [
        pq.read_metadata(tmp_path / "0" / "data" / shard_name("part", n, SHARDS)).num_row_groups
        for n in range(SHARDS)
    ]
    assert min(groups) > 1
    assert write(tmp_path / "1", corpus, unit_bytes=150, lanes=4) == expected
    assert write(tmp_path / "2", corpus, unit_bytes=1000, lanes=2) == expected
    assert write(tmp_path / "3", corpus, unit_bytes=1000, lanes=2, spills=False) == expected
    for numbers in ([2], [0, 3], range(1, 2)):
        found = write(tmp_path / "4", corpus, unit_bytes=500, numbers=numbers)
    assert found == expected


def test_nulls_of_one_unit_do_not_show_in_the_bytes_of_another(tmp_path):
    """Whether a batch has room for nulls depends on the rows that it was read with."""
    rows = [
        {"number": i, "text": "x" * (i % 50), "a": None if i == 3 else i, "b": [[i]] * (i % 2)}
        for i in range(1, 200)
    ]
    made = [source("a", "human", write_jsonl(tmp_path / "a.jsonl", rows))]
    corpus = Corpus(made, union_of(made), {})
    expected = write(tmp_path / "0", corpus)
    assert write(tmp_path / "1", corpus, unit_bytes=60, lanes=5) == expected


def test_only_the_shards_asked_for_are_written(tmp_path, corpus):
    whole = write(tmp_path / "0", corpus)
    folder = tmp_path / "1"
    write(folder, corpus)
    for path in (folder / "data").iterdir():
        os.utime(path, (0, 0))
    for number in (1, 3):
        (folder / "data" / shard_name("part", number, SHARDS)).unlink()
    assert write(folder, corpus, numbers=[1, 3]) == whole
    again = {path.name for path in (folder / "data").iterdir() if path.stat().st_mtime > 0}
    assert again == {shard_name("part", number, SHARDS) for number in (1, 3)}


def test_the_judged_text_stands_beside_the_rows(tmp_path):
    rows = [
        {"number": i, "turns": [{"say": f"question {i}"}, {"say": f"answer {i}"}]}
        for i in range(20)
    ]
    made = source("a", "human", write_jsonl(tmp_path / "a.jsonl", rows), text_field="turns.-1.say")
    corpus = Corpus([made], union_of([made]), {})
    write(tmp_path, corpus, unit_bytes=100, text_out="said")
    found = [row for table in tables(tmp_path).values() for row in table.to_pylist()]
    assert len(found) == sum(copies_of(n) for n in range(20))
    assert all(row["said"] == f"answer {row['number']}" for row in found)
    assert all(row["turns"] == rows[row["number"]]["turns"] for row in found)


def test_reports_say_what_the_shards_hold(tmp_path, corpus):
    write(tmp_path, corpus, unit_bytes=700)
    for number, table in tables(tmp_path).items():
        report = json.loads((tmp_path / "reports" / f"shard-{number:05d}.json").read_text())
        data = (tmp_path / "data" / report["file"]).read_bytes()
        assert report["file"] == f"part-{number:05d}-of-{SHARDS:05d}.parquet"
        assert report["rows"] == table.num_rows
        assert report["bytes"] == len(data)
        assert report["sha256"] == hashlib.sha256(data).hexdigest()
        assert report["measures"] == {"numbers": sorted(set(table["number"].to_pylist()))}
        assert shard_report("r", number) == f"r/shard-{number:05d}.json"


def test_shards_without_rows(tmp_path, corpus):
    layout = ByNumber(corpus.union, corpus.sources)
    one = ShardSet(layout, str(tmp_path), str(tmp_path), [0], 1, 1)
    write_shard(one, [layout.nothing()], 0)
    table = pq.read_table(tmp_path / shard_name("part", 0, 1))
    assert table.num_rows == 0
    assert table.schema.remove_metadata().equals(layout.schema.remove_metadata())
    assert json.loads((tmp_path / "shard-00000.json").read_text())["rows"] == 0
    assert pq.read_metadata(tmp_path / shard_name("part", 0, 1)).num_row_groups == 0


def test_readers_take_a_shard_without_rows_beside_others(tmp_path, corpus, monkeypatch):
    """`datasets` fails on a row group without rows."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    layout = ByNumber(corpus.union, corpus.sources)
    (tmp_path / "data").mkdir()
    shards = ShardSet(layout, str(tmp_path / "data"), str(tmp_path), [0, 1], 2, 1)
    write_shard(shards, [layout.nothing()], 0)
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
        again = shard_of(hi[order], lo[order], copy[order].astype(np.int8), 3, shards)
        assert (again == shard[order]).all()
        # Another appearance, and another seed, is dealt out by itself.
        for other in (shard_of(hi, lo, copy + 1, 3, shards), shard_of(hi, lo, copy, 4, shards)):
            assert (other == shard).mean() == pytest.approx(1 / shards, abs=0.02)
