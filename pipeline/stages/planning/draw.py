"""Human part of a run with a lineage: fresh text, and text of the ledger, once each.

It is drawn before the budget is solved, so that the synthetic text can be chosen to complement it.
A seeded hash, different in every generation, chooses fresh text. Of the ledger, the text that was
written longest ago comes first, then the hash decides. So each generation gets another part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import Artifact
from outcross.pipeline.stages.rank import Ranking
from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.budget.waterfill import waterfill
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.selection.quantile import DRAWN, DrawByHash, HashedRows, SumBuckets
from outcross.transforms.selection.rotation import Rotation
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.selection.uses import FRESH, LEDGER
from outcross.transforms.sketches.aligned import load_unit

Floats = NDArray[np.float64]


class HumanText(Protocol):
    """Human documents of one origin that may be written, each once."""

    @property
    def by_domain(self) -> Floats:
        """Array float64[D]: tokens of each domain."""
        ...

    @property
    def longest(self) -> int:
        """Tokens of the longest document."""
        ...

    def fill(self, quota: Floats) -> Floats:
        """Draw documents that fill a quota for each domain, by hash alone.

        Args:
            quota: float64[D], tokens for each domain, no more than it has.

        Returns:
            float64[D, C], drawn tokens by domain and cluster.
        """
        ...


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


@dataclass(frozen=True)
class HumanRows:
    """Documents of one use, each domain a group.

    Attributes:
        columns: columns of the units.
        uses: folder of the row-aligned columns `use` and `domain`.
        use: the use.
        clusters: number of clusters.
        seed: seed of the run.
        salt: salt of the hash that draws.
        rotation: order in which documents are drawn, for those of the ledger; None for the order of
            the hash alone.
    """

    columns: UnitColumns
    uses: str
    use: int
    clusters: int
    seed: int
    salt: str
    rotation: Rotation | None = None

    def rows(self, unit: Unit) -> HashedRows:
        """Return the rows of a unit."""
        use, domain = load_unit(self.uses, unit.index, ["use", "domain"])
        chosen, group = np.flatnonzero(use == self.use), domain.astype(np.int64)
        table = self.columns.sketch(unit, ["fingerprint_hi", "fingerprint_lo", "tokens"])
        hi, lo, tokens = (column.to_numpy() for column in table.columns)
        rows = HashedRows(
            group,
            seeded_hash(hi, lo, self.seed, self.salt),
            tokens.astype(np.int64),
            group * self.clusters + self.columns.clusters_of(unit),
        )
        rows = rows.take(chosen)
        if self.rotation is not None:
            rows = rows._replace(hash=self.rotation.keys(unit.index, chosen, rows.hash))
        return rows


@dataclass(frozen=True)
class HumanUnits:
    """Human text in units; draws run over these in two passes of one pipeline.

    Attributes:
        ranking: result of `rank`.
        documents: documents that may be drawn.
        domains: places of the D domains that occur.
        folder: folder of the sums.
    """

    ranking: Ranking
    documents: HumanRows
    domains: Sequence[int]
    folder: str

    @property
    def by_domain(self) -> Floats:
        """Array float64[D]: tokens of each domain."""
        cells = self.ranking.sums.cells_of(self.documents.use)
        return np.asarray(cells.sum(axis=1)[list(self.domains)])

    @property
    def longest(self) -> int:
        """Tokens of the longest document."""
        return int(self.ranking.sums.longest[self.documents.use])

    def fill(self, quota: Floats) -> Floats:
        """Draw documents that fill a quota for each domain; see `HumanText.fill`."""
        shape = len(self.documents.columns.domains), self.documents.clusters
        units = self.ranking.sketched.units("human")
        if not units or not (quota > 0).any():
            return np.zeros((len(self.domains), shape[1]))
        files.make_folder(self.folder)
        wanted = np.zeros(shape[0])
        wanted[list(self.domains)] = quota
        buckets = SumBuckets(self.documents, shape[0])
        draw = DrawByHash(
            self.documents, self.folder, wanted.tolist(), shape[0] * shape[1], slack=self.longest
        )

        def wire(lanes: Any) -> None:
            summed = lanes | "Buckets" >> SumUnits(buckets, self.folder)
            lanes | "Draw" >> SumUnits(draw, self.folder, summed)

        self.ranking.context.over_units(units, wire)
        drawn = files.read_as(files.join(self.folder, DRAWN), files.unpack_arrays)["drawn"]
        return drawn.astype(np.float64).reshape(shape)[list(self.domains)]


def human_part(ranking: Ranking, draws: Artifact, domains: Sequence[int]) -> HumanPart | None:
    """Return the human text of a run with a lineage; None without one.

    Args:
        ranking: result of `rank`.
        draws: artifact that gets the sums of the draws.
        domains: places of the domains that occur.
    """
    lineage, clusters = ranking.context.lineage, ranking.clustered.reference.codebook.size
    if lineage is None:
        return None
    generation, seed = lineage.number, ranking.config.seed

    def text(use: int, origin: str) -> HumanUnits:
        salt = draw_salt(origin, generation)
        rotation = ranking.rotation if use == LEDGER else None
        rows = HumanRows(ranking.columns, ranking.folder, use, clusters, seed, salt, rotation)
        return HumanUnits(ranking, rows, domains, draws.path(f"{origin}-draw"))

    return HumanPart(text(FRESH, "fresh"), text(LEDGER, "ledger"), generation)


def draw_salt(origin: str, generation: int) -> str:
    """Return the salt of the hash by which a generation draws its human text.

    Args:
        origin: "fresh" or "ledger".
        generation: number of the run in its lineage.
    """
    return f"{origin} {generation}"
