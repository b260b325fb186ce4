"""Progress of the workers: Beam counters, and a tally for a driver in the same process."""

from __future__ import annotations

import threading

NAMESPACE = "outcross"
"""Namespace of all Beam counters of this package."""


class Tally:
    """Counts of the running stage, shared by the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, amount: int) -> None:
        """Add an amount to a count."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + amount

    def get(self, name: str) -> int:
        """Return a count, 0 if nothing was added."""
        with self._lock:
            return self._counts.get(name, 0)

    def reset(self) -> None:
        """Set all counts to 0."""
        with self._lock:
            self._counts.clear()


TALLY = Tally()


def count(name: str, amount: int) -> None:
    """Add an amount to a Beam counter, which every runner reports, and to the local tally."""
    from apache_beam.metrics import Metrics

    Metrics.counter(NAMESPACE, name).inc(amount)
    TALLY.add(name, amount)
