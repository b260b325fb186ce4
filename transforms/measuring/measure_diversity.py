"""A transform that measures sets of documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.progress import count
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.diversity import Diversity, Grouping, merged, set_file
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.reference.thresholds import Thresholds
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.store import fixed_matrix


@dataclass
class MeasureDiversity(beam.PTransform):
    """Accumulate sets of documents, each into a file of its own.

    Elements in: lists of `Unit`; elements out: names of the sets.

    Args:
        sketches: folder of the sketches.
        assignments: folder of the row-aligned assignments.
        thresholds: limits of the document classes.
        clusters: sizes of the two codebooks.
        grouping: sets to measure.
        limits: file of the largest key in each set's sample, JSON by name.
        folder: folder that gets the sets' files.
    """

    sketches: str
    assignments: str
    thresholds: Thresholds
    clusters: tuple[int, int]
    grouping: Grouping
    limits: str
    folder: str

    def expand(self, lanes: Any) -> Any:
        """Accumulate unit by unit, and merge the parts of each set."""
        return (
            lanes
            | beam.ParDo(_MeasureLane(self))
            | beam.GroupByKey()
            | beam.ParDo(_SaveSet(self.folder, self.clusters))
        )


class _MeasureLane(beam.DoFn):
    def __init__(self, work: MeasureDiversity) -> None:
        self.work = work

    def setup(self) -> None:
        """Load the limits of the sets' samples."""
        self.limits: dict[str, int] = files.read_json(self.work.limits)

    def process(self, lane: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        """Accumulate the sets of some units."""
        sets: dict[str, Diversity] = {}
        for unit in lane:
            self._add(unit, sets)
        for name, part in sets.items():
            yield name, part.to_bytes()

    def _add(self, unit: Unit, sets: dict[str, Diversity]) -> None:
        work = self.work
        columns = ["fingerprint_hi", "fingerprint_lo", "tokens", "embedding", "surface", "words"]
        sketch = files.read_table(unit_file(work.sketches, unit.index, "parquet"), columns)
        sketch = sketch.combine_chunks()
        hi, lo = (sketch[name].to_numpy() for name in columns[:2])
        cluster, dot, density, second_cluster = load_unit(
            work.assignments, unit.index, ["cluster", "dot", "density", "audit_cluster"]
        )
        surface = fixed_matrix(sketch["surface"], np.uint32)
        document_class = work.thresholds.classify(dot, density, surface)
        for name, rows, copy, copies, repeats in work.grouping.sets(unit, hi, lo):
            if name not in sets:
                sets[name] = Diversity.empty(*work.clusters)
            cells = {
                "row": rows,
                "cluster": cluster[rows],
                "audit_cluster": second_cluster[rows],
                "class": document_class[rows],
            }
            key = sample_key(hi[rows], lo[rows], copy)
            sets[name].add(cells, sketch, key, self.limits[name], copies, repeats)
        count("documents", len(hi))


class _SaveSet(beam.DoFn):
    def __init__(self, folder: str, clusters: tuple[int, int]) -> None:
        self.folder, self.clusters = folder, clusters

    def process(self, item: tuple[str, Iterable[bytes]]) -> Iterator[str]:
        """Merge the parts of one set and write it."""
        name, parts = item
        total = merged(map(Diversity.from_bytes, parts), *self.clusters)
        files.write_bytes(set_file(self.folder, name), total.to_bytes())
        yield name
