"""Columns over all documents, which only tests of small corpora load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.documents import Unit, sketch_schema
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import Verdicts
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import Sketches, fixed_matrix, packed_runs


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


def by_unit(sketches: Sketches, values: NDArray[Any]) -> Iterator[tuple[Unit, NDArray[Any]]]:
    """Cut an array over all documents into a view for each unit."""
    for unit in sketches.units:
        yield unit, values[sketches.offsets[unit.index] : sketches.offsets[unit.index + 1]]


def matrix_of(
    sketches: Sketches, column: str, documents: NDArray[np.int64], dtype: Any
) -> NDArray[Any]:
    """Read a fixed-width column of the sketches of some documents, one row for each.

    Args:
        sketches: sketches of a small corpus.
        column: "signature", "embedding" or "surface".
        documents: ascending document numbers.
        dtype: type of the entries.
    """
    parts = [
        fixed_matrix(sketches.table(unit, [column])[column], dtype)[rows]
        for unit, rows, _ in sketches.rows_of(documents)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0), dtype)


def word_runs(
    sketches: Sketches, documents: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Read the word hashes of some documents.

    Args:
        sketches: sketches of a small corpus.
        documents: document numbers in any order.

    Returns:
        int64[n + 1] offsets and uint32[total] hashes.
    """
    ascending = np.argsort(documents, kind="stable")
    runs: list[NDArray[np.uint32]] = [np.zeros(0, np.uint32)] * len(documents)
    for unit, rows, places in sketches.rows_of(documents[ascending]):
        offsets, hashes = packed_runs(sketches.table(unit, ["words"])["words"])
        for row, place in zip(rows, places, strict=True):
            runs[ascending[place]] = hashes[offsets[row] : offsets[row + 1]]
    ends = np.cumsum([0, *map(len, runs)], dtype=np.int64)
    return ends, np.concatenate([np.zeros(0, np.uint32), *runs])


def verdicts(deduplicated: Deduplicated) -> Verdicts:
    """Return the verdicts on all documents of a run."""
    names = ["partner", "stage", "similarity", "open"]
    columns = load_columns(deduplicated.folder, deduplicated.sketches, names)
    return Verdicts(*columns, deduplicated.counts)


def clusters(clustered: Clustered) -> NDArray[np.int32]:
    """Return the cluster of all documents of a run."""
    return load_columns(clustered.folder, clustered.sketched.sketches, ["cluster"])[0]


def classes(clustered: Clustered) -> NDArray[np.int8]:
    """Return the class of all documents of a run."""
    return load_columns(clustered.classes_folder, clustered.sketched.sketches, ["class"])[0]


def copies(selected: Selected | Kept) -> NDArray[np.int32]:
    """Return the copies of all documents of a run."""
    return load_columns(selected.folder, selected.sketched.sketches, ["copies"])[0]


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
