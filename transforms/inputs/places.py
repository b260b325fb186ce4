"""Where the rows of a unit stand in the files of its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base.files import printable


@dataclass(frozen=True)
class Places:
    """Where the rows of one unit stand.

    Attributes:
        names: of each piece's file, as people and ids call it.
        starts: int64[pieces], row of the unit with which each piece starts.
        bases: int64[pieces], row of its file with which each piece starts.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    bases: NDArray[np.int64]

    def piece_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The pieces that rows of the unit belong to, int64[n]."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def in_file(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same rows as their files count them, from 0."""
        piece = self.piece_of(rows)
        return rows - self.starts[piece] + self.bases[piece]

    def piece(self, kind: str, number: int, piece: int) -> int:
        """Return the number of the piece in which a reject is.

        Args:
            kind, number, piece: of the reject.
        """
        return piece if kind == "byte" else int(self.piece_of(np.array([number]))[0])

    def place_of(self, kind: str, number: int, piece: int) -> str:
        """Return the place of a reject in its file, in words.

        Args:
            kind, number, piece: of the reject.
        """
        if kind == "byte":
            return f"byte {number}"
        # Editors count lines from 1.
        return f"{kind} {int(self.in_file(np.array([number]))[0]) + (kind == 'line')}"

    def ids(self, rows: NDArray[np.int64], source: str) -> pa.Array:
        """Ids made of places: source/file#row.

        Args:
            rows: int64[n], of the unit.
            source: name of the unit's source.
        """
        files = pa.array([f"{source}/{name}" for name in self.names], pa.string())
        numbers = pa.array(self.in_file(rows)).cast(pa.string())
        return pc.binary_join_element_wise(files.take(pa.array(self.piece_of(rows))), numbers, "#")


def places_of(units: Sequence[Unit], lines: Sequence[Sequence[int]]) -> list[Places]:
    """Where the rows of units stand, which may be parts of files.

    Args:
        units: all of a run, in order.
        lines: of each unit, the lines or rows of each of its pieces.
    """
    names = file_names(units)
    result: list[Places] = []
    before: tuple[int, str] | None = None
    base = 0
    for unit, own in zip(units, lines, strict=True):
        bases = []
        for piece, count in zip(unit.pieces, own, strict=True):
            base = base if (unit.source, piece.file) == before else 0
            bases.append(base)
            before, base = (unit.source, piece.file), base + count
        starts = np.cumsum([0, *own], dtype=np.int64)[:-1]
        own_names = tuple(names[unit.source, piece.file] for piece in unit.pieces)
        result.append(Places(own_names, starts, np.array(bases, np.int64)))
    return result


def file_names(units: Sequence[Unit]) -> dict[tuple[int, str], str]:
    """The name of each file of each source below the folder that the source's files share.

    So an id says which file is meant, and doesn't depend on where the corpus lies.

    Args:
        units: all of a run.

    Returns:
        Names by the number of the source and the path, in the order of the units.
    """
    paths: dict[int, dict[str, None]] = {}
    for unit in units:
        paths.setdefault(unit.source, {}).update((piece.file, None) for piece in unit.pieces)
    names: dict[tuple[int, str], str] = {}
    for source, own in paths.items():
        # Not os.path: a path may be one of an object store.
        folders = [path.split("/")[:-1] for path in own]
        shared = [parts[0] for parts in takewhile(_alike, zip(*folders, strict=False))]
        start = sum(len(name) + 1 for name in shared)
        names |= {(source, path): printable(path[start:]) for path in own}
    return names


def _alike(names: tuple[str, ...]) -> bool:
    return len(set(names)) == 1
