"""A command that stops at any write goes on, and a full disk is named with its cure."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.kills import (
    Command,
    begin_again,
    commands,
    finished,
    generation_before,
    lineage_files,
    results,
    write_corpus,
)
from tests.support.commands import outcross
from tests.support.stops import stopped_at

DOCUMENTS = 60
MOMENTS = [*(("run", n) for n in range(4)), *(("commit", n) for n in range(2)), ("count", 0)]
MOMENTS += [(name, n) for name in ("plan", "audit") for n in range(2)]


@dataclass
class Undisturbed:
    """Commands, and what they give when nothing stops them.

    Attributes:
        commands: the commands by name; `commit` and `count` are the same as `run`.
        writes: paths of the files that each puts in their places, in order.
        lineage: folder of the lineage.
        before: copy of the lineage as it was before all commands.
    """

    commands: dict[str, Command]
    writes: dict[str, list[str]]
    lineage: Path
    before: Path

    def begin(self, name: str) -> tuple[Command, list[str]]:
        """Return a command and its writes, with all as it was before the command."""
        begin_again(self.commands[name], self.lineage, self.before)
        return self.commands[name], self.writes[name]

    def check(self, command: Command) -> None:
        """Check that a command that stopped left no half of anything, and goes on."""
        state = lineage_files(self.lineage)
        old = lineage_files(self.before)
        assert state["lineage.json"] in (old["lineage.json"], command.lineage["lineage.json"])
        named = old if state["lineage.json"] == old["lineage.json"] else command.lineage
        assert {name: state.get(name) for name in named} == named
        for path in command.out.rglob("*"):
            if path.is_file() and path.suffix != ".tmp":
                check_complete(path)
        complete = finished(command.out)
        outcross(*command.arguments)
        assert results(command.out) == command.result
        assert lineage_files(self.lineage) == command.lineage
        after = finished(command.out)
        assert {name: after.get(name) for name in complete} == complete


def check_complete(path: Path) -> None:
    """Check that a file with a final name can be read."""
    if path.suffix == ".json":
        json.loads(path.read_bytes())
    elif path.suffix == ".parquet":
        pq.read_table(path)
    elif path.suffix in (".npy", ".npz"):
        np.load(path, allow_pickle=False)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("stops")
    write_corpus(folder, DOCUMENTS)
    lineage, before = folder / "lineage", folder / "before"
    chosen = commands(folder, DOCUMENTS, workers=1)
    chosen[0].arguments += ["--rounds", "1"]
    outcross(*generation_before(chosen[0]))
    shutil.copytree(lineage, before)
    by_name = {command.name: command for command in chosen if command.name != "commit"}
    writes = {}
    for name, command in by_name.items():
        begin_again(command, lineage, before)
        with stopped_at(None) as paths:
            outcross(*command.arguments)
        writes[name] = list(paths)
        command.result = results(command.out)
        command.lineage = lineage_files(lineage)
    for name in ("commit", "count"):
        by_name[name], writes[name] = by_name["run"], writes["run"]
    return Undisturbed(by_name, writes, lineage, before)


def only(place: str) -> str:
    """Return the regular expression of one path."""
    return f"^{re.escape(place)}$"


def moment(name: str, number: int, writes: list[str]) -> tuple[str, bool]:
    """Return a write at which a command stops, and True to stop after it; the same each time."""
    draw = random.Random(f"{name} {number}")
    if name == "commit" and number < 2:
        return next(path for path in writes if path.endswith("/lineage.json")), number == 1
    if name == "count":  # its pipeline has finished another stage before
        place = next(path for path in writes if re.search("/count-[^/]+/manifest.json$", path))
        return place, False
    if name == "commit":
        writes = [path for path in writes if "/lineage/" in path]
    return draw.choice(writes), draw.random() < 0.5


@pytest.mark.parametrize(("name", "number"), MOMENTS)
def test_a_command_that_stops_at_any_write_goes_on(
    undisturbed: Undisturbed, name: str, number: int
) -> None:
    command, writes = undisturbed.begin(name)
    place, after = moment(name, number, writes)
    with stopped_at(only(place), after):
        stopped = outcross(*command.arguments, code=1)
    assert "stopped by the test" in stopped.stderr
    undisturbed.check(command)


@pytest.mark.parametrize(("name", "number"), [("run", 9), ("commit", 9), ("audit", 9)])
def test_a_full_disk_is_named_with_its_cure(
    undisturbed: Undisturbed, name: str, number: int
) -> None:
    command, writes = undisturbed.begin(name)
    place, after = moment(name, number, writes)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with stopped_at(only(place), after, error=lambda: full) as paths:
        stopped = outcross(*command.arguments, code=1)
    (message,) = [line for line in stopped.stderr.splitlines() if line.startswith("outcross: ")]
    path, _, cure = message.removeprefix("outcross: ").partition(" can't be written: ")
    assert re.sub(r"/spill-\w+", "/spill", path) in paths[paths.index(place) :]
    other = "" if name == "commit" else ", or choose another `out`"
    assert cure == (
        f"No space left on device; free space on that disk{other}; the same command goes on from "
        "here, without doing finished work again"
    )
    undisturbed.check(command)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file of more bytes: the write itself fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("name", "size"), [("plan", 300), ("plan", 3_000), ("dedup", 20_000), ("run", 60_000)]
)
def test_writes_that_fail_halfway_leave_no_half_of_a_file(
    undisturbed: Undisturbed, name: str, size: int
) -> None:
    command, _ = undisturbed.begin(name)
    with largest_file(size):
        stopped = outcross(*command.arguments, code=1)
    assert "can't be written: File too large; allow larger files (`ulimit -f`)" in stopped.stderr
    assert not list(command.out.rglob("*.tmp"))
    undisturbed.check(command)


def test_a_command_that_writes_one_file_names_its_option(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    command, _ = undisturbed.begin("dedup")
    outcross(*command.arguments)
    restored = tmp_path / "restored.jsonl"
    with largest_file(10):
        stopped = outcross("restore", command.out, "-o", restored, code=1)
    assert stopped.stderr == (
        f"outcross: {restored} can't be written: File too large; allow larger files (`ulimit -f`), "
        "or choose another `output`\n"
    )
    assert not restored.exists()
