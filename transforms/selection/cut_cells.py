"""Work that cuts the cells: units send the candidates at the cuts to one worker, which decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.selection.candidates import Layout
from outcross.transforms.selection.cuts import Rows, Windows
from outcross.transforms.selection.histogram import Histogram
from outcross.transforms.selection.sources import KeySource
from outcross.transforms.selection.wants import USES

CELL_PARTS = 64
"""Parts into which the histograms of cells are split."""


@dataclass
class FindWindows:
    """Work that finds the keys among which the cuts of cells lie.

    Args:
        keys: candidates of the step.
    """

    keys: KeySource

    def setup(self) -> None:
        """Load the data that all units of a worker need."""
        self.keys.load()

    def start(self) -> list[Histogram]:
        """Return no histograms."""
        return []

    def add(self, unit: Unit, sums: list[Histogram]) -> None:
        """Count the candidates of a unit by cell and leading bits of the key."""
        rows = self.keys.rows(unit.index)
        bits = self.keys.layout.bits
        sums.append(Histogram.count(rows.cell, rows.key, rows.tokens, bits))
        if len(sums) > CELL_PARTS:
            sums[:] = [Histogram.merge(sums)]

    def pack(self, sums: list[Histogram]) -> Iterator[tuple[str, bytes]]:
        """Yield the histograms of each part of the cells."""
        total, bits = Histogram.merge(sums), self.keys.layout.bits
        for part in range(CELL_PARTS):
            yield f"cells-{part:02d}", total.of_cells(part, CELL_PARTS, bits).to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the histograms of a part of the cells, and find their windows."""
        total = Histogram.merge(map(Histogram.from_bytes, parts))
        bits = self.keys.layout.bits
        windows = total.windows(self.keys.wanted(), bits)
        cells = np.unique(total.code >> bits)
        columns = {field: getattr(windows, field)[cells] for field in windows.__dataclass_fields__}
        return files.pack_arrays({"cells": cells, **columns})


def read_windows(layout: Layout, step: int, cells: int) -> Windows:
    """Read the windows of a step: all keys, where none were looked for.

    Args:
        layout: files of the selection.
        step: number of the step.
        cells: number of cells of all uses.
    """
    windows = Windows.every(cells)
    for part in range(CELL_PARTS if layout.bits else 0):
        path = files.join(layout.folder("windows", step), f"cells-{part:02d}")
        columns = files.read_as(path, files.unpack_arrays)
        places = columns.pop("cells")
        for name, values in columns.items():
            getattr(windows, name)[places] = values
    return windows


@dataclass
class SendCandidates:
    """Work that sends the candidates at the cuts of their cells to one worker.

    Args:
        keys: candidates of the step.
    """

    keys: KeySource

    def setup(self) -> None:
        """Load the data that all units of a worker need."""
        self.keys.load()
        layout = self.keys.layout
        self.windows = read_windows(layout, self.keys.step, len(USES) * layout.cells)

    def send(self, unit: Unit) -> Iterator[tuple[int, pa.Table]]:
        """Yield the candidates of a unit, or a table without rows."""
        rows = self.keys.rows(unit.index)
        if self.keys.layout.bits:
            rows = rows.take(np.flatnonzero(self.windows.hold(rows.cell, rows.key)))
        yield 0, pa.table({name: getattr(rows, name) for name in rows.__dataclass_fields__})


@dataclass
class CutCells:
    """Work of the worker that cuts all cells, and writes the standing after a step.

    Args:
        keys: candidates of the step.
    """

    keys: KeySource

    def collect(self, key: int, rows: pa.Table | None) -> Iterable[Any]:
        """Write the standing."""
        assert rows is not None
        layout = self.keys.layout
        windows = read_windows(layout, self.keys.step, len(USES) * layout.cells)
        candidates = Rows(*(rows[name].to_numpy() for name in Rows.__dataclass_fields__))
        standing = self.keys.fill(candidates, windows)
        files.write_bytes(layout.standing_file(self.keys.step), standing.to_bytes())
        return ()
