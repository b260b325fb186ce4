"""Assignments of documents to both codebooks, one row for each document."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa

from outcross.schemas.documents import EMBEDDING_DIMS, Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.assign_clusters import AssignClusters
from outcross.transforms.reference.assignments import ASSIGNMENTS
from outcross.transforms.reference.codebook import fit_codebook
from outcross.transforms.reference.second_codebook import BUCKETS, SecondCodebook, word_vectors
from tests.support.references import fixed, packed, unit_vectors


def test_assignments_stand_beside_their_documents(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    weights = rng.integers(0, 100, BUCKETS).astype(np.uint8)
    units, x, seen = [], [], []
    for index, rows in enumerate((5, 0, 3000)):
        units.append(Unit(index, 0, (Piece(f"{index}.jsonl", "jsonl", 0, -1, 1),)))
        x.append(unit_vectors(rng, rows, 4) if rows else np.zeros((0, EMBEDDING_DIMS), np.int8))
        offsets = np.arange(rows + 1) * 3
        words = rng.integers(0, 2**32, 3 * rows, dtype=np.uint32)
        seen.append(word_vectors(offsets, words, weights))
        sketch = pa.table({"embedding": fixed(x[-1]), "words": packed(offsets, words)})
        files.write_table(unit_file(str(tmp_path), index, "parquet"), sketch)
    out = tmp_path / "assignments"
    out.mkdir()
    book = fit_codebook(x[2], 8, 0)
    second = SecondCodebook(weights, fit_codebook(seen[2], 5, 1))
    with beam.Pipeline(runner="FnApiRunner") as p:
        lanes = p | beam.Create([[units[2]], [units[0], units[1]]])
        lanes | AssignClusters(str(tmp_path), str(out), book, second)
    for unit, embeddings, vectors in zip(units, x, seen, strict=True):
        table = files.read_table(unit_file(str(out), unit.index, "parquet"))
        assert table.schema.equals(ASSIGNMENTS)
        expected = [*book.assign(embeddings), second.codebook.assign(vectors)[0]]
        for column, values in zip(table.columns, expected, strict=True):
            assert column.to_pylist() == values.tolist()
