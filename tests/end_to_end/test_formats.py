"""Whatever holds the rows, and however many files: the same rows give the same bytes."""

from __future__ import annotations

import json
import random
import shutil

import duckdb
import polars
import pyarrow.dataset
import pytest

from tests.end_to_end.conftest import Run, write_rows
from tests.support.commands import outcross
from tests.support.promises import promised_bytes


@pytest.fixture(scope="module")
def deduplicated(corpus, base, tmp_path_factory):
    out = tmp_path_factory.mktemp("deduplicated") / "out"
    shutil.copytree(base.out, out)
    outcross("dedup", corpus.config(out))
    return promised_bytes(out)


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.zst", "parquet"])
def test_the_format_of_the_input_makes_no_difference(corpus, deduplicated, tmp_path, ending):
    """Deduplicate only: test_resume has a whole run over all formats together."""
    files = {
        source: [write_rows(tmp_path / f"{source}.{ending}", rows)]
        for source, rows in corpus.rows.items()
    }
    out = tmp_path / "out"
    outcross("dedup", corpus.config(out, files, workers=1))
    assert promised_bytes(out) == deduplicated


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Make rows of 50 kB, which fill forty shards of a megabyte, with one worker and with two."""
    folder = tmp_path_factory.mktemp("wide")
    draw = random.Random(1)
    rows = [
        {
            "id": f"{n}",
            "text": f"document {n} of {draw.random()}",
            "pad": draw.randbytes(25_000).hex(),
        }
        for n in range(800)
    ]
    write_rows(folder / "rows.jsonl", rows)
    runs = {}
    for workers in (1, 2):
        out = folder / str(workers)
        arguments = ["--synthetic", folder / "rows.jsonl", "--id-field", "id", "--out", out]
        done = outcross("dedup", *arguments, "--shard-mb", 1, "--workers", workers)
        runs[workers] = Run(out, done.stdout, done.stderr)
    return runs


def test_workers_make_no_difference(wide):
    first, second = (promised_bytes(wide[workers].out) for workers in (1, 2))
    assert sum(name.startswith("data/") for name in first) > 32
    assert first == second


def test_a_shard_is_about_as_large_as_asked(wide):
    sizes = [shard["rows"] for shard in _shards(wide[1])]
    assert sum(sizes) == 800
    assert max(sizes) < 3 * 800 / len(sizes)


def _shards(result):
    manifest = json.loads((result.out / "manifest.json").read_text())
    return [file for file in manifest["outputs"] if file["file"].startswith("data/")]


def test_other_programs_read_data_as_it_is(base):
    ids = sorted((row["outcross"]["source"], row["outcross"]["id"]) for row in base.data)
    glob = str(base.out / "data" / "*.parquet")
    by_duckdb = duckdb.sql(f"select outcross.source, outcross.id from '{glob}'").fetchall()
    assert sorted(by_duckdb) == ids
    by_polars = polars.scan_parquet(glob).select(polars.col("outcross").struct.unnest())
    assert sorted(by_polars.select("source", "id").collect().rows()) == ids
    by_arrow = pyarrow.dataset.dataset(base.out / "data").to_table()
    assert by_arrow.num_rows == len(ids)


@pytest.mark.parametrize("path", ["out", "data"])
def test_datasets_reads_data_and_finds_it_by_the_card(base, tmp_path, monkeypatch, path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    import datasets

    cache = str(tmp_path / "cache")
    if path == "out":
        splits = datasets.load_dataset(str(base.out), cache_dir=cache)
    else:
        splits = datasets.load_dataset("parquet", data_dir=str(base.out / "data"), cache_dir=cache)
    assert list(splits) == ["train"]
    train = splits["train"]
    assert train.num_rows == len(base.data)
    assert {row["id"] for row in train["outcross"]} == {r["outcross"]["id"] for r in base.data}
