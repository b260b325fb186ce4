"""Who repeats whom: word for word, within an evaluation set, and near, every pair verified.

Decisions are made on ranks in one total order of all documents, which content and configuration
alone decide. Workers group the band values; the driver resolves the groups over packed arrays.
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
"""A verified pair: child << 32 | parent, ranks; the similarity that decides, and that of shingles
alone, which is larger where the two differ in what carries meaning beside the words."""

Fingerprint = tuple[NDArray[np.uint64], NDArray[np.uint64]]
Measure = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """What decides on near repeats.

    Attributes:
        threshold: similarity from which two documents repeat.
        exact: whether it is the Jaccard similarity itself, not the signatures' estimate.
        ngram: words in a shingle.
        num_perm: permutations of the signatures.
        boilerplate: shingles in so many of the documents that share a band are that: without them,
            too, documents have to reach the threshold.
        same_answers: near-identical answers to one prompt that are kept; None where prompts don't
            matter.
    """

    threshold: float
    exact: bool
    ngram: int
    num_perm: int
    boilerplate: int | None = None
    same_answers: int | None = None


@dataclass(frozen=True)
class Comparison:
    """All documents, before near repeats are looked for.

    Attributes:
        sketches: of all units, earlier runs' included.
        rules: who may be removed in favour of whom.
        fingerprint: uint64[n] each, the halves.
        order: the total order.
        participates: bool[n], which documents take part; what an earlier run has not written does not.
        first: int64[n], from `exact_repeats`.
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
        """Orders documents, and finds those with the same words.

        Args:
            sketches: of all units; `Unit.source` counts in the parties.
            parties: of this run and of earlier ones.
            by_prompt: whether answers to different prompts are not compared.
            participates: bool[n], which documents take part.
        """
        rules = Rules.of(sketches, parties, by_prompt)
        order = total_order(sketches, rules)
        hi = sketches.numbers("fingerprint_hi")
        fingerprint = hi, sketches.numbers("fingerprint_lo")
        first = exact_repeats(order, fingerprint, rules, participates)
        return cls(sketches, rules, fingerprint, order, participates, first)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """bool[n], the documents that stand for all others with their words."""
        return np.asarray(self.participates & (self.first == self.order.position))

    def same_words(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the documents of each pair have the same words."""
        hi, lo = self.fingerprint
        return np.asarray((hi[left] == hi[right]) & (lo[left] == lo[right]))


@dataclass(frozen=True)
class Containment:
    """Which documents hold an evaluation text.

    Attributes:
        item: int64[n], the document of the evaluation set, -1 for none.
        share: float32[n], of its n-grams that the document holds.
    """

    item: NDArray[np.int64]
    share: NDArray[np.float32]

    @classmethod
    def nothing(cls, documents: int) -> Containment:
        """Where no evaluation set is looked for."""
        return cls(np.full(documents, -1, np.int64), np.zeros(documents, np.float32))


@dataclass(frozen=True)
class Verdicts:
    """What deduplication decided, by document.

    Attributes:
        partner: int64[n], the kept document that this one repeats; -1 for kept documents.
        stage: int8[n], EXACT, NEAR, CONTAINED or 0.
        similarity: float32[n], with the partner.
        open: bool[n], kept although not everything that it might repeat was looked at.
        counts: what the resolver did.
    """

    partner: NDArray[np.int64]
    stage: NDArray[np.int8]
    similarity: NDArray[np.float32]
    open: NDArray[np.bool_]
    counts: dict[str, int]

    @property
    def kept(self) -> NDArray[np.bool_]:
        return np.asarray(self.partner < 0)


def decide(
    comparison: Comparison,
    contained: Containment,
    groups: Sequence[str],
    settings: Settings,
    verified: str,
) -> Verdicts:
    """Verifies the pairs that share a band, and settles who is kept.

    Args:
        comparison: of all documents.
        contained: which documents hold an evaluation text.
        groups: files of `GroupBands`.
        settings: what decides.
        verified: file of pairs that were verified before; it is written anew with those added.
    """
    near, different = _resolve(comparison, groups, settings, verified)
    rank, document = comparison.order.position, comparison.order.document
    n = len(rank)
    partner = np.full(n, -1, np.int64)
    similarity = np.zeros(n, np.float32)
    removed = document[near.removed]
    partner[removed] = document[near.partner]
    similarity[removed] = near.similarity
    holds = contained.item >= 0
    repeats = (
        comparison.participates
        & (comparison.first != rank)
        & (rank >= comparison.order.fixed)
        & ~holds
    )
    repeats = np.flatnonzero(repeats)
    original = document[comparison.first[repeats]]
    # Where the first of equal texts was itself removed, its partner is theirs too: the same words
    # have the same shingles, so the similarity is the same.
    gone = partner[original] >= 0
    partner[repeats] = np.where(gone, partner[original], original)
    similarity[repeats] = np.where(gone, similarity[original], 1.0)
    partner[holds] = contained.item[holds]
    similarity[holds] = contained.share[holds]
    restored = _restore(comparison, partner, near, settings)
    partner[restored], similarity[restored] = -1, 0.0
    removed = np.flatnonzero(partner >= 0)
    stage = np.zeros(n, np.int8)
    stage[removed] = np.where(holds[removed], CONTAINED, NEAR)
    stage[removed[comparison.same_words(removed, partner[removed])]] = EXACT
    similarity[stage == EXACT] = 1.0
    still_open = np.zeros(n, bool)
    still_open[document[near.open]] = True
    still_open[document[near.left_over]] = True
    counts = asdict(near.counts) | {"restored": len(restored), "different_meaning": different}
    return Verdicts(partner, stage, similarity, still_open, counts)


def _restore(
    comparison: Comparison, partner: NDArray[np.int64], near: Resolution, settings: Settings
) -> NDArray[np.int64]:
    """The removed documents that stay beside their partner, as answers to the same prompt."""
    if settings.same_answers is None or settings.same_answers == 1:
        return np.zeros(0, np.int64)
    prompt, rank, document = (
        comparison.rules.prompt,
        comparison.order.position,
        comparison.order.document,
    )
    ours = rank >= comparison.order.fixed
    answers = (partner >= 0) & (prompt != 0) & (prompt == prompt[partner]) & ours[partner]
    # The partner is the most similar one only. What repeats an evaluation text, a document without
    # a prompt or an earlier run as well goes.
    keys, found = near.pairs
    keys = keys[found >= np.float32(settings.threshold)]
    child, parent = (keys >> np.uint64(32)).astype(np.int64), keys.astype(np.uint32)
    child, parent = document[child], document[parent]
    other = (partner[parent] < 0) & ((prompt[parent] != prompt[child]) | ~ours[parent])
    elsewhere = np.zeros(len(prompt), bool)
    elsewhere[child[other]] = True
    answers &= ~elsewhere[document[comparison.first]]
    removed = np.flatnonzero(answers)
    removed = removed[np.lexsort((rank[removed], partner[removed]))]
    own = partner[removed]
    starts = np.flatnonzero(np.append(True, own[1:] != own[:-1])) if len(own) else own
    place = np.arange(len(own)) - np.repeat(starts, np.diff(np.append(starts, len(own))))
    return np.asarray(removed[place < settings.same_answers - 1])


def _resolve(
    comparison: Comparison, groups: Sequence[str], settings: Settings, verified: str
) -> tuple[Resolution, int]:
    """Verify the pairs that share a band; return who goes, and how many pairs meaning kept."""
    bands, ranks = _entries(comparison, groups)
    document = comparison.order.document
    documents = np.sort(document[np.unique(ranks).astype(np.int64)])
    known = files.read_array(verified) if files.exists(verified) else np.zeros(0, _PAIR)
    parts = [np.zeros(0, _PAIR)]
    with tempfile.TemporaryFile() as scratch, tempfile.TemporaryFile() as scratch_items:

        @cache
        def measures() -> tuple[Measure, Measure]:  # not made where all pairs are known
            meanings = Meanings.of_sketches(comparison.sketches, documents, scratch_items)
            if settings.exact:
                sets = ShingleSets.of(
                    comparison.sketches, documents, settings.ngram, settings.boilerplate, scratch
                )
                return sets.similarity, meanings.agreement
            signed = _signatures(comparison.sketches, documents, settings.num_perm, scratch)
            return signed, meanings.agreement

        def similarity(child: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.float32]:
            pairs = np.empty(len(child), _PAIR)
            pairs["pair"] = child << 32 | parent
            pairs["similarity"] = pairs["shingles"] = -1
            at = np.minimum(np.searchsorted(known["pair"], pairs["pair"]), max(len(known) - 1, 0))
            hit = known["pair"][at] == pairs["pair"] if len(known) else np.zeros(len(pairs), bool)
            pairs[hit] = known[at[hit]]
            left, right = document[child], document[parent]
            ask = ~hit & comparison.rules.may(right, left)
            if ask.any():
                places = (
                    np.searchsorted(documents, left[ask]),
                    np.searchsorted(documents, right[ask]),
                )
                shingles, agreement = (measure(*places) for measure in measures())
                pairs["shingles"][ask] = shingles
                pairs["similarity"][ask] = np.minimum(shingles, agreement)
            parts.append(pairs)
            return pairs["similarity"].copy()

        resolution = resolve(
            bands, ranks, similarity, settings.threshold, fixed=comparison.order.fixed
        )
    pairs = np.concatenate(parts)
    threshold = np.float32(settings.threshold)
    different = (pairs["shingles"] >= threshold) & (pairs["similarity"] < threshold)
    files.write_array(verified, _united(known, pairs))
    return resolution, int(different.sum())


def _entries(
    comparison: Comparison, groups: Sequence[str]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Band values and ranks, the values told apart by what is compared with what."""
    entries = np.concatenate([np.zeros(0, ENTRY), *(files.read_array(path) for path in groups)])
    whose = comparison.order.document[entries["rank"]]
    bands, ranks = entries["band"] ^ comparison.rules.pool[whose], entries["rank"]
    prompted = comparison.rules.prompt[whose] != 0
    if prompted.any():
        # Documents without a prompt meet those with one in bands of their own.
        common = entries["band"] ^ comparison.rules.common[whose]
        met = prompted & np.isin(common, np.unique(common[~prompted]))
        bands = np.concatenate([bands, common[met]])
        ranks = np.concatenate([ranks, ranks[met]])
    return bands, np.ascontiguousarray(ranks)


def _signatures(
    sketches: Sketches, documents: NDArray[np.int64], num_perm: int, scratch: IO[bytes]
) -> Measure:
    """The estimate of the signatures, which a scratch file holds."""
    matrix: NDArray[np.uint32] = np.memmap(
        scratch, np.uint32, "w+", shape=(len(documents), num_perm)
    )
    sketches.matrix("signature", documents, np.uint32, matrix)

    def similarity(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
        return (agreement(matrix, left, right) / num_perm).astype(np.float32)

    return similarity


def _united(known: NDArray[np.void], pairs: NDArray[np.void]) -> NDArray[np.void]:
    """Pairs of two runs, ascending, each once."""
    both = np.concatenate([known, pairs])
    _, at = np.unique(both["pair"], return_index=True)
    return both[at]
