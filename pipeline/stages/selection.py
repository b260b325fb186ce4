"""Selection: one graph that fills the quotas of a plan, on all workers."""

from __future__ import annotations

import numpy as np

from outcross.pipeline.engine.artifacts import Artifact
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.planning.draw import draw_salt
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.plan import Plan
from outcross.transforms.base import files
from outcross.transforms.reference.reference import NGRAMS
from outcross.transforms.selection.candidates import Layout
from outcross.transforms.selection.fill_quotas import FillQuotas
from outcross.transforms.selection.histogram import bits_needed
from outcross.transforms.selection.wants import Quotas

NEARLY_ALL = 0.95
"""Share of the candidates' tokens from which scoring makes no difference."""
LIMIT = 1 << 22
"""Candidates that one worker may decide on."""


def fill_quotas(
    planned: Planned, done: Artifact, spill: str | None, limit: int = LIMIT
) -> FillQuotas:
    """Return the transform that fills the quotas of a plan.

    Human quotas are filled by hash, synthetic ones by rounds of scored candidates.

    Args:
        planned: result of `plan`.
        done: artifact of the stage, which gets the folder `selection`.
        spill: folder that all workers share, for tables on their way; None to shuffle them.
        limit: candidates that one worker may decide on.
    """
    context, config, clustered = planned.context, planned.config, planned.clustered
    sketches = planned.sketched.sketches
    clusters = clustered.reference.codebook.size
    quotas = plan_quotas(config, planned.plan, clusters)
    lineage = context.lineage
    # The hash by which a lineage's human part was drawn, so that it is drawn again.
    fresh, ledger = (
        "human" if lineage is None else draw_salt(origin, lineage.number)
        for origin in ("fresh", "ledger")
    )
    layout = Layout(
        sketches=sketches.folder,
        uses=planned.ranking.folder,
        assignments=clustered.folder,
        selection=done.subfolder("selection"),
        scratch=spill or done.subfolder("steps"),
        reference=files.join(clustered.reference_folder, NGRAMS),
        offsets=sketches.offsets.tolist(),
        clusters=clusters,
        cells=quotas.quota.shape[1],
        seed=config.seed,
        salts=(fresh, ledger, "off-support", "synthetic"),
        rotation=planned.ranking.rotation,
        bits=bits_needed(len(sketches), limit),
    )
    files.write_bytes(layout.quotas_file, quotas.to_bytes())
    by_hash = config.select == "random" or quotas.takes_nearly_all(NEARLY_ALL)
    sources = enumerate(config.sources)
    synthetic = frozenset(number for number, source in sources if source.role == "synthetic")
    rounds = 0 if by_hash else config.rounds
    return FillQuotas(layout, synthetic, rounds, quotas.synthetic, spill)


def plan_quotas(config: Config, plan: Plan, clusters: int) -> Quotas:
    """Return the quotas, supplies and caps of a plan, by use and cell.

    Args:
        config: configuration of the run.
        plan: plan of the run.
        clusters: number of clusters.
    """
    place = {name: number for number, name in enumerate(sorted({*config.domains, OTHERS}))}
    shape = 4, len(place) * clusters
    quota, supply, cap = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for domain in plan.domains:
        cells = slice(place[domain.name] * clusters, (place[domain.name] + 1) * clusters)
        cap[:2, cells] = domain.max_copies.human
        # A score would prefer the strangest text, so off-support text is drawn by hash, once.
        cap[2, cells] = config.off_support != "drop"
        cap[3, cells] = domain.max_copies.synthetic
    for part in plan.quotas:
        cell = place[part.domain] * clusters + part.cluster
        quota[:, cell] = (
            part.human - part.human_ledger,
            part.human_ledger,
            part.synthetic_off_support,
            part.synthetic,
        )
        supply[:, cell] = (
            int(part.human_available),
            int(part.human_available),
            int(part.off_support_available),
            int(part.synthetic_available),
        )
    return Quotas(np.maximum(quota, 0.0), supply, cap)
