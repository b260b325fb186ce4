"""Document classes, and the warning where many documents look like no human text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.transforms.reference.reference import Thresholds
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.text.surface import ONE, SURFACE

_MANY = 0.01  # of the synthetic documents
_BYTES = SURFACE.index("length")


def classify_documents(
    deduplicated: Deduplicated,
    thresholds: Thresholds,
    dot: NDArray[np.int32],
    density: NDArray[np.int64],
) -> NDArray[np.int8]:
    """Assign each document to a class.

    Warns where more than 1 % of the kept synthetic documents are off-support by their surface
    alone.

    Args:
        deduplicated: result of `deduplicate`.
        thresholds: thresholds of the reference.
        dot: int32[n], dot product of each document with its nearest centroid.
        density: int64[n], density of the reference around each document.

    Returns:
        int8[n]: HEAD, TAIL or OFF_SUPPORT.
    """
    sketched, sketches = deduplicated.sketched, deduplicated.sketches
    classes = np.empty(len(sketches), np.int8)
    outside = np.zeros((len(sketches), len(SURFACE)), bool)
    for unit in sketches.units:
        part = slice(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        column = sketches.table(unit.index, ["surface"]).column(0)
        surface = fixed_matrix(column, np.uint32)
        classes[part] = thresholds.classify(dot[part], density[part], surface)
        outside[part] = thresholds.bands.outside(surface)
    synthetic = deduplicated.kept & sketched.of_role("synthetic")
    outside[~synthetic | (dot < thresholds.dot)] = False
    alone, among = int(outside.any(axis=1).sum()), int(synthetic.sum())
    if alone > _MANY * among:
        deduplicated.context.warn(
            f"{alone:,} of {among:,} synthetic documents ({alone / among:.1%}) look like no human "
            "text, whatever they say, and count as off-support (off_support: drop leaves all of "
            "that out): " + "; ".join(_reasons(deduplicated, thresholds, outside))
        )
    return classes


def _reasons(
    deduplicated: Deduplicated, thresholds: Thresholds, outside: NDArray[np.bool_]
) -> list[str]:
    """Count the documents outside the band of each measure, and name an example.

    Args:
        deduplicated: result of `deduplicate`.
        thresholds: thresholds of the reference.
        outside: bool[n, measures], documents outside the band of each measure.
    """
    hi, lo = deduplicated.sketched.fingerprints
    reasons = []
    for m in np.flatnonzero(outside.any(axis=0)):
        documents = np.flatnonzero(outside[:, m])
        first = documents[np.lexsort((lo[documents], hi[documents]))[:1]]
        (example,) = deduplicated.ids(first)
        ends = thresholds.bands.low[m], thresholds.bands.high[m]
        if m == _BYTES:
            band = " to ".join(f"{end:,}" for end in ends) + " bytes"
        else:
            band = " to ".join(f"{end / ONE:.1%}" for end in ends)
        reasons.append(f"{len(documents):,} by their {SURFACE[m]}, not {band} (such as {example})")
    return reasons
