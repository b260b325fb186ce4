"""A transform that measures sets of documents.

The sets of stages and domains are sums. A shard may be one of thousands, and a sum of each in every
worker would not fit its memory. So documents go to their shards, about 110 bytes each, with the
words of those that may stand in the shard's sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.exchange import Collect
from outcross.transforms.exchange.packing import Keyed, Packer
from outcross.transforms.exchange.step import Step
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.diversity import Diversity, merged
from outcross.transforms.measuring.grouping import Grouping, set_file
from outcross.transforms.reference.sample import Sample, sample_key
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.passages import of_documents

_ROWS = "rows"
_COLUMNS = ["fingerprint_hi", "fingerprint_lo", "tokens", "embedding", "words"]

Sets = dict[str, Diversity]


@dataclass
class MeasureDiversity(beam.PTransform):
    """Accumulate sets of documents, each into a file of its own.

    Elements in: lists of `Unit`; elements out: names of the sets.

    Args:
        work: the work.
        spill: folder that all workers share, for the rows on their way; None to shuffle them.
    """

    work: DiversityWork
    spill: str | None = None

    def expand(self, lanes: Any) -> Any:
        """Measure unit by unit, merge the parts of each set, and measure each shard."""
        doing = beam.ParDo(_MeasureLane(self.work, self.spill))
        measured = lanes | doing.with_outputs(_ROWS, main="sums")
        sets = measured.sums | beam.GroupByKey() | beam.ParDo(_SaveSet(self.work))
        return (sets, measured[_ROWS] | Collect(self.work)) | beam.Flatten()


@dataclass
class DiversityWork:
    """Work on units, sets and shards.

    Args:
        sketches: folder of the sketches.
        assignments: folder of `cluster` and `audit_cluster`.
        classes: folder of `class`.
        sizes: sizes of the two codebooks.
        grouping: sets to measure.
        folder: folder that gets the sets' files.
    """

    sketches: str
    assignments: str
    classes: str
    sizes: tuple[int, int]
    grouping: Grouping
    folder: str

    def measure(self, unit: Unit, sets: Sets) -> Iterator[Keyed]:
        """Add the documents of a unit to sets, and yield those that stand in shards, by shard."""
        if self.grouping.roles[unit.source] is None or unit.index in self.grouping.replaced:
            return
        names = [*_COLUMNS, "domain"] if self.grouping.domains else _COLUMNS
        path = unit_file(self.sketches, unit.index, "parquet")
        sketch = files.read_table(path, names).combine_chunks()
        hi, lo = (sketch[name].to_numpy() for name in _COLUMNS[:2])
        cells = self._cells(unit)

        def add(name: str, row: NDArray[Any], key: NDArray[Any], *repeats: int) -> None:
            if name not in sets:
                sets[name] = Diversity.empty(*self.sizes)
            sets[name].add(_at(cells, row), sketch, key, *repeats)

        key = sample_key(hi, lo, np.ones(len(hi), np.int64))
        for name, row, removed in self.grouping.stages(unit, self.grouping.kept(unit)):
            if len(row):
                add(name, row, key[row], 0, removed)
        shown = self.grouping.appearances(unit, *self._dealt(unit, hi, lo))
        key = sample_key(hi[shown.row], lo[shown.row], shown.copy)
        domain = sketch["domain"] if self.grouping.domains else None
        for name, chosen in self.grouping.parts(shown, domain):
            further = int((shown.copy[chosen] > 1).sum())
            add(name, shown.row[chosen], key[chosen], further, further)
        for shard, places in shown.by_shard():
            chosen = places[np.argsort(key[places], kind="stable")]
            members = _at(cells, shown.row[chosen])
            rows = Sample.of(key[chosen], members, sketch, documents=len(chosen)).table
            rows = rows.append_column("source", pa.array(np.full(len(rows), unit.source)))
            rows = rows.append_column("counted", sketch["tokens"].take(pa.array(members["row"])))
            yield shard, rows.append_column("further", pa.array(shown.copy[chosen] > 1))
        count("documents", len(hi))

    def _dealt(self, unit: Unit, *fingerprint: NDArray[np.uint64]) -> Sequence[NDArray[np.uint64]]:
        """Return the halves of the fingerprints that deal a unit's rows: of their documents."""
        if unit.passages_of is None:
            return fingerprint
        return of_documents(self.sketches, unit, _COLUMNS[:2])

    def _cells(self, unit: Unit) -> dict[str, NDArray[Any]]:
        names = ["cluster", "audit_cluster"]
        cells = dict(zip(names, load_unit(self.assignments, unit.index, names), strict=True))
        (cells["class"],) = load_unit(self.classes, unit.index, ["class"])
        return cells

    def save(self, name: str, parts: Iterable[bytes]) -> None:
        """Merge the parts of one set and write it."""
        total = merged(map(Diversity.from_bytes, parts), *self.sizes)
        files.write_bytes(files.join(self.folder, set_file(name)), total.to_bytes())

    def collect(self, key: int, rows: pa.Table | None) -> Iterator[str]:
        """Write the sets of a shard, one for each role."""
        assert rows is not None
        roles = np.array([str(role) for role in self.grouping.roles])[rows["source"].to_numpy()]
        further = rows["further"].to_numpy()
        for role in np.unique(roles).tolist():
            chosen = roles == role
            # By key, and equal texts by class, as they arrive in any order.
            part = rows.drop_columns(["source", "further"]).filter(pa.array(chosen))
            part = part.sort_by([("key", "ascending"), ("class", "ascending")])
            tokens = part["counted"].to_numpy()
            part = part.drop_columns(["counted"])
            copies = int(further[chosen].sum())
            diversity = Diversity.empty(*self.sizes)
            diversity.add_rows(Sample(part, len(part)), tokens, copies, copies)
            name = f"shard/{key}/{role}"
            files.write_bytes(files.join(self.folder, set_file(name)), diversity.to_bytes())
            yield name


def _at(cells: dict[str, NDArray[Any]], row: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {"row": row, **{name: column[row] for name, column in cells.items()}}


class _MeasureLane(Step):
    def __init__(self, work: DiversityWork, spill: str | None) -> None:
        self.work, self.spill = work, spill

    def start_bundle(self) -> None:
        self.sets: Sets = {}

    def process(self, lane: Sequence[Unit]) -> Iterator[Any]:
        for unit in lane:
            with Packer(self.spill, f"measure-{unit.index:06d}") as packer:
                for shard, rows in self.work.measure(unit, self.sets):
                    yield beam.pvalue.TaggedOutput(_ROWS, (shard, packer.pack(rows)))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for name, part in self.sets.items():
            named = name, part.to_bytes()
            yield WindowedValue(named, GlobalWindow().max_timestamp(), [GlobalWindow()])


class _SaveSet(Step):
    def __init__(self, work: DiversityWork) -> None:
        self.work = work

    def process(self, item: tuple[str, Iterable[bytes]]) -> Iterator[str]:
        name, parts = item
        self.work.save(name, parts)
        yield name
