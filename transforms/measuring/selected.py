"""Work that adds up what a job has read, kept and selected; reports and checks follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.totals import (
    DOMAINS,
    EXAMPLES,
    PARTS,
    ROLES,
    SOURCES,
    TEXTS,
    CellSums,
    Ints,
    SourceSums,
    TextSample,
    Totals,
)
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.passages import PassageRows


@dataclass
class SelectedSums:
    """Work of a sum over units (`SumUnits`): the totals of a job's documents.

    Args:
        roles: role of each source.
        offsets: int64[U + 1], number of the first document of each unit.
        sketches: folder of the sketches.
        verdicts: folder of `partner`.
        selection: folder of `copies`.
        assignments: folder of `cluster`; None where nothing was clustered.
        uses: folder of `use` and `domain`; None where nothing is planned, so that all documents
            are of domain 0.
        clusters: number of clusters; 0 where nothing was clustered.
        named: True if a document has a named domain.
    """

    roles: Sequence[str]
    offsets: Ints
    sketches: str
    verdicts: str
    selection: str
    assignments: str | None
    uses: str | None
    clusters: int
    named: bool

    def setup(self) -> None:
        """Do nothing, as units share no data."""

    def start(self) -> Totals:
        """Return the totals of no documents."""
        return Totals.empty(len(self.roles), self.clusters)

    def add(self, unit: Unit, sums: Totals) -> None:
        """Add the documents of a unit."""
        index, first = unit.index, int(self.offsets[unit.index])
        columns = ["fingerprint_hi", "fingerprint_lo", "tokens", "size", "length", "prompt"]
        columns += ["domain"] if self.named else []
        sketch = files.read_table(unit_file(self.sketches, index, "parquet"), columns)
        (partner,) = load_unit(self.verdicts, index, ["partner"])
        (copies,) = load_unit(self.selection, index, ["copies"])
        copies = copies.astype(np.int64)
        use, domain = np.zeros(len(copies), np.int8), np.zeros(len(copies), np.int64)
        if self.uses is not None:
            use, domain = load_unit(self.uses, index, ["use", "domain"])
        passages = None if unit.passages_of is None else PassageRows.load(self.sketches, unit)
        source = SourceSums.of(
            len(self.roles), unit.source, first, partner < 0, copies, use, sketch, passages
        )
        sums.sources = sums.sources.merge(source)
        if self.named:
            sums.domains.add(sketch["domain"], copies)
        rows = np.flatnonzero(copies)
        hi, lo = (sketch[name].to_numpy()[rows] for name in columns[:2])
        key, document = sample_key(hi, lo, np.ones_like(rows)), first + rows
        sample = TextSample.of(key, document, sketch["length"].to_numpy()[rows])
        sums.texts = sums.texts.merge(sample)
        if self.assignments is None:
            return
        (cluster,) = load_unit(self.assignments, index, ["cluster"])
        sums.examples.add(cluster[rows], key, document)
        if len(rows):
            tokens, role = sketch["tokens"].to_numpy(), ROLES.index(self.roles[unit.source])
            for place in np.unique(domain[rows]).tolist():
                members = rows[domain[rows] == place]
                cell = sums.cells.setdefault(place, CellSums.empty(self.clusters))
                cell.add(role, cluster[members], copies[members], tokens[members])

    def pack(self, sums: Totals) -> Iterator[tuple[str, bytes]]:
        """Yield the name and bytes of each sum."""
        yield SOURCES, sums.sources.to_bytes()
        yield TEXTS, sums.texts.to_bytes()
        if self.named:
            yield DOMAINS, sums.domains.to_bytes()
        if self.assignments is not None:
            yield EXAMPLES, sums.examples.to_bytes()
        for domain, cells in sums.cells.items():
            yield f"cells-{domain}", cells.to_bytes()

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes:
        """Merge the sums of one name."""
        part = PARTS.get(name, CellSums)
        total = reduce(part.merge, map(part.from_bytes, parts))
        return bytes(total.to_bytes())
