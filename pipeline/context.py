"""What every stage of one run shares."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.engines import is_local, lanes, load_beam, pipeline_options, run_pipeline
from pipeline.progress import StageProgress
from schemas.config import Config
from schemas.documents import Unit

beam = load_beam()


class RunError(RuntimeError):
    """A run that could not be finished, with what a person can do about it (exit code 1)."""


@dataclass
class Context:
    """A run's configuration, engine and voice.

    Attributes:
        config: of the run.
        beam_args: Beam's own options.
        progress: shows stages.
        warnings: said so far, in order; they also stand in the report.
    """

    config: Config
    beam_args: Sequence[str] = ()
    progress: StageProgress = field(default_factory=StageProgress)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.options = pipeline_options(self.config.workers, self.beam_args)
        self.local = is_local(self.options)

    def warn(self, message: str) -> None:
        self.warnings.append(message)
        self.progress.say(f"warning: {message}")

    @property
    def memory(self) -> int:
        """Bytes that a shuffle may take."""
        if self.config.memory_mb is not None:
            return self.config.memory_mb << 20
        return max(_free_memory() // 4, 64 << 20)

    def over_units(self, units: Sequence[Unit], wire: Callable[[Any], Any]) -> dict[str, int]:
        """Runs one pipeline over units.

        Args:
            units: in any order.
            wire: applies the transforms to the collection of lanes, lists of units.

        Returns:
            Beam's counters.
        """
        if not units:
            return {}
        dealt = lanes(units, lambda unit: unit.bytes, self.options)

        def build(root: Any) -> None:
            wire(root | beam.Create(dealt))

        return run_pipeline(build, self.options)


def _free_memory() -> int:
    """Bytes that can be had without swapping; where only the total is known, that."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
