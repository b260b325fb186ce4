"""Gap to human text that a selection starts from: as many tokens as planned, drawn blindly."""

from __future__ import annotations

from outcross.pipeline.stages.rank import Ranking
from outcross.schemas.gap import PlannedGap
from outcross.schemas.plan import Reached
from outcross.transforms.selection.gap import measure_gap


def planned_gap(ranking: Ranking, reached: Reached) -> PlannedGap | None:
    """Return the gaps of a plan; None without a human reference.

    Args:
        ranking: result of `rank`.
        reached: totals of the plan.
    """
    if (slices := ranking.slices) is None:
        return None
    reference, ledger = ranking.clustered.reference.ngrams, reached.ledger_tokens
    blind = slices.mix(max(reached.human_tokens - ledger, 0.0), ledger, reached.synthetic_tokens)
    human = slices.human(reached.tokens)
    return PlannedGap(
        blind=measure_gap(reference, blind),
        human=None if human is None else measure_gap(reference, human),
    )
