"""Rows arrive at their shards once a copy, untouched, in the same bytes whatever the way there."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.schemas.columns import settle, unite
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.writing import write_shards
from outcross.transforms.writing.shards import ShardSet, shard_name, shard_report
from outcross.transforms.writing.write_shards import WriteShards
from tests.support.corpora import over, source, write_jsonl
from tests.support.layouts import SHARDS, ByNumber, copies_of

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
    for number, source_config in enumerate(sources):
        units = [unit for unit in plan_units(sources) if unit.source == number]
        united.append(
            unite(b.batch.schema for u in units for b in read_unit(u, source_config) if b.rows.size)
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
    """Write some of the shards; return the bytes of all present files, by name."""
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
    shard_set = ShardSet(layout, *to, numbers, SHARDS, rows, text_out)
    over(dealt, WriteShards(corpus.sources, [shard_set], spill))
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
    """Assert that values are those that were read; absent ones null, mixed ones JSON."""
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
        parts = write(tmp_path / "4", corpus, unit_bytes=500, numbers=numbers)
    assert parts == expected


def test_nulls_of_one_unit_do_not_show_in_the_bytes_of_another(tmp_path):
    """Write in small units too, as the rows of a batch decide whether it has a null bitmap."""
    rows = [
        {"number": i, "text": "x" * (i % 50), "a": None if i == 3 else i, "b": [[i]] * (i % 2)}
        for i in range(1, 200)
    ]
    sources = [source("a", "human", write_jsonl(tmp_path / "a.jsonl", rows))]
    corpus = Corpus(sources, union_of(sources), {})
    expected = write(tmp_path / "0", corpus)
    assert write(tmp_path / "1", corpus, unit_bytes=60, lanes=5) == expected


@pytest.mark.parametrize(("shards", "size"), [(32, 8 << 20), (160, 40 << 20), (5000, 64 << 20)])
def test_blocks_grow_with_the_shards_up_to_a_limit(tmp_path, monkeypatch, corpus, shards, size):
    sizes = []

    def watched(unit, source_config, batch_bytes):
        sizes.append(batch_bytes)
        return read_unit(unit, source_config, batch_bytes)

    monkeypatch.setattr(write_shards, "read_rows", watched)
    for name in ("data", "reports"):
        (tmp_path / name).mkdir()
    to = (str(tmp_path / "data"), str(tmp_path / "reports"))
    sets = [ShardSet(ByNumber(corpus.union, corpus.sources), *to, [0], shards, 7)]
    over([plan_units(corpus.sources)], WriteShards(corpus.sources, sets))
    assert set(sizes) == {size}


def test_only_the_shards_asked_for_are_written(tmp_path, corpus):
    complete = write(tmp_path / "0", corpus)
    folder = tmp_path / "1"
    write(folder, corpus)
    for path in (folder / "data").iterdir():
        os.utime(path, (0, 0))
    for number in (1, 3):
        (folder / "data" / shard_name("part", number, SHARDS)).unlink()
    assert write(folder, corpus, numbers=[1, 3]) == complete
    rewritten = {path.name for path in (folder / "data").iterdir() if path.stat().st_mtime > 0}
    assert rewritten == {shard_name("part", number, SHARDS) for number in (1, 3)}


def test_the_judged_text_stands_beside_the_rows(tmp_path):
    rows = [
        {"number": i, "turns": [{"say": f"question {i}"}, {"say": f"answer {i}"}]}
        for i in range(20)
    ]
    turns = source("a", "human", write_jsonl(tmp_path / "a.jsonl", rows), text_field="turns.-1.say")
    corpus = Corpus([turns], union_of([turns]), {})
    write(tmp_path, corpus, unit_bytes=100, text_out="said")
    arrived = [row for table in tables(tmp_path).values() for row in table.to_pylist()]
    assert len(arrived) == sum(copies_of(n) for n in range(20))
    assert all(row["said"] == f"answer {row['number']}" for row in arrived)
    assert all(row["turns"] == rows[row["number"]]["turns"] for row in arrived)


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
