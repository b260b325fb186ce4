"""Which documents fill the quotas: rounds of scoring and filling, on copies a document.

Cells are the clusters of each domain, for each role. What scores is a worker's, unit by unit; what
chooses is a plain function over packed columns, so that it can't depend on workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.fill import fill, top_up

NEARLY_ALL = 0.95  # of the candidates' tokens: where so much is taken, choosing decides nothing


@dataclass(frozen=True)
class Candidates:
    """Documents that may fill quotas, as columns of n rows.

    Attributes:
        cell: int64[n], place in the quotas.
        tokens: int64[n].
        cap: int64[n], how often a document may appear.
        hi, lo: uint64[n], fingerprints.
    """

    cell: NDArray[np.int64]
    tokens: NDArray[np.int64]
    cap: NDArray[np.int64]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]

    def take(self, rows: NDArray[Any]) -> Candidates:
        return Candidates(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def hashes(self, seed: int, salt: str) -> NDArray[np.uint64]:
        """uint64[n] for a use of its own."""
        return seeded_hash(self.hi, self.lo, seed, salt)


class Filling:
    """Fills quotas over several rounds, without ever passing a document's cap.

    Where a cell's quota is larger than what it holds, all of its documents appear as often as goes
    in whole; what is left over is filled by key, in rounds.

    Args:
        candidates: that may be chosen.
        quota: float64[C], tokens a cell.
    """

    def __init__(self, candidates: Candidates, quota: NDArray[np.float64]) -> None:
        self.candidates = candidates
        self.quota = quota
        held = np.bincount(candidates.cell, candidates.tokens, len(quota))
        whole = np.where(held > 0, quota // np.maximum(held, 1), 0).astype(np.int64)
        self.copies = np.minimum(whole[candidates.cell], candidates.cap).astype(np.int64)
        self._by_key = np.zeros(len(candidates.cell), bool)
        self._wanted = np.maximum(quota - self._filled(), 0.0)

    @property
    def missing(self) -> float:
        """Tokens of the quotas that are not filled yet."""
        return float(self.quota.sum() - self._filled().sum())

    @property
    def remaining(self) -> NDArray[np.int64]:
        """Candidates that a further round may choose."""
        return np.flatnonzero(~self._by_key & (self.copies < self.candidates.cap))

    def sample(self, order: NDArray[np.uint64]) -> NDArray[np.int64]:
        """What would be there at the end, if the rest were drawn blindly: copies[n].

        Args:
            order: uint64[n], a seeded hash of each candidate.
        """
        copies = self.copies.copy()
        rest = self.remaining
        rest = rest[np.argsort(order[rest], kind="stable")]
        drawn = np.cumsum(self.candidates.tokens[rest])
        copies[rest[: np.searchsorted(drawn, self.missing)]] += 1
        return copies

    def choose(self, key: NDArray[Any], share: float) -> None:
        """One round.

        Args:
            key: of the remaining candidates, ascending.
            share: of the quotas that shall be filled after it, i/R; 1 in the last round.
        """
        rest = self.remaining
        wanted = self._wanted * share + (self.quota - self._wanted) - self._filled()
        want = _settled(wanted)
        chosen = self._fill(rest, key, want, np.ones(len(rest), np.int64))
        self.copies[rest] += chosen
        self._by_key[rest[chosen > 0]] = True
        if share == 1:
            self._place_residue()

    def top_up(self) -> None:
        """Take shorter documents where more than half of the longest that is taken is missing.

        It happens where the last document in line is longer than twice what is missing.
        """
        of = self.candidates
        if self.missing > of.tokens[self.copies > 0].max(initial=0) / 2:
            order = np.lexsort((of.cell, of.cap, of.tokens, of.hi, of.lo))
            top_up(order, of.tokens, of.cap, self.missing, self.copies)

    def _place_residue(self) -> None:
        """Where cells ran out of documents, what is missing goes wherever caps leave room."""
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
        of = self.candidates
        return fill(of.cell[rows], key, of.lo[rows], of.tokens[rows], want, cap)

    def _filled(self) -> NDArray[np.float64]:
        tokens = self.copies * self.candidates.tokens
        filled = np.bincount(self.candidates.cell, tokens, len(self.quota))
        return filled.astype(np.float64)


def _settled(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """What cells shall get, none less than nothing, and together as much as is wanted together.

    A cell that an earlier round gave too much lowers what the next ones get, as it would have in
    that round: only capping it at nothing would give it twice.

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
    """Copies of documents that are chosen by a seeded hash of their fingerprints.

    So human text is: choosing it by deficit or novelty was neutral or worse in the recursive loop.

    Args:
        candidates: documents of one use.
        quota: float64[C], tokens a cell.
        seed: the run's.
        salt: names the use.
        topped_up: whether shorter documents make up for one that is too long for what is missing.
    """
    filling = Filling(candidates, quota)
    filling.choose(candidates.hashes(seed, salt)[filling.remaining], 1)
    if topped_up:
        filling.top_up()
    return filling.copies
