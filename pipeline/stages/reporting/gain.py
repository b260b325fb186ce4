"""Gain of a run: the gap to human text before and after the selection."""

from __future__ import annotations

from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.selected import Selected
from outcross.schemas.gap import Gain
from outcross.transforms.measuring.written_ngrams import written_counts
from outcross.transforms.selection.gap import measure_gap


def measure_gain(selected: Selected, counted: Counted) -> Gain | None:
    """Return the gain of a run; None without a human reference, or if its plan has no gap.

    Args:
        selected: documents that were written.
        counted: result of `count` for them.
    """
    planned = selected.planned.plan.gap
    if planned is None:
        return None
    after = measure_gap(selected.clustered.reference.ngrams, written_counts(counted.ngrams))
    return Gain(before=planned.blind, after=after, human=planned.human)
