"""Members: fingerprints of all documents of a reference, in part files by their leading bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from outcross.transforms.base.hashing import seeded_hash

DOCUMENTS_A_PART = 1 << 20
FOLDER = "members"


@dataclass(frozen=True)
class MembersPart:
    """Number and hash of the fingerprints in a part file.

    Attributes:
        documents: number of fingerprints.
        hashes: sums modulo 2**64 of two hashes of each fingerprint. They don't depend on the order.
    """

    documents: int = 0
    hashes: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, rows: NDArray[np.uint64]) -> MembersPart:
        """Describe some fingerprints.

        Args:
            rows: uint64[m, 2], upper and lower halves.
        """
        hi, lo = np.ascontiguousarray(rows.T)
        sums = [int(seeded_hash(hi, lo, seed, "member").sum(dtype=np.uint64)) for seed in (0, 1)]
        return cls(len(rows), (sums[0], sums[1]))

    def add(self, other: MembersPart) -> MembersPart:
        """Describe the fingerprints of two parts together."""
        sums = [(a + b) % (1 << 64) for a, b in zip(self.hashes, other.hashes, strict=True)]
        return MembersPart(self.documents + other.documents, (sums[0], sums[1]))


@dataclass(frozen=True)
class Members:
    """Parts of the members of a reference; the files stand in the reference's folder.

    Attributes:
        parts: parts by the leading bits of the fingerprints; their number is a power of two. A part
            without documents has no file.
    """

    parts: tuple[MembersPart, ...]

    @property
    def bits(self) -> int:
        """Number of leading bits that tell the part."""
        return len(self.parts).bit_length() - 1

    @property
    def total(self) -> MembersPart:
        """Number and hash of all fingerprints; they don't depend on the number of parts."""
        total = MembersPart()
        for part in self.parts:
            total = total.add(part)
        return total

    @property
    def files(self) -> list[str]:
        """Paths of the part files below the reference's folder."""
        return [part_file(number) for number, part in enumerate(self.parts) if part.documents]

    def read(self, folder: str, number: int) -> NDArray[np.uint64]:
        """Read the fingerprints of a part.

        Args:
            folder: folder of the reference.
            number: number of the part.

        Returns:
            uint64[m, 2], ascending.

        Raises:
            ConfigError: the file is missing, damaged or belongs to another reference.
        """
        part = self.parts[number]
        if part.documents == 0:
            return np.zeros((0, 2), np.uint64)
        path = files.join(folder, part_file(number))
        try:
            rows = files.read_array(path)
            is_whole = rows.dtype == np.uint64 and rows.shape == (part.documents, 2)
            is_whole = is_whole and MembersPart.of(rows) == part
        except DamagedError:
            is_whole = False
        if not is_whole:
            raise ConfigError(
                f"reference: {path} is damaged or belongs to another reference; build the "
                "reference again, or copy the whole folder again"
            )
        return rows

    def holds(
        self, folder: str, hi: NDArray[np.uint64], lo: NDArray[np.uint64]
    ) -> NDArray[np.bool_]:
        """Mark the fingerprints that members have, in bool[n].

        Args:
            folder: folder of the reference.
            hi: uint64[n], upper halves.
            lo: uint64[n], lower halves.
        """
        known = np.zeros(len(hi), bool)
        part = part_of(hi, self.bits)
        for number in np.unique(part).tolist():
            rows = np.flatnonzero(part == number)
            known[rows] = is_member(self.read(folder, number), hi[rows], lo[rows])
        return known

    def to_json(self) -> list[Any]:
        """Convert to plain values."""
        return [
            [part.documents, *(f"{value:016x}" for value in part.hashes)] for part in self.parts
        ]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> Members:
        """Read the result of `to_json`.

        Raises:
            ValueError: the number of parts isn't a power of two.
        """
        parts = [MembersPart(int(n), (int(a, 16), int(b, 16))) for n, a, b in values]
        if not parts or len(parts) & (len(parts) - 1):
            raise ValueError(f"{len(parts)} parts of members; needed: a power of two")
        return cls(tuple(parts))


def part_bits(documents: int) -> int:
    """Return the number of leading bits by which so many documents are put into parts."""
    return max(0, (documents - 1) // DOCUMENTS_A_PART).bit_length()


def part_of(hi: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Return the part of each fingerprint, int64[n].

    Args:
        hi: uint64[n], upper halves.
        bits: number of leading bits that tell the part.
    """
    if bits == 0:
        return np.zeros(len(hi), np.int64)
    return (hi >> np.uint64(64 - bits)).astype(np.int64)


def part_file(number: int) -> str:
    """Return the path of a part file below the reference's folder."""
    return f"{FOLDER}/part-{number:05d}.npy"


def write_part(folder: str, number: int, rows: NDArray[np.uint64]) -> MembersPart:
    """Write a part file, if the part has documents.

    Args:
        folder: folder of the reference.
        number: number of the part.
        rows: uint64[m, 2], fingerprints in any order.
    """
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    if len(rows):
        files.make_folder(files.join(folder, FOLDER))
        files.write_array(files.join(folder, part_file(number)), rows)
    return MembersPart.of(rows)


def is_member(
    members: NDArray[np.uint64], hi: NDArray[np.uint64], lo: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Mark the fingerprints that stand among members, in bool[n].

    Args:
        members: uint64[m, 2], ascending.
        hi: uint64[n], upper halves.
        lo: uint64[n], lower halves.
    """
    member = np.zeros(len(hi), bool)
    if len(members) == 0:
        return member
    row = np.searchsorted(members[:, 0], hi)
    # Members with the same upper half are neighbours. They are very rare.
    while True:
        at = np.minimum(row, len(members) - 1)
        same = (row < len(members)) & (members[at, 0] == hi)
        if not same.any():
            return member
        member |= same & (members[at, 1] == lo)
        row = np.where(same, row + 1, len(members))
