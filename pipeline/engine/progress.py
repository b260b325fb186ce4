"""Show the progress of stages: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from outcross.pipeline.engine.engines import load_beam

load_beam()  # first, as any other import of Beam would print its warnings

from outcross.transforms.base.progress import TALLY  # noqa: E402
from outcross.transforms.base.visible import visible  # noqa: E402

PATIENCE = 5.0
"""Seconds of a stage before its progress is shown."""
PLAIN_INTERVAL = 15.0
"""Seconds between plain lines."""
_WIDTH = 13  # characters of a stage's name
_SURE = 0.02  # share of a stage after which the rest is estimated


class StageProgress:
    """Progress of stages on standard error; a quick stage only prints a line at its end.

    Args:
        quiet: print nothing, for --json.
        verbose: also print a line when a stage begins.
        keep: function that receives each line, even if `quiet` is set.

    Attributes:
        seconds: duration of each stage that was run.
        current: name of the stage that runs; empty between stages.
    """

    def __init__(
        self,
        quiet: bool = False,
        verbose: bool = False,
        keep: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.keep = keep
        self.seconds: dict[str, float] = {}
        self.current = ""
        self.console = Console(stderr=True, quiet=quiet)

    @contextmanager
    def stage(self, name: str, documents: int = 0, size: int = 0) -> Iterator[None]:
        """Show the progress of a stage while the body of the `with` statement runs.

        Args:
            name: name of the stage.
            documents: number of documents that it processes, 0 if unknown.
            size: bytes that it reads from sources, 0 if none.
        """
        TALLY.reset()
        self.current = name
        started = time.monotonic()
        ended = threading.Event()
        if self.verbose:
            amount = f"  {documents:,} documents" if documents else ""
            amount = f"  {size / 1e6:,.1f} MB" if size else amount
            self.say(f"{name:<{_WIDTH}} begins{amount}")
        watcher = threading.Thread(
            target=self._watch, args=(name, documents, size, started, ended), daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            self.current = ""
        seconds = time.monotonic() - started
        self.seconds[name] = round(seconds, 3)
        self.say(f"{name:<{_WIDTH}} {_state(seconds)}")

    def skipped(self, name: str) -> None:
        """Say that a stage was finished by an earlier run."""
        self.say(f"{name:<{_WIDTH}} done earlier, unchanged")

    def say(self, line: str) -> None:
        """Print a line, unless `quiet` is set, and give it to `keep`."""
        self.keep(line)
        # Without wrapping, a message stays one line in a log.
        self.console.print(
            visible(line), highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    def _watch(
        self, name: str, documents: int, size: int, started: float, ended: threading.Event
    ) -> None:
        if self.quiet or ended.wait(PATIENCE):
            return
        counter, total = ("bytes", size) if size else ("documents", documents)

        def state() -> str:
            seconds = time.monotonic() - started
            rest = time_left(TALLY.get(counter), total, seconds)
            return _state(seconds) + (f"  {rest} left" if rest else "")

        if not sys.stderr.isatty():
            while not ended.wait(PLAIN_INTERVAL):
                self.say(f"{name:<{_WIDTH}} {state()} …")
            return
        bar = Progress(
            TextColumn(f"{{task.description:<{_WIDTH}}}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            transient=True,
        )
        with bar:
            task = bar.add_task(name, total=total or None, state="")
            while not ended.wait(0.25):
                bar.update(task, completed=TALLY.get(counter), state=state())


def time_left(count: int, total: int, seconds: float) -> str:
    """Return the time that a stage still needs at its pace so far; empty if unknown.

    Args:
        count: documents or bytes so far.
        total: documents or bytes in all, 0 if unknown.
        seconds: time so far.
    """
    if total <= 0 or count < _SURE * total or count > total:
        return ""
    rest = round(seconds * (total - count) / count)
    if rest < 60:
        return f"{rest} s"
    if rest < 3600:
        return f"{rest // 60}:{rest % 60:02} min"
    return f"{rest // 3600}:{rest % 3600 // 60:02} h"


def _state(seconds: float) -> str:
    rows, size = TALLY.get("documents") or TALLY.get("written"), TALLY.get("bytes")
    parts = [f"{seconds:6.1f} s"]
    if rows:
        parts.append(f"{rows:,} rows ({rows / max(seconds, 1e-3):,.0f}/s)")
    if size:
        parts.append(f"{size / 1e6 / max(seconds, 1e-3):,.1f} MB/s")
    return "  ".join(parts)
