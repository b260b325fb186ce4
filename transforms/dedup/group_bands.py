"""The transform that groups documents that share the value of a band."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.dedup.bands import ENTRY
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.text.minhash import band_values

# Packed entries, or the file that holds them, and which of it.
_Packed = bytes | tuple[str, int, int]


@dataclass
class GroupBands(beam.PTransform):
    """Group documents by their LSH band values.

    Elements in: lists of `Unit`; elements out: names of files that hold (band value, position)
    entries of the groups with two members or more. Beam's cost is per element, so one packed array
    for each unit and partition is shuffled, or the place on disk where it lies.

    Args:
        sketches: files of the units' sketches, by index of the unit.
        positions: folder of row-aligned positions in the order; -1 for documents that don't
            participate.
        folder: folder of the groups' files.
        bands, rows: numbers of bands, and of signature values in a band.
        bits: number of leading bits of a band value that choose its partition.
        spill: folder that all workers share, for entries on their way; None to shuffle them.
    """

    sketches: Sequence[str]
    positions: str
    folder: str
    bands: int
    rows: int
    bits: int
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Deal entries to partitions, and group each partition."""
        return lanes | beam.ParDo(_Entries(self)) | beam.GroupByKey() | beam.ParDo(_Groups(self))


class _Entries(beam.DoFn):
    def __init__(self, settings: GroupBands) -> None:
        self.sketches, self.positions = settings.sketches, settings.positions
        self.bands, self.rows, self.bits = settings.bands, settings.rows, settings.bits
        self.spill = settings.spill

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[int, _Packed]]:
        for unit in lane:
            entries, cuts = self._entries(unit)
            path = None if self.spill is None else unit_file(self.spill, unit.index, "entries")
            if path is not None:
                entries.tofile(path)
            for partition, (start, stop) in enumerate(pairwise(cuts)):
                if stop > start:
                    span = entries[start:stop].tobytes() if path is None else (path, start, stop)
                    yield partition, span

    def _entries(self, unit: Unit) -> tuple[NDArray[Any], list[int]]:
        """Return a unit's entries by partition, and the places where partitions begin and end."""
        position = files.read_array(unit_file(self.positions, unit.index, "npy"))
        count("documents", len(position))
        participates = position >= 0
        if not participates.any():
            return np.zeros(0, ENTRY), [0]
        column = files.read_table(self.sketches[unit.index], ["signature"]).column(0)
        signatures = fixed_matrix(column, np.uint32)[participates]
        values = band_values(signatures, self.bands, self.rows).ravel()
        partition = (values >> np.uint64(64 - self.bits)).astype(np.uint16)
        order = np.argsort(partition, kind="stable")  # of two bytes a radix sort
        entries = np.empty(len(order), ENTRY)
        entries["band"] = values[order]
        entries["rank"] = position[participates][order // self.bands]
        ends = np.cumsum(np.bincount(partition, minlength=1 << self.bits))
        return entries, [0, *ends.tolist()]


class _Groups(beam.DoFn):
    def __init__(self, settings: GroupBands) -> None:
        self.folder = settings.folder

    def process(self, item: tuple[int, Any]) -> Iterator[str]:
        partition, packed = item
        entries = np.concatenate([_unpack(span) for span in packed])
        # Hardly any are shared, and sorting by one number is quick.
        bands = np.ascontiguousarray(entries["band"])
        order = np.argsort(bands)
        same = bands[order][1:] == bands[order][:-1]
        shared = np.zeros(len(order), bool)
        shared[1:] |= same
        shared[:-1] |= same
        entries = entries[order[shared]]
        path = files.join(self.folder, f"part-{partition:04d}.npy")
        files.write_array(path, entries[np.lexsort((entries["rank"], entries["band"]))])
        yield path


def _unpack(packed: _Packed) -> NDArray[Any]:
    if isinstance(packed, bytes):
        return np.frombuffer(packed, ENTRY)
    path, start, stop = packed
    return np.fromfile(path, ENTRY, stop - start, offset=start * ENTRY.itemsize)
