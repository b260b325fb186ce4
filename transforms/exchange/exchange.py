"""Exchange: units send packed rows to partitions, which decide and answer to the units.

    Send            unit → (key, rows)        what a unit sends to each partition
    Regroup         key, rows → (key, rows)   what a partition sends on, such as to units
    Collect         key, rows → results       what is done with the rows of a key

Keys are integers: numbers of partitions or of units. The rows of a key arrive in any order, so the
work sorts them by what they contain. Nothing depends on the number of partitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import apache_beam as beam
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.exchange.packing import Keyed, Packed, Packer, unpack
from outcross.transforms.exchange.per_unit import waiting
from outcross.transforms.exchange.step import Step


class SendWork(Protocol):
    """Work of a unit that sends rows."""

    def setup(self) -> None:
        """Load the data that all units of a worker need."""

    def send(self, unit: Unit) -> Iterable[Keyed]:
        """Yield the rows for each key; a key may come several times."""
        ...


class RegroupWork(Protocol):
    """Work of a partition that sends rows on."""

    def regroup(self, key: int, rows: Any) -> Iterable[Keyed]:
        """Yield the rows for each new key; `rows` is None for a unit that was sent nothing."""
        ...


class CollectWork(Protocol):
    """Work on all rows of a key."""

    def collect(self, key: int, rows: pa.Table | None) -> Iterable[Any]:
        """Yield the results; `rows` is None for a unit that was sent nothing."""
        ...


@dataclass
class Send(beam.PTransform):
    """Send rows of each unit to keys.

    Elements in: lanes, lists of `Unit`; elements out: keys with packed rows.

    Args:
        work: the work.
        spill: folder that all workers share, for the rows on their way; None to shuffle them.
        after: collection that must be complete before; None for no such one.
    """

    work: SendWork
    spill: str | None = None
    after: Any = None

    def expand(self, lanes: Any) -> Any:
        """Apply the transform to lanes of units."""
        doing = _Send(self.work, self.spill, type(self.work).__name__)
        return lanes | beam.ParDo(doing, *waiting(self.after))


class _Send(Step):
    def __init__(self, work: SendWork, spill: str | None, name: str) -> None:
        self.work, self.spill, self.name = work, spill, name

    def setup(self) -> None:
        self.work.setup()

    def process(self, lane: Sequence[Unit], _: Any = None) -> Iterator[tuple[int, Packed]]:
        for unit in lane:
            with Packer(self.spill, f"{self.name}-{unit.index:06d}") as packer:
                for key, rows in self.work.send(unit):
                    yield key, packer.pack(rows)


@dataclass
class Regroup(beam.PTransform):
    """Send the rows of each key on to other keys.

    Elements in: keys with packed rows; elements out: keys with packed rows.

    Args:
        work: the work.
        spill: folder that all workers share, for the rows on their way; None to shuffle them.
        lanes: lanes of the units whose numbers are keys, so that a unit without rows is worked on
            too; None where keys are partitions.
        after: collection that must be complete before; None for no such one.
    """

    work: RegroupWork
    spill: str | None = None
    lanes: Any = None
    after: Any = None

    def expand(self, keyed: Any) -> Any:
        """Apply the transform to keys with packed rows."""
        doing = _Regroup(self.work, self.spill, type(self.work).__name__)
        return (
            _with_units(keyed, self.lanes)
            | beam.GroupByKey()
            | beam.ParDo(doing, *waiting(self.after))
        )


class _Regroup(Step):
    def __init__(self, work: RegroupWork, spill: str | None, name: str) -> None:
        self.work, self.spill, self.name = work, spill, name

    def process(
        self, item: tuple[int, Iterable[Packed | None]], _: Any = None
    ) -> Iterator[tuple[int, Packed]]:
        key, packed = item
        with Packer(self.spill, f"{self.name}-regrouped-{key:06d}") as packer:
            for target, rows in self.work.regroup(key, _rows(packed)):
                yield target, packer.pack(rows)


@dataclass
class Collect(beam.PTransform):
    """Work on all rows of each key.

    Elements in: keys with packed rows; elements out: results of the work.

    Args:
        work: the work.
        lanes: lanes of the units whose numbers are the keys, so that a unit without rows is
            worked on too; None where keys are partitions.
        after: collection that must be complete before; None for no such one.
    """

    work: CollectWork
    lanes: Any = None
    after: Any = None

    def expand(self, keyed: Any) -> Any:
        """Apply the transform to keys with packed rows."""
        keyed = _with_units(keyed, self.lanes)
        return keyed | beam.GroupByKey() | beam.ParDo(_Collect(self.work), *waiting(self.after))


def _with_units(keyed: Any, lanes: Any) -> Any:
    """Add the units of lanes as keys without rows."""
    if lanes is None:
        return keyed
    every = lanes | "EveryUnit" >> beam.ParDo(_EveryUnit())
    return (keyed, every) | beam.Flatten()


class _EveryUnit(Step):
    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[int, None]]:
        for unit in lane:
            yield unit.index, None


class _Collect(Step):
    def __init__(self, work: CollectWork) -> None:
        self.work = work

    def process(self, item: tuple[int, Iterable[Packed | None]], _: Any = None) -> Iterator[Any]:
        key, packed = item
        yield from self.work.collect(key, _rows(packed))


def _rows(packed: Iterable[Packed | None]) -> pa.Table | None:
    """Join the rows of a key, which are read one by one; None if it was sent nothing."""
    parts = (part for part in packed if part is not None)
    first = next(parts, None)
    return None if first is None else unpack(chain([first], parts))
