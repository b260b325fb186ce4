"""Groups of documents that repeat one document: by file of a corpus, and of judged documents.

A group is a kept document with the removed ones that it stands for. Units send the number of that
document to partitions, so that a group meets in one partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.gates import Gates
from outcross.schemas.sources import WRITABLE
from outcross.transforms.base import files
from outcross.transforms.exchange.deal import deal, leading
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.totals import domain_codes
from outcross.transforms.sketches.aligned import load_unit

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class CountRepeats:
    """Send and count the documents that each document stands for.

    Args:
        roles: role of each source.
        offsets: int64[U + 1], number of the first document of each unit.
        sketches: folder of the sketches.
        verdicts: folder of `partner`.
        documents: folder of `file`.
        gates: limits; they name the domains that may converge, whose documents aren't judged.
        parts: number of files.
        bits: bits that choose the partition of a document.
        folder: folder of the partitions' counts.
    """

    roles: Sequence[str]
    offsets: NDArray[np.int64]
    sketches: str
    verdicts: str
    documents: str
    gates: Gates
    parts: int
    bits: int
    folder: str

    def setup(self) -> None:
        """Do nothing, as units share no data."""

    def send(self, unit: Unit) -> Iterator[Keyed]:
        """Yield the documents of a unit by the partition of the document that stands for them."""
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        (file,) = load_unit(self.documents, unit.index, ["file"])
        number = np.arange(len(partner)) + self.offsets[unit.index]
        stands = np.where(partner < 0, number, partner)
        columns = {"stands": stands, "file": file, "judged": self._judged(unit, len(partner))}
        yield from deal(leading(stands.astype(np.uint64) * _SPREAD, self.bits), columns)

    def _judged(self, unit: Unit, documents: int) -> NDArray[np.bool_]:
        if self.roles[unit.source] not in WRITABLE:
            return np.zeros(documents, bool)
        if not self.gates.domains:
            return np.full(documents, not self.gates.converges(None))
        path = unit_file(self.sketches, unit.index, "parquet")
        codes, names = domain_codes(files.read_table(path, ["domain"]).column(0))
        open_ = [not self.gates.converges(name or None) for name in names]
        return np.array(open_, bool)[codes]

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the counts of one partition."""
        assert rows is not None
        stands, file, judged = (rows[name].to_numpy() for name in ("stands", "file", "judged"))
        distinct, groups = count_groups(stands, file, judged, self.parts)
        packed = files.pack_arrays({"distinct": distinct, "groups": groups})
        files.write_bytes(files.join(self.folder, f"part-{key:04d}.npz"), packed)
        yield key


def count_groups(
    stands: NDArray[np.int64], file: NDArray[np.int64], judged: NDArray[np.bool_], parts: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the groups of a partition.

    Args:
        stands: int64[n], number of the kept document that stands for each document.
        file: int64[n], file of each document.
        judged: bool[n], documents that are judged.
        parts: number of files.

    Returns:
        int64[parts], groups with a document in each file; int64[m, 2], sizes of the groups of
        judged documents, ascending, and the number of groups of each size.
    """
    order = np.lexsort((stands, file))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(file[order]) != 0) | (np.diff(stands[order]) != 0)
    distinct = np.bincount(file[order[new]], minlength=parts).astype(np.int64)
    _, sizes = np.unique(stands[judged], return_counts=True)
    return distinct, np.stack(np.unique(sizes, return_counts=True), axis=1).astype(np.int64)


def total_groups(folder: str, parts: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up the counts of all partitions.

    Args:
        folder: folder of the partitions' counts.
        parts: number of files.

    Returns:
        int64[parts] and int64[m, 2], as `count_groups` gives them for all documents.
    """
    distinct, sizes = np.zeros(parts, np.int64), [np.zeros((0, 2), np.int64)]
    for path in files.list_files(files.join(folder, "part-*.npz")):
        arrays = files.read_as(path, files.unpack_arrays)
        distinct += arrays["distinct"]
        sizes.append(arrays["groups"])
    together = np.concatenate(sizes)
    size, at = np.unique(together[:, 0], return_inverse=True)
    groups = np.zeros(len(size), np.int64)
    np.add.at(groups, at, together[:, 1])
    return distinct, np.stack([size, groups], axis=1)
