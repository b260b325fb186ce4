"""Selection: one graph that fills the quotas of a plan, on all workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from outcross.pipeline.engine.artifacts import Artifact
from outcross.pipeline.engine.engines import lanes, load_beam
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.planning.draw import draw_salt
from outcross.schemas.budget import OTHERS
from outcross.schemas.config import Config
from outcross.schemas.documents import Unit
from outcross.schemas.plan import Plan
from outcross.transforms.base import files
from outcross.transforms.exchange.exchange import Collect, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.reference.reference import NGRAMS
from outcross.transforms.selection.candidates import Layout
from outcross.transforms.selection.histogram import bits_needed
from outcross.transforms.selection.rounds import (
    Chosen,
    CountMix,
    CutCells,
    FindWindows,
    HashKeys,
    KeySource,
    RandomKeys,
    ScoreKeys,
    ScoreRemaining,
    SendCandidates,
    WriteCopies,
)
from outcross.transforms.selection.wants import Quotas

beam = load_beam()

NEARLY_ALL = 0.95
"""Share of the candidates' tokens from which scoring makes no difference."""
LIMIT = 1 << 22
"""Candidates that one worker may decide on."""


def fill_quotas(planned: Planned, done: Artifact, limit: int = LIMIT) -> Chosen:
    """Fill the human quotas by hash, the synthetic quotas by rounds of scored candidates.

    Args:
        planned: result of `plan`.
        done: artifact of the stage, which gets the folder `selection`.
        limit: candidates that one worker may decide on.

    Returns:
        Sums over the chosen documents.
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
    with context.spill() as spill:
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
            bits=bits_needed(len(sketches), limit),
        )
        files.write_bytes(layout.quotas_file, quotas.to_bytes())
        by_hash = config.select == "random" or quotas.takes_nearly_all(NEARLY_ALL)
        steps = Steps(layout, spill, quotas, 0 if by_hash else config.rounds)
        synthetic = lanes(
            [replace(unit, pieces=()) for unit in planned.sketched.units("synthetic")],
            lambda unit: float(sketches.reports[unit.index].tokens),
            context.options,
        )
        context.over_units(sketches.units, lambda every: steps.wire(every, synthetic))
        return Chosen.read(files.join(layout.folder("chosen", 0), "chosen"))


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


class Steps:
    """Steps of a selection, each of which waits for the step before it.

    Args:
        layout: files of the selection.
        spill: folder for tables on their way; None to shuffle them.
        quotas: quotas of the plan.
        rounds: rounds of synthetic candidates by score; 0 to choose them by hash.
    """

    def __init__(self, layout: Layout, spill: str | None, quotas: Quotas, rounds: int) -> None:
        self.layout, self.spill = layout, spill
        self.rounds = rounds if quotas.synthetic else 0
        self.steps = 1 + (self.rounds or int(quotas.synthetic))

    def wire(self, every: Any, synthetic: Sequence[list[Unit]]) -> None:
        """Apply all steps.

        Args:
            every: lanes of all units.
            synthetic: lanes of the units of synthetic sources.
        """
        layout = self.layout
        last = self._fill(every, HashKeys(layout), None)
        if self.steps > 1:
            candidates = every.pipeline | "Synthetic" >> beam.Create(synthetic)
        if not self.rounds and self.steps > 1:
            last = self._fill(candidates, RandomKeys(layout), last)
        for name in ("candidates", "offsets", "ids") if self.rounds else ():
            files.make_folder(layout.folder(name, 0))
        for number in range(1, self.rounds + 1):
            for name in ("state", "figures"):
                files.make_folder(layout.folder(name, number))
            mix = CountMix(layout, number)
            last = self._sum(candidates if number > 1 else every, mix, "ngrams", number, last)
            score = ScoreRemaining(layout, number)
            last = self._sum(candidates, score, "moments", number, last)
            last = self._fill(candidates, ScoreKeys(layout, number, self.rounds), last)
        self._sum(every, WriteCopies(layout, self.rounds, self.steps), "chosen", 0, last)

    def _sum(self, lanes: Any, work: Any, name: str, step: int, after: Any) -> Any:
        """Sum up the units of lanes; `after` is the step before."""
        folder = self.layout.folder(name, step)
        files.make_folder(folder)
        return lanes | f"{type(work).__name__}{step}" >> SumUnits(work, folder, after)

    def _fill(self, lanes: Any, keys: KeySource, after: Any) -> Any:
        """Cut the cells for the candidates of lanes; `after` is the step before."""
        step = keys.step
        if self.layout.bits:
            after = self._sum(lanes, FindWindows(keys), "windows", step, after)
        spill = self.spill
        if spill is not None:
            spill = files.join(spill, f"sent-{step}")
            files.make_folder(spill)
        return (
            lanes
            | f"Send{step}" >> Send(SendCandidates(keys), spill, after)
            | f"Cut{step}" >> Collect(CutCells(keys))
        )
