"""Warning where many synthetic documents look like no human text."""

from __future__ import annotations

import numpy as np

from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.transforms.reference.class_counts import ClassCounts
from outcross.transforms.text.surface import ONE, SURFACE, Bands

_MANY = 0.01  # of the synthetic documents
_BYTES = SURFACE.index("length")


def warn_of_strange_surfaces(deduplicated: Deduplicated, counts: ClassCounts, bands: Bands) -> None:
    """Warn where more than 1 % of the kept synthetic documents are off-support by their surface.

    Args:
        deduplicated: result of `deduplicate`.
        counts: counts of the documents by class.
        bands: bands of the reference.
    """
    among, alone = counts.synthetic.tolist()
    if alone > _MANY * among:
        deduplicated.context.warn(
            f"{alone:,} of {among:,} synthetic documents ({alone / among:.1%}) look like no human "
            "text, whatever they say, and count as off-support (off_support: drop leaves all of "
            "that out): " + "; ".join(_reasons(deduplicated, counts, bands))
        )


def _reasons(deduplicated: Deduplicated, counts: ClassCounts, bands: Bands) -> list[str]:
    """Count the documents outside the band of each measure, and name an example."""
    reasons = []
    for m in np.flatnonzero(counts.outside).tolist():
        _, _, unit, row = counts.example[m].tolist()
        document = deduplicated.sketches.offsets[unit] + row
        (example,) = deduplicated.ids(np.array([document], np.int64))
        ends = bands.low[m], bands.high[m]
        if m == _BYTES:
            band = " to ".join(f"{end:,}" for end in ends) + " bytes"
        else:
            band = " to ".join(f"{end / ONE:.1%}" for end in ends)
        documents = int(counts.outside[m])
        reasons.append(f"{documents:,} by their {SURFACE[m]}, not {band} (such as {example})")
    return reasons
