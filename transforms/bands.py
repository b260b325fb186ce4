"""LSH: documents that share the value of a band, grouped (Indyk and Motwani 1998)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import apache_beam as beam
import numpy as np

from schemas.documents import Unit
from transforms import files
from transforms.minhash import band_values
from transforms.progress import count
from transforms.sketch import fixed_matrix
from transforms.units import unit_file

ENTRY = np.dtype([("band", "<u8"), ("rank", "<u4")])
_PART_BITS = 8  # entries are shuffled by this prefix of their band value


@dataclass
class GroupBands(beam.PTransform):
    """Groups documents by their LSH band values.

    Elements in: lists of `Unit`; elements out: names of files that hold (band value, rank) entries
    of the groups with two members or more. What is shuffled is one packed array a unit and prefix
    of the band value, since Beam's cost is per element.

    Args:
        sketches: for each unit by its index, the file of its sketches.
        ranks: folder of row-aligned ranks; -1 for documents that take no part.
        folder: where the groups go.
        bands, rows: of the LSH.
        parts: prefixes to work on, so that a wave fits the memory.
    """

    sketches: Sequence[str]
    ranks: str
    folder: str
    bands: int
    rows: int
    parts: range

    def expand(self, lanes: Any) -> Any:
        return (
            lanes
            | beam.ParDo(_Entries(self.sketches, self.ranks, self.bands, self.rows, self.parts))
            | beam.GroupByKey()
            | beam.ParDo(_Groups(self.folder))
        )


class _Entries(beam.DoFn):
    def __init__(
        self, sketches: Sequence[str], ranks: str, bands: int, rows: int, parts: range
    ) -> None:
        self.sketches, self.ranks, self.parts = sketches, ranks, parts
        self.bands, self.rows = bands, rows

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[int, bytes]]:
        for unit in lane:
            yield from self._entries(unit)

    def _entries(self, unit: Unit) -> Iterator[tuple[int, bytes]]:
        rank = files.read_array(unit_file(self.ranks, unit.index, "npy"))
        if not (rank >= 0).any():
            return
        column = files.read_table(self.sketches[unit.index], ["signature"]).column(0)
        signatures = fixed_matrix(column, np.uint32)[rank >= 0]
        values = band_values(signatures, self.bands, self.rows).ravel()
        entries = np.empty(len(values), ENTRY)
        entries["band"] = values
        entries["rank"] = np.repeat(rank[rank >= 0], self.bands)
        part = (values >> np.uint64(64 - _PART_BITS)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        cuts = np.searchsorted(part[order], np.arange((1 << _PART_BITS) + 1))
        for number in self.parts:
            chosen = order[cuts[number] : cuts[number + 1]]
            if len(chosen):
                yield number, entries[chosen].tobytes()
        count("documents", int((rank >= 0).sum()))


class _Groups(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def process(self, item: tuple[int, Any]) -> Iterator[str]:
        part, packed = item
        entries = np.concatenate([np.frombuffer(data, ENTRY) for data in packed])
        entries = entries[np.lexsort((entries["rank"], entries["band"]))]
        same = entries["band"][1:] == entries["band"][:-1]
        shared = np.zeros(len(entries), bool)
        shared[1:] |= same
        shared[:-1] |= same
        path = files.join(self.folder, f"part-{part:03d}.npy")
        files.write_array(path, entries[shared])
        yield path


def part_waves(documents: int, bands: int, memory: int) -> list[range]:
    """Prefixes of the band values in as many waves as keep a shuffle within the memory.

    Args:
        documents: that take part.
        bands: entries of each.
        memory: bytes; a local runner holds a shuffled entry about four times.
    """
    total = 1 << _PART_BITS
    waves = min(total, max(1, -(-documents * bands * ENTRY.itemsize * 4 // memory)))
    cuts = [total * wave // waves for wave in range(waves + 1)]
    return [range(start, stop) for start, stop in pairwise(cuts)]
