"""Human part of a run with a lineage: fresh text and an even sample of the ledger, once each.

It is drawn before the budget is solved, so that the synthetic text can be chosen to complement it.
A seeded hash chooses the documents. It differs in every generation, so that each generation gets
another part of the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.rank import Ranking
from outcross.transforms.budget.waterfill import waterfill
from outcross.transforms.selection.select import Candidates, fill_by_hash

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HumanText:
    """Human documents of one origin that may be written, each once.

    Attributes:
        documents: int64[n], ascending numbers of the documents.
        domain: int64[n], their domains.
        cluster: int64[n], their clusters.
        candidates: the documents as candidates of their domains.
        shape: numbers of domains and of clusters.
        seed: seed of the hash that chooses.
        salt: salt of the hash that chooses.
    """

    documents: NDArray[np.int64]
    domain: NDArray[np.int64]
    cluster: NDArray[np.int64]
    candidates: Candidates
    shape: tuple[int, int]
    seed: int
    salt: str

    @property
    def by_domain(self) -> Floats:
        """Array float64[D]: tokens of each domain."""
        tokens = np.bincount(self.domain, self.candidates.tokens, self.shape[0])
        return tokens.astype(np.float64)

    def fill(self, quota: Floats) -> Floats:
        """Draw documents that fill a quota for each domain.

        Args:
            quota: float64[D], tokens for each domain.

        Returns:
            float64[D, C], drawn tokens by domain and cluster.
        """
        # By hash alone, so that the quotas of the clusters draw the same documents again.
        copies = fill_by_hash(self.candidates, quota, self.seed, self.salt, topped_up=False)
        domains, clusters = self.shape
        cell = self.domain * clusters + self.cluster
        taken = np.bincount(cell, copies * self.candidates.tokens, domains * clusters)
        return taken.astype(np.float64).reshape(self.shape)


@dataclass(frozen=True)
class HumanPart:
    """Human text that a run's human part is drawn from.

    Attributes:
        fresh: text of the run's own human sources, which is bought when it is written.
        ledger: text that earlier generations bought.
        generation: number of the run in its lineage.
    """

    fresh: HumanText
    ledger: HumanText
    generation: int

    def draw(self, human: Floats, fresh: float) -> tuple[Floats, Floats]:
        """Draw the human part.

        Args:
            human: float64[D], human tokens for each domain.
            fresh: most fresh tokens, of all domains together.

        Returns:
            Fresh tokens and the ledger's, float64[D, C] each.
        """
        ledger = self.ledger.by_domain
        high = np.minimum(human, self.fresh.by_domain)
        total = min(fresh, float(high.sum()))
        low = np.minimum(np.maximum(human - ledger, 0.0), high)
        if float(low.sum()) > total:  # all of it goes where the ledger lacks text
            low, high = np.zeros_like(low), low
        bought = self.fresh.fill(waterfill(human, low, high, total)[0])
        # The ledger makes up for the rounding of fresh text to whole documents. What it lacks of
        # one domain comes from its other domains.
        room = np.where(human > 0, ledger, 0.0)
        owed = min(max(float(human.sum()) - float(bought.sum()), 0.0), float(room.sum()))
        rest = np.minimum(np.maximum(human - bought.sum(axis=1), 0.0), room)
        if float(rest.sum()) > owed:
            rest *= owed / rest.sum()
        else:
            rest, _ = waterfill(human, rest, room, owed)
        return bought, self.ledger.fill(rest)


def human_part(ranking: Ranking, names: Sequence[str]) -> HumanPart | None:
    """Return the human text of a run with a lineage; None without one.

    Args:
        ranking: result of `rank`.
        names: names of the domains.
    """
    lineage, sketched, clustered = ranking.context.lineage, ranking.sketched, ranking.clustered
    if lineage is None:
        return None
    generation = lineage.number
    number = sketched.domains(names).astype(np.int64)
    hi, lo = sketched.fingerprints

    def text(rows: NDArray[np.bool_], origin: str) -> HumanText:
        documents = np.flatnonzero(rows & (number >= 0))
        tokens = sketched.tokens[documents]
        domain = number[documents]
        return HumanText(
            documents,
            domain,
            clustered.cluster[documents].astype(np.int64),
            Candidates(domain, tokens, np.ones_like(tokens), hi[documents], lo[documents]),
            (len(names), clustered.reference.codebook.size),
            sketched.config.seed,
            draw_salt(origin, generation),
        )

    human, ledger = ranking.human, ranking.ledger
    return HumanPart(text(human & ~ledger, "fresh"), text(human & ledger, "ledger"), generation)


def draw_salt(origin: str, generation: int) -> str:
    """Return the salt of the hash by which a generation draws its human text.

    Args:
        origin: "fresh" or "ledger".
        generation: number of the run in its lineage.
    """
    return f"{origin} {generation}"
