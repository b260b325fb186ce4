"""Sketched: the result of the stage `sketch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import MANIFEST, Artifact
from outcross.pipeline.stages.context import Context
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Role, Source
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_from
from outcross.transforms.sketches.store import Sketches, UnitReport
from outcross.transforms.text.known import Known

DIGESTS = "digests"
"""Name of the artifact's file with the hashes of the blocks of the input's files."""


@dataclass(frozen=True)
class Sketched:
    """Documents of all sources as sketches; result of `sketch`.

    Attributes:
        context: context of the run.
        artifact: artifact of the stage.
        sketches: sketches of all n documents.
        union: schema of the users' columns in data/.
        removed_union: schema of the users' columns in removed/.
        text_out: last column of the union, which gets the judged texts; None for no such column.
        identities: size and hash of each file, by its path.
        embedded: True if the run needs embeddings.
    """

    context: Context
    artifact: Artifact
    sketches: Sketches
    union: pa.Schema
    removed_union: pa.Schema
    text_out: str | None
    identities: dict[str, str]
    embedded: bool = True

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.context.config

    def of_role(self, *roles: Role) -> NDArray[np.bool_]:
        """Return bool[n]: the documents whose source has one of these roles."""
        return self._of(lambda source: source.role in roles)

    def of_sources(self, *names: str) -> NDArray[np.bool_]:
        """Return bool[n]: the documents whose source has one of these names."""
        return self._of(lambda source: source.name in names)

    def _of(self, holds: Callable[[Source], bool]) -> NDArray[np.bool_]:
        sources = self.config.sources
        chosen = [holds(sources[unit.source]) for unit in self.sketches.units]
        return np.repeat(np.array(chosen, bool), np.diff(self.sketches.offsets))

    @cached_property
    def source_numbers(self) -> NDArray[np.int64]:
        """Array int64[n]: number of each document's source."""
        numbers = np.array([unit.source for unit in self.sketches.units], np.int64)
        return np.repeat(numbers, np.diff(self.sketches.offsets))

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Array int64[n]: tokens of each document."""
        return self.sketches.numbers("tokens")

    @cached_property
    def fingerprints(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Pair of arrays uint64[n]: upper and lower halves of the documents' fingerprints."""
        hi = self.sketches.numbers("fingerprint_hi")
        return hi, self.sketches.numbers("fingerprint_lo")

    def known(self, *roles: Role) -> dict[str, Known]:
        """Count the words that the embedder knows, by source name.

        Args:
            roles: roles of the sources to count.
        """
        return {
            source.name: Known.total(
                Known(report.words, report.known) for report in self.reports(number)
            )
            for number, source in enumerate(self.config.sources)
            if source.role in roles
        }

    def domains(self, names: Sequence[str]) -> NDArray[np.int16]:
        """Return each document's place in a list of domains.

        Args:
            names: names of the domains.

        Returns:
            int16[n]; a document of another domain has the place of '*', or -1 without '*'.
        """
        others = names.index(OTHERS) if OTHERS in names else -1
        places = np.full(len(self.sketches), others, np.int16)
        number = {name: place for place, name in enumerate(names)}
        if number.keys() <= {OTHERS}:
            return places
        for unit, part in self.sketches.per_unit(places):
            if self.sketches.reports[unit.index].named.get("domain", 0):
                column = self.sketches.table(unit.index, ["domain"]).column(0)
                encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
                values = encoded.dictionary.to_pylist()
                by_code = np.array([number.get(value, others) for value in values], np.int16)
                part[:] = by_code[encoded.indices.to_numpy()]
        return places

    def units(self, *roles: Role) -> list[Unit]:
        """Return the units that have valid rows and whose source has one of these roles."""
        sources = self.config.sources
        return [
            unit
            for unit in self.sketches.units
            if sources[unit.source].role in roles and self.sketches.reports[unit.index].rows
        ]

    def reports(self, source: int) -> list[UnitReport]:
        """Return the reports of a source's units.

        Args:
            source: number of the source.
        """
        units, reports = self.sketches.units, self.sketches.reports
        return [reports[unit.index] for unit in units if unit.source == source]


def saved_units(folder: str) -> list[Unit]:
    """Return the units of a finished sketch, sealed as they were.

    Args:
        folder: folder of the artifact, wherever it is now.
    """
    stats = files.read_json(files.join(folder, MANIFEST))["stats"]
    return [unit_from(unit, files.join(folder, DIGESTS)) for unit in stats["units"]]
