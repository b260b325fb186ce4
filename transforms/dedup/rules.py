"""Which source's documents may stand for which others: who may be removed in favour of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.sources import Source
from outcross.transforms.sketches.store import Sketches

_REFERENCE = np.uint64(0x9E3779B97F4A7C15)
_PROMPT = np.uint64(0xBF58476D1CE4E5B9)
_PARTY = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Party:
    """A source as deduplication sees it.

    Attributes:
        source: its configuration.
        run: name of the earlier run that wrote it; None for a source of this run.
    """

    source: Source
    run: str | None = None

    @property
    def name(self) -> str:
        """As removed/ and the report call it."""
        return self.source.name if self.run is None else f"{self.run}/{self.source.name}"

    @property
    def fixed(self) -> bool:
        """Whether nothing of it is ever removed: it is not this run's to change."""
        return self.run is not None or self.source.role == "exclude"


def may_stand_for(kept: Party, removed: Party) -> bool:
    """Whether documents of one party may be removed in favour of the other's.

    The yardstick is compared with itself only, because it is never written. Human text never goes
    in favour of synthetic text, of an earlier run either.
    """
    roles = kept.source.role, removed.source.role
    if removed.fixed or (roles[0] == "reference") != (roles[1] == "reference"):
        return False
    if roles == ("synthetic", "human"):
        return False
    if kept.source.role == "exclude" or removed.source.removed_by is None:
        return True
    return kept.source.name in removed.source.removed_by


@dataclass(frozen=True)
class Rules:
    """What is compared with what, by document.

    Attributes:
        parties: of the run, and of earlier ones.
        party: int16[n], each document's.
        allowed: bool[p, p], whether documents of the first may stand for those of the second.
        prompt: uint64[n], hash of the prompt, 0 where it doesn't matter: documents with different
            prompts are not compared.
    """

    parties: Sequence[Party]
    party: NDArray[np.int16]
    allowed: NDArray[np.bool_]
    prompt: NDArray[np.uint64]

    @classmethod
    def of(cls, sketches: Sketches, parties: Sequence[Party], by_prompt: bool) -> Rules:
        """The rules of a run.

        Args:
            sketches: of all units; `Unit.source` counts in the parties.
            parties: of this run and of earlier ones.
            by_prompt: whether answers to different prompts are not compared.
        """
        rows = np.diff(sketches.offsets)
        party = np.repeat(np.array([u.source for u in sketches.units], np.int16), rows)
        allowed = np.array([[may_stand_for(k, r) for r in parties] for k in parties], bool)
        prompt = np.zeros(len(sketches), np.uint64)
        if by_prompt:
            # What an evaluation set holds must not be learned as the answer to anything.
            asked = np.array([p.source.role != "exclude" for p in parties], bool)[party]
            prompt = np.where(asked, sketches.numbers("prompt"), np.uint64(0))
        return cls(parties, party, allowed, prompt)

    def may(self, kept: NDArray[np.int64], removed: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these documents may stand for which others, pair by pair."""
        fits = self.allowed[self.party[kept], self.party[removed]]
        one, other = self.prompt[kept], self.prompt[removed]
        return np.asarray(fits & ((one == other) | (one == 0) | (other == 0)))

    def of_parties(self, flags: Sequence[bool]) -> NDArray[np.bool_]:
        """bool[n] by document, from one by party."""
        return np.asarray(np.array(flags, bool)[self.party])

    @property
    def common(self) -> NDArray[np.uint64]:
        """uint64[n], the pool of documents without a prompt, which those with one meet as well."""
        apart = self.of_parties([p.source.role == "reference" for p in self.parties])
        return np.where(apart, _REFERENCE, np.uint64(0))

    @property
    def pool(self) -> NDArray[np.uint64]:
        """uint64[n], to be mixed into band values: nearly all that is not compared differs in it.

        Documents of different pools are compared only if one has no prompt.
        """
        return self.common ^ (self.prompt * _PROMPT)

    @property
    def removal_group(self) -> NDArray[np.uint64]:
        """uint64[n], to be mixed into fingerprints, so that a partner can be inherited.

        What may remove the first of equal texts of a kin may remove all that the first stands for.
        """
        number = np.arange(1, len(self.parties) + 1, dtype=np.uint64)
        chosen = [party.source.removed_by is not None for party in self.parties]
        own = np.where(chosen, number, np.uint64(0))[self.party]
        return self.pool ^ (own * _PARTY)
