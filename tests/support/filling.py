"""Definition of filling quotas in rounds, against which the selection on workers is tested.

Cells are the clusters of each domain, for each role. Workers score documents unit by unit. Plain
functions over packed columns choose, so the choice can't depend on the workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from tests.support.fill import fill, top_up

NEARLY_ALL = 0.95  # share of the candidates' tokens from which scoring makes no difference


@dataclass(frozen=True)
class Candidates:
    """Documents that may fill quotas, as columns of n rows.

    Attributes:
        cell: int64[n], index of the document's quota.
        tokens: int64[n], length of each document.
        cap: int64[n], most copies of each document.
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves of the fingerprints.
    """

    cell: NDArray[np.int64]
    tokens: NDArray[np.int64]
    cap: NDArray[np.int64]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]

    def take(self, rows: NDArray[Any]) -> Candidates:
        """Take some rows."""
        return Candidates(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def hashes(self, seed: int, salt: str) -> NDArray[np.uint64]:
        """Hash each candidate's fingerprint; each salt gives an independent order.

        Returns:
            uint64[n].
        """
        return seeded_hash(self.hi, self.lo, seed, salt)


class Filling:
    """Quotas that are filled over several rounds, within the documents' caps.

    Where a cell's quota is larger than its supply, all its documents first appear as often as fits
    in full. The remainder is filled by key, in rounds.

    Args:
        candidates: documents to choose from.
        quota: float64[C], tokens of each cell.

    Attributes:
        copies: int64[n], copies of each candidate so far.
    """

    def __init__(self, candidates: Candidates, quota: NDArray[np.float64]) -> None:
        self.candidates = candidates
        self.quota = quota
        supply = np.bincount(candidates.cell, candidates.tokens, len(quota))
        full = np.where(supply > 0, quota // np.maximum(supply, 1), 0).astype(np.int64)
        self.copies = np.minimum(full[candidates.cell], candidates.cap).astype(np.int64)
        self._chosen = np.zeros(len(candidates.cell), bool)
        self._wanted = np.maximum(quota - self._filled(), 0.0)

    @property
    def missing(self) -> float:
        """Count the tokens of the quotas that are not filled yet."""
        return float(self.quota.sum() - self._filled().sum())

    @property
    def remaining(self) -> NDArray[np.int64]:
        """Find the candidates that a further round may choose."""
        return np.flatnonzero(~self._chosen & (self.copies < self.candidates.cap))

    def sample(self, order: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Predict the final copies if all further documents were drawn at random.

        Args:
            order: uint64[n], a seeded hash of each candidate.

        Returns:
            int64[n], copies of each candidate.
        """
        copies = self.copies.copy()
        remaining = self.remaining
        remaining = remaining[np.argsort(order[remaining], kind="stable")]
        drawn = np.cumsum(self.candidates.tokens[remaining])
        copies[remaining[: np.searchsorted(drawn, self.missing)]] += 1
        return copies

    def choose(self, key: NDArray[Any], share: float) -> None:
        """Choose documents in one round.

        Args:
            key: float64[m] or uint64[m], keys of the remaining candidates; the smallest first.
            share: share of the quotas to be filled after this round: i/R, 1 in the last round.
        """
        remaining = self.remaining
        wanted = self._wanted * share + (self.quota - self._wanted) - self._filled()
        wanted = _without_negatives(wanted)
        copies = self._fill(remaining, key, wanted, np.ones(len(remaining), np.int64))
        self.copies[remaining] += copies
        self._chosen[remaining[copies > 0]] = True
        if share == 1:
            self._place_residue()

    def top_up(self) -> None:
        """Take shorter documents where more than half of the longest document taken is missing.

        That happens where the last document in line is longer than twice the missing tokens.
        """
        c = self.candidates
        if self.missing > c.tokens[self.copies > 0].max(initial=0) / 2:
            order = np.lexsort((c.cell, c.cap, c.tokens, c.hi, c.lo))
            top_up(order, c.tokens, c.cap, self.missing, self.copies)

    def _place_residue(self) -> None:
        """Place missing tokens of exhausted cells wherever caps leave room."""
        room = np.flatnonzero(self.copies < self.candidates.cap)
        if len(room) == 0 or self.missing <= self.candidates.tokens.max() / 2:
            return
        want = np.zeros(len(self.quota))
        want[self.candidates.cell[room]] = 1.0
        want *= self.missing / want.sum()
        cap = (self.candidates.cap - self.copies)[room]
        self.copies[room] += self._fill(room, self.candidates.lo[room], want, cap)

    def _fill(
        self,
        rows: NDArray[np.int64],
        key: NDArray[Any],
        want: NDArray[np.float64],
        cap: NDArray[np.int64],
    ) -> NDArray[np.int32]:
        c = self.candidates
        return fill(c.cell[rows], key, c.lo[rows], c.tokens[rows], want, cap)

    def _filled(self) -> NDArray[np.float64]:
        tokens = self.copies * self.candidates.tokens
        filled = np.bincount(self.candidates.cell, tokens, len(self.quota))
        return filled.astype(np.float64)


def _without_negatives(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the wanted amounts non-negative without changing their sum.

    A cell that got too much in an earlier round lowers the amounts of the cells after it, as it
    would have in that round. Clipping it at 0 would count its excess twice.

    Args:
        wanted: float64[C], tokens; negative where a cell has too many.
    """
    reached = np.maximum.accumulate(np.concatenate([[0.0], np.cumsum(wanted)]))
    want = np.diff(reached)
    total = float(want.sum())
    if total == 0:
        return want
    return np.asarray(want * (max(float(wanted.sum()), 0.0) / total), np.float64)


def fill_by_hash(
    candidates: Candidates,
    quota: NDArray[np.float64],
    seed: int,
    salt: str,
    topped_up: bool = True,
) -> NDArray[np.int64]:
    """Fill quotas by a seeded hash of the documents' fingerprints.

    Human text is chosen so: by deficit or novelty it was neutral or worse in the recursive loop.

    Args:
        candidates: documents of one use.
        quota: float64[C], tokens of each cell.
        seed: seed of the run.
        salt: name of the use.
        topped_up: whether shorter documents replace one that is too long for the missing tokens.

    Returns:
        int64[n], copies of each candidate.
    """
    filling = Filling(candidates, quota)
    filling.choose(candidates.hashes(seed, salt)[filling.remaining], 1)
    if topped_up:
        filling.top_up()
    return filling.copies
