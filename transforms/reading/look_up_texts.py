"""Look up the texts of a few documents, as a transform."""

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
from outcross.transforms.reading.lookup import What, texts_at


@dataclass
class LookUpTexts(beam.PTransform):
    """Looks up the texts of some documents of every unit.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: the configuration's sources.
        wanted: folder of the documents' places, an int64[n, 2] array a unit that has any: number
            of the piece, and line or row in it, both ascending.
        folder: where the texts go, in the same order.
        characters: of each text, from its beginning; what is longer is cut.
        what: the judged text, or the prompt.
    """

    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int
    what: What = "text"

    def expand(self, lanes: Any) -> Any:
        work = _LookUpUnit(self.sources, self.wanted, self.folder, self.characters, self.what)
        return lanes | PerUnit(work)


@dataclass
class _LookUpUnit:
    sources: Sequence[Source]
    wanted: str
    folder: str
    characters: int
    what: What

    def setup(self) -> None:
        pass

    def run(self, unit: Unit) -> int:
        wanted = files.read_array(unit_file(self.wanted, unit.index, "npy"))
        found = texts_at(unit.pieces, self.sources[unit.source], wanted, self.what)
        texts = pa.array([text[: self.characters] for text in found], pa.string())
        files.write_table(unit_file(self.folder, unit.index, "parquet"), pa.table({"text": texts}))
        return unit.index
