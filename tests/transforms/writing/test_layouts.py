"""What stands in the shards: kept rows with their struct, removed ones with their reason."""

import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from outcross.schemas.documents import OUTCROSS, REMOVED_FIELDS, outcross_type
from outcross.transforms.dedup.decide import EXACT, NEAR
from outcross.transforms.writing.layouts import Folders, KeptLayout, RemovedLayout
from outcross.transforms.writing.shards import ShardSet, shard_name, shard_of, write_shard
from outcross.transforms.writing.write_shards import WriteShards
from tests.support.columns import numbers, save_columns
from tests.support.corpora import deduplicated, over, sketched, source, strings, union, write_jsonl

SHARDS, CLUSTERS = 3, 4
SEED = 7
RULES = {EXACT: "same text", NEAR: "minhash signature"}


def content(number, text):
    return {"id": f"d{number}", "text": text, "kind": "ab"[number % 2], "turn": number % 3}


ROWS = [
    content(i, f"text {i} of those that are kept, {i * i} and {'more ' * (i % 4)}")
    for i in range(50)
]
FIELDS = {"id_field": "id", "domain_field": "kind", "generation_field": "turn"}


def spread(sketches):
    """Derive the figures of each document from its id alone, as a run does from content."""
    number = np.array([int(name[1:]) for name in strings(sketches, "id").to_pylist()])
    return {
        "copies": (number % 4).astype(np.int32),
        "open": number % 9 == 4,
        "cluster": (number % CLUSTERS).astype(np.int32),
    }


def kept_layout(folder, sources, unit_bytes, clustered=True, weighted=False):
    sketches = sketched(folder / "sketches", sources, unit_bytes)
    deduplicated(folder / "dedup", sketches, sources)
    figures = spread(sketches)
    save_columns(str(folder / "selection"), sketches, {"copies": figures["copies"]})
    save_columns(str(folder / "cluster"), sketches, {"cluster": figures["cluster"]})
    layout = KeptLayout(
        union=union(sketches),
        sources=sources,
        places=sketches.places,
        folders=Folders(
            sketches=sketches.folder,
            verdicts=str(folder / "dedup" / "verdicts"),
            assignments=str(folder / "cluster") if clustered else None,
            selection=str(folder / "selection"),
        ),
        shards=SHARDS,
        seed=SEED,
        weighted=weighted,
    )
    return sketches, layout


def write(folder, sketches, sources, layout, shards=SHARDS):
    """Write all shards; return their tables and reports."""
    for name in ("data", "reports"):
        (folder / name).mkdir()
    to = (str(folder / "data"), str(folder / "reports"))
    dealt = [sketches.units[::2], sketches.units[1::2]]
    shard_set = ShardSet(layout, *to, range(shards), shards, 1000)
    over(dealt, WriteShards(sources, [shard_set]))
    tables, reports = [], []
    for number in range(shards):
        report = folder / "reports" / f"shard-{number:05d}.json"
        if not report.exists():
            write_shard(shard_set, [layout.no_rows()], number)
        reports.append(json.loads(report.read_text()))
        tables.append(pq.read_table(folder / "data" / shard_name(layout.name, number, shards)))
    return tables, reports


