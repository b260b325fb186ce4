"""Damaged files and parts of files, for the messages that name them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict

from outcross.schemas.documents import Unit
from outcross.transforms.rows.blocks import Reject

_MOST = 100  # damaged parts that are listed for a unit


class Damage(TypedDict):
    """A part of a file that can't be read.

    Attributes:
        file: path of the file.
        kind, number, piece: place of the part, as in `Reject`.
        reason: the fault.
        rows, lost: number of rows and input bytes that it stands for.
        broken: True if the file is broken.
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
    """Return the rejects that stand for more than one row, broken files and the largest first.

    Args:
        unit: unit of the rejects.
        rejects: all rejects of the unit.
        lines: number of lines or rows of each of its pieces.
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
        for part in parts[:_MOST]
    ]
