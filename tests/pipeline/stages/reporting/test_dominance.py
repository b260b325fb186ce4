"""A document that is most of its source, or of the corpus, is named."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np

from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.reporting.dominance import dominant
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.write import Written


def findings(
    run: Measured[Written[Selected]], tokens: list[int], worded: list[int], heaviest: list[int]
) -> list[str]:
    totals = deepcopy(run.counted.totals)
    totals.sources.tokens, totals.sources.worded, totals.sources.heaviest = (
        np.array([*values, 0], np.int64) for values in (tokens, worded, heaviest)
    )
    return dominant(replace(run.counted, totals=totals))


def test_more_than_half_of_the_tokens_is_named(measured: Measured[Written[Selected]]) -> None:
    first = measured.counted.totals.sources.document[:1]
    (name,) = measured.corpus.deduplicated.ids(first)
    assert findings(measured, [100, 100], [5, 5], [50, 50]) == []
    assert findings(measured, [100, 100], [5, 5], [51, 50]) == [
        f"one document, {name}, holds 51% of the 100 tokens of of-synthetic"
    ]


def test_the_only_document_of_a_source_is_compared_with_the_corpus(
    measured: Measured[Written[Selected]],
) -> None:
    assert findings(measured, [100, 100], [1, 5], [100, 20]) == []
    (finding,) = findings(measured, [200, 100], [1, 5], [200, 20])
    assert finding.endswith("holds 67% of the 300 tokens of the corpus")
    assert findings(measured, [200, 0], [1, 0], [200, 0]) == []  # there is nothing else


def test_a_source_that_is_hardly_a_part_of_the_corpus_does_not_count(
    measured: Measured[Written[Selected]],
) -> None:
    """A generation that reuses two documents of the ledger is not judged by the longer one."""
    assert findings(measured, [10_000, 26], [50, 2], [300, 16]) == []
    (finding,) = findings(measured, [10_000, 102], [50, 2], [300, 60])
    assert finding.endswith("holds 59% of the 102 tokens of of-human")
