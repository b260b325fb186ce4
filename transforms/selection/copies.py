"""Work that writes the copies of each document: of a run, and of a deduplication."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.candidates import Layout, Round
from outcross.transforms.selection.wants import SCORED, USES
from outcross.transforms.sketches.aligned import load_unit


@dataclass
class Chosen:
    """Sums over the chosen documents.

    Attributes:
        documents: number of the documents.
        copies: number of their copies.
        size: bytes of the documents, each once.
    """

    documents: int = 0
    copies: int = 0
    size: int = 0

    def add(self, sketches: str, unit: int, copies: NDArray[np.int32]) -> None:
        """Add the documents of a unit.

        Args:
            sketches: folder of the sketches.
            unit: index of the unit.
            copies: int32[n], copies of each document.
        """
        chosen = copies > 0
        if not chosen.any():
            return
        (size,) = load_unit(sketches, unit, ["size"])
        self.documents += int(chosen.sum())
        self.copies += int(copies.sum(dtype=np.int64))
        self.size += int(size[chosen].sum(dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Pack the sums."""
        return json.dumps(self.__dict__).encode()

    @classmethod
    def read(cls, path: str) -> Chosen:
        """Read sums from a file."""
        return cls(**json.loads(files.read_bytes(path)))

    @classmethod
    def merge(cls, parts: Iterable[bytes]) -> bytes:
        """Add up packed sums."""
        every = [cls(**json.loads(part)) for part in parts]
        names = cls.__dataclass_fields__
        return cls(*(sum(getattr(part, name) for part in every) for name in names)).to_bytes()


@dataclass
class WriteCopies:
    """Work that writes the copies of each document, and sums up what is chosen.

    Args:
        layout: files of the selection.
        rounds: number of rounds by score; 0 where all quotas are filled by hash.
        steps: number of steps.
    """

    layout: Layout
    rounds: int
    steps: int

    def setup(self) -> None:
        """Load the standings."""
        layout = self.layout
        self.first = layout.standing(0)
        self.last = layout.standing(self.steps - 1)
        self.quotas = layout.quotas()
        self.moments = layout.moments(self.rounds) if self.rounds else []

    def start(self) -> Chosen:
        """Return empty sums."""
        return Chosen()

    def add(self, unit: Unit, sums: Chosen) -> None:
        """Write the copies of a unit's documents."""
        layout = self.layout
        documents = layout.documents(unit.index, range(len(USES)))
        scored_by_hash = self.last if not self.rounds and self.steps > 1 else None
        values = layout.copies_by_hash(documents, self.first, scored_by_hash)
        (use,) = load_unit(layout.uses, unit.index, ["use"])
        copies = np.zeros(len(use), np.int32)
        copies[documents.row] = values
        if self.rounds and (documents.cell >= SCORED * layout.cells).any():
            last = Round(layout, self.rounds, unit.index)
            chosen = last.chosen_after(self.last, self.moments)
            copies[last.documents.row] += chosen.astype(np.int32)
        path = unit_file(layout.selection, unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies}))
        sums.add(layout.sketches, unit.index, copies)

    def pack(self, sums: Chosen) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield "chosen", sums.to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the sums of all workers."""
        return Chosen.merge(parts)


@dataclass
class WriteKept:
    """Work that chooses all kept documents of sources that may be written, once each.

    Args:
        sketches: folder of the sketches.
        verdicts: folder of the column `partner`.
        selection: folder of the result, the column `copies`.
        writable: numbers of the sources that may be written.
    """

    sketches: str
    verdicts: str
    selection: str
    writable: Sequence[int]

    def setup(self) -> None:
        """Load nothing."""

    def start(self) -> Chosen:
        """Return empty sums."""
        return Chosen()

    def add(self, unit: Unit, sums: Chosen) -> None:
        """Write the copies of a unit's documents."""
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        copies = ((partner < 0) & (unit.source in self.writable)).astype(np.int32)
        path = unit_file(self.selection, unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies}))
        sums.add(self.sketches, unit.index, copies)

    def pack(self, sums: Chosen) -> Iterator[tuple[str, bytes]]:
        """Yield the sums."""
        yield "chosen", sums.to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Add up the sums of all workers."""
        return Chosen.merge(parts)
