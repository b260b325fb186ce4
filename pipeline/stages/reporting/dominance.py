"""Documents that hold most of a source or of a corpus."""

from __future__ import annotations

import numpy as np

from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.texts import printable


def dominant(counted: Counted) -> list[str]:
    """Name each document that holds more than half of the tokens of its source or of the corpus.

    Args:
        counted: result of `count`.
    """
    sums, deduplicated = counted.totals.sources, counted.corpus.deduplicated
    if sums.worded.sum() < 2:
        return []
    findings = []
    for number, source in enumerate(counted.corpus.config.sources):
        total, name = int(sums.tokens[number]), source.name
        if sums.worded[number] == 1:  # it is all of its source, so the corpus counts
            total, name = int(sums.tokens.sum()), "the corpus"
        if 2 * (most := int(sums.heaviest[number])) > total:
            (longest,) = deduplicated.ids(np.array([sums.document[number]]))
            findings.append(
                f"one document, {printable(longest)}, holds {most / total:.0%} of the "
                f"{total:,} tokens of {name}"
            )
    return findings
