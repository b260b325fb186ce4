"""Certificate of deduplication in the report: what was kept of what could be kept."""

from __future__ import annotations

from typing import Any

from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.recall import check_recall
from outcross.schemas.deduplication import BandRecall, Certificate
from outcross.transforms.dedup.certificate import Component, band_recall, share_kept
from outcross.transforms.dedup.planted import COPIES, EXPECTED, SIMILARITIES, TOGETHER, UNIT


def certificate(deduplicated: Deduplicated) -> Certificate | None:
    """Estimate how many documents could have been kept, from the checked components.

    Documents of components that are too large to check are left out of the estimate.

    Args:
        deduplicated: result of `deduplicate`.

    Returns:
        None where several near-identical answers to a prompt are kept on purpose.
    """
    config, sums = deduplicated.config, deduplicated.sums
    if config.max_same_answers not in (None, 1):
        return None
    components = sums.components
    sample = [Component(*row) for row in components["sample"]]
    sources = [n for n, source in enumerate(config.sources) if source.role != "exclude"]
    kept = sums.total("documents", sources) - sums.removed(sources)
    others = kept - components["kept"] - components["unchecked_kept"]
    share = share_kept(sample, components["small"], others, components["kept"])
    known = components["small"] > 0 or components["components"] == 0
    return Certificate(
        components=components["components"],
        checked=len(sample),
        checked_documents=sum(part.documents for part in sample),
        unchecked_documents=components["unchecked"],
        kept=share.kept if known else None,
        error=share.error if known else None,
        missed=share.missed if known else None,
        recall=_recall(deduplicated),
    )


def _recall(deduplicated: Deduplicated) -> list[BandRecall]:
    """Compute the bands' recall, and add that of planted copies where they were asked for."""
    planted = check_recall(deduplicated)
    lines = []
    for number, similarity in enumerate(SIMILARITIES):
        seen: dict[str, Any] = {}
        if planted is not None:
            copies = int(planted[number, COPIES])
            seen["planted"] = copies
            if copies:
                seen["together"] = int(planted[number, TOGETHER]) / copies
                seen["expected"] = int(planted[number, EXPECTED]) / copies / UNIT
        chance = band_recall(similarity, deduplicated.bands, deduplicated.rows)
        lines.append(BandRecall(similarity=similarity, chance=chance, **seen))
    return lines
