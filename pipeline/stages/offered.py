"""Lanes of the units that a step works on: of documents, or of what is chosen from.

They differ where a source has `pieces`: its documents are offered in passages.
"""

from __future__ import annotations

from typing import Any

from outcross.transforms.exchange.lanes import OnlyUnits
from outcross.transforms.sketches.store import Sketches


def offered_lanes(lanes: Any, sketches: Sketches, label: str) -> Any:
    """Return the lanes of the units that are chosen from.

    Args:
        lanes: lanes of all units.
        sketches: sketches of the run.
        label: label of the transform.
    """
    if not sketches.replaced:
        return lanes
    return lanes | label >> OnlyUnits(frozenset(unit.index for unit in sketches.offered))


def document_lanes(lanes: Any, sketches: Sketches) -> Any:
    """Return the lanes of the units of documents.

    Args:
        lanes: lanes of all units.
        sketches: sketches of the run.
    """
    if not sketches.replaced:
        return lanes
    return lanes | "Documents" >> OnlyUnits(frozenset(unit.index for unit in sketches.documents))
