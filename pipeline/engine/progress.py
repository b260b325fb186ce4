"""A live bar for each stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from outcross.pipeline.engine.engines import load_beam

load_beam()  # before the transforms import it, so that it stays quiet

from outcross.transforms.base.progress import TALLY  # noqa: E402

_PATIENCE = 5.0  # seconds before a stage is shown to be at work
_PLAIN_INTERVAL = 15.0
_WIDTH = 13  # of a stage's name
_SURE = 0.02  # share of a stage from which its pace says when it ends


class StageProgress:
    """Shows how far a stage is; silent while stages are quick, except for a line at their end.

    Args:
        quiet: say nothing at all, for --json.
        verbose: also say when a stage begins.
        keep: takes each line that is said, even if it is quiet.

    Attributes:
        seconds: what each stage that was run took.
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
        self.console = Console(stderr=True, quiet=quiet)

    @contextmanager
    def stage(self, name: str, documents: int = 0, size: int = 0) -> Iterator[None]:
        """Around a stage's work.

        Args:
            name: of the stage.
            documents: that it will look at, 0 if unknown.
            size: bytes that it will read, 0 if it doesn't read sources.
        """
        TALLY.reset()
        started = time.monotonic()
        done = threading.Event()
        if self.verbose:
            amount = f"  {documents:,} documents" if documents else ""
            amount = f"  {size / 1e6:,.1f} MB" if size else amount
            self.say(f"{name:<{_WIDTH}} begins{amount}")
        watcher = threading.Thread(
            target=self._watch, args=(name, documents, size, started, done), daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
        seconds = time.monotonic() - started
        self.seconds[name] = round(seconds, 3)
        self.say(f"{name:<{_WIDTH}} {_state(seconds)}")

    def skipped(self, name: str) -> None:
        self.say(f"{name:<{_WIDTH}} done earlier, unchanged")

    def say(self, line: str) -> None:
        self.keep(line)
        # A line stays one line in a log: only a terminal wraps.
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _watch(
        self, name: str, documents: int, size: int, started: float, done: threading.Event
    ) -> None:
        if self.quiet or done.wait(_PATIENCE):
            return
        counter, total = ("bytes", size) if size else ("documents", documents)

        def state() -> str:
            seconds = time.monotonic() - started
            left = _left(TALLY.get(counter), total, seconds)
            return _state(seconds) + (f"  {left} left" if left else "")

        if not sys.stderr.isatty():
            while not done.wait(_PLAIN_INTERVAL):
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
            while not done.wait(0.25):
                bar.update(task, completed=TALLY.get(counter), state=state())


def _left(done: int, total: int, seconds: float) -> str:
    """Return how long the rest takes at the pace so far; nothing where that can't be known.

    Args:
        done: documents or bytes so far.
        total: of them in all, 0 if unknown.
        seconds: so far.
    """
    if total <= 0 or done < _SURE * total or done > total:
        return ""
    left = round(seconds * (total - done) / done)
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60}:{left % 60:02} min"
    return f"{left // 3600}:{left % 3600 // 60:02} h"


def _state(seconds: float) -> str:
    rows, size = TALLY.get("documents") or TALLY.get("written"), TALLY.get("bytes")
    parts = [f"{seconds:6.1f} s"]
    if rows:
        parts.append(f"{rows:,} rows ({rows / max(seconds, 1e-3):,.0f}/s)")
    if size:
        parts.append(f"{size / 1e6 / max(seconds, 1e-3):,.1f} MB/s")
    return "  ".join(parts)
