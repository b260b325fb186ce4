"""Estimates are ranges that grow with the input; a disk that is too small is refused."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from outcross.pipeline.commands.estimate import amount, check_disk, duration, estimate, lines
from outcross.pipeline.commands.job import check_request
from outcross.pipeline.commands.run import plan, run
from outcross.schemas.config import Config, parse
from outcross.schemas.documents import Piece, Unit
from outcross.schemas.user_input import ConfigError

Usage = namedtuple("Usage", "total used free")


def config(folder: Path, **keys: object) -> Config:
    (folder / "a.jsonl").write_text('{"text": "some words"}\n')
    sources = [{"name": "a", "role": "synthetic", "files": [str(folder / "a.jsonl")]}]
    return parse({"out": str(folder / "out"), "sources": sources, "workers": 2, **keys})


def unit(name: str, size: int) -> Unit:
    return Unit(0, 0, (Piece(name, "jsonl", 0, -1, size),))


@pytest.mark.parametrize(
    ("name", "peak_mb", "memory_mb"),
    [
        (("a.jsonl", 6_840_000), 41.2, 709),
        (("a.jsonl.gz", 1_950_000), 41.2, 669),
        (("a.parquet", 2_610_000), 41.2, 664),
        (("a.jsonl", 78_360_000), 256.5, 946),
        (("a.jsonl.gz", 18_920_000), 256.1, 1027),
        (("a.parquet", 20_470_000), 256.1, 909),
    ],
)
def test_measured_runs_lie_within_the_ranges(
    tmp_path: Path, name: tuple[str, int], peak_mb: float, memory_mb: float
) -> None:
    figures = estimate(config(tmp_path), [unit(*name)])
    assert figures.disk_bytes.low <= peak_mb * 1e6 <= figures.disk_bytes.high
    assert figures.memory_bytes.low <= memory_mb * 1e6 <= figures.memory_bytes.high
    assert figures.seconds.low < figures.seconds.high


def test_estimates_grow_with_the_input_and_fall_with_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    small, large = (estimate(config(tmp_path), [unit("a.jsonl", n)]) for n in (10**6, 10**10))
    for name in ("seconds", "disk_bytes", "memory_bytes"):
        assert getattr(small, name).high < getattr(large, name).low, name
    wide = estimate(config(tmp_path, workers=32), [unit("a.jsonl", 10**10)])
    assert wide.seconds.high < large.seconds.low
    assert (large.input_bytes, large.free_bytes) == (10**10, usage.free)


def test_an_object_store_has_no_disk(tmp_path: Path) -> None:
    remote = config(tmp_path).model_copy(update={"out": "gs://bucket/out"})
    huge = [unit("a.jsonl", 10**18)]
    assert estimate(remote, huge).free_bytes is None
    check_disk(remote, huge)


@pytest.mark.parametrize("command", [run, plan])
def test_a_run_that_can_not_fit_the_disk_is_refused_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: object
) -> None:
    request = config(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 1000, 1000))
    message = (
        r"out: .* has 1\.0 kB free, and the run needs 5\.0 MB at least for 23 bytes of input; "
    )
    with pytest.raises(ConfigError, match=message):
        command(request)  # type: ignore[operator]
    assert not Path(request.out).exists()


def test_files_of_an_earlier_run_count_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = config(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 1000, 1000))
    work = tmp_path / "out" / ".outcross"
    work.mkdir(parents=True)
    inputs = check_request(request)
    with pytest.raises(ConfigError, match="out:"):
        check_disk(request, inputs)
    with (work / "sketch").open("wb") as file:
        file.truncate(6_000_000)
    check_disk(request, inputs)


def test_figures_have_units_for_people(tmp_path: Path) -> None:
    assert [amount(size) for size in (7, 1500, 23_000_000, 4.2e12)] == [
        "7 bytes",
        "1.5 kB",
        "23 MB",
        "4.2 TB",
    ]
    assert [duration(s) for s in (5, 600, 90_000)] == ["5 s", "10 min", "25 h"]
    shown = lines(estimate(config(tmp_path), [unit("a.jsonl", 10**9)]))
    assert [line.split()[0] for line in shown] == ["time", "disk", "memory"]
    assert " free" in shown[1]
