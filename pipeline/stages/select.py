"""Stage `select`: choose the documents that fill the quotas, and their copies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.selection import fill_quotas
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.selection.copies import Chosen, WriteKept


@dataclass(frozen=True)
class Selected:
    """Documents that fill the quotas; result of `select`.

    Attributes:
        planned: result of `plan`.
        artifact: artifact of the stage.
        chosen: sums over the chosen documents.
    """

    planned: Planned
    artifact: Artifact
    chosen: Chosen

    @property
    def ranking(self) -> Ranking:
        """Result of `rank`."""
        return self.planned.ranking

    @property
    def clustered(self) -> Clustered:
        """Result of `cluster`."""
        return self.planned.clustered

    @property
    def deduplicated(self) -> Deduplicated:
        """Result of `deduplicate`."""
        return self.planned.deduplicated

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.planned.sketched

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.planned.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.planned.config

    @property
    def folder(self) -> str:
        """Folder of the row-aligned copies."""
        return self.artifact.path("selection")

    @property
    def assignments(self) -> str | None:
        """Folder of the row-aligned assignments to clusters."""
        return self.clustered.folder


@dataclass(frozen=True)
class Kept:
    """Kept documents that may be written, once each; the selection of `dedup`.

    Attributes:
        deduplicated: result of `deduplicate`.
        artifact: artifact of the stage.
        chosen: sums over the kept documents.
    """

    deduplicated: Deduplicated
    artifact: Artifact
    chosen: Chosen
    assignments: ClassVar[str | None] = None

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.deduplicated.sketched

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.deduplicated.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.deduplicated.config

    @property
    def folder(self) -> str:
        """Folder of the row-aligned copies."""
        return self.artifact.path("selection")


def keep(deduplicated: Deduplicated) -> Kept:
    """Choose all kept documents that may be written, once each."""
    config, sketched = deduplicated.config, deduplicated.sketched
    done = artifact(config.out, "keep", deduplicate=deduplicated.artifact.key)
    if not done.finished:
        writable = [n for n, source in enumerate(config.sources) if source.role in WRITABLE]
        sums = done.subfolder("sums")
        work = WriteKept(
            sketched.sketches.folder, deduplicated.folder, done.subfolder("selection"), writable
        )
        deduplicated.context.over_units(
            sketched.sketches.units, lambda units: units | SumUnits(work, sums)
        )
        chosen = Chosen.read(files.join(sums, "chosen"))
        done.finish(asdict(chosen))
    return Kept(deduplicated, done, Chosen(**done.stats()))


def select(planned: Planned) -> Selected:
    """Fill the human quotas by hash, the synthetic quotas by rounds of residual selection."""
    context, config = planned.context, planned.config
    done = artifact(
        config.out,
        "select",
        plan=planned.artifact.key,
        select=config.select,
        rounds=config.rounds,
    )
    if done.finished:
        context.progress.skipped("select")
    else:
        with context.progress.stage("select", documents=len(planned.sketched.sketches)):
            chosen = fill_quotas(planned, done)
        done.finish(asdict(chosen))
    return Selected(planned, done, Chosen(**done.stats()))
