"""The human part of a run with a lineage: fresh text and an even sample of the ledger, once each.

It is drawn before the budget is solved, so that what fills the clusters beside it can be chosen
well. Documents are taken by a seeded hash that is another one in every generation, lest the same
part of a ledger came again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.inputs.lineage import RunLineage
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.sketch import Sketched
from outcross.transforms.budget.waterfill import waterfill
from outcross.transforms.selection.select import Candidates, fill_by_hash

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HumanText:
    """Human documents of one origin that may be written, each once.

    Attributes:
        documents: int64[n], ascending.
        domain: int64[n], their domains.
        cluster: int64[n].
        candidates: how they are drawn.
        shape: how many domains and clusters there are.
        seed, salt: of the hash that decides.
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
        """float64[D], tokens held."""
        held = np.bincount(self.domain, self.candidates.tokens, self.shape[0])
        return held.astype(np.float64)

    def fill(self, quota: Floats) -> Floats:
        """What meets a quota for each domain, as tokens by domain and cluster.

        Args:
            quota: float64[D], tokens.
        """
        # By hash alone, so that the quotas of the clusters draw the same documents again.
        copies = fill_by_hash(self.candidates, quota, self.seed, self.salt, topped_up=False)
        domains, clusters = self.shape
        cell = self.domain * clusters + self.cluster
        taken = np.bincount(cell, copies * self.candidates.tokens, domains * clusters)
        return taken.astype(np.float64).reshape(self.shape)


@dataclass(frozen=True)
class HumanPart:
    """What a run's human part is drawn from.

    Attributes:
        fresh: text of the run's own human sources, that is bought when it is written.
        ledger: text that earlier generations bought.
        generation: number of the run in its lineage.
    """

    fresh: HumanText
    ledger: HumanText
    generation: int

    def draw(self, human: Floats, fresh: float) -> tuple[Floats, Floats]:
        """Draws the human part.

        Args:
            human: float64[D], tokens for each domain.
            fresh: tokens that are to be fresh, of all domains together; no more are bought.

        Returns:
            Fresh tokens and the ledger's, float64[D, C] each.
        """
        held = self.ledger.by_domain
        high = np.minimum(human, self.fresh.by_domain)
        total = min(fresh, float(high.sum()))
        low = np.minimum(np.maximum(human - held, 0.0), high)
        if float(low.sum()) > total:  # all of it goes where the ledger lacks text
            low, high = np.zeros_like(low), low
        bought = self.fresh.fill(waterfill(human, low, high, total)[0])
        # What whole documents have given too much or too little is the ledger's to make good, and
        # what it lacks of one domain, its other domains'.
        room = np.where(human > 0, held, 0.0)
        owed = min(max(float(human.sum()) - float(bought.sum()), 0.0), float(room.sum()))
        rest = np.minimum(np.maximum(human - bought.sum(axis=1), 0.0), room)
        if float(rest.sum()) > owed:
            rest *= owed / rest.sum()
        else:
            rest, _ = waterfill(human, rest, room, owed)
        return bought, self.ledger.fill(rest)


def human_part(
    sketched: Sketched,
    clustered: Clustered,
    lineage: RunLineage,
    human: NDArray[np.bool_],
    names: Sequence[str],
) -> HumanPart:
    """What the human part is drawn from.

    Args:
        sketched, clustered: of the run.
        lineage: that it stands in.
        human: bool[n], human documents that may be written.
        names: of the domains.
    """
    old = sketched.of_sources(*lineage.ledger)
    number = sketched.domains(names).astype(np.int64)
    hi, lo = sketched.fingerprints

    def of(rows: NDArray[np.bool_], origin: str) -> HumanText:
        documents = np.flatnonzero(rows & (number >= 0))
        tokens = sketched.tokens[documents]
        domain = number[documents]
        return HumanText(
            documents,
            domain,
            clustered.cluster[documents].astype(np.int64),
            Candidates(domain, tokens, np.ones_like(tokens), hi[documents], lo[documents]),
            (len(names), clustered.reference.codebook.size),
            sketched.context.config.seed,
            draw_salt(origin, lineage.number),
        )

    return HumanPart(of(human & ~old, "fresh"), of(human & old, "ledger"), lineage.number)


def draw_salt(origin: str, generation: int) -> str:
    """Names the hash by which a generation draws its human text.

    Args:
        origin: "fresh" or "ledger".
        generation: number of the run in its lineage.
    """
    return f"{origin} {generation}"
