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
from outcross.transforms.reading.lookup import TextKind
from outcross.transforms.sketches.passages import texts_of

WANTED = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # document of the unit, ascending
        pa.field("text", pa.int32(), nullable=False),  # most characters of its judged text
        pa.field("prompt", pa.int32(), nullable=False),  # most characters of its prompt
    ]
)
"""Schema of the documents whose texts are wanted; no text is read where no characters are."""


@dataclass
class LookUpTexts(beam.PTransform):
    """Look up the texts of some documents of each unit.

    Elements in: lists of `Unit`; elements out: indexes of the units.

    Args:
        sources: sources of the configuration.
        sketches: folder of the sketches.
        wanted: folder of a table with schema `WANTED` for each unit with wanted texts.
        folder: folder for tables with the columns `text` and `prompt`, aligned with `wanted`.
    """

    sources: Sequence[Source]
    sketches: str
    wanted: str
    folder: str

    def expand(self, lanes: Any) -> Any:
        """Apply the transform to lanes of units."""
        return lanes | PerUnit(_LookUpUnit(self.sources, self.sketches, self.wanted, self.folder))


@dataclass
class _LookUpUnit:
    sources: Sequence[Source]
    sketches: str
    wanted: str
    folder: str

    def setup(self) -> None:
        pass

    def run(self, unit: Unit) -> int:
        path = unit_file(self.wanted, unit.index, "parquet")
        if not files.exists(path):
            return unit.index
        wanted = files.read_table(path)
        kinds: list[TextKind] = [
            kind for kind in ("text", "prompt") if wanted[kind].to_numpy().any()
        ]
        rows, source = wanted["row"].to_numpy(), self.sources[unit.source]
        texts = texts_of(self.sketches, unit, source, rows, kinds)
        columns = {
            kind: [text[:limit] for text, limit in zip(texts[kind], limits, strict=True)]
            for kind in kinds
            for limits in [wanted[kind].to_pylist()]
        }
        table = pa.table({kind: pa.array(column, pa.string()) for kind, column in columns.items()})
        files.write_table(unit_file(self.folder, unit.index, "parquet"), table)
        return unit.index
