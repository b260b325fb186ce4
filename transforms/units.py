"""Work that is done unit by unit: units in, one row-aligned file each out.

Elements are *lanes*, lists of units, because a local runner deals its elements out to the workers
before it knows what they cost; elsewhere a lane is one unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import apache_beam as beam

from schemas.documents import Piece, Seal, Unit
from transforms import files


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


class UnitWork(Protocol):
    """What a worker does with a unit. `setup` loads what all of its units need."""

    def setup(self) -> None: ...

    def run(self, unit: Unit) -> Any: ...


def unit_file(folder: str, index: int, ending: str) -> str:
    """The file that belongs to a unit in an artifact's folder."""
    return files.join(folder, f"unit-{index:06d}.{ending}")


class _DoUnit(beam.DoFn):
    def __init__(self, work: UnitWork) -> None:
        self.work = work

    def setup(self) -> None:
        self.work.setup()

    def process(self, lane: Sequence[Unit]) -> Iterator[Any]:
        for unit in lane:
            yield self.work.run(unit)


@dataclass
class PerUnit(beam.PTransform):
    """Runs a piece of work on every unit of every lane."""

    work: UnitWork

    def expand(self, lanes: Any) -> Any:
        return lanes | beam.ParDo(_DoUnit(self.work))
