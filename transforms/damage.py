"""Files that are broken, or parts of them: what is told of them by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from schemas.documents import Unit
from transforms.blocks import Reject

_DAMAGED = 100  # parts of a unit that are told by themselves


class Damage(TypedDict):
    """What can't be read of a file.

    Attributes:
        file: its path.
        kind, number: its place within the unit, as a reject has it.
        reason: why.
        rows, lost: rows and input bytes that it stands for.
        broken: whether the file is broken as a whole.
    """

    file: str
    kind: str
    number: int
    reason: str
    rows: int
    lost: int
    broken: bool


def damages(unit: Unit, rejects: Sequence[Reject]) -> list[Damage]:
    """Return the rejects that stand for more than a row, the largest first.

    Args:
        unit: in which they are.
        rejects: all of the unit.
    """
    parts = [reject for reject in rejects if reject.broken or reject.rows > 1]
    parts.sort(key=lambda part: (not part.broken, -part.rows, part.number))
    return [
        Damage(
            file=unit.file,
            kind=part.kind,
            number=part.number,
            reason=part.reason,
            rows=part.rows,
            lost=part.lost,
            broken=part.broken,
        )
        for part in parts[:_DAMAGED]
    ]


def place_of(kind: str, number: int, base: int) -> str:
    """Return the place of a reject in its file, in words.

    Args:
        kind, number: of the reject, within its unit.
        base: rows of the file before the unit.
    """
    if kind == "byte":
        return f"byte {number}"
    return f"{kind} {number + base + (kind == 'line')}"  # editors count lines from 1
