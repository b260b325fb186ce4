"""Columns of a unit that decide whether its documents may be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.budget import OTHERS
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Role
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit


@dataclass(frozen=True)
class UnitColumns:
    """Row-aligned files of the stages before `rank`.

    Attributes:
        sketches: folder of the sketches.
        verdicts: folder of `partner` and `stage`.
        assignments: folder of `cluster`.
        classes: folder of `class`.
        roles: role of each source, by its number.
        ledger: numbers of the sources that hold a lineage's ledger.
        domains: names of the domains, with '*'.
    """

    sketches: str
    verdicts: str
    assignments: str
    classes: str
    roles: Sequence[Role]
    ledger: frozenset[int]
    domains: Sequence[str]

    def sketch(self, unit: Unit, columns: Sequence[str]) -> pa.Table:
        """Read some columns of a unit's sketches."""
        return files.read_table(unit_file(self.sketches, unit.index, "parquet"), columns)

    def kept(self, unit: Unit) -> NDArray[np.bool_]:
        """Mark the documents of a unit that deduplication keeps: bool[n]."""
        partner, stage = load_unit(self.verdicts, unit.index, ["partner", "stage"])
        return np.asarray((partner < 0) & (stage <= 0))

    def classes_of(self, unit: Unit) -> NDArray[np.int8]:
        """Read the classes of a unit's documents: int8[n]."""
        (classes,) = load_unit(self.classes, unit.index, ["class"])
        return classes

    def clusters_of(self, unit: Unit) -> NDArray[np.int64]:
        """Read the clusters of a unit's documents: int64[n]."""
        (clusters,) = load_unit(self.assignments, unit.index, ["cluster"])
        return clusters.astype(np.int64)

    @property
    def domain_columns(self) -> list[str]:
        """Names of the sketches' columns that `domains_of` needs."""
        return ["domain"] if len(self.domains) > 1 else []

    def domains_of(self, table: pa.Table) -> NDArray[np.int16]:
        """Return the place of each document's domain among the domains.

        Args:
            table: n rows of sketches, with the columns `domain_columns`.

        Returns:
            int16[n]; a document of another domain has the place of '*'.
        """
        others = list(self.domains).index(OTHERS)
        if not self.domain_columns or not len(table):
            return np.full(len(table), others, np.int16)
        encoded = pc.fill_null(table["domain"], "").combine_chunks().dictionary_encode()
        number = {name: place for place, name in enumerate(self.domains)}
        values = encoded.dictionary.to_pylist()
        by_code = np.array([number.get(value, others) for value in values], np.int16)
        return np.asarray(by_code[encoded.indices.to_numpy()])
