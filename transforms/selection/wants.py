"""Wants: what the cells of a plan still want, in every step of a selection.

A cell is a cluster of a domain. Each of `USES` has a quota, a supply and a cap for every cell. A
cell whose quota is larger than its supply first gets all its documents as often as fits in full.
The rest, less than its supply, is filled by the order of the documents' keys.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.files import pack_arrays, unpack_arrays
from outcross.transforms.selection.cuts import Cuts, Rows, Windows, cut
from outcross.transforms.selection.uses import FRESH, LEDGER, OFF_SUPPORT, SYNTHETIC

USES = (FRESH, LEDGER, OFF_SUPPORT, SYNTHETIC)
"""Uses in the order in which their quotas are filled."""
SCORED = USES.index(SYNTHETIC)
"""Place of the use that is filled last, in rounds."""

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Quotas:
    """Quotas of a plan, by use and cell; U uses and C cells.

    Attributes:
        quota: float64[U, C], tokens to take.
        supply: int64[U, C], tokens of the documents, each once.
        cap: int64[U, C], most copies of a document.
    """

    quota: Floats
    supply: Int64s
    cap: Int64s

    def to_bytes(self) -> bytes:
        """Pack the quotas."""
        return pack_arrays({"quota": self.quota, "supply": self.supply, "cap": self.cap})

    @classmethod
    def from_bytes(cls, data: bytes) -> Quotas:
        """Unpack quotas that `to_bytes` packed."""
        return cls(**unpack_arrays(data))

    @property
    def synthetic(self) -> bool:
        """True where synthetic documents are wanted."""
        return bool(self.quota[SCORED].any())

    def takes_nearly_all(self, share: float) -> bool:
        """Return whether the synthetic quotas take at least a share of the candidates' tokens.

        Args:
            share: 0 to 1; of the candidates that full copies leave open.
        """
        full, rest = full_copies(self.quota[SCORED], self.supply[SCORED], self.cap[SCORED])
        open_supply = self.supply[SCORED][full < self.cap[SCORED]].sum()
        return math.fsum(rest) >= share * float(open_supply)


@dataclass(frozen=True)
class Standing:
    """Tokens that the cells have got and want, after one step.

    Attributes:
        full: int64[U, C], full copies of all documents of a cell.
        rest: float64[U, C], tokens that a cell wants beyond its full copies.
        got: int64[U, C], tokens that it has got of them.
        cuts: documents that the step takes, of U x C cells.
    """

    full: Int64s
    rest: Floats
    got: Int64s
    cuts: Cuts

    def to_bytes(self) -> bytes:
        """Pack the standing."""
        arrays = {"full": self.full, "rest": self.rest, "got": self.got, **self.cuts.arrays()}
        return pack_arrays(arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Standing:
        """Unpack a standing that `to_bytes` packed."""
        arrays = unpack_arrays(data)
        return cls(arrays["full"], arrays["rest"], arrays["got"], Cuts.of(arrays))

    def threshold(self, quotas: Quotas, rounds: int) -> np.uint64:
        """Return the hash below which a remaining candidate is in the expected mix of a round.

        The mix looks half a round ahead, and no further than to what is missing. Of all hashes,
        that is the share of these tokens among those of the remaining candidates. A mix that looks
        further hides what the chosen documents lack behind what chance would bring
        (benchmarks/loop/README.md).

        Args:
            quotas: quotas of the plan.
            rounds: number of rounds.
        """
        rest, got = self.rest[SCORED], self.got[SCORED]
        open_cells = (self.full[SCORED] < quotas.cap[SCORED]) & (rest > 0)
        wanted = int(math.fsum(rest))
        ahead = min(max(wanted - int(got.sum()), 0), wanted // (2 * rounds))
        remaining = int((quotas.supply[SCORED] - got)[open_cells].sum())
        return np.uint64(min((ahead << 64) // max(remaining, 1), 2**64 - 1))


def full_copies(quota: Floats, supply: Int64s, cap: Int64s) -> tuple[Int64s, Floats]:
    """Divide quotas into full copies of all documents and a rest.

    Args:
        quota: float64[C], tokens of each cell.
        supply: int64[C], tokens of its documents.
        cap: int64[C], most copies of a document.

    Returns:
        int64[C], full copies; float64[C], rests, 0 where the cap is reached.
    """
    full = np.where(supply > 0, quota // np.maximum(supply, 1), 0).astype(np.int64)
    full = np.minimum(full, cap)
    rest = np.where((supply > 0) & (full < cap), np.maximum(quota - full * supply, 0.0), 0.0)
    return full, rest


def within_supply(quota: Floats, supply: Int64s, cap: Int64s, total: float) -> Floats:
    """Change quotas to another sum, and move what a cell can't hold to cells with room.

    Args:
        quota: float64[C], tokens of each cell.
        supply: int64[C], tokens of its documents.
        cap: int64[C], most copies of a document.
        total: tokens of all cells, 0 or more.

    Returns:
        float64[C]; all the cells hold if that is less than `total`.
    """
    asked = math.fsum(quota)
    most = (supply * cap).astype(np.float64)
    held = np.minimum(quota / asked * total if asked > 0 else quota, most)
    excess, room = total - math.fsum(held), most - held
    space = math.fsum(room)
    if excess <= 0 or space <= 0:
        return held
    return np.minimum(held + room * min(excess / space, 1.0), most)


def first_wants(quotas: Quotas) -> tuple[Int64s, Floats]:
    """Return the full copies and rests of the uses that are filled by hash: [U, C] each."""
    full, rest = full_copies(quotas.quota, quotas.supply, quotas.cap)
    full[SCORED], rest[SCORED] = 0, 0.0  # they follow when the other uses are rounded
    return full, rest


def fill_by_hash(quotas: Quotas, rows: Rows, windows: Windows) -> Standing:
    """Fill all quotas but the synthetic ones, and divide these into full copies and a rest.

    Totals make up for the rounding to whole documents: the ledger for that of fresh text, and the
    synthetic quotas for all.

    Args:
        quotas: quotas of the plan.
        rows: candidates of U x C cells.
        windows: windows of the cells.
    """
    uses, cells = quotas.quota.shape
    full, rest = first_wants(quotas)
    cuts = []
    got = np.zeros_like(full)
    owed = over = 0.0
    for place in range(SCORED):
        total = math.fsum(quotas.quota[place]) - float((full[place] * quotas.supply[place]).sum())
        carried = owed if USES[place] == LEDGER else 0.0
        cuts.append(_cut_use(place, rows, rest[place], total + carried, windows))
        got[place] = cuts[-1].taken
        owed = total - float(got[place].sum())
        over -= owed
    wanted = math.fsum(quotas.quota[SCORED])
    if wanted > 0:
        of_synthetic = quotas.quota[SCORED], quotas.supply[SCORED], quotas.cap[SCORED]
        quota = within_supply(*of_synthetic, max(wanted - over, 0.0))
        full[SCORED], rest[SCORED] = full_copies(quota, *of_synthetic[1:])
    nothing = Cuts.nothing(cells)
    return Standing(full, rest, got, _joined([*cuts, *[nothing] * (uses - SCORED)]))


def round_wants(standing: Standing, share: float) -> tuple[Floats, float]:
    """Return what the synthetic cells want of one round, and all of them together.

    Args:
        standing: standing before the round.
        share: share of the rests that is filled after the round: i/R, 1 in the last round.

    Returns:
        float64[C], tokens of each cell; tokens of all cells.
    """
    got = standing.got[SCORED]
    target = standing.rest[SCORED] * share
    total = max(math.fsum(target) - float(got.sum()), 0.0)
    # A cell that got too much in an earlier round lowers the amounts of all.
    wanted = np.maximum(target - got, 0.0)
    together = math.fsum(wanted)
    return wanted * (total / together if together > 0 else 0.0), total


def fill_round(standing: Standing, rows: Rows, share: float, windows: Windows) -> Standing:
    """Fill a part of the synthetic quotas.

    Args:
        standing: standing before the round.
        rows: remaining candidates of U x C cells.
        share: share of the rests that is filled after the round.
        windows: windows of the cells.
    """
    uses, cells = standing.full.shape
    wanted, total = round_wants(standing, share)
    taken = _cut_use(SCORED, rows, wanted, total, windows)
    got = standing.got.copy()
    got[SCORED] += taken.taken
    nothing = Cuts.nothing(cells)
    parts = [taken if place == SCORED else nothing for place in range(uses)]
    return replace(standing, got=got, cuts=_joined(parts))


def _cut_use(place: int, rows: Rows, wanted: Floats, total: float, windows: Windows) -> Cuts:
    """Cut the cells of one use.

    Args:
        place: place of the use in `USES`.
        rows: candidates of U x C cells.
        wanted: float64[C], tokens that each cell wants.
        total: tokens that all cells want together.
        windows: windows of the U x C cells.
    """
    cells = len(wanted)
    low, high = place * cells, (place + 1) * cells
    of_use = rows.take(np.flatnonzero((rows.cell >= low) & (rows.cell < high)))
    of_use = replace(of_use, cell=of_use.cell - low)
    part = slice(low, high)
    own: dict[str, Any] = {
        name: getattr(windows, name)[part] for name in windows.__dataclass_fields__
    }
    return cut(of_use, wanted, total, Windows(**own))


def _joined(parts: list[Cuts]) -> Cuts:
    """Join the cuts of the cells of all uses."""
    arrays = [part.arrays() for part in parts]
    joined = {name: np.concatenate([a[name] for a in arrays]) for name in arrays[0]}
    return Cuts.of({**joined, "beyond": np.sort(joined["beyond"])})
