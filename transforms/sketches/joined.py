"""The sketches of this run and of earlier ones as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outcross.transforms.sketches.store import Sketches


class JoinedSketches(Sketches):
    """Several sketches, one after another; units and sources are counted through.

    Args:
        parts: the sketches, each with the number of its sources.
    """

    def __init__(self, parts: Sequence[tuple[Sketches, int]]) -> None:
        self.units, self.paths, self.reports = [], [], []
        sources = 0
        for sketches, own in parts:
            for unit in sketches.units:
                index = len(self.units)
                self.units.append(replace(unit, index=index, source=sources + unit.source))
                self.paths.append(sketches.paths[unit.index])
                self.reports.append(sketches.reports[unit.index])
            sources += own
        rows = [report.rows for report in self.reports]
        self.offsets = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)
