"""Find the documents that stand word for word in a reference, by an exchange with its members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.members import Members, is_member, part_of
from outcross.transforms.sketches.aligned import load_unit


@dataclass
class SendFingerprints:
    """Send the fingerprints of kept synthetic documents to the parts of the members.

    Args:
        sketches: folder of the sketches.
        verdicts: folder of the row-aligned verdicts.
        synthetic: for each source, True if its role is synthetic.
        bits: number of leading bits that tell the part of a member.
    """

    sketches: str
    verdicts: str
    synthetic: Sequence[bool]
    bits: int

    def setup(self) -> None:
        """Do nothing."""

    def send(self, unit: Unit) -> Iterator[tuple[int, pa.Table]]:
        """Yield the fingerprints of a unit for each part."""
        if not self.synthetic[unit.source]:
            return
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        rows = np.flatnonzero(partner < 0)
        path = unit_file(self.sketches, unit.index, "parquet")
        table = files.read_table(path, ["fingerprint_hi", "fingerprint_lo"])
        hi, lo = (column.to_numpy()[rows] for column in table.columns)
        part = part_of(hi, self.bits)
        for number in np.unique(part).tolist():
            inside = part == number
            unit_numbers = np.full(int(inside.sum()), unit.index)
            columns = {"unit": unit_numbers, "row": rows[inside], "hi": hi[inside]}
            yield number, pa.table({**columns, "lo": lo[inside]})


@dataclass
class FindMembers:
    """Send the rows whose fingerprints are members back to their units, as work of a part.

    Args:
        reference: folder of the reference.
        members: parts of its members.
    """

    reference: str
    members: Members

    def regroup(self, key: int, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Yield the known rows of each unit."""
        members = self.members.read(self.reference, key)
        known = is_member(members, rows["hi"].to_numpy(), rows["lo"].to_numpy())
        unit, row = (rows[name].to_numpy()[known] for name in ("unit", "row"))
        for number in np.unique(unit).tolist():
            yield number, pa.table({"row": row[unit == number]})


@dataclass
class WriteKnown:
    """Write the known rows of each unit that has any, as work of a unit.

    Args:
        folder: folder that gets an array of ascending rows for each such unit.
    """

    folder: str

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[int]:
        """Write the rows of one unit."""
        assert rows is not None
        files.write_array(unit_file(self.folder, key, "npy"), np.sort(rows["row"].to_numpy()))
        yield key
