"""Work that is done unit by unit: units in, one row-aligned file each out.

Elements are *lanes*, lists of units, because a local runner deals its elements out to the workers
before it knows what they cost; elsewhere a lane is one unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outcross.schemas.documents import Piece, Seal, Unit
from outcross.transforms.base import files


def unit_from(value: Mapping[str, Any], digests: str) -> Unit:
    """A unit as `asdict` gave it to JSON.

    Args:
        value: the unit's attributes.
        digests: where the file that its seals speak of is now.
    """
    pieces = []
    for piece in value["pieces"]:
        seal = None if piece["seal"] is None else Seal(**piece["seal"])
        if seal is not None and seal.digests:
            seal = replace(seal, digests=digests)
        columns = tuple((name, text) for name, text in piece["columns"])
        pieces.append(Piece(**{**piece, "columns": columns, "seal": seal}))
    return Unit(value["index"], value["source"], tuple(pieces))


def unit_file(folder: str, index: int, ending: str) -> str:
    """The file that belongs to a unit in an artifact's folder."""
    return files.join(folder, f"unit-{index:06d}.{ending}")
