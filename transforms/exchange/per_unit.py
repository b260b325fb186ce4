"""Run one piece of work on every unit, as a transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam

from outcross.schemas.documents import Unit


class UnitWork(Protocol):
    """What a worker does with a unit. `setup` loads what all of its units need."""

    def setup(self) -> None: ...

    def run(self, unit: Unit) -> Any: ...


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
