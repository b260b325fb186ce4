"""Sources of candidates: the documents of a step with their keys, and the quotas that they fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.selection.candidates import Layout, Round, are_candidates
from outcross.transforms.selection.cuts import Rows, Windows
from outcross.transforms.selection.wants import (
    SCORED,
    Standing,
    fill_by_hash,
    fill_round,
    first_wants,
    round_wants,
)


class KeySource(Protocol):
    """Source of the candidates of a step, with their keys."""

    @property
    def layout(self) -> Layout:
        """Files of the selection."""
        ...

    @property
    def step(self) -> int:
        """Number of the step, from 0; its standing is the result."""
        ...

    def load(self) -> None:
        """Load the data that all units of a worker need."""

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        ...

    def wanted(self) -> NDArray[np.float64]:
        """Return the tokens that each cell of each use wants: float64[U x C]."""
        ...

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Return the standing after the step."""
        ...


@dataclass
class HashKeys:
    """Candidates of all uses but the synthetic one, by hash; the first step.

    Args:
        layout: files of the selection.
    """

    layout: Layout
    step: int = 0

    def load(self) -> None:
        """Load the quotas."""
        quotas = self.layout.quotas()
        self._room = (first_wants(quotas)[0] < quotas.cap).ravel()

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        documents = self.layout.documents(unit, range(SCORED))
        documents = documents.take(np.flatnonzero(self._room[documents.cell]))
        return documents.rows(self.layout.hash_keys(unit, documents))

    def wanted(self) -> NDArray[np.float64]:
        """Return the tokens that each cell of each use wants."""
        return first_wants(self.layout.quotas())[1].ravel()

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Fill the quotas that are filled by hash."""
        return fill_by_hash(self.layout.quotas(), rows, windows)


@dataclass
class RandomKeys:
    """Candidates of the synthetic quotas by hash, in one step.

    Args:
        layout: files of the selection.
    """

    layout: Layout
    step: int = 1

    def load(self) -> None:
        """Load the standing after the step before."""
        self._standing, self._quotas = self.layout.standing(0), self.layout.quotas()

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        layout = self.layout
        documents = layout.documents(unit, [SCORED])
        may = are_candidates(documents, self._standing, self._quotas, layout.cells)
        documents = documents.take(np.flatnonzero(may))
        return documents.rows(layout.hash_keys(unit, documents))

    def wanted(self) -> NDArray[np.float64]:
        """Return the tokens that each cell of each use wants."""
        return _wanted(self.layout.standing(0), 1.0)

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Fill the synthetic quotas."""
        return fill_round(self.layout.standing(0), rows, 1.0, windows)


@dataclass
class ScoreKeys:
    """Remaining candidates of the synthetic quotas by score, in one round.

    Args:
        layout: files of the selection.
        step: number of the round, from 1.
        rounds: number of rounds.
    """

    layout: Layout
    step: int
    rounds: int

    def load(self) -> None:
        """Load the moments of the figures."""
        self._moments = self.layout.moments(self.step)

    def rows(self, unit: int) -> Rows:
        """Return the candidates of a unit."""
        return Round(self.layout, self.step, unit).rows(self._moments)

    def wanted(self) -> NDArray[np.float64]:
        """Return the tokens that each cell of each use wants."""
        return _wanted(self.layout.standing(self.step - 1), self.step / self.rounds)

    def fill(self, rows: Rows, windows: Windows) -> Standing:
        """Fill a part of the synthetic quotas."""
        before = self.layout.standing(self.step - 1)
        return fill_round(before, rows, self.step / self.rounds, windows)


def _wanted(standing: Standing, share: float) -> NDArray[np.float64]:
    wanted = np.zeros_like(standing.rest)
    wanted[SCORED], _ = round_wants(standing, share)
    return wanted.ravel()
