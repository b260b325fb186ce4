"""Quality of a generator: its loss on held-out human text, and the width of its samples.

Nothing here is seen by a curator: the codebook is fitted on the test text, the topics of the
generator are its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from documents import Documents, up_to
from generator import Model
from numpy.typing import NDArray
from topics import Codebook
from world import World

_SAMPLED = 0.9  # of the first corpus, in tokens
_RARE_DOMAINS = 0.1  # the rarest domains that together hold so much of the test text
_HEAD_DOMAINS = 0.5
_RARE_WORDS = (2, 5)  # occurrences in the first corpus
_COVERED = 0.25  # of a cluster's human share


class Variety(NamedTuple):
    """Distinct words of a corpus, and distinct trigrams per token."""

    words: int
    distinct_3: float


def variety(documents: Documents, vocabulary: int) -> Variety:
    tok = documents.tok.astype(np.int64)
    trigrams = (tok[:-2] * vocabulary + tok[1:-1]) * vocabulary + tok[2:]
    return Variety(len(np.unique(tok)), len(np.unique(trigrams)) / len(trigrams))


def _entropy(share: NDArray[np.float64]) -> float:
    some = share[share > 0]
    return float(-(some * np.log(some)).sum())


def _beginning(documents: Documents, tokens: float) -> Documents:
    return documents.take(np.arange(up_to(documents.lengths, tokens)))


@dataclass(frozen=True)
class HeldOut:
    """Held-out text, and all that is measured on it. Masks are bool[n] over its documents."""

    test: Documents
    codebook: Codebook
    share: NDArray[np.float64]
    rare_domains: NDArray[np.bool_]
    head_domains: NDArray[np.bool_]
    hardest: NDArray[np.bool_]
    """The tenth that the first generator predicts worst."""
    rare_words: NDArray[np.bool_]
    """bool[vocabulary]"""
    sampled: float
    human: Variety
    """Of as much human text as is sampled."""

    @classmethod
    def fit(cls, world: World, first: Model, seed: int) -> HeldOut:
        """Fit the measures on the test text; `first` is the generator that learned human text."""
        test = world.test
        codebook = Codebook.fit(
            test, world.vocabulary, world.sizes.clusters, world.sizes.dimensions, seed + 99
        )
        size = np.bincount(world.test_domain, test.lengths)
        order = np.argsort(size, kind="stable")
        reached = np.empty(len(size))
        reached[order] = np.cumsum(size[order]) / size.sum()
        loss = first.nll(test) / test.lengths
        occurs = np.bincount(world.first.tok, minlength=world.vocabulary)
        sampled = _SAMPLED * len(world.first.tok)
        return cls(
            test,
            codebook,
            codebook.shares(test),
            (reached <= _RARE_DOMAINS)[world.test_domain],
            (reached > _HEAD_DOMAINS)[world.test_domain],
            loss >= np.quantile(loss, 0.9),
            (occurs >= _RARE_WORDS[0]) & (occurs <= _RARE_WORDS[1]),
            sampled,
            variety(_beginning(world.extra, sampled), world.vocabulary),
        )

    def loss(self, model: Model) -> dict[str, float]:
        """Return perplexities per token of all test text, its parts and the median document."""
        nats, tokens = model.nll(self.test), self.test.lengths

        def perplexity(of: NDArray[np.bool_] | slice) -> float:
            return float(np.exp(nats[of].sum() / tokens[of].sum()))

        return {
            "perplexity": perplexity(slice(None)),
            "median": float(np.exp(np.median(nats / tokens))),
            "rare_domains": perplexity(self.rare_domains),
            "head_domains": perplexity(self.head_domains),
            "hardest": perplexity(self.hardest),
        }

    def width(self, documents: Documents) -> dict[str, float]:
        """Measure the first tokens of a corpus, as many as in human text.

        Human text has ratios of 1 and a `js` of 0.

        Raises:
            ValueError: if the corpus is shorter.
        """
        sample = _beginning(documents, self.sampled)
        share = self.codebook.shares(sample)
        sample_variety = variety(sample, len(self.rare_words))
        middle = (share + self.share) / 2
        divergence = _entropy(middle) - (_entropy(share) + _entropy(self.share)) / 2
        present = np.bincount(sample.tok, minlength=len(self.rare_words)) > 0
        return {
            "coverage": float((share >= _COVERED * self.share).mean()),
            "effective_clusters": float(np.exp(_entropy(share) - _entropy(self.share))),
            "js": divergence,
            "rare_words": float(present[self.rare_words].mean()),
            "distinct_3": sample_variety.distinct_3 / self.human.distinct_3,
            "vocabulary": sample_variety.words / self.human.words,
        }
