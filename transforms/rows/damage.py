"""Files that are broken, or parts of them: what is told of them by name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict

from outcross.schemas.documents import Unit
from outcross.transforms.rows.blocks import Reject

_DAMAGED = 100  # parts of a unit that are told by themselves


class Damage(TypedDict):
    """What can't be read of a file.

    Attributes:
        file: its path.
        kind, number, piece: its place within the unit, as a reject has it.
        reason: why.
        rows, lost: rows and input bytes that it stands for.
        broken: whether the file is broken as a whole.
    """

    file: str
    kind: str
    number: int
    piece: int
    reason: str
    rows: int
    lost: int
    broken: bool


def damages(unit: Unit, rejects: Sequence[Reject], lines: Sequence[int]) -> list[Damage]:
    """Return the rejects that stand for more than a row, the largest first.

    Args:
        unit: in which they are.
        rejects: all of the unit.
        lines: lines or rows of each of its pieces.
    """
    starts = list(accumulate(lines, initial=0))

    def piece(reject: Reject) -> int:
        if reject.kind == "byte":
            return reject.piece
        return min(bisect_right(starts, reject.number), len(unit.pieces)) - 1

    parts = [reject for reject in rejects if reject.broken or reject.rows > 1]
    parts.sort(key=lambda part: (not part.broken, -part.rows, part.piece, part.number))
    return [
        Damage(
            file=unit.pieces[piece(part)].file,
            kind=part.kind,
            number=part.number,
            piece=part.piece,
            reason=part.reason,
            rows=part.rows,
            lost=part.lost,
            broken=part.broken,
        )
        for part in parts[:_DAMAGED]
    ]
