"""Run a piece of work on each unit, as a transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam

from outcross.schemas.documents import Unit
from outcross.transforms.exchange.step import Step


class UnitWork(Protocol):
    """Work of a worker on its units."""

    def setup(self) -> None:
        """Load the data that all units of a worker need."""

    def run(self, unit: Unit) -> Any:
        """Do the work on a unit, and return its result."""


class _DoUnit(Step):
    def __init__(self, work: UnitWork) -> None:
        self.work = work

    def setup(self) -> None:
        self.work.setup()

    def process(self, lane: Sequence[Unit], _: Any = None) -> Iterator[Any]:
        for unit in lane:
            yield self.work.run(unit)


@dataclass
class PerUnit(beam.PTransform):
    """Run a piece of work on each unit of each lane.

    Elements in: lanes, lists of `Unit`; elements out: results of the units.

    Args:
        work: the work.
        after: collection that must be complete before; None for no such one.
    """

    work: UnitWork
    after: Any = None

    def expand(self, lanes: Any) -> Any:
        """Apply the transform to lanes of units."""
        return lanes | beam.ParDo(_DoUnit(self.work), *waiting(self.after))


def waiting(after: Any) -> list[Any]:
    """Return the side inputs that make a transform wait for a collection; none for None."""
    return [] if after is None else [beam.pvalue.AsIter(after)]
