"""The pool: human text by its hashes, in files that deduplication reads like any other sketches."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from outcross.schemas.documents import sketch_schema
from outcross.transforms.base import files
from outcross.transforms.reference.pool import CELLS, POOL_FILES, Pool, pool_sketches
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.sketches.store import packed_runs
from tests.support.columns import matrix_of, numbers, word_runs
from tests.support.corpora import NUM_PERM, deduplicated, paragraphs, sketched, source, write_jsonl
from tests.support.references import Documents, Population

POPULATION = Population()


@pytest.fixture(scope="module")
def corpus() -> Documents:
    return POPULATION.draw(120, 3)


def make_pool(documents: Documents, rows: list[int]) -> Pool:
    chosen = documents.take(rows)
    ordered = chosen.take(np.argsort(chosen.key))
    return Pool.of(ordered.sketch, pa.table(ordered.cells))


def test_nothing_that_names_a_document_is_handed_on(corpus: Documents) -> None:
    pool = make_pool(corpus, list(range(120)))
    assert corpus.sketch["domain"].null_count == 0
    for name in ("id", "domain", "generation"):
        assert pool.sketch[name].null_count == 120


@pytest.mark.parametrize("rows", [list(range(0, 120, 3)), [7], []])
def test_what_is_loaded_is_what_was_saved_and_a_sketch(
    corpus: Documents, tmp_path: Path, rows: list[int]
) -> None:
    pool = make_pool(corpus, rows)
    pool.save(str(tmp_path))
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")) == sorted(POOL_FILES)
    loaded = Pool.load(str(tmp_path))
    assert loaded.sketch.equals(pool.sketch)
    assert loaded.cells.equals(pool.cells)
    assert loaded.fingerprint == pool.fingerprint
    assert loaded.sample.table.equals(pool.sample.table)
    schema = sketch_schema(16)
    assert loaded.sketch.schema.names == schema.names
    assert loaded.sketch.schema.types == schema.types
    sketches = pool_sketches(str(tmp_path))
    assert len(sketches) == len(rows)
    ordered = corpus.take(sorted(rows, key=lambda row: int(corpus.key[row])))
    cells = {name: pool.cells[name].to_pylist() for name in pool.cells.column_names}
    assert cells == {name: column.tolist() for name, column in ordered.cells.items()}
    for name in ("cluster", "audit_cluster", "class"):
        assert pool.sample.column(name).tolist() == ordered.cells[name].tolist()
    assert numbers(sketches, "fingerprint_hi").tolist() == ordered.fingerprints[0].tolist()
    offsets, words = word_runs(sketches, np.arange(len(rows)))
    assert [words[a:b].tolist() for a, b in pairwise(offsets)] == ordered.runs
    if rows:
        signatures = matrix_of(sketches, "signature", np.arange(len(rows)), np.uint32)
        assert signatures.shape == (len(rows), 16)


def test_other_documents_are_another_pool(corpus: Documents) -> None:
    prints = [make_pool(corpus, rows).fingerprint for rows in ([1, 2, 3], [1, 2], [1, 2, 4], [])]
    assert len(set(prints)) == 4


def test_deduplication_reads_a_pool_like_a_run(tmp_path: Path) -> None:
    texts = paragraphs()[:40]
    texts += [texts[5] + " \r\n", f"{texts[9]} and so on"]
    rows = [{"text": text, "id": f"d{i}"} for i, text in enumerate(texts)]
    people = source("people", "human", write_jsonl(tmp_path / "h.jsonl", rows), id_field="id")
    sketches = sketched(tmp_path / "sketches", [people], unit_bytes=9000)
    assert len(sketches.units) > 1
    n = len(texts)
    table = pa.concat_tables([files.read_table(path) for path in sketches.paths])
    cells = pa.table({field.name: np.zeros(n, int) for field in CELLS})
    made_pool = Pool.of(table.combine_chunks(), cells)
    made_pool.save(str(tmp_path / "reference"))
    read = pool_sketches(str(tmp_path / "reference"))
    unnamed = people.model_copy(update={"id_field": None})
    assert read.table(0, ["signature"]).schema.field(0).type == pa.binary(4 * NUM_PERM)
    _, verdicts = deduplicated(tmp_path / "dedup", read, [unnamed], bits=1, lanes=1)
    assert (~verdicts.kept).sum() == 2
    hi = numbers(read, "fingerprint_hi")
    same = [hi[i] == hi[verdicts.partner[i]] for i in np.flatnonzero(~verdicts.kept)]
    assert sorted(same) == [False, True]


def test_a_pools_files_hold_what_deduplication_needs(corpus: Documents, tmp_path: Path) -> None:
    make_pool(corpus, list(range(120))).save(str(tmp_path))
    table = files.read_table(str(tmp_path / POOL_FILES[0]))
    hi, lo = (table[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
    assert (np.diff(sample_key(hi, lo, np.ones(120, np.int64)).astype(float)) >= 0).all()
    offsets, _ = packed_runs(table["words"])
    assert np.diff(offsets).tolist() == table["tokens"].to_pylist()
