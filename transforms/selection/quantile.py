"""Weighted quantiles: the hash up to which the documents of a group hold some amount of tokens.

Two passes over units find it exactly, and no worker holds more than a small part of the documents:

    SumBuckets              tokens of each group by the leading bits of the hash
    CutByHash, DrawByHash   the few documents around the quantile decide
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files

BITS = 14
"""Leading bits of a hash that number its bucket."""
BUCKETS = 1 << BITS
LAST_HASH = (1 << 64) - 1
"""Greatest hash."""
CUTS, DRAWN = "cuts.json", "drawn.npz"
"""Files of the last hash of each group, and of the drawn tokens of each cell."""

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


class HashedRows(NamedTuple):
    """Documents in groups, each in the order of their hashes.

    Attributes:
        group: int64[n], group of each document.
        hash: uint64[n], seeded hashes, or other keys that are spread as evenly.
        tokens: int64[n], lengths.
        cell: int64[n], cell of each document; documents of a cell are of one group.
    """

    group: Int64s
    hash: NDArray[np.uint64]
    tokens: Int64s
    cell: Int64s

    def take(self, rows: NDArray[Any]) -> HashedRows:
        """Take some rows."""
        return HashedRows(*(column[rows] for column in self))

    @classmethod
    def join(cls, parts: Sequence[HashedRows]) -> HashedRows:
        """Join rows, at least one part."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Hashed(Protocol):
    """Documents of units, with their groups and hashes."""

    def rows(self, unit: Unit) -> HashedRows:
        """Return the rows of a unit."""
        ...


def bucket_of(hashes: NDArray[np.uint64]) -> Int64s:
    """Return the bucket of each hash: int64[n], 0 to BUCKETS - 1."""
    return (hashes >> np.uint64(64 - BITS)).astype(np.int64)


def tokens_by_bucket(rows: HashedRows, groups: int) -> Int64s:
    """Add up the tokens of each group by bucket: int64[groups, BUCKETS]."""
    place = rows.group * BUCKETS + bucket_of(rows.hash)
    tokens = np.bincount(place, rows.tokens, groups * BUCKETS)
    return tokens.astype(np.int64).reshape(groups, BUCKETS)


def windows(buckets: Int64s, wanted: Floats, slack: float = 0.0) -> NDArray[np.int64]:
    """Find the buckets in which the documents lie up to which tokens reach the wanted amounts.

    Args:
        buckets: int64[G, BUCKETS], tokens of each group by bucket.
        wanted: float64[G], tokens.
        slack: most tokens by which an amount may turn out larger or smaller.

    Returns:
        int64[G, 2], first bucket and the one after the last.
    """
    bounds = np.zeros((len(buckets), 2), np.int64)
    for bound, tokens, amount in zip(bounds, buckets, wanted, strict=True):
        low, high = np.searchsorted(np.cumsum(tokens), [amount - slack, amount + slack])
        bound[:] = low, min(high + 1, BUCKETS)
    return bounds


def reaching(tokens: Int64s, wanted: float) -> int:
    """Count the first documents that together reach an amount of tokens; all if none do.

    Args:
        tokens: int64[n], lengths of documents in their order.
        wanted: tokens; nothing is needed for 0 or less.
    """
    if wanted <= 0:
        return 0
    return min(int(np.searchsorted(np.cumsum(tokens), wanted)) + 1, len(tokens))


def nearest(tokens: Int64s, wanted: float) -> int:
    """Count the first documents whose tokens come nearest to an amount.

    The last one is taken if it is at most twice as long as what is missing before it.

    Args:
        tokens: int64[n], lengths of documents in their order.
        wanted: tokens.
    """
    count = reaching(tokens, wanted)
    if count and 2 * (wanted - int(tokens[: count - 1].sum())) < tokens[count - 1]:
        count -= 1
    return count


def in_order(rows: HashedRows) -> HashedRows:
    """Sort rows by group, hash, tokens and cell; rows equal in all of these are interchangeable."""
    return rows.take(np.lexsort((rows.cell, rows.tokens, rows.hash, rows.group)))


