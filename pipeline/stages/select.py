"""Stage `select`: choose the documents that fill the quotas, and their copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.selection import Selection
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import Config
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.reference.reference import NGRAMS
from outcross.transforms.selection.residual import FIGURES, keys
from outcross.transforms.selection.score_candidates import CountNgrams, ScoreCandidates
from outcross.transforms.sketches.aligned import load_aligned, load_unit, save_aligned


@dataclass(frozen=True)
class Selected:
    """Documents that fill the quotas; result of `select`.

    Attributes:
        planned: result of `plan`.
        artifact: artifact of the stage.
        copies: int32[n], copies of each document.
    """

    planned: Planned
    artifact: Artifact
    copies: NDArray[np.int32]

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
        copies: int32[n], copies of each document, 0 or 1.
    """

    deduplicated: Deduplicated
    artifact: Artifact
    copies: NDArray[np.int32]
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
    sketched = deduplicated.sketched
    done = artifact(deduplicated.config.out, "keep", deduplicate=deduplicated.artifact.key)
    copies = (deduplicated.kept & sketched.of_role(*WRITABLE)).astype(np.int32)
    kept = Kept(deduplicated, done, copies)
    save_aligned(done.subfolder("selection"), sketched.sketches, {"copies": copies})
    return kept


def select(planned: Planned) -> Selected:
    """Fill the human quotas by hash, the synthetic quotas by rounds of residual selection."""
    context, config, sketches = planned.context, planned.config, planned.sketched.sketches
    done = artifact(
        config.out,
        "select",
        plan=planned.artifact.key,
        select=config.select,
        rounds=config.rounds,
    )
    folder = done.subfolder("selection")
    if done.finished:
        context.progress.skipped("select")
    else:
        with context.progress.stage("select", documents=len(sketches)):
            chosen = Selection.of(planned).copies(_Scores(planned, done).keys)
            save_aligned(folder, sketches, {"copies": chosen.astype(np.int32)})
        done.finish()
    (copies,) = load_aligned(folder, sketches, ["copies"])
    return Selected(planned, done, copies)


class _Scores:
    """Scores of the candidates, counted by Beam in each round.

    Args:
        planned: result of `plan`.
        done: artifact of the stage.
    """

    def __init__(self, planned: Planned, done: Artifact) -> None:
        self.context, self.done = planned.context, done
        self.sketched, self.sketches = planned.sketched, planned.sketched.sketches
        self.reference = files.join(planned.clustered.reference_folder, NGRAMS)
        # Tables of the last round, and the copies that each document has in them.
        nothing = np.zeros(len(self.sketches), np.int32)
        self.counted: tuple[str | None, NDArray[np.int32]] = (None, nothing)

    def keys(
        self, number: int, expected: NDArray[np.int64], remaining: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the keys of the remaining candidates in one round.

        Args:
            number: number of the round, from 1.
            expected: int64[n], copies in the mix that candidates are scored against.
            remaining: int64[r], ascending numbers of the remaining candidates.

        Returns:
            float64[r].
        """
        folder = f"round-{number}"
        weights = self.done.subfolder(f"{folder}/weights")
        scores = self.done.subfolder(f"{folder}/scores")
        current = self.done.path(folder, NGRAMS)
        chosen_from = np.zeros(len(self.sketches), bool)
        chosen_from[remaining] = True
        # The counts of the round before are taken over, and only changes are counted.
        before, copies = self.counted
        self.counted = current, expected.astype(np.int32)
        columns = {"copies": self.counted[1] - copies, "remaining": chosen_from}
        save_aligned(weights, self.sketches, columns)
        count = CountNgrams(self.sketches.folder, weights, current, before)
        self.context.over_units(self.sketched.units("human", "synthetic"), lambda p: p | count)
        score = ScoreCandidates(self.sketches.folder, self.reference, current, weights, scores)
        self.context.over_units(self.sketched.units("synthetic"), lambda p: p | score)
        hi, lo = (half[remaining] for half in self.sketched.fingerprints)
        return keys(self._figures(scores, remaining), hi, lo, self.context.config.seed)

    def _figures(self, folder: str, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Load the figures of some documents.

        Args:
            folder: folder of the scores.
            documents: int64[m], ascending numbers of documents.

        Returns:
            int64[F, m].
        """
        out = np.empty((len(FIGURES), len(documents)), np.int64)
        for unit, rows, places in self.sketches.rows_of(documents):
            for figure, column in zip(out, load_unit(folder, unit, FIGURES), strict=True):
                figure[places] = column[rows]
        return out
