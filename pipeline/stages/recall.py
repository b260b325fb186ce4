"""Check of the bands' recall on planted copies, for the certificate of deduplication."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.schemas.sources import WRITABLE
from outcross.transforms.dedup.check_recall import CheckRecall, read_recall
from outcross.transforms.dedup.planted import Bands
from outcross.transforms.exchange.sums import SumUnits


def check_recall(deduplicated: Deduplicated) -> NDArray[np.int64] | None:
    """Plant copies of some kept documents, and count those that share a band with their original.

    Returns:
        int64[len(SIMILARITIES), 3] as `count_together` returns it; None without `check_recall`.
    """
    config, context = deduplicated.config, deduplicated.context
    if not config.check_recall:
        return None
    done = artifact(config.out, "recall", deduplicate=deduplicated.artifact.key)
    if not done.finished:
        sources = [n for n, s in enumerate(config.sources) if s.role in WRITABLE]
        sums, sketches = deduplicated.sums, deduplicated.sketched.sketches
        work = CheckRecall(
            config.sources,
            sketches.folder,
            deduplicated.folder,
            sums.total("documents", sources) - sums.removed(sources),
            Bands(config.ngram, config.num_perm, deduplicated.bands, deduplicated.rows),
            config.seed,
        )
        folder = done.subfolder("sums")
        with context.progress.stage("recall", documents=len(sketches)):
            context.over_units(
                sketches.units, lambda lanes: lanes | SumUnits(work, folder), reading=True
            )
        done.finish()
    return read_recall(done.path("sums"))
