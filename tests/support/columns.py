"""Columns over all documents, which only tests of small corpora load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.documents import sketch_schema
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import Verdicts
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import Sketches


def save_columns(folder: str, sketches: Sketches, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns over all documents, one row-aligned file for each unit."""
    files.make_folder(folder)
    for unit in sketches.units:
        rows = slice(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        table = pa.table({name: values[rows] for name, values in columns.items()})
        files.write_table(unit_file(folder, unit.index, "parquet"), table)


def load_columns(folder: str, sketches: Sketches, columns: Sequence[str]) -> list[NDArray[Any]]:
    """Read row-aligned columns over all documents, in the order of `columns`."""
    tables = [load_unit(folder, unit.index, columns) for unit in sketches.units]
    return [np.concatenate([table[i] for table in tables]) for i in range(len(columns))]


def numbers(sketches: Sketches, column: str) -> NDArray[Any]:
    """Read a numeric column of the sketches over all documents."""
    kind = np.dtype(str(sketch_schema(8).field(column).type))
    parts = [sketches.table(unit.index, [column])[column].to_numpy() for unit in sketches.units]
    return np.concatenate([np.zeros(0, kind), *parts])


def verdicts(deduplicated: Deduplicated) -> Verdicts:
    """Return the verdicts on all documents of a run."""
    names = ["partner", "stage", "similarity", "open"]
    columns = load_columns(deduplicated.folder, deduplicated.sketches, names)
    return Verdicts(*columns, deduplicated.counts)


@dataclass(frozen=True)
class Corpus:
    """All documents of a run.

    Attributes:
        sketched: result of `sketch`.
    """

    sketched: Sketched

    @property
    def sources(self) -> NDArray[np.int64]:
        """Array int64[n]: number of each document's source."""
        sketches = self.sketched.sketches
        of_units = np.array([unit.source for unit in sketches.units], np.int64)
        return np.repeat(of_units, np.diff(sketches.offsets))

    @property
    def tokens(self) -> NDArray[np.int64]:
        """Array int64[n]: tokens of each document."""
        return numbers(self.sketched.sketches, "tokens")

    @property
    def fingerprints(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Pair of arrays uint64[n]: halves of the fingerprints."""
        sketches = self.sketched.sketches
        return numbers(sketches, "fingerprint_hi"), numbers(sketches, "fingerprint_lo")

    def of_role(self, *roles: str) -> NDArray[np.bool_]:
        """Return bool[n]: the documents whose source has one of these roles."""
        sources = self.sketched.config.sources
        return np.array([source.role in roles for source in sources], bool)[self.sources]

    def of_sources(self, *names: str) -> NDArray[np.bool_]:
        """Return bool[n]: the documents whose source has one of these names."""
        sources = self.sketched.config.sources
        return np.array([source.name in names for source in sources], bool)[self.sources]
