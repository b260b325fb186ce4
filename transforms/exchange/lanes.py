"""Units dealt to workers, as the first step of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.step import Step
from outcross.transforms.exchange.units import unit_from

Lane = Sequence[Unit]


@dataclass
class Deal(beam.PTransform):
    """Give each worker of this process a lane.

    Element in: the pipeline; elements out: the lanes.

    Args:
        lanes: lists of units, one for each worker.
    """

    lanes: Sequence[Lane]

    def expand(self, root: Any) -> Any:
        """Apply the transform to a pipeline."""
        if len(self.lanes) == 1:  # no other worker waits for one
            return root | beam.Impulse() | "Lane" >> beam.ParDo(_Lanes(self.lanes))
        numbered = root | beam.Impulse() | "Lanes" >> beam.ParDo(_NumberedLanes(self.lanes))
        return numbered | beam.GroupByKey() | "Lane" >> beam.ParDo(_Ungroup())


class _Lanes(Step):
    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = lanes

    def process(self, _: bytes) -> Iterator[Lane]:
        yield from self.lanes


class _NumberedLanes(Step):
    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = lanes

    def process(self, _: bytes) -> Iterator[tuple[int, Lane]]:
        yield from enumerate(self.lanes)


class _Ungroup(Step):
    def process(self, item: tuple[int, Iterable[Lane]]) -> Iterator[Lane]:
        yield from item[1]


@dataclass
class DealListed(beam.PTransform):
    """Give the units of a list to the workers, one by one.

    The list is a file, so the job graph stays small however many units there are. Dataflow refuses
    graphs above 10 MB.

    Element in: the pipeline; elements out: lanes of one unit.

    Args:
        path: path of a list that `list_units` wrote, on a disk or a store that all workers share.
    """

    path: str

    def expand(self, root: Any) -> Any:
        """Apply the transform to a pipeline."""
        listed = root | beam.Impulse() | "List" >> beam.ParDo(_ReadList(self.path))
        return listed | beam.Reshuffle()


class _ReadList(Step):
    def __init__(self, path: str) -> None:
        self.path = path

    def process(self, _: bytes) -> Iterator[Lane]:
        for value in files.read_json(self.path):
            yield [unit_from(value)]


@dataclass
class OnlyUnits(beam.PTransform):
    """Take some units of each lane.

    Elements in: lanes; elements out: lanes.

    Args:
        indexes: indexes of the units to take.
    """

    indexes: frozenset[int]

    def expand(self, lanes: Any) -> Any:
        """Apply the transform to lanes of units."""
        return lanes | beam.ParDo(_OnlyUnits(self.indexes))


class _OnlyUnits(Step):
    def __init__(self, indexes: frozenset[int]) -> None:
        self.indexes = indexes

    def process(self, lane: Lane) -> Iterator[Lane]:
        yield [unit for unit in lane if unit.index in self.indexes]


def list_units(path: str, units: Iterable[Unit]) -> None:
    """Write the list of units that `DealListed` reads.

    Args:
        path: path of the file.
        units: units of any order.
    """
    files.write_json(path, [asdict(unit) for unit in units])
