"""Decide which documents of a bin are exact or near repeats of others.

A bin holds all documents that share a group with any of its documents. Documents are compared by
their position in a total order that depends only on content and configuration.

The near rule is the function `similarity` in `_resolve`: the smaller of two similarities, that of
the shingles and that of the items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.dedup.bands import Entries
from outcross.transforms.dedup.order import Order, exact_repeats, total_order
from outcross.transforms.dedup.resolve import NO_PAIRS, Pairs, Resolution, resolve
from outcross.transforms.dedup.rules import Rules

EXACT, NEAR, CONTAINED, SEMANTIC = 1, 2, 3, 4
STAGES = {EXACT: "exact", NEAR: "near", CONTAINED: "contained", SEMANTIC: "semantic"}

Fingerprint = tuple[NDArray[np.uint64], NDArray[np.uint64]]
Measure = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """Settings of the rules by similarity.

    Attributes:
        threshold: least similarity of near repeats.
        exact: True for the Jaccard similarity itself, False for the signatures' estimate.
        ngram: words in a shingle.
        num_perm: number of permutations of a signature.
        boilerplate: a shingle in this many of the documents that share a band, or more, is
            boilerplate. Pairs must reach the threshold with and without it. None for no limit.
        same_answers: number of near-identical answers to one prompt that are kept; None where
            prompts don't matter.
        cosine: least cosine of paraphrases; None where embeddings are not compared.
    """

    threshold: float
    exact: bool
    ngram: int
    num_perm: int
    boilerplate: int | None = None
    same_answers: int | None = None
    cosine: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Documents that are compared, their order and their exact repeats.

    Attributes:
        rules: rules of removal.
        fingerprint: uint64[n] each, the halves of the fingerprints.
        order: total order of the documents.
        participates: bool[n], True for documents that are compared. False for rows that an
            earlier run has read but not written.
        first: int64[n], result of `exact_repeats`.
    """

    rules: Rules
    fingerprint: Fingerprint
    order: Order
    participates: NDArray[np.bool_]
    first: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        columns: Mapping[str, NDArray[Any]],
        rules: Rules,
        participates: NDArray[np.bool_] | None = None,
    ) -> Comparison:
        """Order n documents, and find the exact repeats.

        Args:
            columns: arrays[n], columns of the sketches, as in `total_order`. Documents that are
                equal in all of them stay in their order.
            rules: rules of the documents.
            participates: bool[n], documents that are compared; None for all.
        """
        if participates is None:
            participates = np.ones(len(rules.party), bool)
        order = total_order(columns, rules)
        fingerprint = columns["fingerprint_hi"], columns["fingerprint_lo"]
        first = exact_repeats(order, fingerprint, rules, participates)
        return cls(rules, fingerprint, order, participates, first)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """Mark the compared documents for which no earlier equal text may stand: bool[n]."""
        return np.asarray(self.participates & (self.first == self.order.position))

    def are_exact(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the documents of each pair are exact repeats: bool[m]."""
        hi, lo = self.fingerprint
        return np.asarray((hi[left] == hi[right]) & (lo[left] == lo[right]))


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of deduplication, by document.

    Attributes:
        partner: int64[n], kept document that this one repeats; -1 for kept documents.
        stage: int8[n], EXACT, NEAR, CONTAINED, SEMANTIC or 0.
        similarity: float32[n], similarity to the partner.
        open: bool[n], documents kept although not all their candidates were verified.
        counts: counts of the work, from `resolve.Counts`, and two of this module.
    """

    partner: NDArray[np.int64]
    stage: NDArray[np.int8]
    similarity: NDArray[np.float32]
    open: NDArray[np.bool_]
    counts: dict[str, int]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Mark the kept documents: bool[n]."""
        return np.asarray(self.partner < 0)


@dataclass(frozen=True)
class Paraphrases:
    """Verified pairs of documents by their embeddings.

    Attributes:
        child: int64[m], documents that repeat others.
        parent: int64[m], documents before them in the order.
        cosine: float32[m], similarity of each pair.
    """

    child: NDArray[np.int64]
    parent: NDArray[np.int64]
    cosine: NDArray[np.float32]

    def keys(self, order: Order) -> Pairs:
        """Return the pairs by position, as `resolve` takes them."""
        child, parent = order.position[self.child], order.position[self.parent]
        keys = child.astype(np.uint64) << np.uint64(32) | parent.astype(np.uint64)
        ascending = np.argsort(keys)
        return keys[ascending], self.cosine[ascending]


def decide(
    comparison: Comparison,
    entries: Entries,
    settings: Settings,
    measures: Sequence[Measure],
    paraphrases: Paraphrases | None = None,
) -> tuple[Verdicts, Resolution]:
    """Verify the pairs that share a band, and decide which documents are kept.

    Args:
        comparison: documents that are compared. None of them contains an evaluation text.
        entries: groups of documents that share a band.
        settings: settings of the near rule.
        measures: similarities of shingles and of items; the smaller one decides.
        paraphrases: pairs by embeddings; None where these are not compared.

    Returns:
        Verdicts, and the resolution of the groups.
    """
    given = NO_PAIRS if paraphrases is None else paraphrases.keys(comparison.order)
    near, different = _resolve(comparison, entries, settings, measures, given)
    position, document = comparison.order.position, comparison.order.document
    n = len(position)
    partner = np.full(n, -1, np.int64)
    similarity = np.zeros(n, np.float32)
    removed = document[near.removed]
    partner[removed] = document[near.partner]
    similarity[removed] = near.similarity
    by_cosine = np.zeros(n, bool)
    by_cosine[removed] = near.given
    repeats = np.flatnonzero(
        comparison.participates
        & (comparison.first != position)
        & (position >= comparison.order.fixed)
    )
    original = document[comparison.first[repeats]]
    # If the first of equal texts was removed, the others get its partner and its similarity: equal
    # texts have equal shingles and embeddings.
    inherits = partner[original] >= 0
    by_cosine[repeats] = by_cosine[original]
    partner[repeats] = np.where(inherits, partner[original], original)
    similarity[repeats] = np.where(inherits, similarity[original], 1.0)
    restored = _restore(comparison, partner, near, settings)
    partner[restored], similarity[restored] = -1, 0.0
    removed = np.flatnonzero(partner >= 0)
    stage = np.zeros(n, np.int8)
    stage[removed] = np.where(by_cosine[removed], SEMANTIC, NEAR)
    stage[removed[comparison.are_exact(removed, partner[removed])]] = EXACT
    similarity[stage == EXACT] = 1.0
    still_open = np.zeros(n, bool)
    still_open[document[near.open]] = True
    still_open[document[near.left_over]] = True
    counts = asdict(near.counts) | {"restored": len(restored), "different_meaning": different}
    if paraphrases is not None:
        counts["paraphrases"] = len(paraphrases.child)
    return Verdicts(partner, stage, similarity, still_open, counts), near


def _restore(
    comparison: Comparison, partner: NDArray[np.int64], near: Resolution, settings: Settings
) -> NDArray[np.int64]:
    """Find removed documents to keep after all: further answers to their partner's prompt."""
    if settings.same_answers is None or settings.same_answers == 1:
        return np.zeros(0, np.int64)
    prompt, position, document = (
        comparison.rules.prompt,
        comparison.order.position,
        comparison.order.document,
    )
    of_this_run = position >= comparison.order.fixed
    answers = (partner >= 0) & (prompt != 0) & (prompt == prompt[partner]) & of_this_run[partner]
    # The partner is only the most similar kept document. A document that also repeats a kept text
    # of another prompt, an earlier run or an evaluation set stays removed.
    keys = near.agreed
    child = document[(keys >> np.uint64(32)).astype(np.int64)]
    parent = document[keys.astype(np.uint32)]
    other = (partner[parent] < 0) & ((prompt[parent] != prompt[child]) | ~of_this_run[parent])
    repeats_other = np.zeros(len(prompt), bool)
    repeats_other[child[other]] = True
    answers &= ~repeats_other[document[comparison.first]]
    removed = np.flatnonzero(answers)
    removed = removed[np.lexsort((position[removed], partner[removed]))]
    group = partner[removed]
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1])) if len(group) else group
    place = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    return np.asarray(removed[place < settings.same_answers - 1])


def _resolve(
    comparison: Comparison,
    entries: Entries,
    settings: Settings,
    measures: Sequence[Measure],
    given: Pairs,
) -> tuple[Resolution, int]:
    """Verify the pairs that share a band.

    Returns:
        Resolution, and number of pairs that have similar shingles but different items.
    """
    document = comparison.order.document
    threshold = np.float32(settings.threshold)
    different: list[int] = []  # several threads append to it

    def similarity(child: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.float32]:
        left, right = document[child], document[parent]
        result = np.full(len(child), -1, np.float32)
        may = comparison.rules.may(right, left)
        if may.any():
            shingles, items = (measure(left[may], right[may]) for measure in measures)
            result[may] = np.minimum(shingles, items)
            different.append(int(((shingles >= threshold) & (items < threshold)).sum()))
        return result

    positions = comparison.order.position[entries.document].astype(np.uint32)
    fixed = comparison.order.fixed
    resolution = resolve(
        entries.group, positions, similarity, settings.threshold, given=given, fixed=fixed
    )
    return resolution, sum(different)
