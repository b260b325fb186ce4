"""Stage `select`: choose the documents that fill the quotas, and their copies, and count them."""

from __future__ import annotations

from typing import Any

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.stages.count import Counted, Counting
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.offered import offered_lanes
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.selected import Kept, Selected
from outcross.pipeline.stages.selection import fill_quotas
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.selection.copies import WriteDocumentCopies, WriteKept
from outcross.transforms.selection.fill_quotas import FillQuotas


def select(planned: Planned) -> tuple[Selected, Counted]:
    """Choose the documents that fill the quotas of a plan, and count them.

    Args:
        planned: result of `plan`.
    """
    selecting = Selecting(planned)
    return selecting.selected, _choose(selecting)


def keep(deduplicated: Deduplicated) -> tuple[Kept, Counted]:
    """Choose all kept documents that may be written, once each, and count them.

    Args:
        deduplicated: result of `deduplicate`.
    """
    keeping = Keeping(deduplicated)
    return keeping.selected, _choose(keeping)


def _choose(choosing: Selecting | Keeping) -> Counted:
    """Choose and count documents, by one pipeline."""
    selected = choosing.selected
    context, sketches = selected.context, selected.sketched.sketches
    counting = Counting(selected)
    if counting.done.finished:
        context.progress.skipped(choosing.stage)
        return counting.result()
    stage = context.progress.stage(choosing.stage, documents=sketches.offered_rows)
    with stage, context.spill() as spill:
        work = None if selected.artifact.finished else choosing.transform(spill)

        def wire(lanes: Any) -> None:
            offered, chosen = offered_lanes(lanes, sketches, "Offered"), None
            if work is not None:
                chosen = offered | work
                if sketches.replaced:
                    copies = WriteDocumentCopies(sketches.folder, selected.folder)
                    offered | "DocumentCopies" >> PerUnit(copies, chosen)
            counting.wire(lanes, spill, chosen)

        context.over_units(sketches.units, wire)
        if work is not None:
            selected.artifact.finish()
        # Workers without a common disk leave the files in between in the work folder.
        for pattern in ("steps/*", "steps/*/*"):
            files.delete_files(files.list_files(selected.artifact.path(pattern)))
    counting.done.finish()
    return counting.result()


class Selecting:
    """Work of a stage that chooses documents, in a pipeline that counts them too.

    Args:
        planned: result of `plan`.
    """

    stage = "select"

    def __init__(self, planned: Planned) -> None:
        config = planned.config
        done = artifact(
            config.out,
            "select",
            plan=planned.artifact.key,
            select=config.select,
            rounds=config.rounds,
        )
        self.selected = Selected(planned, done)

    def transform(self, spill: str | None) -> FillQuotas:
        """Return the transform that fills the quotas of the plan."""
        return fill_quotas(self.selected.planned, self.selected.artifact, spill)


class Keeping:
    """Work of `dedup`: choose all kept documents that may be written, once each.

    Args:
        deduplicated: result of `deduplicate`.
    """

    stage = "keep"

    def __init__(self, deduplicated: Deduplicated) -> None:
        done = artifact(deduplicated.config.out, "keep", deduplicate=deduplicated.artifact.key)
        self.selected = Kept(deduplicated, done)

    def transform(self, _: str | None) -> PerUnit:
        """Return the transform that writes a copy for each kept document."""
        kept = self.selected
        writable = [n for n, s in enumerate(kept.config.sources) if s.role in WRITABLE]
        folder = kept.artifact.subfolder("selection")
        return PerUnit(WriteKept(kept.deduplicated.folder, folder, writable))
