"""Warnings of human text that the reference hardly covers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outcross.pipeline.stages.cluster import reference_roles
from outcross.pipeline.stages.rank import Ranking
from outcross.transforms.reference.gaps import Gaps, find_gaps

_SHOWN = 3  # clusters that a warning names


def warnings_of_gaps(ranking: Ranking) -> list[str]:
    """Return a warning for each origin of human text that the reference hardly covers in parts.

    A reference of the run's own human sources covers them, so there is none.

    Args:
        ranking: result of `rank`.
    """
    clustered, lineage = ranking.clustered, ranking.context.lineage
    if ranking.config.reference is None and "human" in reference_roles(ranking.sketched):
        return []
    reference = clustered.reference
    names = {row["cluster"]: row["words"] for row in reference.names.to_pylist()}
    origins = ("the human text to buy" if lineage else "the human text", "the ledger's text")
    warnings = []
    for origin, human in zip(origins, ranking.sums.human, strict=True):
        gaps = find_gaps(human, reference.counts, reference.held_out)
        if gaps.incomplete:
            warnings.append(_warning(origin, gaps, names))
    return warnings


def _warning(origin: str, gaps: Gaps, names: Mapping[int, Any]) -> str:
    """Say how much of a text lies in gaps, near which clusters, and what to do.

    Args:
        origin: name of the human text.
        gaps: gaps of the reference in this text.
        names: distinctive words of the clusters.
    """
    off, swollen, total = int(gaps.off_support.sum()), int(gaps.swollen.sum()), gaps.total
    reasons = [
        f"{tokens / total:.1%} {reason}"
        for tokens, reason in (
            (off, "is unlike all of it (off-support)"),
            (swollen, "lies in clusters with less than a quarter of that share in the reference"),
        )
        if tokens
    ]
    topics = [
        f"cluster {cluster}" + (f" ({', '.join(names[cluster])})" if names.get(cluster) else "")
        for cluster in gaps.clusters[:_SHOWN]
    ]
    return (
        f"reference: it hardly covers {gaps.tokens / total:.1%} of {origin}, {gaps.tokens:,} of "
        f"{total:,} tokens: {' and '.join(reasons)}. Most of it is nearest to "
        f"{', '.join(topics)}. Selection towards this reference makes such text rare; build one "
        "that has it: `outcross reference build --human FILES --out FOLDER`, and set reference to "
        "that folder"
    )
