"""Selected and Kept: the documents that a run or `dedup` writes; results of the stage `select`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from outcross.pipeline.engine.artifacts import Artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config


@dataclass(frozen=True)
class Selected:
    """Documents that fill the quotas; result of `select`.

    Attributes:
        planned: result of `plan`.
        artifact: artifact of the stage.
    """

    planned: Planned
    artifact: Artifact

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
    """

    deduplicated: Deduplicated
    artifact: Artifact
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
