"""Look up the texts of a few documents of each unit, as a transform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.lookup import TextKind, texts_at


@dataclass
class LookUpTexts(beam.PTransform):
    """Look up the texts of some documents of each unit.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: sources of the configuration.
        wanted: folder of the documents' places, for each unit an int64[n, 2] array: number of the
            piece, and line or row in it, both ascending.
        folder: folder for the texts, in the same order.
        characters: most characters of a text; longer ones are cut.
        kind: the judged text, or the prompt.
    """

    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int
    kind: TextKind = "text"

    def expand(self, lanes: Any) -> Any:
        """Apply the transform to lanes of units."""
        work = _LookUpUnit(self.sources, self.wanted, self.folder, self.characters, self.kind)
        return lanes | PerUnit(work)


@dataclass
class _LookUpUnit:
    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int
    kind: TextKind

    def setup(self) -> None:
        pass

    def run(self, unit: Unit) -> int:
        wanted = files.read_array(unit_file(self.wanted, unit.index, "npy"))
        texts = texts_at(unit.pieces, self.sources[unit.source], wanted, self.kind)
        column = pa.array([text[: self.characters] for text in texts], pa.string())
        files.write_table(unit_file(self.folder, unit.index, "parquet"), pa.table({"text": column}))
        return unit.index
