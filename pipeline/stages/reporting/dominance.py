"""Documents that hold most of a source or of a corpus."""

from __future__ import annotations

import numpy as np

from outcross.pipeline.stages.count import Counted
from outcross.transforms.base.visible import visible_name

NOTICEABLE = 0.01
"""Least share of the corpus's tokens from which one document of a source matters."""


def dominant(counted: Counted) -> list[str]:
    """Name each document that holds more than half of the tokens of its source or of the corpus.

    A source with less than `NOTICEABLE` of the corpus's tokens doesn't count.

    Args:
        counted: result of `count`.
    """
    sums, deduplicated = counted.totals.sources, counted.corpus.deduplicated
    if sums.worded.sum() < 2:
        return []
    findings = []
    for number, source in enumerate(counted.corpus.config.sources):
        total, name, corpus = int(sums.tokens[number]), source.name, int(sums.tokens.sum())
        if total < NOTICEABLE * corpus:
            continue
        if sums.worded[number] == 1:  # it is all of its source, so the corpus counts
            total, name = corpus, "the corpus"
        if 2 * (most := int(sums.heaviest[number])) > total:
            (longest,) = deduplicated.ids(np.array([sums.document[number]]))
            findings.append(
                f"one document, {visible_name(longest)}, holds {most / total:.0%} of the "
                f"{total:,} tokens of {name}"
            )
    return findings
