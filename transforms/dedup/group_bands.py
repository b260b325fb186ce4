"""Group documents that share the value of a band, as a transform."""

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
    """Groups documents by their LSH band values.

    Elements in: lists of `Unit`; elements out: names of files that hold (band value, rank) entries
    of the groups with two members or more. What is shuffled is one packed array a unit and prefix
    of the band value, since Beam's cost is per element, or only where it lies on disk.

    Args:
        sketches: for each unit by its index, the file of its sketches.
        ranks: folder of row-aligned ranks; -1 for documents that take no part.
        folder: where the groups go.
        bands, rows: of the LSH.
        bits: of the prefix.
        spill: a folder that all workers share, for the entries on their way; None to shuffle them.
    """

    sketches: Sequence[str]
    ranks: str
    folder: str
    bands: int
    rows: int
    bits: int
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        return lanes | beam.ParDo(_Entries(self)) | beam.GroupByKey() | beam.ParDo(_Groups(self))


class _Entries(beam.DoFn):
    def __init__(self, settings: GroupBands) -> None:
        self.sketches, self.ranks = settings.sketches, settings.ranks
        self.bands, self.rows, self.bits = settings.bands, settings.rows, settings.bits
        self.spill = settings.spill

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[int, _Packed]]:
        for unit in lane:
            entries, cuts = self._entries(unit)
            path = None if self.spill is None else unit_file(self.spill, unit.index, "entries")
            if path is not None:
                entries.tofile(path)
            for part, (start, stop) in enumerate(pairwise(cuts)):
                if stop > start:
                    here = entries[start:stop].tobytes() if path is None else (path, start, stop)
                    yield part, here

    def _entries(self, unit: Unit) -> tuple[NDArray[Any], list[int]]:
        """A unit's entries by part, and where the parts are cut."""
        rank = files.read_array(unit_file(self.ranks, unit.index, "npy"))
        count("documents", len(rank))
        taking_part = rank >= 0
        if not taking_part.any():
            return np.zeros(0, ENTRY), [0]
        column = files.read_table(self.sketches[unit.index], ["signature"]).column(0)
        signatures = fixed_matrix(column, np.uint32)[taking_part]
        values = band_values(signatures, self.bands, self.rows).ravel()
        part = (values >> np.uint64(64 - self.bits)).astype(np.uint16)
        order = np.argsort(part, kind="stable")  # of two bytes a radix sort
        entries = np.empty(len(order), ENTRY)
        entries["band"] = values[order]
        entries["rank"] = rank[taking_part][order // self.bands]
        ends = np.cumsum(np.bincount(part, minlength=1 << self.bits))
        return entries, [0, *ends.tolist()]


class _Groups(beam.DoFn):
    def __init__(self, settings: GroupBands) -> None:
        self.folder = settings.folder

    def process(self, item: tuple[int, Any]) -> Iterator[str]:
        part, packed = item
        entries = np.concatenate([_unpack(one) for one in packed])
        # Hardly any are shared, and sorting by one number is quick.
        bands = np.ascontiguousarray(entries["band"])
        order = np.argsort(bands)
        same = bands[order][1:] == bands[order][:-1]
        shared = np.zeros(len(order), bool)
        shared[1:] |= same
        shared[:-1] |= same
        entries = entries[order[shared]]
        path = files.join(self.folder, f"part-{part:04d}.npy")
        files.write_array(path, entries[np.lexsort((entries["rank"], entries["band"]))])
        yield path


def _unpack(packed: _Packed) -> NDArray[Any]:
    if isinstance(packed, bytes):
        return np.frombuffer(packed, ENTRY)
    path, start, stop = packed
    return np.fromfile(path, ENTRY, stop - start, offset=start * ENTRY.itemsize)
