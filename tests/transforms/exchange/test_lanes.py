"""Units reach workers once each, by a list of any length that the job graph doesn't hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import pytest

from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.schemas.documents import Piece, Seal, Unit
from outcross.transforms.exchange.lanes import Deal, DealListed, OnlyUnits, list_units


def unit_at(index: int) -> Unit:
    seal = Seal("12-abc", 12, "/work/digests", 16 * index)
    piece = Piece(f"/corpus/lang=en/{index}.jsonl", "jsonl", 0, -1, 12, (("lang", "en"),), seal)
    return Unit(index, 0, (piece,))


class Note:
    """Write each unit to a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, lane: Sequence[Unit]) -> None:
        for unit in lane:
            with (self.folder / f"{unit.index}").open("x") as file:  # fails for a second time
                file.write(repr(unit))


def noted(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.iterdir())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_lane_is_dealt_once(tmp_path: Path, count: int) -> None:
    units = [unit_at(index) for index in range(7)]
    lanes = [units[number::count] for number in range(count)]
    run_pipeline(lambda p: p | Deal(lanes) | beam.Map(Note(tmp_path)), pipeline_options(2, ()))
    assert noted(tmp_path) == sorted(map(repr, units))


def test_each_listed_unit_is_dealt_once(tmp_path: Path) -> None:
    units, path = [unit_at(index) for index in range(7)], str(tmp_path / "units.json")
    list_units(path, units)
    folder = tmp_path / "noted"
    folder.mkdir()
    run_pipeline(lambda p: p | DealListed(path) | beam.Map(Note(folder)), pipeline_options(2, ()))
    assert noted(folder) == sorted(map(repr, units))


def test_some_units_of_each_lane_are_taken(tmp_path: Path) -> None:
    units = [unit_at(index) for index in range(7)]
    lanes, some = [units[:3], units[3:]], OnlyUnits(frozenset([0, 2, 6]))
    run_pipeline(
        lambda p: p | Deal(lanes) | some | beam.Map(Note(tmp_path)), pipeline_options(2, ())
    )
    assert noted(tmp_path) == sorted(repr(units[index]) for index in (0, 2, 6))


def test_the_job_graph_does_not_grow_with_the_list(tmp_path: Path) -> None:
    def graph_bytes(count: int) -> int:
        path = str(tmp_path / "units.json")
        list_units(path, map(unit_at, range(count)))
        assert Path(path).stat().st_size > 100 * count
        pipeline = beam.Pipeline(options=pipeline_options(2, ()))
        _ = pipeline | DealListed(path)
        return len(pipeline.to_runner_api().SerializeToString())

    assert graph_bytes(10_000) == graph_bytes(1)
