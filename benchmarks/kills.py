"""Commands that are killed at random moments, and started again.

    python -m benchmarks.kills --kills 50

kills `run` with a lineage, its commit, `plan`, `audit` and `dedup` without warning, starts the same
command again, and checks the result against that of a command that nobody killed. `--signal TERM`
or `INT` stops them in order instead, with a message and an exit code of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.human_texts import human_paragraphs

Stamp = tuple[int, int]
"""Inode of a file, and the nanosecond of its last change."""

_COMMIT = "commit"
_STOPPED = "outcross: stopped; the same command goes on from here\n"
_PATIENCE = 10.0  # seconds in which a signal stops a command
_PROMISED = ("data", "removed", "rejects", "plan.json", "report.json")


@dataclass
class Command:
    """A command, and what it gives when nobody kills it.

    Attributes:
        name: name in the table.
        arguments: command line after `outcross`.
        out: output directory.
        seconds: duration.
        renames: number of files of the lineage that it puts in their places.
        result: hash of each promised file.
        lineage: bytes of each file of the lineage afterwards.
    """

    name: str
    arguments: list[str]
    out: Path
    seconds: float = 0.0
    renames: int = 0
    result: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, bytes] = field(default_factory=dict)


def write_corpus(folder: Path, documents: int) -> None:
    """Write two human and two synthetic files of the documentation's paragraphs.

    Args:
        folder: folder for the files.
        documents: number of documents of each file.
    """
    texts = [part.text for part in human_paragraphs() if 40 <= len(part.text.split()) <= 250]
    random.Random(18).shuffle(texts)
    for number, name in enumerate(("human-1", "human-2", "synthetic-1", "synthetic-2")):
        part = texts[number * documents : (number + 1) * documents]
        part += part[: documents // 10]  # exact repeats
        with (folder / f"{name}.jsonl").open("w") as file:
            for row, text in enumerate(part):
                file.write(json.dumps({"id": f"{name}-{row}", "text": text}) + "\n")


def commands(folder: Path, documents: int, workers: int = 2) -> list[Command]:
    """Return the commands that are killed; all read files of `write_corpus`.

    Args:
        folder: folder of the corpus and of all results.
        documents: number of documents of each file.
        workers: number of workers.
    """
    human, synthetic = str(folder / "human-2.jsonl"), str(folder / "synthetic-2.jsonl")
    sources = ["--human", human, "--synthetic", synthetic, "--id-field", "id"]
    budget = ["--tokens", str(30 * documents), "--human-share", ".4"]
    fresh = ["--fresh-human-tokens", str(7 * documents)]
    loop = [*sources, *budget, *fresh, "--lineage", str(folder / "lineage")]
    lines = {
        "run": ["run", *loop],
        _COMMIT: ["run", *loop],
        "plan": ["plan", *sources, *budget],
        "audit": ["audit", synthetic, "--human", human],
        "dedup": ["dedup", *sources],
    }
    commands = []
    for name, line in lines.items():
        out = folder / ("g2" if "--lineage" in line else name)
        commands.append(Command(name, [*line, "--out", str(out), "--workers", str(workers)], out))
    return commands


def generation_before(command: Command) -> list[str]:
    """Return the command line of the generation before that of a `run` of `commands`."""
    line = [part.replace("-2.jsonl", "-1.jsonl") for part in command.arguments]
    line[line.index(str(command.out))] = str(command.out.with_name("g1"))
    return line


def start(arguments: list[str], log: Path, hook: Callable[[], None] | None = None) -> int:
    """Start a command in a fork of this process, which has loaded all modules.

    Args:
        arguments: command line after `outcross`.
        log: file for what the command prints.
        hook: function that the fork calls first.

    Returns:
        The process id.
    """
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        sys.argv = ["outcross", *arguments]
        if hook is not None:
            hook()
        from outcross.pipeline.cli.main import command

        command()
    finally:
        os._exit(code)


def wait(process: int, log: Path) -> None:
    """Wait for a command that must end well; exit code 3 is a gate's.

    Raises:
        AssertionError: it failed.
    """
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, 3), f"exit code {code}: {log.read_text()}"


def kill_at_rename(folder: str, number: int, after: bool) -> None:
    """Let this process kill itself when it puts a file below a folder in its place.

    Args:
        folder: the folder.
        number: number of the file, from 1; 0 only counts, in the file `FOLDER.renames`.
        after: True to kill after the rename, False to kill before it.
    """
    rename = os.replace
    renamed = 0

    def replace(source: str, target: str) -> None:
        nonlocal renamed
        chosen = os.fspath(target).startswith(folder + os.sep)
        renamed += chosen
        if chosen and renamed == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        if chosen and renamed == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if chosen and not number:
            Path(f"{folder}.renames").write_text(str(renamed))

    os.replace = replace  # type: ignore[assignment]


def results(out: Path) -> dict[str, str]:
    """Return a hash of each promised file below an output directory, with no other file there."""
    paths = [
        path
        for name in _PROMISED
        for path in ([out / name] if (out / name).is_file() else (out / name).rglob("*"))
    ]
    assert not list(out.rglob("*.tmp"))
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }


def finished(out: Path) -> dict[str, Stamp]:
    """Return the finished stages, sketched units and shards below an output directory."""
    patterns = {
        "stages": "**/.outcross/*-*/manifest.json",
        "units": "**/.outcross/sketch-*/units/unit-*.json",
        "shards": "data/*.parquet",
        "removed": "removed/*.parquet",
    }
    return {
        f"{kind} {path}": (path.stat().st_ino, path.stat().st_mtime_ns)
        for kind, pattern in patterns.items()
        for path in out.glob(pattern)
    }


def lineage_files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file of a lineage."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def undisturbed(command: Command, lineage: Path, before: Path) -> None:
    """Run a command to its end, and note its result and duration."""
    begin_again(command, lineage, before)
    log = command.out.parent / "log"
    started = time.perf_counter()
    wait(start(command.arguments, log, lambda: kill_at_rename(str(lineage), 0, False)), log)
    command.seconds = time.perf_counter() - started
    command.result = results(command.out)
    command.lineage = lineage_files(lineage)
    counted = Path(f"{lineage}.renames")
    if "--lineage" in command.arguments:
        command.renames = int(counted.read_text())
    counted.unlink(missing_ok=True)


def kill_once(
    command: Command,
    lineage: Path,
    before: Path,
    draw: random.Random,
    number: signal.Signals = signal.SIGKILL,
) -> Counter[str]:
    """Kill a command at a random moment, start it again, and check what must hold.

    Args:
        command: command that `undisturbed` has run.
        lineage: folder of the lineage.
        before: copy of the lineage as it was before the command.
        draw: source of the moment.
        number: signal that the command gets, but at the commit, where it is always SIGKILL.

    Returns:
        Counts for the table.

    Raises:
        AssertionError: a check failed.
    """
    begin_again(command, lineage, before)
    log = command.out.parent / "log"
    counts: Counter[str] = Counter()
    if command.name == _COMMIT:
        number = signal.SIGKILL
        place, after = draw.randint(1, command.renames), draw.random() < 0.5
        process = start(command.arguments, log, lambda: kill_at_rename(str(lineage), place, after))
    else:
        process = start(command.arguments, log)
        time.sleep(draw.uniform(0.02, 0.98) * command.seconds)
        os.kill(process, number)
    sent = time.perf_counter()
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if number != signal.SIGKILL and code == 128 + number:
        assert time.perf_counter() - sent < _PATIENCE
        assert log.read_text().endswith(_STOPPED), log.read_text()
        code = -number
    assert code in (-number, 0, 3), f"exit code {code}: {log.read_text()}"
    counts["killed" if code == -number else "had ended"] += 1
    old, now = lineage_files(before), lineage_files(lineage)
    state = now["lineage.json"]
    assert state in (old["lineage.json"], command.lineage["lineage.json"])
    counts["lineage as after" if state != old["lineage.json"] else "lineage as before"] += 1
    named = command.lineage if state != old["lineage.json"] else old
    assert {name: now.get(name) for name in named} == named
    complete = finished(command.out)
    counts["incomplete files"] += len(list(command.out.rglob("*.tmp")))
    wait(start(command.arguments, log), log)
    assert results(command.out) == command.result
    assert lineage_files(lineage) == command.lineage
    kept = finished(command.out)
    for name, stamp in complete.items():
        kind = name.partition(" ")[0]
        counts[f"{kind} finished"] += 1
        counts[f"{kind} done again"] += kept.get(name) != stamp
    return counts


def begin_again(command: Command, lineage: Path, before: Path) -> None:
    """Remove what a command has left, and put a copy of the lineage in its place."""
    shutil.rmtree(command.out, ignore_errors=True)
    shutil.rmtree(lineage, ignore_errors=True)
    shutil.copytree(before, lineage)


def main() -> None:
    """Print what became of the kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signal", choices=["KILL", "TERM", "INT"], default="KILL")
    asked = parser.parse_args()
    number = signal.Signals[f"SIG{asked.signal}"]
    _load_modules()
    folder = Path(tempfile.mkdtemp())  # forks would remove a `TemporaryDirectory` when they end
    try:
        write_corpus(folder, asked.documents)
        lineage, before, log = folder / "lineage", folder / "before", folder / "log"
        chosen = commands(folder, asked.documents)
        wait(start(generation_before(chosen[0]), log), log)
        shutil.copytree(lineage, before)
        for command in chosen:
            undisturbed(command, lineage, before)
        totals: dict[str, Counter[str]] = {command.name: Counter() for command in chosen}
        for kill in range(asked.kills):
            command = chosen[kill % len(chosen)]
            draw = random.Random(asked.seed * 1_000_003 + kill)
            totals[command.name] += kill_once(command, lineage, before, draw, number)
            print(f"{kill + 1} of {asked.kills}: {command.name}", file=sys.stderr)
    finally:
        shutil.rmtree(folder)
    for command in chosen:
        print(f"{command.name} ({command.seconds:.1f} s when nobody kills it)")
        for key, count in sorted(totals[command.name].items()):
            print(f"    {key:24} {count:>6,}")
    again = sum(count for t in totals.values() for key, count in t.items() if "again" in key)
    assert again == 0, f"{again} finished pieces of work were done again"
    print(f"{asked.kills} kills: same bytes, nothing finished was done again")


def _load_modules() -> None:
    """Import what commands need, once for all forks."""
    import outcross.pipeline.cli.main
    import outcross.pipeline.commands.audit
    import outcross.pipeline.commands.generation
    import outcross.pipeline.commands.run  # noqa: F401


if __name__ == "__main__":
    main()
