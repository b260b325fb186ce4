"""Sketched: the result of the stage `sketch`."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pyarrow as pa

from outcross.pipeline.engine.artifacts import MANIFEST, Artifact
from outcross.pipeline.stages.context import Context
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.sources import Role
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
        passages: sketches of all documents, and of the passages of those that are offered in
            pieces; None where no source has `pieces`.
    """

    context: Context
    artifact: Artifact
    sketches: Sketches
    union: pa.Schema
    removed_union: pa.Schema
    text_out: str | None
    identities: dict[str, str]
    embedded: bool = True
    passages: Sketches | None = None

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.context.config

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

    def units(self, *roles: Role) -> list[Unit]:
        """Return the units to choose from that have valid rows, of sources with these roles."""
        offered = {unit.index for unit in self.sketches.offered}
        return [unit for unit in self.all_units(*roles) if unit.index in offered]

    def all_units(self, *roles: Role) -> list[Unit]:
        """Return the units with valid rows of sources with these roles, of documents and passages.

        Passages follow all documents.
        """
        sources = self.config.sources
        return [
            unit
            for unit in self.sketches.units
            if sources[unit.source].role in roles and self.sketches.reports[unit.index].rows
        ]

    def reports(self, source: int) -> list[UnitReport]:
        """Return the reports of a source's units of documents.

        Args:
            source: number of the source.
        """
        units, reports = self.sketches.documents, self.sketches.reports
        return [reports[unit.index] for unit in units if unit.source == source]


def saved_units(folder: str) -> list[Unit]:
    """Return the units of a finished sketch, sealed as they were.

    Args:
        folder: folder of the artifact, wherever it is now.
    """
    digests = files.join(folder, DIGESTS)

    def parse(data: bytes) -> list[Unit]:
        return [unit_from(unit, digests) for unit in json.loads(data)["stats"]["units"]]

    return files.read_as(files.join(folder, MANIFEST), parse)
