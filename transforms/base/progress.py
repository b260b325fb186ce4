"""How far the workers are: Beam counters, and a tally that a driver in the same process can see."""

from __future__ import annotations

import threading

NAMESPACE = "outcross"


class Tally:
    """Counts of the stage that is running, shared by the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, amount: int) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + amount

    def get(self, name: str) -> int:
        with self._lock:
            return self._counts.get(name, 0)

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()


TALLY = Tally()


def count(name: str, amount: int) -> None:
    """Adds to a Beam counter, which every runner reports, and to the local tally."""
    from apache_beam.metrics import Metrics

    Metrics.counter(NAMESPACE, name).inc(amount)
    TALLY.add(name, amount)