def deal(folder, turn):
    """Write the corpus as two sources; `turn` shuffles its rows and deals them to other files."""
    rows = [ROWS[i] for i in np.random.default_rng(turn).permutation(len(ROWS))]
    sources = []
    for name, role, odd in (("people", "human", 1), ("gpt", "synthetic", 0)):
        lines = [row for row in rows if int(row["id"][1:]) // 2 % 2 == odd]
        paths = [
            write_jsonl(folder / name / f"{i}.jsonl", lines[i :: turn + 1]) for i in range(turn + 1)
        ]
        sources.append(source(name, role, *paths, **FIELDS))
    return sources


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    sources = deal(folder, 0)
    sketches, layout = kept_layout(folder, sources, 300)
    return sketches, layout, *write(folder, sketches, sources, layout)


def test_kept_rows_say_where_they_come_from(kept):
    _, layout, tables, _ = kept
    arrived = Counter()
    for table in tables:
        assert table.schema.field("outcross").type == OUTCROSS
        assert table.schema.names == ["id", "text", "kind", "turn", "outcross"]
        assert table.schema.remove_metadata().equals(layout.schema.remove_metadata())
        for row in table.to_pylist():
            outcross = row.pop("outcross")
            number = int(row["id"][1:])
            arrived[number, outcross["copy"]] += 1
            assert row == ROWS[number]
            human = number // 2 % 2
            assert outcross == {
                "id": row["id"],
                "source": "people" if human else "gpt",
                "role": "human" if human else "synthetic",
                "cluster": number % CLUSTERS,
                "copy": outcross["copy"],
                "of": number % 4,
                "domain": row["kind"],
                "generation": str(row["turn"]),
                "tokens": len(row["text"].replace(",", " ").split()),
                "weight": 1.0,
            }
    assert arrived == {(i, c + 1): 1 for i in range(len(ROWS)) for c in range(i % 4)}


def test_kept_rows_say_how_they_were_made_where_a_source_does(tmp_path, kept):
    people, gpt = deal(tmp_path, 0)
    sources = [people, gpt.model_copy(update={"provenance": "rephrased"})]
    sketches, layout = kept_layout(tmp_path, sources, 300)
    tables, _ = write(tmp_path, sketches, sources, layout)
    provenances = {"people": None, "gpt": "rephrased"}
    for table, without in zip(tables, kept[2], strict=True):
        assert table.schema.field("outcross").type == outcross_type(provenance=True, passages=False)
        rows = table.to_pylist()
        for row in rows:
            assert row["outcross"].pop("provenance") == provenances[row["outcross"]["source"]]
        assert rows == without.to_pylist()
    struct = layout.no_rows()[0].schema.field("outcross").type
    assert struct == outcross_type(provenance=True, passages=False)


def test_copies_are_spread_over_the_shards(kept):
    *_, tables, _ = kept
    sizes = [table.num_rows for table in tables]
    assert min(sizes) > sum(sizes) / SHARDS / 2
    of = {
        (row["id"], number)
        for number, table in enumerate(tables)
        for row in table.to_pylist()
        if row["outcross"]["of"] == 3
    }
    assert len(of) > 1.5 * len({name for name, _ in of})


def test_copies_stand_in_the_shards_that_their_hashes_say(kept):
    sketches, layout, tables, _ = kept
    assert len(tables) == layout.shards
    where = {
        (row["outcross"]["id"], row["outcross"]["copy"]): number
        for number, table in enumerate(tables)
        for row in table.to_pylist()
    }
    ids = strings(sketches, "id").to_pylist()
    hi, lo = (numbers(sketches, f"fingerprint_{half}") for half in ("hi", "lo"))
    for copy in (1, 2, 3):
        expected = shard_of(hi, lo, np.full(len(ids), copy), SEED, SHARDS).tolist()
        shards = {
            name: number for (name, appearance), number in where.items() if appearance == copy
        }
        assert shards
        assert shards == {name: s for name, s in zip(ids, expected, strict=True) if name in shards}


def test_with_weights_each_document_is_one_row_that_weighs_its_copies(kept, tmp_path):
    *_, tables, _ = kept
    first = {  # of the copies that are rows
        row["outcross"]["id"]: (number, row)
        for number, table in enumerate(tables)
        for row in table.to_pylist()
        if row["outcross"]["copy"] == 1
    }
    sources = deal(tmp_path, 0)
    sketches, layout = kept_layout(tmp_path, sources, 300, weighted=True)
    weighted, reports = write(tmp_path, sketches, sources, layout)
    weights = {}
    for number, table in enumerate(weighted):
        assert table.schema.equals(tables[number].schema)
        for row in table.to_pylist():
            assert row["outcross"]["id"] not in weights
            weights[row["outcross"]["id"]] = number, row
    assert weights.keys() == first.keys()
    for name, (number, row) in weights.items():
        where, expected = first[name]
        assert number == where
        assert row["outcross"]["weight"] == expected["outcross"]["of"]
        expected["outcross"] |= {"of": 1, "weight": float(expected["outcross"]["of"])}
        assert row == expected
    assert sum(row["outcross"]["weight"] for _, row in weights.values()) == sum(
        table.num_rows for table in tables
    )
    for report in reports:
        assert report["measures"]["rows"] == report["measures"]["documents"]


def test_reports_add_up_to_what_is_written(kept):
    *_, tables, reports = kept
    rows = [row for table in tables for row in table.to_pylist()]
    for name, counted in {
        "rows": Counter(row["outcross"]["source"] for row in rows),
        "documents": Counter(
            row["outcross"]["source"] for row in rows if row["outcross"]["copy"] == 1
        ),
        "domains": Counter(row["kind"] for row in rows),
    }.items():
        assert sum((Counter(report["measures"][name]) for report in reports), Counter()) == counted
    assert {name for report in reports for name in report["measures"]} == {
        *("rows", "documents", "domains")
    }


def test_shards_are_the_same_bytes_however_the_rows_lie_in_files(tmp_path):
    results = []
    for turn, unit_bytes in enumerate([1 << 20, 150, 700]):
        folder = tmp_path / str(turn)
        sources = deal(folder, turn)
        sketches, layout = kept_layout(folder, sources, unit_bytes)
        write(folder, sketches, sources, layout)
        results.append({path.name: path.read_bytes() for path in (folder / "data").iterdir()})
    assert len(results[0]) == SHARDS
    assert results[1] == results[0]
    assert results[2] == results[0]


def test_without_clusters_there_are_none_in_the_rows(tmp_path):
    sources = deal(tmp_path, 0)
    sketches, layout = kept_layout(tmp_path, sources, 1 << 20, clustered=False)
    tables, _ = write(tmp_path, sketches, sources, layout)
    assert sum(table.num_rows for table in tables) == sum(i % 4 for i in range(len(ROWS)))
    for table in tables:
        assert table["outcross"].combine_chunks().field("cluster").null_count == table.num_rows


def test_a_kept_shard_without_rows_has_the_schema_and_counts_nothing(kept, tmp_path):
    layout = kept[1]
    shard_set = ShardSet(layout, str(tmp_path), str(tmp_path), [0], 1, 1)
    write_shard(shard_set, [layout.no_rows()], 0)
    table = pq.read_table(tmp_path / "train-00000-of-00001.parquet")
    assert table.num_rows == 0
    assert table.schema.remove_metadata().equals(layout.schema.remove_metadata())
    measures = json.loads((tmp_path / "shard-00000.json").read_text())["measures"]
    assert measures == {"rows": {}, "documents": {}, "domains": {}}


def test_removed_rows_name_what_they_repeat(tmp_path):
    long = "a text that is long enough to have many shingles and yet so short that " * 4
    people = [{"id": "h", "text": long}, {"id": "x", "text": "something else"}]
    gpt = [
        {"id": "exact", "text": long + "\n", "more": [1]},
        {"id": "near", "text": long + "the end", "more": None},
        {"id": "kept", "text": "another thing altogether"},
    ]
    sources = [
        source("people", "human", write_jsonl(tmp_path / "h.jsonl", people), id_field="id"),
        source("gpt", "synthetic", write_jsonl(tmp_path / "g.jsonl", gpt), id_field="id"),
    ]
    sketches = sketched(tmp_path / "sketches", sources, unit_bytes=100)
    deduplicated(tmp_path / "dedup", sketches, sources, reasons=RULES)
    shards = 3
    layout = RemovedLayout(union(sketches), str(tmp_path / "dedup" / "removals"), shards)
    tables, reports = write(tmp_path, sketches, sources, layout, shards)
    by_id = {row["id"]: row for table in tables for row in table.to_pylist()}
    assert by_id.keys() == {"exact", "near"}
    for name, stage, rule in (
        ("exact", "exact", "same text"),
        ("near", "near", "minhash signature"),
    ):
        row = by_id[name]
        assert [row[key] for key in ("source", "kept_id", "kept_source")] == ["gpt", "h", "people"]
        assert (row["stage"], row["rule"]) == (stage, rule)
        assert row["row"] == next(r for r in gpt if r["id"] == name)
    assert by_id["exact"]["similarity"] == 1
    assert 0.8 <= by_id["near"]["similarity"] < 1
    for table in tables:
        assert table.schema.remove_metadata().equals(layout.schema.remove_metadata())
        assert table.schema.names == [*(field.name for field in REMOVED_FIELDS), "row"]
    assert 0 in [table.num_rows for table in tables]
    stages = sum((Counter(report["measures"]["stages"]) for report in reports), Counter())
    assert stages == {"exact": 1, "near": 1}
