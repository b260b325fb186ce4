"""Selection: the copies of each document that fill the quotas of a plan, from plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.planning.draw import draw_salt
from outcross.schemas.config import Config
from outcross.schemas.plan import Plan
from outcross.transforms.selection.select import NEARLY_ALL, Candidates, Filling, fill_by_hash

Score = Callable[[int, NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Function of a round's number, the expected copies and the remaining candidates: their keys."""


@dataclass(frozen=True)
class Selection:
    """Documents that may be written, and the plan whose quotas they fill.

    Attributes:
        config: configuration of the run.
        plan: plan of the run.
        tokens: int64[n], tokens of each document.
        fingerprints: uint64[n] twice, upper and lower halves of the fingerprints.
        domain: int16[n], place of each document's domain in the plan.
        cluster: int32[n], cluster of each document.
        clusters: number of clusters.
        synthetic: bool[n], synthetic documents that may be written, without off-support ones.
        off_support: bool[n], off-support documents that may be written.
        human: bool[n], human documents that may be written, without those of the ledger.
        ledger: bool[n], human documents of the ledger that may be written.
        generation: number of the run in its lineage; 0 without one.
    """

    config: Config
    plan: Plan
    tokens: NDArray[np.int64]
    fingerprints: tuple[NDArray[np.uint64], NDArray[np.uint64]]
    domain: NDArray[np.int16]
    cluster: NDArray[np.int32]
    clusters: int
    synthetic: NDArray[np.bool_]
    off_support: NDArray[np.bool_]
    human: NDArray[np.bool_]
    ledger: NDArray[np.bool_]
    generation: int = 0

    @classmethod
    def of(cls, planned: Planned) -> Selection:
        """Return the selection of a run."""
        sketched, clustered, ranking = planned.sketched, planned.clustered, planned.ranking
        lineage = planned.context.lineage
        return cls(
            config=planned.config,
            plan=planned.plan,
            tokens=sketched.tokens,
            fingerprints=sketched.fingerprints,
            domain=sketched.domains([domain.name for domain in planned.plan.domains]),
            cluster=clustered.cluster,
            clusters=clustered.reference.codebook.size,
            synthetic=ranking.candidate & ~clustered.off_support,
            off_support=ranking.candidate & clustered.off_support,
            human=ranking.human & ~ranking.ledger,
            ledger=ranking.human & ranking.ledger,
            generation=0 if lineage is None else lineage.number,
        )

    def copies(self, score: Score) -> NDArray[np.int64]:
        """Fill the human quotas by hash, the synthetic quotas by rounds of scored candidates.

        Args:
            score: function that gives a round's keys.

        Returns:
            int64[n], copies of each document.
        """
        config, quotas = self.config, self.plan.quotas
        caps = [domain.max_copies for domain in self.plan.domains]
        ledger_quota = np.array([quota.human_ledger for quota in quotas])
        human_quota = np.array([quota.human for quota in quotas]) - ledger_quota
        off_support_quota = np.array([quota.synthetic_off_support for quota in quotas])
        quota = np.array([quota.synthetic for quota in quotas])
        copies = np.zeros(len(self.tokens), np.int64)
        for origin, rows, part in (
            ("fresh", self.human, human_quota),
            ("ledger", self.ledger, ledger_quota),
        ):
            # The hash by which a lineage's human part was drawn, so that it is drawn again.
            salt = draw_salt(origin, self.generation) if self.generation else "human"
            humans = self._candidates(rows, [cap.human for cap in caps])
            copies[rows] = fill_by_hash(humans, part, config.seed, salt)
        # Off-support text by itself and by hash: a score would prefer the strangest text, and it
        # must not fill the gaps of other cells.
        cap = 0 if config.off_support == "drop" else 1
        strange = self._candidates(self.off_support, [cap] * len(caps))
        drawn = fill_by_hash(strange, off_support_quota, config.seed, "off-support")
        copies[self.off_support] = drawn
        total = quota.sum()
        if total > 0:  # make up for the rounding to whole documents so far
            wanted = off_support_quota.sum() + sum((human_quota.sum(), ledger_quota.sum()))
            over = (copies * self.tokens).sum() - wanted
            quota = quota * max(1 - over / total, 0.0)
        documents = np.flatnonzero(self.synthetic)
        candidates = self._candidates(self.synthetic, [cap.synthetic for cap in caps])
        filling = Filling(candidates, quota)
        noise = candidates.hashes(config.seed, "synthetic")
        available = candidates.tokens[filling.remaining].sum()
        if config.select == "random" or filling.missing >= NEARLY_ALL * available:
            filling.choose(noise[filling.remaining], 1)
        else:
            for number in range(1, config.rounds + 1):
                copies[documents] = filling.sample(noise)
                key = score(number, copies, documents[filling.remaining])
                filling.choose(key, number / config.rounds)
        filling.top_up()
        copies[documents] = filling.copies
        return copies

    def _candidates(self, rows: NDArray[np.bool_], caps: Sequence[int]) -> Candidates:
        """Return documents as candidates of their cells.

        Args:
            rows: bool[n], documents.
            caps: most copies of a document, by domain.
        """
        cell = self.domain.astype(np.int64) * self.clusters + self.cluster
        hi, lo = self.fingerprints
        return Candidates(
            cell[rows], self.tokens[rows], np.array(caps)[self.domain[rows]], hi[rows], lo[rows]
        )
