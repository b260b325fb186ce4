"""Comparisons of the answers to prompts, and the answers that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outcross.pipeline.stages.count import Counted
from outcross.transforms.measuring.prompts import read_comparison

Comparisons = Mapping[int, Mapping[str, Any]]
"""Comparisons of answers, by number of the source, as `compare_answers` gives them."""


def comparisons(counted: Counted) -> Comparisons:
    """Read the comparisons of the answers of each source that has prompts with several answers."""
    sources = range(len(counted.corpus.config.sources))
    read = {number: read_comparison(counted.comparisons, number) for number in sources}
    return {number: comparison for number, comparison in read.items() if comparison is not None}


def shown_answers(compared: Comparisons) -> list[int]:
    """Return the numbers of the documents whose prompts and texts are shown."""
    cases = (case for comparison in compared.values() for case in comparison["collapsed"])
    return [case["document"] for case in cases]
