"""Texts that a report shows or measures, looked up together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.reporting.removals import quoted_removals
from outcross.pipeline.stages.texts import TextList, beginning, look_up_texts
from outcross.transforms.estimators.compression import BLOCK
from outcross.transforms.measuring.totals import NO_DOCUMENT


@dataclass(frozen=True)
class Quotes:
    """Texts of some documents, by the documents' numbers.

    Attributes:
        sample: texts of the sample whose compression is measured, in the order of their keys.
        examples: beginnings of the texts that are shown of clusters, by cluster.
        answers: beginnings of the texts that are shown of answers to prompts.
        questions: beginnings of these prompts.
        removals: beginnings of the texts that are shown of removals, and of what they repeat.
    """

    sample: Sequence[str]
    examples: Mapping[int, str]
    answers: Mapping[int, str]
    questions: Mapping[int, str]
    removals: Mapping[int, str]


def look_up(
    counted: Counted, clusters: Collection[int], answers: Sequence[int], measured: bool
) -> Quotes:
    """Look up the texts of a report, in one pipeline.

    Args:
        counted: result of `count`.
        clusters: clusters of which an example is shown.
        answers: numbers of the documents whose text and prompt are shown.
        measured: True if the compression of texts is measured.
    """
    totals, shown = counted.totals, np.array(answers, np.int64)
    removals = quoted_removals(counted.corpus.deduplicated)
    sample = totals.texts.document if measured else shown[:0]
    first = {c: int(totals.examples.document[c]) for c in sorted(clusters)}
    first = {c: document for c, document in first.items() if document != NO_DOCUMENT}
    lists = {
        "sample": TextList(sample, BLOCK),
        "examples": TextList(np.array(list(first.values()), np.int64)),
        "answers": TextList(shown),
        "questions": TextList(shown, kind="prompt"),
        "removals": TextList(removals),
    }
    texts = look_up_texts(counted.corpus.sketched, lists)
    return Quotes(
        sample=[texts["sample"][document] for document in sample.tolist()],
        examples={c: beginning(texts["examples"][document]) for c, document in first.items()},
        **{
            name: {document: beginning(text) for document, text in texts[name].items()}
            for name in ("answers", "questions", "removals")
        },
    )
