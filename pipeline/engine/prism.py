"""End a pipeline whose worker has died: Prism would wait for the worker for ever."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

GRACE_SECONDS = 10.0
"""Seconds that Prism gets to end the pipeline itself, as it does after some deaths."""
_START_SECONDS = 0.2
"""Seconds in which Prism may still report the end of the worker before."""
_SERVER = "PrismJobServer"
"""Logger that Beam gives each line of Prism's output."""
_DISCONNECTED = "SDK worker disconnected"
"""Words of Prism's error where it ends the pipeline itself."""


class LostWorkerError(RuntimeError):
    """A worker process died, and with it the pipeline that it worked for."""


class WorkerWatch(logging.Filter):
    """Reads what Prism reports, and tells when a worker has died.

    Args:
        lost: function that is called once, with Prism's words, by the thread that reads them.
    """

    def __init__(self, lost: Callable[[str], None]) -> None:
        super().__init__()
        self.lost = lost
        self.began = time.monotonic()
        self.reported = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Look at a message, and let it pass."""
        if not self.reported and (words := self.death(record.getMessage())):
            self.reported = True
            self.lost(words)
        return True

    def death(self, line: str) -> str:
        """Return how a worker died; empty if the line doesn't report that.

        Args:
            line: JSON object with the keys `msg` and `error`, or anything else.
        """
        try:
            report = json.loads(line)
            message, error = report["msg"], report["error"]
        except (ValueError, TypeError, KeyError):
            return ""
        # At the end of each pipeline Prism kills its worker, and reports that as a failure.
        is_late = error == "signal: killed" and time.monotonic() < self.began + _START_SECONDS
        if message == "process failed while running" and not is_late:
            return f"its process ended: {error}"
        if message == "process failed to start":
            return f"its process didn't start: {error}"
        return f"its connection broke: {error}" if message == "Control done" else ""


@contextmanager
def workers_watched(cancel: Callable[[], None]) -> Iterator[None]:
    """Cancel the pipeline that the body of the `with` statement waits for when its worker dies.

    Args:
        cancel: function that cancels the pipeline, so that the body raises.

    Raises:
        LostWorkerError: a worker died, and the pipeline failed or was cancelled.
    """
    deaths: list[str] = []
    timers: list[threading.Timer] = []

    def end() -> None:
        with suppress(Exception):  # it has ended meanwhile
            cancel()

    def lost(words: str) -> None:
        deaths.append(words)
        timer = threading.Timer(GRACE_SECONDS, end)
        timer.daemon = True
        timer.start()
        timers.append(timer)

    logger, watch = logging.getLogger(_SERVER), WorkerWatch(lost)
    logger.filters.insert(0, watch)  # Beam's own filter rewrites the line
    try:
        yield
    except Exception as error:
        if deaths or _DISCONNECTED in str(error):
            cause = deaths[0] if deaths else "its connection broke"
            message = f"a worker of Prism died: {cause}; the same command goes on from here"
            raise LostWorkerError(message) from error
        raise
    finally:
        logger.removeFilter(watch)
        for timer in timers:
            timer.cancel()
