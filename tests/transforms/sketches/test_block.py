"""Sketches of a block: aligned with its valid rows."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from outcross.schemas.columns import mark_wide
from outcross.schemas.documents import EMBEDDING_DIMS, sketch_schema
from outcross.transforms.rows.blocks import Block
from outcross.transforms.sketches.block import sketch_block
from outcross.transforms.sketches.store import fixed_matrix, ngram_runs, packed_runs
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.minhash import signatures
from outcross.transforms.text.signs import signs, with_signs
from outcross.transforms.text.surface import surface
from outcross.transforms.text.words import split_words, word_ids
from tests.support.corpora import source

TEXTS = ["One two three four five six.", "ein zwei drei", "?!", "Größe 你好 ﬁne", "one TWO"]


def block(columns, text="text"):
    batch = mark_wide(pa.record_batch(columns))
    n = batch.num_rows
    return Block(batch, batch.column(text), np.arange(n, dtype=np.int64) * 2, [], 0, 2 * n, 0)


def sketch(columns, num_perm=64, **fields):
    made = source("s", "human", "x", **fields)
    return sketch_block(block(columns), made, load_default(), 5, num_perm)[0]


def test_sketches_stand_beside_their_rows():
    batch = sketch({"text": TEXTS, "n": range(5)})
    assert batch.schema.equals(sketch_schema(64))
    batch.validate(full=True)
    words = split_words(pa.array(TEXTS))
    hi, lo = fingerprints(words)
    assert batch["row"].to_pylist() == [0, 2, 4, 6, 8]
    assert batch["fingerprint_hi"].to_pylist() == hi.tolist()
    assert batch["fingerprint_lo"].to_pylist() == lo.tolist()
    assert batch["tokens"].to_pylist() == [6, 3, 0, 4, 2]
    assert batch["length"].to_pylist() == [len(text.encode()) for text in TEXTS]
    assert batch["size"].to_pylist() == [len(text.encode()) + 4 + 8 for text in TEXTS]
    column = pa.chunked_array([batch["signature"]])
    assert (fixed_matrix(column, np.uint32) == signatures(words, 5, 64)).all()
    column = pa.chunked_array([batch["surface"]])
    assert (fixed_matrix(column, np.uint32) == surface(pa.array(TEXTS))).all()
    column = pa.chunked_array([batch["embedding"]])
    embedded = load_default().embed(words, pa.array(TEXTS)).vectors
    assert embedded.shape == (5, EMBEDDING_DIMS)
    assert (fixed_matrix(column, np.int8) == embedded).all()


def test_words_come_back_from_any_cut():
    batch = sketch({"text": TEXTS})
    words = split_words(pa.array(TEXTS))
    ids = word_ids(words)
    expected = [
        ids[a:b].tolist() for a, b in zip(words.offsets[:-1], words.offsets[1:], strict=True)
    ]
    ends, spoken = with_signs(words.offsets, ids, *signs(words))
    matrix = signatures(words, 5, 64)
    for start in range(6):
        for stop in range(start, 6):
            part = batch.slice(start, stop - start)
            for chunks in ([part], [part.slice(0, 1), part.slice(1)], []):
                if not chunks and stop > start:
                    continue
                table = pa.Table.from_batches(chunks, schema=batch.schema)
                offsets, values = packed_runs(table["words"])
                assert offsets[0] == 0
                assert len(offsets) == stop - start + 1
                runs = [values[a:b].tolist() for a, b in itertools.pairwise(offsets)]
                assert runs == expected[start:stop]
                offsets, values = ngram_runs(table)
                assert [values[a:b].tolist() for a, b in itertools.pairwise(offsets)] == [
                    spoken[a:b].tolist() for a, b in itertools.pairwise(ends[start : stop + 1])
                ]
                found = fixed_matrix(table["signature"], np.uint32)
                assert (found == matrix[start:stop]).all()


def test_no_rows_make_no_sketches():
    nothing = {"text": pa.array([], pa.string())}
    batch = sketch(nothing, id_field="id", prompt_field="p", priority_field="q")
    assert batch.num_rows == 0
    assert batch.schema.equals(sketch_schema(64))


def test_texts_of_both_widths_are_the_same_documents():
    small = sketch({"text": pa.array(TEXTS)})
    large = sketch({"text": pa.array(TEXTS, pa.large_string())})
    assert small.equals(large)


def test_ids_domains_and_generations_are_text():
    rows = {
        "text": ["a", "b", "c"],
        "meta": [{"id": 7, "kind": "x"}, {"id": None, "kind": None}, None],
        "turn": [2.0, 2.5, None],
    }
    batch = sketch(rows, id_field="meta.id", domain_field="meta.kind", generation_field="turn")
    assert batch["id"].to_pylist() == ["7", None, None]
    assert batch["domain"].to_pylist() == ["x", None, None]
    assert batch["generation"].to_pylist() == ["2", "2.5", None]
    batch = sketch(rows)
    assert all(batch[name].null_count == 3 for name in ("id", "domain", "generation"))


def test_a_written_piece_has_an_id_of_its_own():
    rows = [("a", 1, 2), ("a", 2, 2), ("b", 1, 1), ("c", None, None), (None, 1, 2)]
    of_run = [dict(zip(("id", "piece", "pieces"), row, strict=True)) for row in rows]
    columns = {"text": ["t"] * 5, "outcross": of_run}
    ids = sketch(columns, id_field="outcross.id")["id"].to_pylist()
    assert ids == ["a, piece 1 of 2", "a, piece 2 of 2", "b", "c", None]
    columns["outcross"] = [{"id": row["id"]} for row in of_run]
    ids = sketch(columns, id_field="outcross.id")["id"].to_pylist()
    assert ids == ["a", "a", "b", "c", None]


def test_prompts_are_hashed_by_their_value():
    rows = {"text": list("abcd"), "p": ["why", "how", "why", None]}
    prompts = sketch(rows, prompt_field="p")["prompt"].to_pylist()
    assert prompts[0] == prompts[2] != prompts[1]
    assert prompts[3] == 0
    assert 0 not in prompts[:3]
    dictionary = rows | {"p": pa.array(rows["p"]).dictionary_encode()}
    assert sketch(dictionary, prompt_field="p")["prompt"].to_pylist() == prompts
    assert sketch(rows, prompt_field="q")["prompt"].to_pylist() == [0] * 4
    assert sketch(rows)["prompt"].to_pylist() == [0] * 4


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, -2, None], [1, -2, 0]),
        ([0.5, float("nan"), float("inf")], [0.5, 0, 0]),
        ([1764000000123456789, 2**53 + 1, -(2**63)], [1764000000123456789, 2**53, -(2**63)]),
        (pa.array([1, None, 65535], pa.uint16()).dictionary_encode(), [1, 0, 65535]),
        (["3", "0.25", "high"], [3, 0.25, 0]),
        (["", "nan", None], [0, 0, 0]),
        ([[1], [2], []], [0, 0, 0]),
        (pa.nulls(3), [0, 0, 0]),
    ],
)
def test_priorities_are_numbers(values, expected):
    rows = {"text": list("abc"), "p": values}
    assert sketch(rows, priority_field="p")["priority"].to_pylist() == [float(v) for v in expected]
