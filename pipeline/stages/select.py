"""Stage `select`: which documents fill the quotas, and how often each appears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.planning.draw import draw_salt
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.sketch import Sketched
from outcross.transforms.base import files
from outcross.transforms.estimators.richness import OFF_SUPPORT
from outcross.transforms.reference.reference import NGRAMS
from outcross.transforms.selection.residual import FIGURES, keys
from outcross.transforms.selection.score_candidates import CountNgrams, ScoreCandidates
from outcross.transforms.selection.select import NEARLY_ALL, Candidates, Filling, fill_by_hash
from outcross.transforms.sketches.aligned import load_aligned, load_unit, save_aligned


@dataclass
class Selected:
    """After `select`.

    Attributes:
        copies: int32[n], how often each document is written.
    """

    artifact: Artifact
    copies: NDArray[np.int32]

    @property
    def folder(self) -> str:
        """Of the row-aligned copies."""
        return self.artifact.path("selection")


def select(
    context: Context,
    sketched: Sketched,
    clustered: Clustered,
    ranking: Ranking,
    planned: Planned,
) -> Selected:
    """Fills the human quotas by hash, the synthetic ones by rounds of residual selection."""
    config, sketches = context.config, sketched.sketches
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
            selection = _Selection(context, done, sketched, clustered, ranking, planned)
            save_aligned(folder, sketches, {"copies": selection.run().astype(np.int32)})
        done.finish()
    (copies,) = load_aligned(folder, sketches, ["copies"])
    return Selected(done, copies)


class _Selection:
    def __init__(
        self,
        context: Context,
        done: Artifact,
        sketched: Sketched,
        clustered: Clustered,
        ranking: Ranking,
        planned: Planned,
    ) -> None:
        self.context, self.done, self.sketched = context, done, sketched
        self.sketches = sketched.sketches
        self.reference_folder = clustered.reference_folder
        off = clustered.kind == OFF_SUPPORT
        quotas, human = planned.plan.quotas, ranking.human
        old, self.generation = np.zeros_like(human), 0
        if context.lineage is not None:
            old = sketched.of_sources(*context.lineage.ledger)
            self.generation = context.lineage.number
        ledger_quota = np.array([quota.human_ledger for quota in quotas])
        self.human = {
            "fresh": (
                np.flatnonzero(human & ~old),
                np.array([quota.human for quota in quotas]) - ledger_quota,
            ),
            "ledger": (np.flatnonzero(human & old), ledger_quota),
        }
        synthetic = ranking.candidate
        self.synthetic = np.flatnonzero(synthetic & ~off)
        self.synthetic_quota = np.array([quota.synthetic for quota in quotas])
        self.off_support = np.flatnonzero(synthetic & off)
        self.off_support_quota = np.array([quota.synthetic_off_support for quota in quotas])
        domains = planned.plan.domains
        self.caps = [domain.max_copies for domain in domains]
        self.domain = sketched.domains([domain.name for domain in domains])
        clusters = clustered.reference.codebook.size
        self.cell = self.domain.astype(np.int64) * clusters + clustered.cluster
        # The last round's tables, and how often each document counts in them.
        nothing = np.zeros(len(self.sketches), np.int32)
        self.counted: tuple[str | None, NDArray[np.int32]] = (None, nothing)

    def _candidates(self, documents: NDArray[np.int64], caps: Sequence[int]) -> Candidates:
        """Documents that may be written as often as the caps of their domains say."""
        hi, lo = self.sketched.fingerprints
        return Candidates(
            self.cell[documents],
            self.sketched.tokens[documents],
            np.array(caps)[self.domain[documents]],
            hi[documents],
            lo[documents],
        )

    def run(self) -> NDArray[np.int64]:
        """How often each document of the run is written."""
        config, caps = self.context.config, self.caps
        tokens = self.sketched.tokens
        copies = np.zeros(len(self.sketches), np.int64)
        for origin, (documents, quota) in self.human.items():
            # The hash by which a lineage's human part was drawn, so that it is drawn again.
            salt = draw_salt(origin, self.generation) if self.generation else "human"
            humans = self._candidates(documents, [cap.human for cap in caps])
            copies[documents] = fill_by_hash(humans, quota, config.seed, salt)
        # Off-support text by itself and by hash: a score would lift the strangest of it, and what
        # other cells leave over must not be made up with it.
        cap = 0 if config.off_support == "drop" else 1
        beside = self._candidates(self.off_support, [cap] * len(caps))
        drawn = fill_by_hash(beside, self.off_support_quota, config.seed, "off-support")
        copies[self.off_support] = drawn
        quota, total = self.synthetic_quota, self.synthetic_quota.sum()
        if total > 0:  # what whole documents have given too much or too little before
            asked = self.off_support_quota.sum() + sum(q.sum() for _, q in self.human.values())
            over = (copies * tokens).sum() - asked
            quota = quota * max(1 - over / total, 0.0)
        candidates = self._candidates(self.synthetic, [cap.synthetic for cap in caps])
        filling = Filling(candidates, quota)
        noise = candidates.hashes(config.seed, "synthetic")
        left = candidates.tokens[filling.remaining].sum()
        if config.select == "random" or filling.missing >= NEARLY_ALL * left:
            filling.choose(noise[filling.remaining], 1)
        else:
            for number in range(1, config.rounds + 1):
                copies[self.synthetic] = filling.sample(noise)
                key = self._score(number, copies, candidates, filling.remaining)
                filling.choose(key, number / config.rounds)
        filling.top_up()
        copies[self.synthetic] = filling.copies
        return copies

    def _score(
        self,
        number: int,
        expected: NDArray[np.int64],
        candidates: Candidates,
        remaining: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """One round's keys of the remaining candidates, against the mix that is expected."""
        folder = f"round-{number}"
        weights = self.done.subfolder(f"{folder}/weights")
        scores = self.done.subfolder(f"{folder}/scores")
        current = self.done.path(folder, NGRAMS)
        chosen_from = np.zeros(len(self.sketches), bool)
        chosen_from[self.synthetic[remaining]] = True
        # What the round before has counted is not counted again.
        before, copies = self.counted
        self.counted = current, expected.astype(np.int32)
        columns = {"copies": self.counted[1] - copies, "remaining": chosen_from}
        save_aligned(weights, self.sketches, columns)
        self.context.over_units(
            self.sketched.units("human", "synthetic"),
            lambda p: p | CountNgrams(self.sketches.folder, weights, current, before),
        )
        reference = files.join(self.reference_folder, NGRAMS)
        scored = self.sketched.units("synthetic")
        self.context.over_units(
            scored,
            lambda p: (
                p | ScoreCandidates(self.sketches.folder, reference, current, weights, scores)
            ),
        )
        figures = self._figures_of(scores, self.synthetic[remaining])
        hi, lo = candidates.hi[remaining], candidates.lo[remaining]
        return keys(figures, hi, lo, self.context.config.seed)

    def _figures_of(self, folder: str, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[F, n] of some documents, in ascending order."""
        out = np.empty((len(FIGURES), len(documents)), np.int64)
        for unit, rows, places in self.sketches.rows_of(documents):
            for figure, column in zip(out, load_unit(folder, unit, FIGURES), strict=True):
                figure[places] = column[rows]
        return out
