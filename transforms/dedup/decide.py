"""Find the documents that are exact or near repeats, or that contain an evaluation text.

Documents are compared by their position in a total order that depends only on content and
configuration. Workers group documents by band value. The driver then resolves the groups.

The near rule is the function `similarity` in `_resolve`: the smaller of two similarities, that of
the shingles and that of the items.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import IO

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.dedup.agreement import Meanings
from outcross.transforms.dedup.bands import ENTRY
from outcross.transforms.dedup.jaccard import ShingleSets
from outcross.transforms.dedup.order import Order, exact_repeats, total_order
from outcross.transforms.dedup.resolve import Resolution, resolve
from outcross.transforms.dedup.rules import Party, Rules
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.text.minhash import agreement

EXACT, NEAR, CONTAINED = 1, 2, 3
STAGES = {EXACT: "exact", NEAR: "near", CONTAINED: "contained"}

_PAIR = np.dtype([("pair", "<u8"), ("similarity", "<f4"), ("shingles", "<f4")])
"""Verified pair. `pair` is child << 32 | parent, as positions. `similarity` is the smaller of the
similarities of shingles and items. `shingles` is that of the shingles. If the child
may not be removed in favour of the parent, both are -1."""

Fingerprint = tuple[NDArray[np.uint64], NDArray[np.uint64]]
Measure = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """Settings of the near rule.

    Attributes:
        threshold: least similarity of near repeats.
        exact: True for the Jaccard similarity itself, False for the signatures' estimate.
        ngram: words in a shingle.
        num_perm: number of permutations of a signature.
        boilerplate: a shingle in this many of the documents that share a band, or more, is
            boilerplate. Pairs must reach the threshold with and without it. None for no limit.
        same_answers: number of near-identical answers to one prompt that are kept; None where
            prompts don't matter.
    """

    threshold: float
    exact: bool
    ngram: int
    num_perm: int
    boilerplate: int | None = None
    same_answers: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Documents that are compared, their order and their exact repeats.

    Attributes:
        sketches: sketches of all units, of earlier runs too.
        rules: rules of removal.
        fingerprint: uint64[n] each, the halves of the fingerprints.
        order: total order of the documents.
        participates: bool[n], True for documents that are compared. False for rows that an
            earlier run has read but not written.
        first: int64[n], result of `exact_repeats`.
    """

    sketches: Sketches
    rules: Rules
    fingerprint: Fingerprint
    order: Order
    participates: NDArray[np.bool_]
    first: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        sketches: Sketches,
        parties: Sequence[Party],
        by_prompt: bool,
        participates: NDArray[np.bool_],
    ) -> Comparison:
        """Order documents, and find the exact repeats.

        Args:
            sketches: sketches of all units; `Unit.source` is an index into the parties.
            parties: parties of this run and of earlier ones.
            by_prompt: True if answers to different prompts are not compared.
            participates: bool[n], documents that are compared.
        """
        rules = Rules.of(sketches, parties, by_prompt)
        order = total_order(sketches, rules)
        hi = sketches.numbers("fingerprint_hi")
        fingerprint = hi, sketches.numbers("fingerprint_lo")
        first = exact_repeats(order, fingerprint, rules, participates)
        return cls(sketches, rules, fingerprint, order, participates, first)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """Mark the compared documents for which no earlier equal text may stand: bool[n]."""
        return np.asarray(self.participates & (self.first == self.order.position))

    def are_exact(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the documents of each pair are exact repeats: bool[m]."""
        hi, lo = self.fingerprint
        return np.asarray((hi[left] == hi[right]) & (lo[left] == lo[right]))


@dataclass(frozen=True)
class Containment:
    """Evaluation text that each document contains, if any.

    Attributes:
        item: int64[n], document number of the evaluation text; -1 for none.
        share: float32[n], share of that text's n-grams that the document contains.
    """

    item: NDArray[np.int64]
    share: NDArray[np.float32]

    @classmethod
    def nothing(cls, documents: int) -> Containment:
        """Return a result in which no document contains an evaluation text."""
        return cls(np.full(documents, -1, np.int64), np.zeros(documents, np.float32))


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of deduplication, by document.

    Attributes:
        partner: int64[n], kept document that this one repeats; -1 for kept documents.
        stage: int8[n], EXACT, NEAR, CONTAINED or 0.
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


def decide(
    comparison: Comparison,
    containment: Containment,
    groups: Sequence[str],
    settings: Settings,
    verified: str,
) -> Verdicts:
    """Verify the pairs that share a band, and decide which documents are kept.

    Args:
        comparison: documents that are compared.
        containment: evaluation text that each document contains.
        groups: files that `GroupBands` wrote.
        settings: settings of the near rule.
        verified: file of pairs that were verified before; it is written again with new pairs.
    """
    near, different = _resolve(comparison, groups, settings, verified)
    position, document = comparison.order.position, comparison.order.document
    n = len(position)
    partner = np.full(n, -1, np.int64)
    similarity = np.zeros(n, np.float32)
    removed = document[near.removed]
    partner[removed] = document[near.partner]
    similarity[removed] = near.similarity
    holds = containment.item >= 0
    repeats = (
        comparison.participates
        & (comparison.first != position)
        & (position >= comparison.order.fixed)
        & ~holds
    )
    repeats = np.flatnonzero(repeats)
    original = document[comparison.first[repeats]]
    # If the first of equal texts was removed, the others get its partner and its similarity: equal
    # texts have equal shingles.
    inherits = partner[original] >= 0
    partner[repeats] = np.where(inherits, partner[original], original)
    similarity[repeats] = np.where(inherits, similarity[original], 1.0)
    partner[holds] = containment.item[holds]
    similarity[holds] = containment.share[holds]
    restored = _restore(comparison, partner, near, settings)
    partner[restored], similarity[restored] = -1, 0.0
    removed = np.flatnonzero(partner >= 0)
    stage = np.zeros(n, np.int8)
    stage[removed] = np.where(holds[removed], CONTAINED, NEAR)
    stage[removed[comparison.are_exact(removed, partner[removed])]] = EXACT
    similarity[stage == EXACT] = 1.0
    still_open = np.zeros(n, bool)
    still_open[document[near.open]] = True
    still_open[document[near.left_over]] = True
    counts = asdict(near.counts) | {"restored": len(restored), "different_meaning": different}
    return Verdicts(partner, stage, similarity, still_open, counts)


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
    keys, similarity = near.pairs
    keys = keys[similarity >= np.float32(settings.threshold)]
    child, parent = (keys >> np.uint64(32)).astype(np.int64), keys.astype(np.uint32)
    child, parent = document[child], document[parent]
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
    comparison: Comparison, groups: Sequence[str], settings: Settings, verified: str
) -> tuple[Resolution, int]:
    """Verify the pairs that share a band.

    Returns:
        Resolution, and number of pairs that have similar shingles but different items.
    """
    bands, positions = _read_entries(comparison, groups)
    document = comparison.order.document
    documents = np.sort(document[np.unique(positions).astype(np.int64)])
    known = files.read_array(verified) if files.exists(verified) else np.zeros(0, _PAIR)
    parts = [np.zeros(0, _PAIR)]
    with tempfile.TemporaryFile() as scratch, tempfile.TemporaryFile() as scratch_items:

        @cache
        def measures() -> tuple[Measure, Measure]:  # called only if a pair is new
            meanings = Meanings.of_sketches(comparison.sketches, documents, scratch_items)
            if settings.exact:
                sets = ShingleSets.of(
                    comparison.sketches, documents, settings.ngram, settings.boilerplate, scratch
                )
                return sets.similarity, meanings.agreement
            estimate = _signatures(comparison.sketches, documents, settings.num_perm, scratch)
            return estimate, meanings.agreement

        def similarity(child: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.float32]:
            pairs = np.empty(len(child), _PAIR)
            pairs["pair"] = child << 32 | parent
            pairs["similarity"] = pairs["shingles"] = -1
            at = np.minimum(np.searchsorted(known["pair"], pairs["pair"]), max(len(known) - 1, 0))
            hit = known["pair"][at] == pairs["pair"] if len(known) else np.zeros(len(pairs), bool)
            pairs[hit] = known[at[hit]]
            left, right = document[child], document[parent]
            unknown = ~hit & comparison.rules.may(right, left)
            if unknown.any():
                places = (
                    np.searchsorted(documents, left[unknown]),
                    np.searchsorted(documents, right[unknown]),
                )
                shingles, agreement = (measure(*places) for measure in measures())
                pairs["shingles"][unknown] = shingles
                pairs["similarity"][unknown] = np.minimum(shingles, agreement)
            parts.append(pairs)
            return pairs["similarity"].copy()

        resolution = resolve(
            bands, positions, similarity, settings.threshold, fixed=comparison.order.fixed
        )
    pairs = np.concatenate(parts)
    threshold = np.float32(settings.threshold)
    different = (pairs["shingles"] >= threshold) & (pairs["similarity"] < threshold)
    files.write_array(verified, _merge_pairs(known, pairs))
    return resolution, int(different.sum())


def _read_entries(
    comparison: Comparison, groups: Sequence[str]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Read band values and positions. Values are mixed with pools, so that pools don't meet."""
    entries = np.concatenate([np.zeros(0, ENTRY), *(files.read_array(path) for path in groups)])
    documents = comparison.order.document[entries["rank"]]
    bands, positions = entries["band"] ^ comparison.rules.pool[documents], entries["rank"]
    prompted = comparison.rules.prompt[documents] != 0
    if prompted.any():
        # Add entries in which documents with a prompt meet documents without one.
        common = entries["band"] ^ comparison.rules.common[documents]
        shared = prompted & np.isin(common, np.unique(common[~prompted]))
        bands = np.concatenate([bands, common[shared]])
        positions = np.concatenate([positions, positions[shared]])
    return bands, np.ascontiguousarray(positions)


def _signatures(
    sketches: Sketches, documents: NDArray[np.int64], num_perm: int, scratch: IO[bytes]
) -> Measure:
    """Return a measure that estimates similarities from signatures, read into a scratch file."""
    matrix: NDArray[np.uint32] = np.memmap(
        scratch, np.uint32, "w+", shape=(len(documents), num_perm)
    )
    sketches.matrix("signature", documents, np.uint32, matrix)

    def similarity(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        return (agreement(matrix, left, right) / num_perm).astype(np.float32)

    return similarity


def _merge_pairs(known: NDArray[np.void], pairs: NDArray[np.void]) -> NDArray[np.void]:
    """Merge two arrays of pairs: ascending, each pair once."""
    merged = np.concatenate([known, pairs])
    _, at = np.unique(merged["pair"], return_index=True)
    return merged[at]
