"""Verdicts of passages: those of their documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.passages import PassageRows


@dataclass
class SavePassageVerdicts:
    """Work on a unit of documents: write the verdicts of its passages, row-aligned with these.

    Args:
        sketches: folder of the sketches.
        verdicts: folder of the verdicts.
        passages: units of passages by the index of the unit with their documents.
    """

    sketches: str
    verdicts: str
    passages: Mapping[int, Unit]

    def setup(self) -> None:
        """Do nothing, as units share no data."""

    def run(self, unit: Unit) -> int:
        """Write the verdicts of the unit's passages, if it is offered in these."""
        passages = self.passages.get(unit.index)
        if passages is not None:
            verdicts = files.read_table(unit_file(self.verdicts, unit.index, "parquet"))
            places = PassageRows.load(self.sketches, passages)
            table = verdicts.take(pa.array(places.document))
            files.write_table(unit_file(self.verdicts, passages.index, "parquet"), table)
        return unit.index
