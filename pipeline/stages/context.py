"""What every stage of one run shares."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel

from outcross.pipeline.engine.artifacts import WORK
from outcross.pipeline.engine.engines import (
    lanes,
    load_beam,
    pipeline_options,
    run_pipeline,
    runs_in_process,
)
from outcross.pipeline.engine.progress import StageProgress
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.quotes import without_quotes
from outcross.transforms.base import files

if TYPE_CHECKING:
    from outcross.pipeline.inputs.lineage import RunLineage

beam = load_beam()

ModelT = TypeVar("ModelT", bound=BaseModel)


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
        lineage: that the run stands in, if it does.
    """

    config: Config
    beam_args: Sequence[str] = ()
    progress: StageProgress = field(default_factory=StageProgress)
    warnings: list[str] = field(default_factory=list)
    lineage: RunLineage | None = None

    def __post_init__(self) -> None:
        self.options = pipeline_options(self.config.workers, self.beam_args)
        self.local = runs_in_process(self.options)

    def warn(self, message: str) -> None:
        self.warnings.append(message)
        self.progress.say(f"warning: {message}")

    def shown(self, model: ModelT) -> ModelT:
        """Return a report or a plan as it may be shown: with `texts: false` it quotes nothing."""
        return model if self.config.texts else without_quotes(model)

    @contextmanager
    def spill(self) -> Iterator[str | None]:
        """A folder on this machine's disk for what is too large to shuffle in memory.

        It is gone afterwards; after a killed run, the next time. None where the engine's workers
        share no disk and its shuffle spills by itself.
        """
        if not self.local:
            yield None
            return
        beside = Path(self.config.out, WORK) if files.is_local(self.config.out) else None
        for left in () if beside is None else beside.glob("spill-*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="spill-", dir=beside) as folder:
            yield folder

    def over_units(
        self, units: Sequence[Unit], wire: Callable[[Any], Any], reading: bool = False
    ) -> dict[str, int]:
        """Runs one pipeline over units.

        Args:
            units: in any order.
            wire: applies the transforms to the collection of lanes, lists of units.
            reading: whether the workers read the input; else they get the units without their
                pieces, of which there may be thousands.

        Returns:
            Beam's counters.
        """
        if not units:
            return {}
        dealt = lanes(units, lambda unit: unit.bytes, self.options)
        if not reading:
            dealt = [[replace(unit, pieces=()) for unit in lane] for lane in dealt]

        def build(root: Any) -> None:
            wire(root | beam.Create(dealt))

        counters = run_pipeline(build, self.options)
        pa.default_memory_pool().release_unused()  # or the next stage comes on top of it
        return counters
