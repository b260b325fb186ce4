"""Texts that a report shows or measures, looked up together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.pipeline.stages.count import Counted
from outcross.pipeline.stages.texts import LOOKED_UP, beginning, texts_of_documents
from outcross.transforms.estimators.compression import BLOCK
from outcross.transforms.measuring.selected import NO_DOCUMENT


@dataclass(frozen=True)
class Quotes:
    """Texts of some documents.

    Attributes:
        counted: result of `count`.
        clusters: clusters of which an example is shown.
        texts: beginnings of texts, by number of the document.
        questions: beginnings of prompts, by number of the document.
    """

    counted: Counted
    clusters: Collection[int]
    texts: Mapping[int, str]
    questions: Mapping[int, str]

    @property
    def sample(self) -> list[str]:
        """Texts of the sample whose compression is measured, in the order of their keys."""
        return [self.texts[document] for document in self.counted.totals.texts.document.tolist()]

    def example(self, cluster: int) -> str | None:
        """Return the beginning of a cluster's example; None where none is shown."""
        document = self.counted.totals.examples.document[cluster]
        if cluster not in self.clusters or document == NO_DOCUMENT:
            return None
        return beginning(self.texts[int(document)])


def look_up(
    counted: Counted, clusters: Collection[int], answers: Collection[int], measured: bool
) -> Quotes:
    """Look up the texts of a report.

    Args:
        counted: result of `count`.
        clusters: clusters of which an example is shown.
        answers: documents whose text and prompt are shown.
        measured: True if the compression of texts is measured.
    """
    sample, examples = counted.totals.texts.document, counted.totals.examples.document
    wanted = [np.array(sorted(answers), np.int64)]
    if measured:
        chosen = examples[np.array(sorted(clusters), np.int64)]
        wanted += [sample, chosen[chosen != NO_DOCUMENT]]
    sketched = counted.corpus.sketched
    texts = texts_of_documents(sketched, _distinct(wanted), BLOCK if measured else LOOKED_UP)
    questions = texts_of_documents(sketched, _distinct(wanted[:1]), part="prompt")
    return Quotes(counted, clusters, texts, questions)


def _distinct(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.unique(np.concatenate(parts))
