"""Selection of documents in memory, step by step, for tests of its promises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.selection.cuts import Rows, Windows
from outcross.transforms.selection.wants import SCORED, Quotas, Standing, fill_by_hash, fill_round


def filled(quotas: Quotas, rows: Rows, rounds: int) -> tuple[NDArray[np.int64], list[Standing]]:
    """Return int64[n], copies of each document, and the standings after all steps."""
    uses, cells = quotas.quota.shape
    every = Windows.every(uses * cells)
    synthetic = rows.cell >= SCORED * cells
    room = (quotas.quota // np.maximum(quotas.supply, 1) < quotas.cap).ravel()
    hashed = rows.take(np.flatnonzero(~synthetic & room[rows.cell]))
    standings = [fill_by_hash(quotas, hashed, every)]
    first = standings[0]
    copies = first.full.ravel()[rows.cell]
    copies[~synthetic] += first.cuts.take(rows.cell, rows.key, rows.tie, rows.number)[~synthetic]
    open_cells = ((first.full < quotas.cap) & (first.rest > 0)).ravel()
    remaining = synthetic & open_cells[rows.cell]
    for number in range(1, rounds + 1):
        places = np.flatnonzero(remaining)
        of_round = rows.take(places)
        standing = fill_round(standings[-1], of_round, number / rounds, every)
        taken = places[
            standing.cuts.take(of_round.cell, of_round.key, of_round.tie, of_round.number)
        ]
        copies[taken] += 1
        remaining[taken] = False
        standings.append(standing)
    return copies, standings
