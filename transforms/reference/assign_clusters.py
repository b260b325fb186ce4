"""Assign each document to its cluster, as a transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.assignments import ASSIGNED_COLUMNS, assign
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.reference.second_codebook import SecondCodebook


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
    second_codebook: SecondCodebook

    def expand(self, lanes: Any) -> Any:
        """Assign the documents of each unit."""
        unit_work = _AssignUnit(self.sketches, self.folder, self.codebook, self.second_codebook)
        return lanes | PerUnit(unit_work)


@dataclass
class _AssignUnit:
    sketches: str
    folder: str
    codebook: Codebook
    second_codebook: SecondCodebook

    def setup(self) -> None:
        """Do nothing: the codebooks come with the work."""

    def run(self, unit: Unit) -> int:
        """Write the assignments of one unit."""
        path = unit_file(self.sketches, unit.index, "parquet")
        sketch = files.read_table(path, ASSIGNED_COLUMNS)
        table = assign(sketch, self.codebook, self.second_codebook)
        files.write_table(unit_file(self.folder, unit.index, "parquet"), table)
        return unit.index
