"""Assignments of documents to both codebooks, one row for each document."""

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa

from outcross.schemas.documents import EMBEDDING_DIMS, Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.assign_clusters import AssignClusters
from outcross.transforms.reference.codebook import ASSIGNMENTS, fit_codebook
from tests.support.references import fixed, unit_vectors


def test_assignments_stand_beside_their_documents(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    units, x = [], []
    for index, rows in enumerate((5, 0, 3000)):
        units.append(Unit(index, 0, (Piece(f"{index}.jsonl", "jsonl", 0, -1, 1),)))
        x.append(unit_vectors(rng, rows, 4) if rows else np.zeros((0, EMBEDDING_DIMS), np.int8))
        sketch = pa.table({"embedding": fixed(x[-1])})
        files.write_table(unit_file(str(tmp_path), index, "parquet"), sketch)
    out = tmp_path / "assignments"
    out.mkdir()
    book = fit_codebook(x[2], 8, 0, np.arange(EMBEDDING_DIMS))
    second = fit_codebook(x[2], 5, 1, np.arange(0, EMBEDDING_DIMS, 4))
    with beam.Pipeline(runner="FnApiRunner") as p:
        lanes = p | beam.Create([[units[2]], [units[0], units[1]]])
        lanes | AssignClusters(str(tmp_path), str(out), book, second)
    for unit, embeddings in zip(units, x, strict=True):
        table = files.read_table(unit_file(str(out), unit.index, "parquet"))
        assert table.schema.equals(ASSIGNMENTS)
        expected = [*book.assign(embeddings), second.assign(embeddings)[0]]
        for column, values in zip(table.columns, expected, strict=True):
            assert column.to_pylist() == values.tolist()
