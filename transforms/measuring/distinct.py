"""Exchange that counts the different texts, and the different answers to prompts, by source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file

if TYPE_CHECKING:
    from outcross.transforms.exchange.packing import Keyed

_COLUMNS = ("hi", "lo", "prompt", "source")


def first_rows(rows: pa.Table) -> NDArray[np.bool_]:
    """Find one row of each text of each source and prompt.

    Args:
        rows: `hi` and `lo`, the halves of the fingerprints; `prompt`, the hash of the prompt or 0;
            `source`, the number of the source.

    Returns:
        bool[n], True for one of the rows that are equal in all columns.
    """
    return _first(*(rows[name].to_numpy() for name in _COLUMNS))


def count_distinct_by_source(rows: pa.Table, sources: int) -> NDArray[np.int64]:
    """Count the different texts and answers of a partition, which has all rows of its texts.

    Args:
        rows: columns as in `first_rows`.
        sources: number of sources.

    Returns:
        int64[2, S]: different texts; different texts that answer a prompt, by prompt.
    """
    hi, lo, prompt, source = (rows[name].to_numpy() for name in _COLUMNS)
    texts = source[_first(hi, lo, source)]
    answered = prompt != 0
    columns = (column[answered] for column in (hi, lo, prompt, source))
    answers = source[answered][_first(*columns)]
    counts = [np.bincount(part, minlength=sources) for part in (texts, answers)]
    return np.stack(counts).astype(np.int64)


def _first(hi: NDArray[np.uint64], *columns: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Find one row of each combination of values; most rows differ in `hi` alone."""
    order = np.argsort(hi)
    same = hi[order][1:] == hi[order][:-1]
    shared = np.zeros(len(hi), bool)
    shared[1:] |= same
    shared[:-1] |= same
    first = np.ones(len(hi), bool)
    rows = order[shared]
    rows = rows[np.lexsort([column[rows] for column in (*columns, hi)])]
    equal = [column[rows][1:] == column[rows][:-1] for column in (*columns, hi)]
    first[rows[1:][np.logical_and.reduce(equal)]] = False
    return first


@dataclass
class CountDistinct:
    """Work of the exchange: each unit sends its different texts, each partition counts.

    Args:
        sketches: folder of the sketches.
        sources: number of sources.
        partitions: number of partitions.
        folder: folder that gets the counts, an array for each partition.
    """

    sketches: str
    sources: int
    partitions: int
    folder: str

    def setup(self) -> None:
        """Do nothing, as units share no data."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the different texts of a unit by partition."""
        columns = ["fingerprint_hi", "fingerprint_lo", "prompt"]
        rows = files.read_table(unit_file(self.sketches, unit.index, "parquet"), columns)
        rows = rows.rename_columns(list(_COLUMNS[:3]))
        rows = rows.append_column("source", pa.array(np.full(len(rows), unit.source, np.int32)))
        rows = rows.filter(pa.array(first_rows(rows)))
        yield from parted(rows, rows["hi"].to_numpy(), self.partitions)

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the counts of a partition."""
        if rows is not None:
            counts = count_distinct_by_source(rows, self.sources)
            files.write_array(unit_file(self.folder, key, "npy"), counts)
        yield key


def parted(rows: pa.Table, values: NDArray[np.uint64], partitions: int) -> Iterator[Keyed]:
    """Deal rows to partitions.

    Args:
        rows: n rows.
        values: uint64[n], evenly distributed hashes to deal by.
        partitions: number of partitions.

    Yields:
        Each partition that gets rows, with its rows.
    """
    partition = (values >> np.uint64(32)).astype(np.int64) % partitions
    order = np.argsort(partition, kind="stable")
    rows = rows.take(pa.array(order))
    cuts = np.searchsorted(partition[order], np.arange(partitions + 1))
    for number in range(partitions):
        if cuts[number] < cuts[number + 1]:
            yield number, rows.slice(cuts[number], cuts[number + 1] - cuts[number])


def total_distinct(folder: str, sources: int) -> NDArray[np.int64]:
    """Add up the counts of all partitions: int64[2, S], as `count_distinct_by_source` gives."""
    total = np.zeros((2, sources), np.int64)
    for path in files.list_files(files.join(folder, "unit-*.npy")):
        total += files.read_array(path)
    return total
