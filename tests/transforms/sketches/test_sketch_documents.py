"""What is kept of documents: aligned with the valid rows of their unit, whatever the unit."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from outcross.schemas.columns import mark_wide
from outcross.schemas.documents import EMBEDDING_DIMS, sketch_schema
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.blocks import Block
from outcross.transforms.sketches.block import sketch_block
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches, fixed_matrix, ngram_runs, packed_runs
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.minhash import signatures
from outcross.transforms.text.signs import signs, with_signs
from outcross.transforms.text.surface import surface
from outcross.transforms.text.words import split_words, word_ids
from tests.support.corpora import over, sketched, source, strings, write_jsonl

TEXTS = ["One two three four five six.", "ein zwei drei", "?!", "Größe 你好 ﬁne", "one TWO"]
NUMBERS = ["fingerprint_hi", "fingerprint_lo", "row_hash", "size", "length", "tokens", "priority"]


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


def test_a_priority_does_not_depend_on_what_its_block_holds(tmp_path):
    values = [1, "high", 2.5, None, 2**60 + 1, "7", {"a": 1}, True, 3]
    rows = [{"text": f"text {i}", "p": value} for i, value in enumerate(values)]
    made = [source("s", "human", write_jsonl(tmp_path / "x.jsonl", rows), priority_field="p")]
    whole = sketched(tmp_path / "whole", made)
    single = sketched(tmp_path / "single", made, unit_bytes=10)
    assert len(single.units) > len(rows)
    assert whole.numbers("priority").tolist() == single.numbers("priority").tolist()
    assert whole.numbers("priority").tolist() == [1, 0, 2.5, 0, 2.0**60, 7, 0, 0, 3]


ROWS = [
    {"text": f"Text number {i} says {'word ' * (i % 7)}", "id": f"d{i}", "kind": f"k{i % 3}"}
    for i in range(60)
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """JSONL with blank, broken and filtered rows, gzip, and Parquet in row groups."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = []
    for i, row in enumerate(ROWS[:30]):
        lines.append(json.dumps(row | {"n": i}))
        lines += {
            3: ["", "{broken"],
            11: ['{"text": 5, "kind": "k0"}'],
            20: ['{"text": " ", "kind": "k1"}', ""],
        }.get(i, [])
        if i % 10 == 9:
            lines.append(json.dumps({"text": "left out", "kind": "other"}))
    jsonl = folder / "a.jsonl"
    jsonl.write_text("\n".join(lines) + "\n")
    rows = [row | {"n": i / 2, "more": [i]} for i, row in enumerate(ROWS[30:])]
    rows[4]["text"] = None
    table = pa.Table.from_pylist(rows)
    parquet = folder / "b.parquet"
    pq.write_table(table, parquet, row_group_size=7)
    kinds = {"kind": ["k0", "k1", "k2"]}
    return [
        source("lines", "synthetic", jsonl, id_field="id", domain_field="kind", where=kinds),
        source("columns", "human", parquet, id_field="id", domain_field="kind"),
    ]


def rejects_of(sketches, sources):
    return sketches.rejects(sources).to_pylist()


def test_units_of_any_size_hold_the_same_documents(tmp_path, corpus):
    whole = sketched(tmp_path / "whole", corpus)
    assert len(whole.units) == 2
    assert len(whole) == 59
    found = rejects_of(whole, corpus)
    assert [(r["source"], r["file"], r["place"]) for r in found] == [
        ("lines", "a.jsonl", "line 6"),
        ("lines", "a.jsonl", "line 16"),
        ("lines", "a.jsonl", "line 27"),
        ("columns", "b.parquet", "row 4"),
    ]
    assert found[0]["raw"] == b"{broken"
    for unit_bytes in (40, 300, 900):
        cut = sketched(tmp_path / str(unit_bytes), corpus, unit_bytes, lanes=3)
        assert len(cut.units) > 4
        assert rejects_of(cut, corpus) == found
        for column in NUMBERS:
            assert cut.numbers(column).tolist() == whole.numbers(column).tolist()
            assert cut.numbers(column).dtype == whole.numbers(column).dtype
        for column in ("id", "domain"):
            assert strings(cut, column).to_pylist() == strings(whole, column).to_pylist()
        assert sum(sum(r.lines) for r in cut.reports) == sum(sum(r.lines) for r in whole.reports)
        for name in ("rows", "read", "rejected", "filtered", "tokens"):
            assert sum(getattr(r, name) for r in cut.reports) == sum(
                getattr(r, name) for r in whole.reports
            )
        rows = [
            cut.places[u.index].in_file(cut.table(u.index, ["row"]).column(0).to_numpy())
            for u in cut.units
        ]
        expected = [whole.table(u.index, ["row"]).column(0).to_numpy() for u in whole.units]
        assert np.concatenate(rows).tolist() == np.concatenate(expected).tolist()
        for unit in cut.units:
            for piece, base in zip(unit.pieces, cut.places[unit.index].bases, strict=True):
                assert piece.kind == "jsonl" or base == 7 * piece.start


