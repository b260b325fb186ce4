"""Texts that a report shows or measures, looked up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.reporting.answers import comparisons, shown_answers
from outcross.pipeline.stages.reporting.clusters import clusters, extremes
from outcross.pipeline.stages.reporting.removals import quoted_removals
from outcross.pipeline.stages.selected import Kept
from outcross.pipeline.stages.texts import TextList, TextLookup, beginning
from outcross.schemas.report import Cluster
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


class Quoting(TextLookup):
    """Lookup of the texts of a report.

    Args:
        counted: result of `count`.
        measured: True if the corpus is measured: clusters are shown, and texts compressed.
    """

    def __init__(self, counted: Counted, measured: bool) -> None:
        totals, corpus = counted.totals, counted.corpus
        self.sample = totals.texts.document if measured else totals.texts.document[:0]
        self.clusters: list[Cluster] = []
        if measured and not isinstance(corpus, Kept):
            self.clusters = clusters(corpus.clustered.reference, counted.by_cluster)
        first = {c: int(totals.examples.document[c]) for c in sorted(extremes(self.clusters))}
        self.first = {c: document for c, document in first.items() if document != NO_DOCUMENT}
        self.compared = comparisons(counted)
        answers = np.array(shown_answers(self.compared), np.int64)
        lists = {
            "sample": TextList(self.sample, BLOCK),
            "examples": TextList(np.array(list(self.first.values()), np.int64)),
            "answers": TextList(answers),
            "questions": TextList(answers, kind="prompt"),
            "removals": TextList(quoted_removals(corpus.deduplicated)),
        }
        super().__init__(corpus.sketched, lists)

    def quotes(self) -> Quotes:
        """Return the texts."""
        texts = self.texts()
        return Quotes(
            sample=[texts["sample"][document] for document in self.sample.tolist()],
            examples={
                c: beginning(texts["examples"][document]) for c, document in self.first.items()
            },
            **{
                name: {document: beginning(text) for document, text in texts[name].items()}
                for name in ("answers", "questions", "removals")
            },
        )
