"""Uses of a unit's documents, and the sums over all units that a plan is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.base.progress import count
from outcross.transforms.estimators import richness
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.length_limits import Limits
from outcross.transforms.selection.quantile import up_to
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.selection.uses import (
    BEYOND,
    FRESH,
    LEDGER,
    NONE,
    OFF_SUPPORT,
    SYNTHETIC,
    TOO_LONG,
    USES,
    WRITABLE,
)

SUPPLY = "supply.npz"
"""File of the sums."""
NAMED = 10
"""Number of documents that are named among those that are too long."""
ARCHIVE = "archive"
"""Salt of the hash that draws a part of a synthetic source."""

Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]


@dataclass(frozen=True)
class SupplySums:
    """Sums over the documents of a run, of S sources, H human ones, D domains and C clusters.

    Attributes:
        amounts: int64[S, USES, 3], documents, tokens and bytes by source and use.
        cells: int64[WRITABLE, D, C], tokens by use, domain and cluster.
        reference: int64[D, C], tokens of the run's own reference by domain and cluster.
        human: int64[H, 2, 2, C], documents of the human sources that may be written, by source,
            class (all others, off_support), measure (documents, tokens) and cluster.
        domains: int64[D], documents by domain, of those that may be written and the reference.
        keys: uint64[USES, 2], sums modulo 2**64 of two hashes of each document's fingerprint.
        longest: int64[USES], tokens of the longest document.
        long: uint64[m, 4], tokens, fingerprint and number of the longest documents among those
            that are too long.
    """

    amounts: Int64s
    cells: Int64s
    reference: Int64s
    human: Int64s
    domains: Int64s
    keys: UInt64s
    longest: Int64s
    long: UInt64s

    @classmethod
    def empty(cls, roles: Sequence[str], domains: int, clusters: int) -> SupplySums:
        """Return the sums of no documents.

        Args:
            roles: role of each source.
            domains: number of domains.
            clusters: number of clusters.
        """
        return cls(
            amounts=np.zeros((len(roles), USES, 3), np.int64),
            cells=np.zeros((len(WRITABLE), domains, clusters), np.int64),
            reference=np.zeros((domains, clusters), np.int64),
            human=np.zeros((roles.count("human"), 2, 2, clusters), np.int64),
            domains=np.zeros(domains, np.int64),
            keys=np.zeros((USES, 2), np.uint64),
            longest=np.zeros(USES, np.int64),
            long=np.zeros((0, 4), np.uint64),
        )

    def __add__(self, other: SupplySums) -> SupplySums:
        both = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        total = {name: a + b for name, (a, b) in both.items() if name not in ("longest", "long")}
        longest = np.maximum(*both["longest"])
        return SupplySums(
            **total, longest=longest, long=longest_first(np.concatenate(both["long"]))
        )

    def to_bytes(self) -> bytes:
        """Pack the sums."""
        return files.pack_arrays({f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> SupplySums:
        """Unpack sums that `to_bytes` packed."""
        return cls(**files.unpack_arrays(data))

    def of_uses(self, *uses: int) -> Int64s:
        """Return int64[3]: documents, tokens and bytes of some uses."""
        total: Int64s = self.amounts[:, list(uses)].sum(axis=(0, 1))
        return total

    def cells_of(self, *uses: int) -> NDArray[np.float64]:
        """Return float64[D, C]: tokens of some uses that may be written."""
        places = [WRITABLE.index(use) for use in uses]
        return np.asarray(self.cells[places].sum(axis=0), np.float64)

    def key(self, *uses: int) -> bytes:
        """Return a hash of the documents of some uses, as a multiset: 24 bytes."""
        documents = self.amounts[:, list(uses), 0].sum(keepdims=True).ravel()
        hashes = self.keys[list(uses)].sum(axis=0, dtype=np.uint64)
        return documents.astype("<i8").tobytes() + hashes.astype("<u8").tobytes()


def longest_first(documents: UInt64s) -> UInt64s:
    """Return the longest documents, NAMED at most; equally long ones by fingerprint and number.

    Args:
        documents: uint64[m, 4], tokens, upper and lower half of the fingerprint, and number.
    """
    tokens, hi, lo, number = documents.T
    return documents[np.lexsort((number, lo, hi, ~tokens))[:NAMED]]


@dataclass
class SumSupply:
    """Work of a sum over units: writes the uses of documents, and adds up the supply.

    Args:
        columns: columns of the units.
        limits: limits of length.
        offsets: int64[units], number of the first document of each unit.
        clusters: number of clusters.
        reference: numbers of the sources that the run's own reference is made of.
        uses: folder of the row-aligned columns `use` and `domain`.
        seed: seed of the run.
        cuts: for synthetic sources that are taken in part, the file of their last hashes.
        parts: for these sources, their places in the file.
    """

    columns: UnitColumns
    limits: Limits
    offsets: Int64s
    clusters: int
    reference: frozenset[int]
    uses: str
    seed: int
    cuts: str | None = None
    parts: Mapping[int, int] = field(default_factory=dict)

    def setup(self) -> None:
        """Do nothing."""

    def start(self) -> list[SupplySums]:
        """Return empty sums."""
        columns = self.columns
        return [SupplySums.empty(columns.roles, len(columns.domains), self.clusters)]

    def add(self, unit: Unit, sums: list[SupplySums]) -> None:
        """Write the uses of a unit's documents, and add them up."""
        columns = self.columns
        names = ["tokens", "size", "fingerprint_hi", "fingerprint_lo", *columns.domain_columns]
        table = columns.sketch(unit, names)
        domain, kept = columns.domains_of(table), columns.kept(unit)
        use = self._uses(unit, table, kept)
        path = unit_file(self.uses, unit.index, "parquet")
        files.write_table(path, pa.table({"use": use, "domain": domain}))
        sums[0] = self._added(sums[0], unit, table, kept, use, domain)
        count("documents", len(use))

    def pack(self, sums: list[SupplySums]) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield SUPPLY, sums[0].to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up sums."""
        total = self.start()[0]
        for part in parts:
            total += SupplySums.from_bytes(part)
        return total.to_bytes()

    def _uses(self, unit: Unit, table: pa.Table, kept: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Return the use of each document of a unit: int8[n]."""
        role, ledger = self.columns.roles[unit.source], unit.source in self.columns.ledger
        tokens = table["tokens"].to_numpy()
        if role == "human":
            use = np.full(len(tokens), LEDGER if ledger else FRESH, np.int8)
        elif role == "synthetic":
            off_support = self.columns.classes_of(unit) == richness.OFF_SUPPORT
            use = np.where(off_support, OFF_SUPPORT, SYNTHETIC).astype(np.int8)
            if unit.source in self.parts:
                assert self.cuts is not None
                last = files.read_json(self.cuts)[self.parts[unit.source]]
                hi, lo = (table[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
                use[~up_to(seeded_hash(hi, lo, self.seed, ARCHIVE), last)] = BEYOND
        else:
            use = np.full(len(tokens), NONE, np.int8)
        use[self.limits.exceeded(role, tokens)] = TOO_LONG
        use[~kept] = NONE
        return use

    def _added(
        self,
        sums: SupplySums,
        unit: Unit,
        table: pa.Table,
        kept: NDArray[np.bool_],
        use: NDArray[np.int8],
        domain: NDArray[np.int16],
    ) -> SupplySums:
        """Add the documents of a unit to sums, whose arrays are changed in place.

        Args:
            sums: sums so far.
            unit: the unit.
            table: its sketches, n rows.
            kept: bool[n], documents that deduplication keeps.
            use: int8[n], uses of the documents.
            domain: int16[n], places of their domains.
        """
        tokens, size = (table[name].to_numpy().astype(np.int64) for name in ("tokens", "size"))
        hi, lo = (table[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        place = use.astype(np.int64)
        for measure, weight in enumerate((np.ones_like(tokens), tokens, size)):
            np.add.at(sums.amounts[unit.source, :, measure], place, weight)
        np.maximum.at(sums.longest, place, tokens)
        for number, column in enumerate(sums.keys.T):
            np.add.at(column, place, seeded_hash(hi, lo, number, "supply"))
        cluster, where = self.columns.clusters_of(unit), domain.astype(np.int64)
        place_of = np.full(USES, -1)
        place_of[list(WRITABLE)] = np.arange(len(WRITABLE))
        written = np.flatnonzero(place_of[place] >= 0)
        cells = place_of[place[written]], where[written], cluster[written]
        np.add.at(sums.cells, cells, tokens[written])
        if self.columns.roles[unit.source] == "human":
            off_support = self.columns.classes_of(unit)[written] == richness.OFF_SUPPORT
            source = self.columns.roles[: unit.source].count("human")
            for measure, weight in enumerate((np.ones_like(written), tokens[written])):
                at = off_support.astype(np.int64), cluster[written]
                np.add.at(sums.human[source, :, measure], at, weight)
        named = written
        if unit.source in self.reference:
            # A document that is too long to be written must not decide its cluster's share.
            members = np.flatnonzero(kept & (use != TOO_LONG))
            np.add.at(sums.reference, (where[members], cluster[members]), tokens[members])
            named = np.union1d(written, members)
        np.add.at(sums.domains, where[named], 1)
        long = np.flatnonzero(use == TOO_LONG)
        number = (self.offsets[unit.index] + long).astype(np.uint64)
        columns = [tokens[long].astype(np.uint64), hi[long], lo[long], number]
        long_documents = np.concatenate([sums.long, np.stack(columns, axis=1)])
        return replace(sums, long=longest_first(long_documents))
