"""From a set's accumulators to the figures that a report shows."""

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


class FigureMaker:
    """Makes figures of sets on one yardstick.

    Args:
        reference: the yardstick. Where it is not of human text, figures against it are absent.
    """

    def __init__(self, reference: Reference) -> None:
        self.shares = reference.shares if reference.human else None
        self.contrast = Contrast(reference) if reference.human else None

    def figures(self, found: Diversity, names: Collection[str] = tuple(MEASURES)) -> face.Figures:
        """The figures of a set.

        Args:
            found: the set.
            names: of the measures against human text that are wanted.
        """
        counts = found.counts
        documents = int(counts.documents.sum())
        if documents == 0:
            return face.Figures(**counts.extract(self.shares))
        quantiles = (found.length_quantile(share) for share in (0.05, 0.5, 0.95))
        lengths = dict(zip(("least", "median", "most"), quantiles, strict=True))
        return face.Figures(
            **counts.extract(self.shares),
            effective_clusters_error=effective_number(counts.documents)
            * standard_error(counts.documents),
            vendi=vendi(found.moments, 1),
            vendi_2=vendi(found.moments, 2),
            lengths=face.Lengths(mean=int(counts.tokens.sum()) / documents, **lengths),
            lexical=_lexical(found),
            measures=[] if self.contrast is None else self.contrast.measures(found.sample, names),
        )


def _lexical(found: Diversity) -> face.Lexical | None:
    offsets, words = found.sample.words
    if len(words) < LEAST_TOKENS:
        return None
    tokens = stepped(min(len(words), found.sample.tokens), 1)
    made = lexical(*first_tokens(offsets, words, tokens))
    return face.Lexical(**asdict(made))
