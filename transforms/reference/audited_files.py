"""Count the documents of audited files, and mark those that are measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.packing import to_buffer, unpack
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.aligned import load_unit

COUNTS = "files"
"""Name of the sum."""
_COUNTS = pa.schema([(name, pa.int64()) for name in ("file", "read", "kept", "known")])


@dataclass(frozen=True)
class PieceFiles:
    """Numbers of the files of all pieces.

    Attributes:
        starts: int64[units + 1], first piece of each unit.
        numbers: int64[pieces], file of each piece.
    """

    starts: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def of_unit(self, unit: int) -> NDArray[np.int64]:
        """Return the files of a unit's pieces."""
        return self.numbers[self.starts[unit] : self.starts[unit + 1]]

    def save(self, path: str) -> None:
        """Write the numbers to a file."""
        arrays = {"starts": self.starts, "numbers": self.numbers}
        files.write_bytes(path, files.pack_arrays(arrays))

    @classmethod
    def load(cls, path: str) -> PieceFiles:
        """Read the numbers that `save` wrote."""
        return cls(**files.read_as(path, files.unpack_arrays))


@dataclass
class CountFiles:
    """Mark each unit's measured documents and count those of its files, as work of a sum.

    Args:
        sketches: folder of the sketches.
        verdicts: folder of the row-aligned verdicts.
        known: folder with the known rows of units that have any.
        pieces: file of the `PieceFiles`.
        folder: folder that gets the row-aligned columns `known` (bool), `copies` (int32, 1 for a
            measured document, else 0) and `file` (int64).
    """

    sketches: str
    verdicts: str
    known: str
    pieces: str
    folder: str

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> list[pa.Table]:
        """Return no counts."""
        return [_COUNTS.empty_table()]

    @cached_property
    def _files(self) -> PieceFiles:
        return PieceFiles.load(self.pieces)

    def add(self, unit: Unit, sums: list[pa.Table]) -> None:
        """Mark and count the documents of a unit."""
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        kept, known = partner < 0, np.zeros(len(partner), bool)
        path = unit_file(self.known, unit.index, "npy")
        if files.exists(path):
            known[files.read_array(path)] = True
        rows = files.read_json(unit_file(self.sketches, unit.index, "json"))["piece_rows"]
        numbers = self._files.of_unit(unit.index)
        file = np.repeat(numbers, np.array(rows, np.int64))
        columns = {"known": known, "copies": (kept & ~known).astype(np.int32), "file": file}
        files.write_table(unit_file(self.folder, unit.index, "parquet"), pa.table(columns))
        piece = np.repeat(np.arange(len(rows)), rows)
        counts = [np.bincount(piece[mask], minlength=len(rows)) for mask in (kept, known)]
        sums.append(pa.table([numbers, np.array(rows, np.int64), *counts], schema=_COUNTS))

    def pack(self, sums: list[pa.Table]) -> Iterator[tuple[str, pa.Buffer]]:
        """Yield the counts of a bundle."""
        yield COUNTS, to_buffer(pa.concat_tables(sums))

    def merge(self, name: str, parts: Iterable[bytes]) -> pa.Buffer:
        """Add the counts of all bundles by file."""
        counts = unpack(parts)
        total = counts.group_by("file").aggregate([(c, "sum") for c in _COUNTS.names[1:]])
        return to_buffer(total.select(["file", *(f"{c}_sum" for c in _COUNTS.names[1:])]))


def read_counts(folder: str, number: int) -> dict[str, NDArray[np.int64]]:
    """Return the documents of each file that were read, kept, and known: int64[files] by name.

    Args:
        folder: folder of the sums.
        number: number of files.
    """
    table = files.read_as(files.join(folder, COUNTS), lambda data: unpack([data]))
    counts = {}
    for name in _COUNTS.names[1:]:
        counts[name] = np.zeros(number, np.int64)
        counts[name][table["file"].to_numpy()] = table[f"{name}_sum"].to_numpy()
    return counts