def test_reports_balance(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=300)
    for unit, report in zip(sketches.units, sketches.reports, strict=True):
        assert report.unit == unit.index
        assert report.read == report.rows + report.rejected
        assert sum(report.reasons.values()) == report.rejected
        table = sketches.table(unit.index, ["row", "tokens"])
        assert table.num_rows == report.rows
        assert (pc.sum(table["tokens"]).as_py() or 0) == report.tokens
        assert len(report.lines) == len(report.piece_rows) == len(unit.pieces)
        assert sum(report.piece_rows) == report.rows
        if unit.pieces[0].kind == "parquet":
            assert sum(report.lines) == report.read + report.filtered
    lines = [r for r, u in zip(sketches.reports, sketches.units, strict=True) if u.source == 0]
    assert sum(report.filtered for report in lines) == 3
    assert sum(report.rejected for report in lines) == 3
    assert sum(report.read for report in lines) == 33


def test_the_schema_of_a_unit_is_that_of_its_valid_rows(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus)
    assert sketches.reports[0].arrow_schema().names == ["text", "id", "kind", "n"]
    assert sketches.reports[1].arrow_schema().field("more").type == pa.list_(pa.int64())


def test_rows_line_up_with_a_second_reading(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=300)
    for unit in sketches.units:
        found = sketches.table(unit.index, ["row", "length"])
        blocks = list(read_unit(unit, corpus[unit.source], batch_bytes=100))
        rows = [row for block in blocks for row in block.rows.tolist()]
        texts = [text for block in blocks for text in block.text.to_pylist()]
        assert found["row"].to_pylist() == rows
        assert found["length"].to_pylist() == [len(text.encode()) for text in texts]


def test_matrices_hold_the_documents_asked_for(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=300)
    everything = np.arange(len(sketches))
    whole = sketches.matrix("signature", everything, np.uint32)
    texts = [
        text
        for unit in sketches.units
        for block in read_unit(unit, corpus[unit.source])
        for text in block.text.to_pylist()
    ]
    assert (whole == signatures(split_words(pa.array(texts)), 5, 128)).all()
    rng = np.random.default_rng(1)
    for size in (0, 1, 5, 40):
        chosen = np.sort(rng.choice(len(sketches), size, replace=False))
        given = np.zeros((size, 128), np.uint32)
        found = sketches.matrix("signature", chosen, np.uint32, given)
        assert found is given
        assert (found == whole[chosen]).all()
        assert (sketches.matrix("embedding", chosen, np.int8).shape[0]) == size
        places = np.concatenate([np.zeros(0, int), *(p for *_, p in sketches.rows_of(chosen))])
        assert places.tolist() == list(range(size))
        back = [
            sketches.offsets[u] + row for u, rows, _ in sketches.rows_of(chosen) for row in rows
        ]
        assert back == chosen.tolist()


def test_arrays_are_cut_into_units(tmp_path, corpus):
    sketches = sketched(tmp_path / "s", corpus, unit_bytes=40)
    parts = list(sketches.per_unit(np.arange(len(sketches))))
    assert [unit.index for unit, _ in parts] == list(range(len(sketches.units)))
    assert [len(part) for _, part in parts] == [report.rows for report in sketches.reports]
    assert np.concatenate([part for _, part in parts]).tolist() == list(range(len(sketches)))


def test_finished_units_are_not_sketched_again(tmp_path, corpus):
    folder = tmp_path / "s"
    first = sketched(folder, corpus, unit_bytes=300)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert not [name for name in before if name.endswith(".tmp")]
    lost = Path(unit_file(str(folder), 1, "json"))
    half = Path(unit_file(str(folder), 2, "parquet"))
    lost.unlink()  # killed between the two files of a unit
    for ending in ("json", "parquet"):
        Path(unit_file(str(folder), 2, ending)).unlink()
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    units = plan_units(corpus, 300)
    counts = over([units], SketchDocuments(corpus, str(folder), 5, 128))
    assert counts["documents"] == first.reports[1].read + first.reports[2].read
    made = {path.name for path in folder.iterdir() if path.stat().st_mtime > 0}
    assert made >= {lost.name, half.name}
    assert {name.split(".")[0] for name in made} == {"unit-000001", "unit-000002"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(Sketches(str(folder), units)) == len(first)


def test_a_source_without_valid_rows(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('\n{"text": null}\n\nnonsense\n')
    made = [source("s", "human", path)]
    sketches = sketched(tmp_path / "s", made)
    assert len(sketches) == 0
    assert sketches.numbers("tokens").dtype == np.int64
    assert sketches.numbers("fingerprint_hi").dtype == np.uint64
    assert strings(sketches, "id").to_pylist() == []
    assert sketches.matrix("signature", np.zeros(0, np.int64), np.uint32).shape[0] == 0
    assert [r["place"] for r in rejects_of(sketches, made)] == ["line 2", "line 4"]
    assert sketches.reports[0].arrow_schema().names == []
