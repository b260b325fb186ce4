"""Look up the texts of a few documents of each unit, as a transform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reading.lookup import TextKind, texts_of_kinds

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
        wanted: folder of a table with schema `WANTED` for each unit.
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
        wanted = files.read_table(unit_file(self.wanted, unit.index, "parquet"))
        kinds: list[TextKind] = [
            kind for kind in ("text", "prompt") if wanted[kind].to_numpy().any()
        ]
        rows, source = wanted["row"].to_numpy(), self.sources[unit.source]
        texts = texts_of_rows(self.sketches, unit, source, rows, kinds)
        columns = {
            kind: [text[:limit] for text, limit in zip(texts[kind], limits, strict=True)]
            for kind in kinds
            for limits in [wanted[kind].to_pylist()]
        }
        table = pa.table({kind: pa.array(column, pa.string()) for kind, column in columns.items()})
        files.write_table(unit_file(self.folder, unit.index, "parquet"), table)
        return unit.index


def texts_of_rows(
    sketches: str,
    unit: Unit,
    source: Source,
    rows: NDArray[np.int64],
    kinds: Sequence[TextKind] = ("text",),
) -> dict[TextKind, list[str]]:
    """Return the texts of some documents of a unit, of each kind; its files are read once.

    Args:
        sketches: folder of the sketches.
        unit: unit with its pieces.
        source: source of the unit.
        rows: int64[n], rows of the documents among the unit's valid rows, ascending.
        kinds: kinds of texts to return.
    """
    lines = files.read_json(unit_file(sketches, unit.index, "json"))["lines"]
    starts = np.cumsum([0, *lines], dtype=np.int64)[:-1]
    column = files.read_table(unit_file(sketches, unit.index, "parquet"), ["row"]).column(0)
    line = column.to_numpy()[rows]
    piece = np.searchsorted(starts, line, side="right") - 1
    places = np.stack([piece, line - starts[piece]], 1)
    return texts_of_kinds(unit.pieces, source, places, kinds)
