r"""The common ground of one seed's experiments: split human text, and the generator's topics.

All budgets are in words as the product counts them, matches of `\w+`; what a generator counts are
tokens: signs and the ends of documents as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from corpus import Corpus
from documents import END, Documents, borders, up_to
from numpy.typing import NDArray
from topics import Codebook

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Sizes:
    """Sizes of an experiment."""

    words: int = 170_000
    """In the first generator's corpus, and in every later one unless they grow."""
    test: int = 300_000
    """Tokens of held-out text."""
    reference: int = 300_000
    """Tokens of the reference's text."""
    topics: int = 40
    dimensions: int = 50
    clusters: int = 160
    """Of the codebook that figures are measured on."""


@dataclass(frozen=True)
class World:
    """Human text of one seed; except for `ceiling`, no document is in two of the parts."""

    words: tuple[str, ...]
    weight: NDArray[np.int64]
    """Words, as the product counts them, of each entry of the vocabulary."""
    sizes: Sizes
    test: Documents
    test_domain: NDArray[np.int32]
    first: Documents
    """What the first generator learns from."""
    reference: Documents
    extra: Documents
    """As much as `first`: human against human."""
    fresh: tuple[Documents, ...]
    """What is bought for each generation, the same for all arms."""
    rest: Documents

    @property
    def vocabulary(self) -> int:
        return len(self.words)

    def counted(self, documents: Documents) -> NDArray[np.int64]:
        """Count the words of each document, int64[n]."""
        return np.add.reduceat(self.weight[documents.tok], documents.off[:-1])

    def tokens(self, words: float) -> int:
        """Return the number of tokens that hold so many words in human text."""
        return round(words * len(self.first.tok) / int(self.counted(self.first).sum()))

    def ceiling(self, generation: int, words: float) -> Documents:
        """So much fresh human text. The rest begins anew where it ends, so parts may overlap.

        Raises:
            ValueError: there is less in all.
        """
        counted = self.counted(self.rest)
        start = int(np.searchsorted(np.cumsum(counted), (generation * words) % counted.sum()))
        rows = np.roll(np.arange(self.rest.n), -start)
        return self.rest.take(rows[: up_to(counted[rows], words)])

    def texts(self, documents: Documents) -> list[str]:
        """Return one text per document: its words with a space between them."""
        ends = documents.off[1:]
        return [
            " ".join([self.words[i] for i in documents.tok[start : end - 1].tolist()])
            for start, end in zip(documents.off[:-1].tolist(), ends.tolist(), strict=True)
        ]

    def parse(self, texts: Sequence[str], topics: NDArray[np.int32]) -> Documents:
        """Parse texts that `texts` has made.

        Raises:
            KeyError: if a word is not in the vocabulary, so the text is not what was given.
        """
        number_of = {word: i for i, word in enumerate(self.words)}
        rows = [[*(number_of[word] for word in text.split(" ")), END] for text in texts]
        lengths = np.array([len(row) for row in rows], np.int64)
        tok = np.fromiter((i for row in rows for i in row), np.int32, int(lengths.sum()))
        return Documents(tok, borders(lengths), topics)


def world(
    corpus: Corpus, sizes: Sizes, seed: int, purchases: Sequence[float], ceilings: float
) -> World:
    """Split a corpus.

    Args:
        corpus: all human text.
        sizes: sizes of the parts.
        seed: seed of the order in which documents are dealt out.
        purchases: words of fresh human text for each generation.
        ceilings: words that must be left for the largest corpus of human text alone.

    Raises:
        ValueError: if the corpus is too small.
    """
    order = np.random.default_rng(1000 + seed).permutation(len(corpus.off) - 1)
    none = np.zeros(len(order), np.int32)
    dealt = Documents(corpus.tok, corpus.off, none).take(order)
    weight = np.array([len(_WORD.findall(word)) for word in corpus.words])
    weight[END] = 0  # it is no part of a text
    counted = np.add.reduceat(weight[dealt.tok], dealt.off[:-1])
    at = 0

    def deal(sizes_of: NDArray[np.int64], total: float) -> slice:
        nonlocal at
        part = slice(at, at + up_to(sizes_of[at:], total))
        at = part.stop
        return part

    tokens = dealt.lengths
    rows = {
        "test": deal(tokens, sizes.test),
        "first": deal(counted, sizes.words),
        "reference": deal(tokens, sizes.reference),
        "extra": deal(counted, sizes.words),
    }
    bought = [deal(counted, words) for words in purchases]
    rows["rest"] = slice(at, dealt.n)
    if counted[at:].sum() < ceilings:
        raise ValueError(
            f"{ceilings:,.0f} words of human text alone are needed beside the other parts, "
            f"but {counted[at:].sum():,} are left: fewer generations or less growth would do"
        )
    numbers = np.arange(dealt.n)
    topics = Codebook.fit(
        dealt.take(numbers[rows["first"]]), len(corpus.words), sizes.topics, sizes.dimensions, seed
    )
    assigned = replace(dealt, topic=topics.assign(dealt))
    parts = {name: assigned.take(numbers[part]) for name, part in rows.items()}
    return World(
        words=corpus.words,
        weight=weight,
        sizes=sizes,
        test_domain=corpus.domain[order[rows["test"]]],
        fresh=tuple(assigned.take(numbers[part]) for part in bought),
        **parts,
    )
