"""Rules of removal: which source's documents may be removed in favour of which others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.sources import Source

_REFERENCE = np.uint64(0x9E3779B97F4A7C15)
_PROMPT = np.uint64(0xBF58476D1CE4E5B9)
_PARTY = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Party:
    """A source as deduplication sees it.

    Attributes:
        source: configuration of the source.
        run: name of the earlier run that wrote it; None for a source of this run.
    """

    source: Source
    run: str | None = None

    @property
    def name(self) -> str:
        """Return the name that removed/ and the report use."""
        return self.source.name if self.run is None else f"{self.run}/{self.source.name}"

    @property
    def fixed(self) -> bool:
        """Return whether none of its documents is ever removed, as other runs or users own them."""
        return self.run is not None or self.source.role == "exclude"


def may_stand_for(kept: Party, removed: Party) -> bool:
    """Return whether documents of a party may be removed in favour of another party's.

    The reference is compared with itself only, because it is never written. Human text is never
    removed in favour of synthetic text, not even of an earlier run.
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
    """Rules of a run, by document: which documents are compared, and which may be removed.

    Attributes:
        parties: parties of the run, and of earlier runs.
        party: int16[n], party of each document.
        allowed: bool[p, p], True where documents of the first party may stand for the second's.
        prompt: uint64[n], hash of the prompt, 0 where it doesn't matter. Documents with different
            prompts are not compared.
    """

    parties: Sequence[Party]
    party: NDArray[np.int16]
    allowed: NDArray[np.bool_]
    prompt: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        party: NDArray[np.int16],
        prompt: NDArray[np.uint64] | None,
        parties: Sequence[Party],
    ) -> Rules:
        """Set the rules of n documents.

        Args:
            party: int16[n], party of each document.
            prompt: uint64[n], hashes of the prompts, 0 for none; None where prompts don't matter.
            parties: parties of this run and of earlier ones.
        """
        allowed = np.array([[may_stand_for(k, r) for r in parties] for k in parties], bool)
        if prompt is None:
            prompt = np.zeros(len(party), np.uint64)
        else:
            # Evaluation texts have no prompt here: they remove repeats whatever the prompt.
            asked = np.array([p.source.role != "exclude" for p in parties], bool)[party]
            prompt = np.where(asked, prompt, np.uint64(0))
        return cls(parties, party, allowed, prompt)

    def may(self, kept: NDArray[np.int64], removed: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which documents may stand for the others, pair by pair: bool[m]."""
        fits = self.allowed[self.party[kept], self.party[removed]]
        first, second = self.prompt[kept], self.prompt[removed]
        return np.asarray(fits & ((first == second) | (first == 0) | (second == 0)))

    def of_parties(self, flags: Sequence[bool]) -> NDArray[np.bool_]:
        """Return the flags of the documents' parties: bool[n]."""
        return np.asarray(np.array(flags, bool)[self.party])

    @property
    def common(self) -> NDArray[np.uint64]:
        """Return uint64[n], the pool in which documents with a prompt meet those without."""
        is_reference = self.of_parties([p.source.role == "reference" for p in self.parties])
        return np.where(is_reference, _REFERENCE, np.uint64(0))

    @property
    def pool(self) -> NDArray[np.uint64]:
        """Return uint64[n], mixed into band values so that they differ where nothing is compared.

        Documents of different pools are compared only if one has no prompt.
        """
        return self.common ^ (self.prompt * _PROMPT)

    @property
    def removal_group(self) -> NDArray[np.uint64]:
        """Return uint64[n], mixed into fingerprints so that equal texts can inherit a partner.

        A document that may remove the first of equal texts of a removal group may remove all texts
        that the first stands for.
        """
        number = np.arange(1, len(self.parties) + 1, dtype=np.uint64)
        chosen = [party.source.removed_by is not None for party in self.parties]
        group = np.where(chosen, number, np.uint64(0))[self.party]
        return self.pool ^ (group * _PARTY)
