"""The sets of documents that a job measures: by stage, shard and domain, and those judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.gates import Gates
from outcross.transforms.base import files
from outcross.transforms.measuring.totals import domain_codes
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.writing.shards import shard_of

JUDGED = "judged"
"""Name of the set that the gates judge, where they don't judge all documents."""


@dataclass(frozen=True)
class Appearances:
    """The m appearances in shards of a unit's documents.

    Attributes:
        row: int64[m], row of each one, ascending.
        copy: int64[m], number of the appearance of its row, from 1.
        shard: int64[m], number of the shard.
    """

    row: NDArray[np.int64]
    copy: NDArray[np.int64]
    shard: NDArray[np.int64]

    def by_shard(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield each shard with its appearances, as ascending places."""
        order = np.argsort(self.shard, kind="stable")
        numbers, starts = np.unique(self.shard[order], return_index=True)
        yield from zip(numbers.tolist(), np.split(order, starts[1:]), strict=False)


@dataclass
class Grouping:
    """The sets of documents that a job measures.

    Attributes:
        roles: role of each source; None for a source that is not measured.
        verdicts: folder of `partner`.
        selection: folder of `copies`.
        domains: names of the measured domains; empty where no document names one.
        gates: limits, which name the domains that are not judged.
        partly_judged: True if only some documents are judged, so that these make a set.
        shards: number of shards.
        seed: seed of the run, for the hash that deals copies to shards.
        copies_together: True if the hash deals all copies of a document to one shard.
        file_runs: file that holds the shard and length of each run of rows of each unit, JSON by
            unit; None where a hash deals copies to shards.
        replaced: indexes of the units whose documents are offered in passages, and not measured.
    """

    roles: Sequence[str | None]
    verdicts: str
    selection: str
    domains: Sequence[str]
    gates: Gates
    partly_judged: bool
    shards: int
    seed: int
    copies_together: bool = False
    file_runs: str | None = None
    replaced: frozenset[int] = frozenset()

    @cached_property
    def _runs(self) -> dict[str, list[tuple[int, int]]]:
        assert self.file_runs is not None
        runs: dict[str, list[tuple[int, int]]] = files.read_json(self.file_runs)
        return runs

    def kept(self, unit: Unit) -> NDArray[np.bool_]:
        """Return bool[n], documents of a unit that deduplication kept."""
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        kept: NDArray[np.bool_] = partner < 0
        return kept

    def appearances(
        self, unit: Unit, hi: NDArray[np.uint64], lo: NDArray[np.uint64]
    ) -> Appearances:
        """Return the appearances of a unit's documents in shards.

        Args:
            unit: unit of the input.
            hi: uint64[n], upper halves of its documents' fingerprints; for a passage, those of the
                document that it is part of.
            lo: uint64[n], lower halves of the same.
        """
        (copies,) = load_unit(self.selection, unit.index, ["copies"])
        row = np.repeat(np.arange(len(copies)), copies)
        copy = np.arange(len(row)) - (np.cumsum(copies) - copies)[row] + 1
        if self.file_runs is not None:
            number, length = np.array(self._runs[str(unit.index)], np.int64).reshape(-1, 2).T
            return Appearances(row, copy, np.repeat(number, length)[row])
        hashed_copy = np.ones_like(copy) if self.copies_together else copy
        shard = shard_of(hi[row], lo[row], hashed_copy, self.seed, self.shards)
        return Appearances(row, copy, shard)

    def stages(
        self, unit: Unit, kept: NDArray[np.bool_]
    ) -> Iterator[tuple[str, NDArray[np.int64], int]]:
        """Split a unit's documents into those that deduplication removed and those it kept.

        Yields:
            Name of a set; its rows, int64[m], ascending; the number of rows that repeat another
            document.
        """
        role, removed = self.roles[unit.source], np.flatnonzero(~kept)
        yield f"removed/{role}", removed, len(removed)
        yield f"deduplicate/{role}", np.flatnonzero(kept), 0

    def parts(
        self, appearances: Appearances, domain: pa.ChunkedArray | None
    ) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Split a unit's appearances by domain, and take those that are judged.

        Args:
            appearances: appearances of its documents.
            domain: string[n], names of its documents' domains; None where no document names one.

        Yields:
            Name of a set; its appearances, int64[m], as ascending places.
        """
        if domain is None:  # then all documents are judged, or none
            return
        codes, names = domain_codes(domain)
        code = codes[appearances.row]
        number = {name: place for place, name in enumerate(self.domains)}
        place = np.array([number.get(name, -1) for name in names], np.int64)[code]
        for value in np.unique(place[place >= 0]).tolist():
            yield f"domain/{value}", np.flatnonzero(place == value)
        if self.partly_judged:
            judged = np.array([not self.gates.converges(name) for name in names], bool)[code]
            if judged.any():
                yield JUDGED, np.flatnonzero(judged)


def set_file(name: str) -> str:
    """Return the name of the file of a set's accumulators."""
    return name.replace("/", "-") + ".npz"
