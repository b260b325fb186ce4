"""Work that writes the copies of each document: of a run, and of a deduplication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.candidates import Layout, Round
from outcross.transforms.selection.wants import SCORED, USES
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.passages import PassageRows


@dataclass
class WriteCopies:
    """Work that writes the copies of each document.

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

    def run(self, unit: Unit) -> int:
        """Write the copies of a unit's documents, and return its index."""
        layout = self.layout
        documents = layout.documents(unit.index, range(len(USES)))
        scored_by_hash = self.last if not self.rounds and self.steps > 1 else None
        values = layout.copies_by_hash(unit.index, documents, self.first, scored_by_hash)
        (use,) = load_unit(layout.uses, unit.index, ["use"])
        copies = np.zeros(len(use), np.int32)
        copies[documents.row] = values
        if self.rounds and (documents.cell >= SCORED * layout.cells).any():
            last = Round(layout, self.rounds, unit.index)
            chosen = last.chosen_after(self.last, self.moments)
            copies[last.documents.row] += chosen.astype(np.int32)
        path = unit_file(layout.selection, unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies}))
        return unit.index


@dataclass
class WriteKept:
    """Work that chooses all kept documents of sources that may be written, once each.

    Args:
        verdicts: folder of the column `partner`.
        selection: folder of the result, the column `copies`.
        writable: numbers of the sources that may be written.
    """

    verdicts: str
    selection: str
    writable: Sequence[int]

    def setup(self) -> None:
        """Load nothing."""

    def run(self, unit: Unit) -> int:
        """Write the copies of a unit's documents, and return its index."""
        (partner,) = load_unit(self.verdicts, unit.index, ["partner"])
        copies = ((partner < 0) & (unit.source in self.writable)).astype(np.int32)
        path = unit_file(self.selection, unit.index, "parquet")
        files.write_table(path, pa.table({"copies": copies}))
        return unit.index


@dataclass
class WriteDocumentCopies:
    """Work on a unit of passages: write the copies of their documents, for runs `against` this one.

    A document has as many as its passage that has most.

    Args:
        sketches: folder of the sketches.
        selection: folder of `copies`, which gets those of the documents.
    """

    sketches: str
    selection: str

    def setup(self) -> None:
        """Load nothing."""

    def run(self, unit: Unit) -> int:
        """Write the copies of the documents of a unit's passages, and return its index."""
        if unit.passages_of is not None:
            (copies,) = load_unit(self.selection, unit.index, ["copies"])
            most = PassageRows.load(self.sketches, unit).most(copies)
            path = unit_file(self.selection, unit.passages_of, "parquet")
            files.write_table(path, pa.table({"copies": most}))
        return unit.index
