"""Units in JSON, and the files of units: stages take units and write one aligned file for each.

The elements of a pipeline are *lanes*, lists of units. A local runner assigns elements to workers
before it knows their costs, so a lane is the work of a worker. Elsewhere a lane is one unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outcross.schemas.documents import Piece, Seal, Unit
from outcross.transforms.base import files


def unit_from(value: Mapping[str, Any], digests: str | None = None) -> Unit:
    """Return a unit from JSON of its `asdict`.

    Args:
        value: attributes of the unit.
        digests: present path of the file with the digests of its seals; None if it hasn't moved.
    """
    pieces = []
    for piece in value["pieces"]:
        seal = None if piece["seal"] is None else Seal(**piece["seal"])
        if digests is not None and seal is not None and seal.digests:
            seal = replace(seal, digests=digests)
        columns = tuple((name, text) for name, text in piece["columns"])
        pieces.append(Piece(**{**piece, "columns": columns, "seal": seal}))
    return Unit(value["index"], value["source"], tuple(pieces), value.get("passages_of"))


def unit_file(folder: str, index: int, ending: str) -> str:
    """Return the path of a unit's file in an artifact's folder."""
    return files.join(folder, f"unit-{index:06d}.{ending}")
