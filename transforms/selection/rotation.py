"""Rotation of the ledger: the documents that were written longest ago are drawn first.

A generation writes a text when it buys it, and each time that it draws it from the ledger. The
lists of reused texts that generations leave in the lineage say which ones they have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.damage import LINEAGE_CURE
from outcross.transforms.exchange.deal import deal, part_of
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.unit_columns import UnitColumns
from outcross.transforms.sketches.aligned import load_unit

FINGERPRINT = ("fingerprint_hi", "fingerprint_lo")
"""Columns of a list of texts, by which it is sorted."""

UInt64s = NDArray[np.uint64]


def rotated(hashes: UInt64s, last: NDArray[np.int32], generations: int) -> UInt64s:
    """Return keys that order documents by the generation that last wrote them, then by hash.

    The keys of each generation have an equal part of the range of all keys. So the leading bits of
    keys divide documents about as evenly as those of hashes do.

    Args:
        hashes: uint64[n], seeded hashes.
        last: int32[n], place of the generation that last wrote each document, from 0.
        generations: number of earlier generations, 1 or more.

    Returns:
        uint64[n]. Hashes that differ by less than `generations` may get equal keys.
    """
    width = np.uint64((2**64 - 1) // generations)
    within = np.minimum(hashes // np.uint64(generations), width - np.uint64(1))
    return last.astype(np.uint64) * width + within


@dataclass(frozen=True)
class Rotation:
    """Order in which a run draws the documents of the ledger.

    Attributes:
        folder: folder of the row-aligned column `last`, which `FindLastWritten` writes. Only units
            of the ledger have a file, and only if there are two earlier generations or more.
        generations: number of earlier generations.
    """

    folder: str
    generations: int

    @property
    def differs(self) -> bool:
        """True if documents of the ledger can have been written by different generations."""
        return self.generations > 1

    def keys(self, unit: int, rows: NDArray[np.int64], hashes: UInt64s) -> UInt64s:
        """Return the keys of some documents of the ledger, the first to draw the smallest.

        Args:
            unit: index of their unit.
            rows: int64[n], their rows in the unit.
            hashes: uint64[n], their seeded hashes.
        """
        if not len(rows) or not self.differs:
            return hashes
        (last,) = load_unit(self.folder, unit, ["last"])
        return rotated(hashes, last[rows], self.generations)


@dataclass
class FindLastWritten:
    """Work of an exchange: finds the generation that last wrote each document of the ledger.

    Documents of equal texts have the same one, the last that bought or drew the text.

    Args:
        columns: columns of the units.
        generations: names of the earlier generations, in order.
        reused: for each of these, the path of its sorted list of reused texts; None if it has none.
        partitions: number of ranges of fingerprints that are compared separately.
        folder: folder of the row-aligned column `last`, places of generations.
    """

    columns: UnitColumns
    generations: Sequence[str]
    reused: Sequence[str | None]
    partitions: int
    folder: str

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[tuple[int, pa.Table]]:
        """Send the fingerprints of a unit of the ledger to their ranges."""
        if unit.source not in self.columns.ledger:
            return
        table = self.columns.sketch(unit, ["id", *FINGERPRINT])
        hi, lo = (table[name].to_numpy() for name in FINGERPRINT)
        columns = dict(zip(FINGERPRINT, (hi, lo), strict=True))
        columns["last"] = bought_by(table["id"].combine_chunks(), self.generations)
        columns["unit"] = np.full(len(hi), unit.index, np.int32)
        columns["row"] = np.arange(len(hi))
        yield from deal(part_of(hi, self.partitions), columns)

    def regroup(self, key: int, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Find who last wrote the texts of a range, and answer to their units."""
        texts = [[rows[name].to_numpy() for name in (*FINGERPRINT, "last")]]
        for number, path in enumerate(self.reused):
            for hi, lo in () if path is None else texts_in_range(path, key, self.partitions):
                texts.append([hi, lo, np.full(len(hi), number, np.int32)])
        last = newest(*(np.concatenate(columns) for columns in zip(*texts, strict=True)))
        columns = {"row": rows["row"].to_numpy(), "last": last[: len(rows)]}
        yield from deal(rows["unit"].to_numpy(), columns)

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the column of a unit."""
        assert rows is not None
        last = np.empty(len(rows), np.int32)
        last[rows["row"].to_numpy()] = rows["last"].to_numpy()
        files.write_table(unit_file(self.folder, key, "parquet"), pa.table({"last": last}))
        yield key


def bought_by(ids: pa.Array, generations: Sequence[str]) -> NDArray[np.int32]:
    """Return the place of the generation that bought each document: int32[n].

    Args:
        ids: string[n], ids of documents of the ledger: GENERATION/SOURCE/ID.
        generations: names of the generations; a document of another one counts as the first's.
    """
    names = pc.list_element(pc.split_pattern(ids, "/", max_splits=1), 0)
    places = pc.index_in(names, value_set=pa.array(generations, names.type))
    return np.asarray(pc.fill_null(places, 0).to_numpy(zero_copy_only=False), np.int32)


def newest(hi: UInt64s, lo: UInt64s, last: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give equal fingerprints the greatest of their values.

    Args:
        hi: uint64[n], upper halves of the fingerprints.
        lo: uint64[n], lower halves.
        last: int32[n], values.

    Returns:
        int32[n].
    """
    if not len(hi):
        return last
    order = np.lexsort((lo, hi))
    upper, lower = hi[order], lo[order]
    begins = np.flatnonzero((upper[1:] != upper[:-1]) | (lower[1:] != lower[:-1])) + 1
    begins = np.concatenate([[0], begins])
    greatest = np.maximum.reduceat(last[order], begins)
    out = np.empty(len(hi), np.int32)
    out[order] = np.repeat(greatest, np.diff(begins, append=len(hi)))
    return out


def texts_in_range(path: str, part: int, parts: int) -> Iterator[tuple[UInt64s, UInt64s]]:
    """Yield the halves of the fingerprints of one range of a sorted list, by row groups.

    Args:
        path: Parquet file with the columns `FINGERPRINT`.
        part: the range, as `part_of` numbers it.
        parts: number of ranges.
    """
    with files.open_parquet(path, LINEAGE_CURE) as data:
        for number in range(data.num_row_groups):
            bounds = data.metadata.row_group(number).column(0).statistics
            if bounds is not None and bounds.has_min_max:
                ends = np.array([bounds.min, bounds.max], np.uint64)
                first, final = part_of(ends, parts).tolist()
                if not first <= part <= final:
                    continue
            group = data.read_row_group(number, columns=list(FINGERPRINT), use_threads=False)
            hi, lo = (column.to_numpy() for column in group.columns)
            rows = part_of(hi, parts) == part
            yield hi[rows], lo[rows]
