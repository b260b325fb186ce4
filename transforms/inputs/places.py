"""Places of a unit's rows in the files of its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base.files import as_utf8


@dataclass(frozen=True)
class Places:
    """Places of the rows of one unit.

    Attributes:
        names: name of each piece's file in messages and ids.
        starts: int64[pieces], first row of each piece, counted in the unit.
        bases: int64[pieces], first row of each piece, counted in its file.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    bases: NDArray[np.int64]

    def piece_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of the pieces of some rows, int64[n].

        Args:
            rows: int64[n], rows of the unit.
        """
        return np.searchsorted(self.starts, rows, side="right") - 1

    def in_file(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows of the unit as counted in their files from 0, int64[n].

        Args:
            rows: int64[n], rows of the unit.
        """
        piece = self.piece_of(rows)
        return rows - self.starts[piece] + self.bases[piece]

    def piece(self, kind: str, number: int, piece: int) -> int:
        """Return the number of a reject's piece.

        Args:
            kind: unit of `number`: line, row or byte.
            number: number of the line or row in the unit, or of the byte in its file.
            piece: piece of a byte.
        """
        return piece if kind == "byte" else int(self.piece_of(np.array([number]))[0])

    def place_of(self, kind: str, number: int, piece: int) -> str:
        """Return the place of a reject in its file, in words, such as "line 3".

        Args:
            kind: unit of `number`: line, row or byte.
            number: number of the line or row in the unit, or of the byte in its file.
            piece: piece of a byte.
        """
        if kind == "byte":
            return f"byte {number}"
        # Editors count lines from 1.
        return f"{kind} {int(self.in_file(np.array([number]))[0]) + (kind == 'line')}"

    def ids(self, rows: NDArray[np.int64], source: str) -> pa.Array:
        """Return ids made of places, string[n]: source/file#row.

        Args:
            rows: int64[n], rows of the unit.
            source: name of the unit's source.
        """
        prefixes = pa.array([f"{source}/{name}" for name in self.names], pa.string())
        numbers = pa.array(self.in_file(rows)).cast(pa.string())
        return pc.binary_join_element_wise(
            prefixes.take(pa.array(self.piece_of(rows))), numbers, "#"
        )


def places_of(units: Sequence[Unit], lines: Sequence[Sequence[int]]) -> list[Places]:
    """Return the places of each unit's rows; a unit may hold parts of files.

    Args:
        units: all units of a run, in order.
        lines: number of lines or rows of each piece, for each unit.
    """
    names = file_names(units)
    result: list[Places] = []
    before: tuple[int, str] | None = None
    base = 0
    for unit, counts in zip(units, lines, strict=True):
        bases = []
        for piece, count in zip(unit.pieces, counts, strict=True):
            base = base if (unit.source, piece.file) == before else 0
            bases.append(base)
            before, base = (unit.source, piece.file), base + count
        starts = np.cumsum([0, *counts], dtype=np.int64)[:-1]
        piece_names = tuple(names[unit.source, piece.file] for piece in unit.pieces)
        result.append(Places(piece_names, starts, np.array(bases, np.int64)))
    return result


def file_names(units: Sequence[Unit]) -> dict[tuple[int, str], str]:
    """Name each file by its path below the deepest folder that its source's files share.

    So ids identify files, and don't depend on the location of the corpus.

    Args:
        units: all units of a run.

    Returns:
        Names by number of the source and path, in the order of the units.
    """
    paths: dict[int, dict[str, None]] = {}
    for unit in units:
        paths.setdefault(unit.source, {}).update((piece.file, None) for piece in unit.pieces)
    names: dict[tuple[int, str], str] = {}
    for source, files in paths.items():
        # Without os.path, as a path may belong to an object store.
        folders = [path.split("/")[:-1] for path in files]
        shared = [parts[0] for parts in takewhile(_all_equal, zip(*folders, strict=False))]
        start = sum(len(name) + 1 for name in shared)
        names |= {(source, path): as_utf8(path[start:]) for path in files}
    return names


def _all_equal(names: tuple[str, ...]) -> bool:
    return len(set(names)) == 1
