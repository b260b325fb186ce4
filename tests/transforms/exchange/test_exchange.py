"""Exchanges and sums give the same results for any number of partitions, lanes and workers."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange import exchange
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.packing import SHUFFLED, Keyed, Packed, unpack
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.exchange.units import unit_file

UNITS = [Unit(index, 0, ()) for index in range(5)]


def values(unit: int) -> NDArray[np.int64]:
    """Return the values of a unit; unit 3 has none."""
    count = 0 if unit == 3 else 40 + unit
    return np.random.default_rng(unit).integers(0, 50, count)


@dataclass
class Times:
    """Find how often each value occurs in all units."""

    partitions: int
    folder: str

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Send each value to a partition."""
        value = values(unit.index)
        for partition in np.unique(value % self.partitions).tolist():
            rows = np.flatnonzero(value % self.partitions == partition)
            yield (
                partition,
                pa.table(
                    {"unit": np.full(len(rows), unit.index), "row": rows, "value": value[rows]}
                ),
            )

    def regroup(self, key: int, rows: pa.Table) -> Iterator[Keyed]:
        """Answer each row with the number of rows of its value."""
        value = rows["value"].to_numpy()
        assert set(value % self.partitions) == {key}
        times = np.bincount(value)[value]
        unit = rows["unit"].to_numpy()
        for number in np.unique(unit).tolist():
            mask = unit == number
            yield number, pa.table({"row": rows["row"].to_numpy()[mask], "times": times[mask]})

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write a unit's answers in the order of its rows."""
        times = np.zeros(len(values(key)), np.int64)
        if rows is not None:
            times[rows["row"].to_numpy()] = rows["times"].to_numpy()
        files.write_array(unit_file(self.folder, key, "npy"), times)
        yield key


@pytest.mark.parametrize("partitions", [1, 2, 7, 64])
@pytest.mark.parametrize("spilled", [False, True])
def test_units_get_their_answers_back(tmp_path: Path, partitions: int, spilled: bool) -> None:
    work, spill = Times(partitions, str(tmp_path)), None
    if spilled:
        spill = str(tmp_path / "spill")
        files.make_folder(spill)

    def build(root: Any) -> None:
        lanes = root | beam.Create([UNITS[:2], UNITS[2:]])
        lanes | Send(work, spill) | Regroup(work, spill) | Collect(work, lanes)

    counters = run_pipeline(build, pipeline_options(2, ()))
    assert counters[SHUFFLED] > 16 * sum(len(values(unit.index)) for unit in UNITS) / 10
    everything = np.concatenate([values(unit.index) for unit in UNITS])
    for unit in UNITS:
        answers = files.read_array(unit_file(str(tmp_path), unit.index, "npy"))
        assert answers.tolist() == [(everything == v).sum() for v in values(unit.index)]


def test_parts_are_never_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []

    def watched(parts: Iterable[Packed]) -> pa.Table:
        assert iter(parts) is parts
        keys.append(parts)
        return unpack(parts)

    monkeypatch.setattr(exchange, "unpack", watched)
    work = Times(2, str(tmp_path))

    def build(root: Any) -> None:
        lanes = root | beam.Create([UNITS])
        lanes | Send(work) | Regroup(work) | Collect(work, lanes)

    run_pipeline(build, pipeline_options(1, ()))
    assert len(keys) == 2 + len(UNITS) - 1


@dataclass
class Totals:
    """Count the values of all units, in ranges of ten."""

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> NDArray[np.int64]:
        """Return empty counts."""
        return np.zeros(50, np.int64)

    def add(self, unit: Unit, sums: NDArray[np.int64]) -> None:
        """Count the values of a unit."""
        sums += np.bincount(values(unit.index), minlength=50)

    def pack(self, sums: NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
        """Yield the counts of each range."""
        for start in range(0, 50, 10):
            yield f"from-{start}.json", json.dumps(sums[start : start + 10].tolist()).encode()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the counts of a range."""
        return json.dumps(np.sum([json.loads(part) for part in parts], axis=0).tolist()).encode()


@pytest.mark.parametrize("lanes", [[UNITS], [[unit] for unit in UNITS], [UNITS[3:], UNITS[:3]]])
def test_sums_do_not_depend_on_lanes(tmp_path: Path, lanes: Sequence[Sequence[Unit]]) -> None:
    def build(root: Any) -> None:
        root | beam.Create(lanes) | SumUnits(Totals(), str(tmp_path))

    run_pipeline(build, pipeline_options(2, ()))
    everything = np.concatenate([values(unit.index) for unit in UNITS])
    counts = [
        count
        for start in range(0, 50, 10)
        for count in files.read_json(str(tmp_path / f"from-{start}.json"))
    ]
    assert counts == np.bincount(everything, minlength=50).tolist()


class Sums:
    """Accumulators without a number."""


@dataclass
class CountAlive:
    """Count the accumulators that are still in memory when they are merged."""

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> Sums:
        """Return accumulators, and remember them weakly."""
        sums = Sums()
        ALIVE.add(sums)
        return sums

    def add(self, unit: Unit, sums: Sums) -> None:
        """Do nothing."""

    def pack(self, sums: Sums) -> Iterator[tuple[str, bytes]]:
        """Yield an empty sum."""
        yield "alive", b""

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Return the number of accumulators."""
        assert list(parts)
        return str(len(ALIVE)).encode()


ALIVE: weakref.WeakSet[Any] = weakref.WeakSet()


def test_sums_leave_memory_with_their_bundle(tmp_path: Path) -> None:
    def build(root: Any) -> None:
        root | beam.Create([UNITS[:2], UNITS[2:]]) | SumUnits(CountAlive(), str(tmp_path))

    run_pipeline(build, pipeline_options(2, ()))
    assert files.read_bytes(str(tmp_path / "alive")) == b"0"
