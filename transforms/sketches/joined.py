"""Sketches of this run and of earlier runs, numbered together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outcross.transforms.sketches.store import Sketches


class JoinedSketches(Sketches):
    """Several sketches, one after another; units and sources are numbered through.

    Args:
        parts: sketches, each with its number of sources.
    """

    def __init__(self, parts: Sequence[tuple[Sketches, int]]) -> None:
        self.units, self.paths, self.reports = [], [], []
        sources = 0
        for sketches, number in parts:
            for unit in sketches.units:
                index = len(self.units)
                self.units.append(replace(unit, index=index, source=sources + unit.source))
                self.paths.append(sketches.paths[unit.index])
                self.reports.append(sketches.reports[unit.index])
            sources += number
        rows = [report.rows for report in self.reports]
        self.offsets = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)