@dataclass
class SumBuckets:
    """Work of a sum over units: tokens of each group by bucket of the hash.

    Args:
        documents: documents of the units.
        groups: number of groups.
    """

    documents: Hashed
    groups: int

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> Int64s:
        """Return empty sums."""
        return np.zeros((self.groups, BUCKETS), np.int64)

    def add(self, unit: Unit, sums: Int64s) -> None:
        """Add the documents of a unit."""
        sums += tokens_by_bucket(self.documents.rows(unit), self.groups)

    def pack(self, sums: Int64s) -> Iterator[tuple[str, bytes]]:
        """Yield the sums of each group."""
        for group in np.flatnonzero(sums.any(axis=1)).tolist():
            yield _buckets_file(group), sums[group].astype("<i8").tobytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the sums of a group."""
        return np.sum([np.frombuffer(part, "<i8") for part in parts], axis=0).tobytes()


def read_buckets(folder: str, groups: int) -> Int64s:
    """Read the sums of `SumBuckets`: int64[groups, BUCKETS]."""
    buckets = np.zeros((groups, BUCKETS), np.int64)
    for group, row in enumerate(buckets):
        path = files.join(folder, _buckets_file(group))
        if files.exists(path):  # a group without a word has no file
            row[:] = files.read_as(path, lambda data: np.frombuffer(data, "<i8"))
    return buckets


def _buckets_file(group: int) -> str:
    return f"buckets-{group:05d}"


@dataclass
class _Around:
    """Documents around the quantiles of all groups.

    Args:
        documents: documents of the units.
        buckets: folder of the sums of `SumBuckets`, over the same documents.
        wanted: tokens of each group.
        slack: most tokens by which an amount may turn out larger or smaller.
    """

    documents: Hashed
    buckets: str
    wanted: Sequence[float]
    slack: float = field(default=0.0, kw_only=True)

    def setup(self) -> None:
        """Do nothing."""

    def _sums(self) -> tuple[Int64s, NDArray[np.int64]]:
        """Read the tokens by bucket, and find the windows of the groups."""
        buckets = read_buckets(self.buckets, len(self.wanted))
        return buckets, windows(buckets, np.array(self.wanted, np.float64), self.slack)


class _Cut(NamedTuple):
    windows: NDArray[np.int64]
    rows: list[HashedRows]


class CutByHash(_Around):
    """Work of a sum over units: last hash of each group whose documents reach an amount.

    The documents up to this hash are the fewest that reach it. All with the same hash count, as
    they have the same text.
    """

    def start(self) -> _Cut:
        """Return no documents."""
        return _Cut(self._sums()[1], [])

    def add(self, unit: Unit, sums: _Cut) -> None:
        """Collect the documents around the cut of their group."""
        rows = self.documents.rows(unit)
        bounds, bucket = sums.windows[rows.group], bucket_of(rows.hash)
        sums.rows.append(rows.take((bucket >= bounds[:, 0]) & (bucket < bounds[:, 1])))

    def pack(self, sums: _Cut) -> Iterator[tuple[str, bytes]]:
        """Yield the documents."""
        if sums.rows:
            yield CUTS, files.pack_arrays(HashedRows.join(sums.rows)._asdict())

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Find the cut of each group, as JSON; -1 where nothing is wanted."""
        buckets, bounds = self._sums()
        rows = in_order(HashedRows.join([HashedRows(**files.unpack_arrays(p)) for p in parts]))
        cuts = []
        for group, wanted in enumerate(self.wanted):
            part = rows.take(rows.group == group)
            before = int(buckets[group, : bounds[group, 0]].sum())
            count = reaching(part.tokens, wanted - before)
            if wanted >= buckets[group].sum():
                cuts.append(LAST_HASH)  # with the documents without words
            else:
                cuts.append(int(part.hash[count - 1]) if count else -1)
        return json.dumps(cuts).encode()


def up_to(hashes: NDArray[np.uint64], last: int) -> NDArray[np.bool_]:
    """Mark the hashes up to the last one of a cut; -1 marks none."""
    return np.asarray(hashes <= np.uint64(max(last, 0))) & (last >= 0)


class _Draw(NamedTuple):
    windows: NDArray[np.int64]
    tokens: Int64s
    rows: list[HashedRows]


@dataclass
class DrawByHash(_Around):
    """Work of a sum over units: tokens by cell of the documents that fill quotas by hash.

    A group gives the start of its documents that comes nearest to its quota. The difference is
    carried to the next group. So `slack` must be at least half of the longest document.

    Args:
        cells: number of cells.
    """

    cells: int

    def start(self) -> _Draw:
        """Return no documents."""
        buckets, bounds = self._sums()
        bounds[np.array(self.wanted) >= buckets.sum(axis=1)] = BUCKETS  # all are drawn
        return _Draw(bounds, np.zeros(self.cells, np.int64), [])

    def add(self, unit: Unit, sums: _Draw) -> None:
        """Add up what is drawn in any case, and collect the documents around the quotas."""
        rows = self.documents.rows(unit)
        bounds, bucket = sums.windows[rows.group], bucket_of(rows.hash)
        np.add.at(sums.tokens, *_cells(rows.take(bucket < bounds[:, 0])))
        sums.rows.append(rows.take((bucket >= bounds[:, 0]) & (bucket < bounds[:, 1])))

    def pack(self, sums: _Draw) -> Iterator[tuple[str, bytes]]:
        """Yield the sums and the documents."""
        if sums.rows:
            rows = HashedRows.join(sums.rows)._asdict()
            yield DRAWN, files.pack_arrays({"drawn": sums.tokens, **rows})

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Draw from the documents around the quotas, group after group."""
        buckets, bounds = self._sums()
        unpacked = [files.unpack_arrays(part) for part in parts]
        drawn = np.sum([part.pop("drawn") for part in unpacked], axis=0)
        rows = in_order(HashedRows.join([HashedRows(**part) for part in unpacked]))
        carried = 0.0
        for group, quota in enumerate(self.wanted):
            supply = int(buckets[group].sum())
            if quota >= supply:
                carried += quota - supply
                continue
            part = rows.take(rows.group == group)
            wanted = quota + carried - int(buckets[group, : bounds[group, 0]].sum())
            taken = part.take(np.arange(nearest(part.tokens, wanted)))
            np.add.at(drawn, *_cells(taken))
            carried = wanted - int(taken.tokens.sum())
        return files.pack_arrays({"drawn": drawn})


def _cells(rows: HashedRows) -> tuple[Int64s, Int64s]:
    return rows.cell, rows.tokens
