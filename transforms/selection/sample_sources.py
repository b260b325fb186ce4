"""Sums over the documents of each source, and the n-grams of an even sample of each new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.selection.length_limits import Limits
from outcross.transforms.selection.quantile import HashedRows, up_to
from outcross.transforms.selection.supply import ARCHIVE
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams

HELD = "held.npz"
"""File of the documents and tokens of each source after deduplication."""


@dataclass(frozen=True)
class SourceRows:
    """Documents that may be written of some sources, each source a group.

    Attributes:
        columns: columns of the units.
        limits: limits of length.
        seed: seed of the run.
        sources: numbers of the sources, in the order of the groups.
    """

    columns: UnitColumns
    limits: Limits
    seed: int
    sources: Sequence[int]

    def writable(self, unit: Unit) -> NDArray[np.bool_]:
        """Mark the kept documents of a unit that are not too long: bool[n]."""
        tokens = self.columns.sketch(unit, ["tokens"])["tokens"].to_numpy()
        role = self.columns.roles[unit.source]
        return self.columns.kept(unit) & ~self.limits.exceeded(role, tokens)

    def hashes(self, unit: Unit) -> NDArray[np.uint64]:
        """Hash the documents of a unit for the draw of a part of their source: uint64[n]."""
        table = self.columns.sketch(unit, ["fingerprint_hi", "fingerprint_lo"])
        hi, lo = (column.to_numpy() for column in table.columns)
        return seeded_hash(hi, lo, self.seed, ARCHIVE)

    def rows(self, unit: Unit) -> HashedRows:
        """Return the rows of a unit."""
        if unit.source not in self.sources:
            nothing = np.zeros(0, np.int64)
            return HashedRows(nothing, nothing.astype(np.uint64), nothing, nothing)
        chosen = self.writable(unit)
        tokens = self.columns.sketch(unit, ["tokens"])["tokens"].to_numpy().astype(np.int64)
        group = np.full(int(chosen.sum()), list(self.sources).index(unit.source), np.int64)
        return HashedRows(group, self.hashes(unit)[chosen], tokens[chosen], group)


@dataclass
class SumSources:
    """Work of a sum over units: documents and tokens of each source that may be written.

    Args:
        documents: documents of the sources.
    """

    documents: SourceRows

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> NDArray[np.int64]:
        """Return empty sums."""
        return np.zeros((len(self.documents.columns.roles), 2), np.int64)

    def add(self, unit: Unit, sums: NDArray[np.int64]) -> None:
        """Add the documents of a unit."""
        columns = self.documents.columns
        if columns.roles[unit.source] in WRITABLE:
            tokens = columns.sketch(unit, ["tokens"])["tokens"].to_numpy()
            chosen = self.documents.writable(unit)
            sums[unit.source] += chosen.sum(), tokens[chosen].sum()

    def pack(self, sums: NDArray[np.int64]) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield HELD, files.pack_arrays({"held": sums})

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up sums."""
        held = np.sum([files.unpack_arrays(part)["held"] for part in parts], axis=0)
        return files.pack_arrays({"held": held})


@dataclass
class CountSamples:
    """Work of a sum over units: n-grams of the documents of each source up to a hash.

    Args:
        documents: documents of the sources.
        cuts: file of the last hash of each source.
        names: names of the sums, one for each source.
    """

    documents: SourceRows
    cuts: str
    names: Sequence[str]

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> dict[str, Tables]:
        """Return no counts."""
        return {}

    def add(self, unit: Unit, sums: dict[str, Tables]) -> None:
        """Count the n-grams of the sampled documents of a unit."""
        if unit.source not in self.documents.sources:
            return
        group = list(self.documents.sources).index(unit.source)
        last = files.read_json(self.cuts)[group]
        if last < 0:
            return
        chosen = self.documents.writable(unit) & up_to(self.documents.hashes(unit), last)
        tables = sums.setdefault(self.names[group], Tables.empty(DISTANCE_BUCKETS))
        add_ngrams(self.documents.columns, unit, chosen, tables)

    def pack(self, sums: dict[str, Tables]) -> Iterator[tuple[str, bytes]]:
        """Yield the counts of each source."""
        for name, tables in sums.items():
            yield name, tables.to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the counts of a source."""
        return merge_tables(parts)


def add_ngrams(columns: UnitColumns, unit: Unit, chosen: NDArray[np.bool_], tables: Tables) -> None:
    """Count the n-grams of some documents of a unit.

    Args:
        columns: columns of the units.
        unit: the unit.
        chosen: bool[n], documents to count.
        tables: counts to add to, in place.
    """
    if chosen.any():
        offsets, ids = ngram_runs(columns.sketch(unit, NGRAM_COLUMNS))
        count_ngrams(offsets, ids, chosen, tables.unigrams, tables.bigrams)


def merge_tables(parts: Iterable[bytes]) -> bytes:
    """Add up packed tables."""
    return reduce(Tables.merge, map(Tables.from_bytes, parts)).to_bytes()
