"""Assignments of documents to both codebooks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from outcross.transforms.base.progress import count
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.reference.second_codebook import SecondCodebook
from outcross.transforms.sketches.store import fixed_matrix, packed_runs

ASSIGNMENTS = pa.schema(
    [
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("dot", pa.int32(), nullable=False),
        pa.field("density", pa.int64(), nullable=False),
        pa.field("audit_cluster", pa.int32(), nullable=False),
    ]
)
"""Schema of the assignments. `audit_cluster` is the cluster in the second codebook."""

ASSIGNED_COLUMNS = ["embedding", "words"]
"""Columns of the sketches that documents are assigned by."""

_BATCH = 1 << 14


def assign(sketch: pa.Table, codebook: Codebook, second_codebook: SecondCodebook) -> pa.Table:
    """Assign documents to both codebooks.

    Args:
        sketch: columns `ASSIGNED_COLUMNS` of n documents.
        codebook: codebook that decisions use.
        second_codebook: codebook for reports only.

    Returns:
        n rows with schema `ASSIGNMENTS`.
    """
    parts = [pa.table([[]] * 4, schema=ASSIGNMENTS)]
    for start in range(0, sketch.num_rows, _BATCH):
        batch = sketch.slice(start, _BATCH)
        embeddings = fixed_matrix(batch["embedding"], np.int8)
        second = second_codebook.nearest(*packed_runs(batch["words"]))
        columns = [*codebook.assign(embeddings), second]
        parts.append(pa.table(columns, schema=ASSIGNMENTS))
        count("documents", batch.num_rows)
    return pa.concat_tables(parts)
