"""Figures of a set that a report shows, from its accumulators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from outcross.schemas import figures as face
from outcross.schemas.measures import MEASURES
from outcross.transforms.estimators.lexical import first_tokens, lexical
from outcross.transforms.estimators.richness import effective_number, standard_error
from outcross.transforms.estimators.vendi import vendi
from outcross.transforms.measuring.contrast import LEAST_TOKENS, Contrast, stepped
from outcross.transforms.measuring.diversity import Diversity
from outcross.transforms.reference.reference import Reference
from outcross.transforms.reference.sample import Sample


class FigureMaker:
    """Maker of figures of sets, measured against one reference.

    Args:
        reference: the reference. If its text is not human, figures against it are absent.
    """

    def __init__(self, reference: Reference) -> None:
        self.shares = reference.shares if reference.human else None
        self.contrast = Contrast(reference) if reference.human else None

    def figures(
        self, diversity: Diversity, names: Collection[str] = tuple(MEASURES)
    ) -> face.Figures:
        """Compute the figures of a set.

        Args:
            diversity: accumulators of the set.
            names: names of the measures against human text to take.
        """
        counts, sample = diversity.counts, diversity.sample
        documents = int(counts.documents.sum())
        if documents == 0:
            return face.Figures(**counts.extract(self.shares))
        quantiles = (diversity.length_quantile(share) for share in (0.05, 0.5, 0.95))
        lengths = dict(zip(("least", "median", "most"), quantiles, strict=True))
        return face.Figures(
            **counts.extract(self.shares),
            effective_clusters_error=effective_number(counts.documents)
            * standard_error(counts.documents),
            vendi=vendi(diversity.moments, 1),
            vendi_2=vendi(diversity.moments, 2),
            lengths=face.Lengths(mean=diversity.words / documents, **lengths),
            lexical=_lexical(sample),
            measures=[] if self.contrast is None else self.contrast.measures(sample, names),
        )


def _lexical(sample: Sample) -> face.Lexical | None:
    offsets, words = sample.words
    if len(words) < LEAST_TOKENS:
        return None
    tokens = stepped(min(len(words), sample.tokens), 1)
    return face.Lexical(**asdict(lexical(*first_tokens(offsets, words, tokens))))
