"""Sums over all units: accumulators that merge exactly, each written to a file of its own.

Large accumulators are split by range, each range under a name of its own, so that no worker merges
all of one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.packing import SHUFFLED
from outcross.transforms.exchange.per_unit import waiting
from outcross.transforms.exchange.step import Step


class SumWork(Protocol):
    """Work of a sum over units.

    The accumulators of a bundle of units are one object, which the work itself makes.
    """

    def setup(self) -> None:
        """Load the data that all units of a worker need."""

    def start(self) -> Any:
        """Return an object of empty accumulators."""
        ...

    def add(self, unit: Unit, sums: Any) -> None:
        """Add a unit to the accumulators."""

    def pack(self, sums: Any) -> Iterable[tuple[str, bytes | pa.Buffer]]:
        """Yield the names and bytes of the accumulators that are not empty."""
        ...

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Merge the accumulators of one name."""
        ...


@dataclass
class SumUnits(beam.PTransform):
    """Add up units, and write each sum to a file.

    Elements in: lanes, lists of `Unit`; elements out: names of the sums that are not empty.

    Args:
        work: the work.
        folder: folder of the files, which have the names of the sums.
        after: collection that must be complete before; None for no such one.
        spill: folder that all workers share, for accumulators on their way; None to shuffle them.
    """

    work: SumWork
    folder: str
    after: Any = None
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Add up the units of each bundle, and merge the bundles."""
        return (
            lanes
            | beam.ParDo(_Add(self.work, self.spill), *waiting(self.after))
            | beam.GroupByKey()
            | beam.ParDo(_Merge(self.work, self.folder))
        )


class _Add(Step):
    def __init__(self, work: SumWork, spill: str | None) -> None:
        self.work, self.spill = work, spill

    def setup(self) -> None:
        self.work.setup()

    def start_bundle(self) -> None:
        self.sums = self.work.start()

    def process(self, lane: Sequence[Unit], _: Any = None) -> None:
        for unit in lane:
            self.work.add(unit, self.sums)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for name, data in self.work.pack(self.sums):
            packed: bytes | str
            count(SHUFFLED, len(data))
            if self.spill is None:
                packed = bytes(data)
            else:
                packed = files.join(self.spill, f"sum-{uuid.uuid4().hex}")
                with files.writing(packed), open(packed, "wb") as file:
                    file.write(data)
            named = name, packed
            yield WindowedValue(named, GlobalWindow().max_timestamp(), [GlobalWindow()])
        del self.sums  # the local runner keeps its workers until the pipeline has ended


class _Merge(Step):
    def __init__(self, work: SumWork, folder: str) -> None:
        self.work, self.folder = work, folder

    def process(self, item: tuple[str, Iterable[bytes | str]]) -> Iterator[str]:
        name, packed = item
        parts = (files.read_bytes(part) if isinstance(part, str) else part for part in packed)
        files.write_bytes(files.join(self.folder, name), self.work.merge(name, parts))
        yield name
