"""Definition of deduplication in plain Python: every pair of documents that share a band."""

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pyarrow as pa

from outcross.transforms.dedup.agreement import Meanings
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR
from outcross.transforms.text.minhash import band_values, lsh_parameters
from outcross.transforms.text.words import split_words
from tests.support.columns import matrix_of, numbers
from tests.support.corpora import NUM_PERM
from tests.support.text_definition import composed, shingles_of


def may(kept, removed):
    """Return whether a party's documents may stand for another's."""
    if removed.run is not None or removed.source.role == "exclude":
        return False
    if "reference" in (kept.source.role, removed.source.role):
        if kept.source.role != removed.source.role:
            return False
    elif kept.source.role == "synthetic" and removed.source.role == "human":
        return False
    names = removed.source.removed_by
    return kept.source.role == "exclude" or names is None or kept.source.name in names


def jaccard(one, other):
    return np.float32(len(one & other) / len(one | other))


class Definition:
    """The pairs of documents that repeat each other.

    Args:
        sketches: sketches of the documents.
        comparison: comparison of all documents.
        settings: settings that decide on near repeats.
        texts: texts of the documents.
        band_threshold: threshold that the bands are made for.
        holds: evaluation texts that documents hold, by document.
    """

    def __init__(self, sketches, comparison, settings, texts, band_threshold=None, holds=None):
        self.comparison, self.settings = comparison, settings
        self.texts, self.holds = texts, holds or {}
        self.parties = comparison.rules.parties
        self.party = comparison.rules.party
        everything = np.arange(len(texts))
        self.signatures = matrix_of(sketches, "signature", everything, np.uint32)
        self.shingles = [shingles_of(text, settings.ngram) for text in texts]
        self.composed = [composed(text) for text in texts]
        self.meanings = Meanings.of(split_words(pa.array(texts, pa.string())))
        self.prompt = numbers(sketches, "prompt").tolist()
        for document, number in enumerate(self.party):
            excluded = self.parties[number].source.role == "exclude"
            if excluded or settings.same_answers is None:
                self.prompt[document] = 0
        parameters = lsh_parameters(band_threshold or settings.threshold, NUM_PERM)
        together = defaultdict(list)
        values = band_values(self.signatures, *parameters) if texts else []
        for document in set(everything[comparison.participates].tolist()) - self.holds.keys():
            for value in values[document].tolist():
                together[value].append(document)
        self.before = defaultdict(set)
        position = comparison.order.position
        shared = {pair for group in together.values() for pair in combinations(group, 2)}
        limit = np.float32(settings.threshold)
        for pair in shared:
            kept, removed = sorted(pair, key=lambda document: position[document])
            if self.may(kept, removed) and self.similarity(kept, removed) >= limit:
                self.before[removed].add(kept)

    def may(self, kept, removed):
        one, other = self.prompt[kept], self.prompt[removed]
        if one and other and one != other:
            return False
        return may(self.parties[self.party[kept]], self.parties[self.party[removed]])

    def similarity(self, one, other):
        """Return the similarity that decides: of words or of items, the smaller one."""
        pair = np.array([one]), np.array([other])
        return min(self.likeness(one, other), self.meanings.agreement(*pair)[0])

    def likeness(self, one, other):
        if self.settings.exact:
            return jaccard(self.shingles[one], self.shingles[other])
        return np.float32((self.signatures[one] == self.signatures[other]).mean())

    def removed(self):
        """Walk the documents in their order; remove each that repeats a kept one."""
        removed = set(self.holds)
        for document in self.comparison.order.document.tolist():
            if self.before[document] - removed:
                removed.add(document)
        return removed

    def check(self, verdicts, pairs):
        """Assert what holds for all verdicts; return whether they are those of `removed`.

        Args:
            verdicts: result of `decide`.
            pairs: pairs of (child, parent) that were verified.
        """
        position = self.comparison.order.position
        kept, limit = verdicts.kept, np.float32(self.settings.threshold)
        for child in np.flatnonzero(~kept).tolist():
            partner = int(verdicts.partner[child])
            assert kept[partner]
            assert position[partner] < position[child]
            assert self.may(partner, child)
            assert self.comparison.participates[[child, partner]].all()
            equal = self.composed[partner] == self.composed[child]
            if child in self.holds:
                assert partner == self.holds[child]
                assert verdicts.stage[child] == (EXACT if equal else CONTAINED)
                continue
            assert verdicts.stage[child] == (EXACT if equal else NEAR)
            assert verdicts.similarity[child] == self.similarity(partner, child) >= limit
        assert (verdicts.stage[kept] == 0).all()
        assert (verdicts.similarity[kept] == 0).all()

        tried = self.tried(pairs)
        walked = self.walked(tried)
        gone = set(np.flatnonzero(~kept).tolist())
        assert gone <= walked
        self.check_answers(verdicts, tried, walked)
        if not verdicts.open.any():
            assert walked == self.removed()
        return walked == self.removed()

    def tried(self, pairs):
        """Return the documents that each document was compared with."""
        assert len(set(pairs)) == len(pairs)
        tried = defaultdict(set)
        for child, parent in pairs:
            tried[child].add(parent)
        return tried

    def walked(self, tried):
        """Return the documents to remove, given which were compared."""
        walked = set()
        document, position = self.comparison.order.document, self.comparison.order.position
        for child in document.tolist():
            first = int(document[self.comparison.first[child]])
            if child in self.holds:
                walked.add(child)
            elif first != child:
                assert self.composed[first] == self.composed[child]
                assert position[first] < position[child]
                if self.comparison.order.fixed <= position[child]:
                    walked.add(child)
            elif tried[child] & self.before[child] - walked:
                walked.add(child)
        return walked

    def check_answers(self, verdicts, tried, walked):
        """Assert what holds for answers to one prompt."""
        gone = set(np.flatnonzero(~verdicts.kept).tolist())
        restored, n = walked - gone, self.settings.same_answers or 1
        assert not restored & self.holds.keys()
        assert verdicts.counts["restored"] == len(restored)
        first = self.comparison.order.document[self.comparison.first].tolist()
        beside, room = Counter(), Counter()
        for child in set(range(len(self.texts))) - walked:
            room[self.prompt[child]] += n - 1
        for child in walked - self.holds.keys():
            # What it was compared with, and what is never removed whatever it was compared with.
            found = {p for p in tried[first[child]] & self.before[first[child]] if p not in walked}
            found |= {p for p in self.before[child] if self.fixed(p)}
            found |= {first[child]} - walked - {child}
            same = {p for p in found if self.prompt[p] == self.prompt[child] != 0}
            same -= {p for p in same if self.fixed(p)}
            if child in restored:
                assert found == same != set()
                beside[self.prompt[child]] += 1
            elif found == same:
                partner = int(verdicts.partner[child])
                like = [r for r in restored if self.prompt[r] == self.prompt[child]]
                limit = np.float32(self.settings.threshold)
                assert len([r for r in like if self.similarity(r, partner) >= limit]) >= n - 1
        assert all(often <= room[prompt] for prompt, often in beside.items())

    def fixed(self, document):
        party = self.parties[self.party[document]]
        return party.run is not None or party.source.role == "exclude"
