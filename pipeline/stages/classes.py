"""Each document's class, and what to say where many look like no human text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.sketch import Sketched
from outcross.transforms.reference.reference import Thresholds
from outcross.transforms.sketches.identity import ids_of, repeated_ids
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.text.surface import ONE, SURFACE

_MANY = 0.01  # of the synthetic documents
_BYTES = SURFACE.index("length")


def classify_documents(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    thresholds: Thresholds,
    dot: NDArray[np.int32],
    density: NDArray[np.int64],
) -> NDArray[np.int8]:
    """HEAD, TAIL or OFF_SUPPORT of each document.

    Warns where more than 1 % of the synthetic documents that are kept are off-support by their
    surface alone.

    Args:
        context, sketched, deduplicated: of the run.
        thresholds: of the yardstick.
        dot: int32[n], dot products with the nearest centroids.
        density: int64[n].
    """
    sketches = sketched.sketches
    kind = np.empty(len(sketches), np.int8)
    out = np.zeros((len(sketches), len(SURFACE)), bool)
    for unit in sketches.units:
        own = slice(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        column = sketches.table(unit.index, ["surface"]).column(0)
        surface = fixed_matrix(column, np.uint32)
        kind[own] = thresholds.classify(dot[own], density[own], surface)
        out[own] = thresholds.bands.outside(surface)
    synthetic = deduplicated.verdicts.kept & sketched.of_role("synthetic")
    out[~synthetic | (dot < thresholds.dot)] = False
    alone, among = int(out.any(axis=1).sum()), int(synthetic.sum())
    if alone > _MANY * among:
        context.warn(
            f"{alone:,} of {among:,} synthetic documents ({alone / among:.1%}) look like no human "
            "text, whatever they say, and count as off-support (off_support: drop leaves all of "
            "that out): " + "; ".join(_reasons(context, sketched, thresholds, out))
        )
    return kind


def _reasons(
    context: Context, sketched: Sketched, thresholds: Thresholds, out: NDArray[np.bool_]
) -> list[str]:
    """By measure, how many documents are out of its band, and one of them."""
    sketches, sources = sketched.sketches, context.config.sources
    hi, lo = sketched.fingerprints
    repeated = repeated_ids(sketches, sources)
    reasons = []
    for m in np.flatnonzero(out.any(axis=0)):
        documents = np.flatnonzero(out[:, m])
        first = documents[np.lexsort((lo[documents], hi[documents]))[:1]]
        (example,) = ids_of(sketches, sources, first, repeated).to_pylist()
        ends = thresholds.bands.low[m], thresholds.bands.high[m]
        if m == _BYTES:
            band = " to ".join(f"{end:,}" for end in ends) + " bytes"
        else:
            band = " to ".join(f"{end / ONE:.1%}" for end in ends)
        reasons.append(f"{len(documents):,} by their {SURFACE[m]}, not {band} (such as {example})")
    return reasons
