"""Exchange that counts the repeats within sets of documents, by the document that they repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.deal import deal, leading
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.sketches.aligned import load_unit

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Parts(Protocol):
    """Parts that the documents of a set are divided into, such as their files."""

    def of_unit(self, unit: Unit) -> NDArray[np.int64]:
        """Return the part of each document of a unit, int64[n]; -1 outside the set."""
        ...


@dataclass
class SendRepeats:
    """Send the documents of a set to the partition of the document that each stands for.

    Attributes:
        verdicts: folder of the row-aligned verdicts.
        offsets: int64[u + 1], first document of each unit.
        parts: set of documents, and its parts.
        bits: bits that choose a partition.
    """

    verdicts: str
    offsets: NDArray[np.int64]
    parts: Parts
    bits: int

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the rows of a unit for each partition."""
        part = self.parts.of_unit(unit)
        chosen = np.flatnonzero(part >= 0)
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        number = np.arange(self.offsets[unit.index], self.offsets[unit.index + 1])
        kept = np.where(partner < 0, number, partner)[chosen]
        columns = {"kept": kept, "part": part[chosen]}
        yield from deal(leading(kept.astype(np.uint64) * _SPREAD, self.bits), columns)


@dataclass
class CountRepeats:
    """Count the groups of a partition by size, and the repeats within each part.

    Attributes:
        folder: folder that gets a file for each partition; `read_repeats` reads them.
    """

    folder: str

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the counts of one partition."""
        if rows is None:
            return
        kept, part = rows["kept"].to_numpy(), rows["part"].to_numpy()
        _, sizes = np.unique(kept, return_counts=True)
        size, groups = np.unique(sizes, return_counts=True)
        order = np.lexsort((kept, part))
        kept, part = kept[order], part[order]
        repeats = part[1:][(part[1:] == part[:-1]) & (kept[1:] == kept[:-1])]
        number, often = np.unique(repeats, return_counts=True)
        counts = {"size": size, "groups": groups, "part": number, "repeats": often}
        path = files.join(self.folder, f"part-{key:04d}.npz")
        files.write_bytes(path, files.pack_arrays(counts))
        yield key


def read_repeats(folder: str, parts: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up the counts of all partitions.

    Args:
        folder: folder that `CountRepeats` wrote.
        parts: number of parts.

    Returns:
        int64[m, 2], groups by size as `group_sizes` counts them, and int64[parts], repeats within
        each part as `repeats_within` counts them.
    """
    paths = files.list_files(files.join(folder, "part-*.npz"))
    partitions = [files.unpack_arrays(files.read_bytes(path)) for path in paths]
    nothing = np.zeros(0, np.int64)
    repeats = np.zeros(parts, np.int64)
    for counts in partitions:
        repeats[counts["part"]] += counts["repeats"]
    size = np.concatenate([nothing, *(counts["size"] for counts in partitions)])
    groups = np.concatenate([nothing, *(counts["groups"] for counts in partitions)])
    sizes, place = np.unique(size, return_inverse=True)
    total = np.bincount(place, groups, len(sizes)).astype(np.int64)
    return np.stack([sizes, total], axis=1), repeats
