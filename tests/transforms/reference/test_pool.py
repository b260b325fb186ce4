"""The pool: human text by its hashes, in files that deduplication reads like any other sketches."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.schemas.documents import sketch_schema
from outcross.transforms.base import files
from outcross.transforms.reference import pool
from outcross.transforms.reference.pool import POOL_FILES, Pool, pool_sketches, words_until
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.sketches.store import Sketches, packed_runs
from tests.support.corpora import NUM_PERM, deduplicated, paragraphs, sketched, source, write_jsonl
from tests.support.references import Documents, Population

POPULATION = Population()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Documents, Sketches]:
    documents = POPULATION.draw(120, 3)
    folder = tmp_path_factory.mktemp("pool")
    return documents, documents.write(folder / "sketches", 5)


def smallest(documents: Documents, rows: list[int], most: int, tokens: int) -> list[int]:
    """Choose the rows with the smallest keys, up to a number of documents and words."""
    key, lengths = documents.key, documents.sketch["tokens"].to_pylist()
    kept: list[int] = []
    before = 0
    for row in sorted(rows, key=lambda row: int(key[row]))[:most]:
        if before < tokens:
            kept.append(row)
        before += lengths[row]
    return kept


def make_pool(corpus: tuple[Documents, Sketches], rows: list[int]) -> Pool:
    documents, sketches = corpus
    chosen = np.array(rows, np.int64)
    return Pool.of(sketches, chosen, documents.take(chosen).cells)


def up_to(documents: Documents, rows: list[int], place: int, more: int) -> int:
    """Return a limit at, just below or just beyond the words of the first documents."""
    key = documents.key[rows]
    lengths = documents.sketch["tokens"].to_numpy()[rows][np.argsort(key)]
    return max(int(lengths[: place % (len(rows) + 1)].sum()) + more, 1)


ROWS = st.sets(st.integers(0, 119), max_size=40).map(sorted)
PLACES, NEAR = st.integers(0, 45), st.integers(-1, 1)


@settings(max_examples=60)
@given(ROWS, st.one_of(st.just(50), st.integers(1, 50)), PLACES, NEAR)
def test_a_pool_is_the_documents_with_the_smallest_keys(
    corpus: tuple[Documents, Sketches], rows: list[int], most: int, place: int, more: int
) -> None:
    tokens = up_to(corpus[0], rows, place, more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "DOCUMENTS", most)
        patch.setattr(pool, "TOKENS", tokens)
        chosen_pool = make_pool(corpus, rows)
        sample = chosen_pool.sample
    documents = corpus[0]
    kept = smallest(documents, rows, most, tokens)
    expected = documents.take(kept)
    assert len(chosen_pool) == len(kept)
    for name in ("fingerprint_hi", "fingerprint_lo", "tokens", "signature", "embedding", "words"):
        assert chosen_pool.sketch[name].to_pylist() == expected.sketch[name].to_pylist()
    for name, column in expected.cells.items():
        assert chosen_pool.cells[name].to_pylist() == column.tolist()
    assert sample.column("key").tolist() == expected.key.tolist()
    for name in ("cluster", "audit_cluster", "class"):
        assert sample.column(name).tolist() == expected.cells[name].tolist()
    assert sample.words[1].tolist() == [word for run in expected.runs for word in run]


def test_nothing_that_names_a_document_is_handed_on(corpus: tuple[Documents, Sketches]) -> None:
    pool = make_pool(corpus, list(range(120)))
    assert corpus[0].sketch["domain"].null_count == 0
    for name in ("id", "domain", "generation"):
        assert pool.sketch[name].null_count == 120


@pytest.mark.parametrize("rows", [list(range(0, 120, 3)), [7], []])
def test_what_is_loaded_is_what_was_saved_and_a_sketch(
    corpus: tuple[Documents, Sketches], tmp_path: Path, rows: list[int]
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
    ordered = corpus[0].take(smallest(corpus[0], rows, 999, 1 << 30))
    assert sketches.numbers("fingerprint_hi").tolist() == ordered.fingerprints[0].tolist()
    offsets, words = sketches.words(np.arange(len(rows)))
    assert [words[a:b].tolist() for a, b in pairwise(offsets)] == ordered.runs
    if rows:
        signatures = sketches.matrix("signature", np.arange(len(rows)), np.uint32)
        assert signatures.shape == (len(rows), 16)


def test_other_documents_are_another_pool(corpus: tuple[Documents, Sketches]) -> None:
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
    cells = {name: np.zeros(n, int) for name in ("cluster", "dot", "density", "audit_cluster")}
    made_pool = Pool.of(sketches, np.arange(n), cells | {"class": np.zeros(n, int)})
    made_pool.save(str(tmp_path / "reference"))
    read = pool_sketches(str(tmp_path / "reference"))
    unnamed = people.model_copy(update={"id_field": None})
    assert read.table(0, ["signature"]).schema.field(0).type == pa.binary(4 * NUM_PERM)
    _, verdicts = deduplicated(tmp_path / "dedup", read, [unnamed], bits=1, lanes=1)
    assert (~verdicts.kept).sum() == 2
    hi = read.numbers("fingerprint_hi")
    same = [hi[i] == hi[verdicts.partner[i]] for i in np.flatnonzero(~verdicts.kept)]
    assert sorted(same) == [False, True]


@settings(max_examples=60)
@given(ROWS, PLACES, NEAR)
def test_words_are_taken_until_there_are_enough(
    corpus: tuple[Documents, Sketches], rows: list[int], place: int, more: int
) -> None:
    documents, sketches = corpus
    tokens = up_to(documents, rows, place, more)
    chosen = np.array(rows, np.int64)
    taken = words_until(sketches, chosen, documents.key[chosen], tokens)
    kept = smallest(documents, rows, len(rows), tokens)
    expected = [word for row in kept for word in documents.runs[row]]
    assert sorted(taken.tolist()) == sorted(expected)
    assert taken.dtype == np.uint32


def test_a_pools_files_hold_what_deduplication_needs(
    corpus: tuple[Documents, Sketches], tmp_path: Path
) -> None:
    make_pool(corpus, list(range(120))).save(str(tmp_path))
    table = files.read_table(str(tmp_path / POOL_FILES[0]))
    hi, lo = (table[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
    assert (np.diff(sample_key(hi, lo, np.ones(120, np.int64)).astype(float)) >= 0).all()
    offsets, _ = packed_runs(table["words"])
    assert np.diff(offsets).tolist() == table["tokens"].to_pylist()
