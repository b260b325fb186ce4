"""End a pipeline whose worker has died: Prism would wait for the worker for ever."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

GRACE_SECONDS = 5.0
"""Seconds that Prism gets to end the pipeline itself, as it does after some deaths."""
REPORT_SECONDS = 5.0
"""Longest time from the end of a pipeline to the report that its worker process has ended."""
ABSENT_SECONDS = 15.0
"""Seconds for which a running pipeline may have no worker process on this machine."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at the processes of this machine."""
_SERVER = "PrismJobServer"
"""Logger that Beam gives each line of Prism's output."""
_PROCESS_ENDS = {
    "process failed while running": "its process ended",
    "process failed to start": "its process didn't start",
}
"""Prism's messages of a worker process, and their meaning."""
_DEATHS = ("SDK worker disconnected", "worker stopped before", "closed channel")
"""Words of Prism's errors where it ends the pipeline of a dead worker itself."""


class LostWorkerError(RuntimeError):
    """A worker process died, and with it the pipeline that it worked for."""


class WorkerWatch(logging.Filter):
    """Cancels a pipeline after Prism has reported that its worker died.

    Prism reports the end of a worker process without its name, and in the same words when it ends
    the worker itself. It does so once for each pipeline. So the watch of a pipeline lasts until
    that report, and the next one sees the reports of its own worker only.

    Attributes:
        cause: how the worker died, or was ended; empty while it lives.
        cancelled: True if the pipeline was cancelled for that.
        process_ended: event that Prism has reported the end of the worker process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cause = ""
        self.cancelled = False
        self.process_ended = threading.Event()
        self._result: Any = None
        self._timer = threading.Timer(GRACE_SECONDS, self._cancel)
        self._timer.daemon = True
        self._stopped = threading.Event()

    @property
    def started(self) -> bool:
        """True as soon as the pipeline has been started."""
        return self._result is not None

    def follow(self, result: Any) -> None:
        """Take the pipeline that has been started, so that it can be cancelled."""
        self._result = result

    def stop(self) -> None:
        """Leave the pipeline alone from now on."""
        self._timer.cancel()
        self._stopped.set()

    def look_for_processes(self) -> None:
        """Look for the worker's process until the watch stops.

        Prism says nothing of a process that ends with exit status 0, and waits for ever.
        """
        seen = time.monotonic()
        while not self._stopped.wait(LOOK_SECONDS):
            if not self.started or has_worker(self._job()):
                seen = time.monotonic()
            elif time.monotonic() - seen > ABSENT_SECONDS:
                self._died("it has no process; does the command of environment_config end at once?")
                self.process_ended.set()
                return

    def filter(self, record: logging.LogRecord) -> bool:
        """Look at a message, and let it pass."""
        try:
            report = json.loads(record.getMessage())
            message, error = report["msg"], report["error"]
            worker = report.get("worker", {}).get("ID", "")
        except (ValueError, TypeError, KeyError, AttributeError):
            return True
        if message in _PROCESS_ENDS:
            self._died(f"{_PROCESS_ENDS[message]}: {error}")
            self.process_ended.set()
        elif message == "Control done" and worker.startswith(f"{self._job()}["):
            self._died(f"its connection broke: {error}")
        return True

    def _died(self, cause: str) -> None:
        if not self.cause:
            self.cause = cause
            self._timer.start()

    def _job(self) -> str:
        """Return Prism's name of the pipeline, with which the names of its workers begin."""
        return getattr(self._result, "_job_id", "")

    def _cancel(self) -> None:
        self.cancelled = True
        with suppress(Exception):  # it has ended meanwhile
            self._result.cancel()


def has_worker(job: str) -> bool:
    """Return whether a worker process of a pipeline runs on this machine, as /proc lists it.

    Args:
        job: Prism's name of the pipeline.
    """
    wanted = f"--id='{job}".encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in path.read_bytes():
                return True
    return False


@contextmanager
def workers_watched(processes: bool) -> Iterator[WorkerWatch]:
    """Cancel the pipeline that the body of the `with` statement runs when its worker dies.

    Args:
        processes: True if Prism starts a process of this machine for the pipeline's worker.

    Yields:
        Watch, which the body tells the pipeline's result as soon as it has one.

    Raises:
        LostWorkerError: a worker died, and the pipeline failed or was cancelled.
    """
    logger, watch = logging.getLogger(_SERVER), WorkerWatch()
    logger.filters.insert(0, watch)  # Beam's own filter rewrites the line
    if processes and Path("/proc").is_dir():
        threading.Thread(target=watch.look_for_processes, daemon=True).start()
    try:
        yield watch
    except KeyboardInterrupt:
        watch.process_ended.set()  # Prism was interrupted as well, and reports nothing
        raise
    except Exception as error:
        # Prism ends the worker of a pipeline that fails, so a report alone says nothing.
        if watch.cancelled or any(words in str(error) for words in _DEATHS):
            cause = watch.cause or "its connection broke"
            message = f"a worker of Prism died: {cause}; the same command goes on from here"
            raise LostWorkerError(message) from error
        raise
    finally:
        watch.stop()
        if processes and watch.started:
            watch.process_ended.wait(REPORT_SECONDS)
        logger.removeFilter(watch)
