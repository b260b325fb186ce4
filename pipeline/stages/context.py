"""Context: what all stages of one run share."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.engines import (
    lanes,
    local_workers,
    pipeline_options,
    run_pipeline,
    runs_in_process,
)
from outcross.pipeline.engine.leases import LostLockError
from outcross.pipeline.engine.progress import StageProgress
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.quotes import without_quotes
from outcross.transforms.base import files
from outcross.transforms.base.memory import give_back_freed_memory
from outcross.transforms.exchange.lanes import Deal, DealListed, list_units
from outcross.transforms.exchange.packing import SHUFFLED

if TYPE_CHECKING:
    from outcross.pipeline.inputs.lineage import RunLineage

ModelT = TypeVar("ModelT", bound=BaseModel)


class RunError(RuntimeError):
    """A run that could not be finished, with what a person can do about it (exit code 1)."""


@dataclass(frozen=True)
class Context:
    """Configuration, Beam options, progress output and warnings of one run.

    Attributes:
        config: configuration of the run, with the settings of its plan if it has one.
        beam_args: Beam's own options, as the user wrote them.
        progress: output that shows the stages.
        lineage: lineage of the run; None without one.
        locks: functions that raise LostLockError if a lock of the run is lost.
        started: seconds since 1970 at which the run began.
        warnings: warnings so far, in order; they also stand in the report.
        pipelines: stage of each Beam pipeline so far; "other" outside of stages that are shown.
        shuffled: bytes that pipelines have shuffled or spilled so far, by stage.
    """

    config: Config
    beam_args: Sequence[str] = ()
    progress: StageProgress = field(default_factory=StageProgress)
    lineage: RunLineage | None = None
    locks: Sequence[Callable[[], None]] = ()
    started: float = field(default_factory=time.time)
    warnings: list[str] = field(default_factory=list)
    pipelines: list[str] = field(default_factory=list)
    shuffled: Counter[str] = field(default_factory=Counter)

    @cached_property
    def options(self) -> Any:
        """Beam's options for every stage."""
        return pipeline_options(self.config.workers, self.beam_args)

    @cached_property
    def in_process(self) -> bool:
        """True if the stages run in this process, with shuffles in its memory."""
        return runs_in_process(self.options)

    def warn(self, message: str) -> None:
        """Print a warning, and keep it for the report."""
        self.warnings.append(message)
        self.progress.say(f"warning: {message}")

    def confirm_locks(self) -> None:
        """Make sure that the run still has its locks.

        Raises:
            RunError: another command has taken one.
        """
        for confirm in self.locks:
            try:
                confirm()
            except LostLockError as error:
                raise RunError(str(error)) from error

    def shown(self, model: ModelT) -> ModelT:
        """Return a report or a plan as it may be shown: with `texts: false` it quotes nothing."""
        return model if self.config.texts else without_quotes(model)

    @contextmanager
    def spill(self) -> Iterator[str | None]:
        """Yield a folder on this machine's disk for what is too large to shuffle in memory.

        The folder is removed afterwards. What a killed run leaves is removed by the next run.

        Yields:
            The folder; None where the engine's workers share no disk and its shuffle spills by
            itself.
        """
        if not self.in_process:
            yield None
            return
        work = Path(self.config.out, WORK) if files.is_local(self.config.out) else None
        for leftover in () if work is None else work.glob("spill-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        # Threads of a stopped pipeline may still write there.
        with tempfile.TemporaryDirectory(
            prefix="spill-", dir=work, ignore_cleanup_errors=True
        ) as folder:
            yield folder

    def over_units(
        self, units: Sequence[Unit], wire: Callable[[Any], Any], reading: bool = False
    ) -> dict[str, int]:
        """Run one pipeline over units.

        Args:
            units: units in any order.
            wire: function that applies transforms to the collection of lanes (lists of units).
            reading: True if the workers read the input. Otherwise they get the units without
                their pieces, as there may be thousands of these.

        Returns:
            Beam's counters.
        """
        if not units:
            return {}
        self.confirm_locks()
        stage = self.progress.current or "other"
        self.pipelines.append(stage)
        number = self.pipelines.count(stage)
        name = f"{stage}-{number}" if number > 1 else stage
        workers = local_workers(sum(unit.bytes for unit in units), self.options)
        with self._dealing(units, workers, reading) as deal:
            counters = run_pipeline(lambda root: wire(root | deal), self.options, name, workers)
        self.shuffled[stage] += counters.get(SHUFFLED, 0)
        give_back_freed_memory()
        return counters

    @contextmanager
    def _dealing(
        self, units: Sequence[Unit], workers: int, reading: bool
    ) -> Iterator[Deal | DealListed]:
        """Yield the first transform of a pipeline over units."""

        def lane_of(lane: Sequence[Unit]) -> list[Unit]:
            return list(lane) if reading else [replace(unit, pieces=()) for unit in lane]

        if self.in_process:
            synthetic = [source.role == "synthetic" for source in self.config.sources]
            by_worker = lanes(
                units,
                lambda unit: unit.bytes,
                workers,
                lambda unit: unit.source < len(synthetic) and synthetic[unit.source],
            )
            yield Deal([lane_of(lane) for lane in by_worker])
            return
        path = files.join(self.config.out, WORK, f"units-{len(self.pipelines)}.json")
        list_units(path, lane_of(units))
        yield DealListed(path)
        files.delete_files([path])  # a later run replaces what a failed one leaves
