"""Assign each document to its cluster, as a transform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.codebook import ASSIGNMENTS, Codebook
from outcross.transforms.sketches.store import fixed_matrix


@dataclass
class AssignClusters(beam.PTransform):
    """Assign every document to a cluster of each codebook, in a row-aligned file for each unit.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sketches: folder of the sketches.
        folder: folder that gets the assignments.
        codebook: codebook that decisions use.
        second_codebook: codebook for reports only.
    """

    sketches: str
    folder: str
    codebook: Codebook
    second_codebook: Codebook

    def expand(self, lanes: Any) -> Any:
        """Assign the documents of each unit."""
        unit_work = _AssignUnit(self.sketches, self.folder, self.codebook, self.second_codebook)
        return lanes | PerUnit(unit_work)


@dataclass
class _AssignUnit:
    sketches: str
    folder: str
    codebook: Codebook
    second_codebook: Codebook

    def setup(self) -> None:
        """Do nothing: the codebooks come with the work."""

    def run(self, unit: Unit) -> int:
        """Write the assignments of one unit."""
        path = unit_file(self.sketches, unit.index, "parquet")
        parts = [pa.table([[]] * 4, schema=ASSIGNMENTS)]
        for embeddings in _embedding_batches(path):
            cluster, dot, density = self.codebook.assign(embeddings)
            second_cluster, _, _ = self.second_codebook.assign(embeddings)
            parts.append(pa.table([cluster, dot, density, second_cluster], schema=ASSIGNMENTS))
            count("documents", len(embeddings))
        files.write_table(unit_file(self.folder, unit.index, "parquet"), pa.concat_tables(parts))
        return unit.index


def _embedding_batches(path: str) -> Iterator[NDArray[np.int8]]:
    """Read the embeddings of a sketch file, a row group at a time."""
    column = files.read_table(path, ["embedding"]).column(0)
    for chunk in column.chunks:
        if len(chunk):
            yield fixed_matrix(pa.chunked_array([chunk]), np.int8)
