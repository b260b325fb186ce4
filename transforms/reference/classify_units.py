"""Classify all documents, count them, and read the texts that describe a new reference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import SURFACE_MEASURES, Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.estimators.compression import BLOCK, zstd_ratio
from outcross.transforms.estimators.richness import ClusterCounts
from outcross.transforms.exchange.packing import to_buffer, unpack
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.assign_reference import NAMED, read_thresholds
from outcross.transforms.reference.assignments import ASSIGNMENTS
from outcross.transforms.reference.class_counts import ClassCounts
from outcross.transforms.reference.documents import HELD_OUT, ReferenceDocuments
from outcross.transforms.reference.fit_reference import (
    TEXTS,
    Choice,
    by_hash,
    read_codebook,
    read_second_codebook,
)
from outcross.transforms.reference.names import NAMES, distinctive_words, words_of
from outcross.transforms.reference.thresholds import Thresholds
from outcross.transforms.sketches.aligned import load_unit
from outcross.transforms.sketches.passages import texts_of
from outcross.transforms.sketches.store import fixed_matrix

CLASS_COUNTS, CLUSTER_COUNTS, CLUSTER_NAMES, RATIO = "classes", "clusters", "names", "ratio"
"""Names of sums."""
QUOTED = 2
"""Number of texts of a cluster that a report may show."""
NAME_CHARACTERS = 1200
"""Characters of a text from which a name is made."""

_COLUMNS = ["surface", "fingerprint_hi", "fingerprint_lo", "tokens"]
_PLACES = [("key", pa.uint64()), ("unit", pa.int64()), ("place", pa.int64())]
_NAME_ROWS = pa.schema(
    [*_PLACES, ("cluster", pa.int32()), ("text", pa.string()), ("words", pa.string())]
)
_TEXT_ROWS = pa.schema([*_PLACES, ("text", pa.large_string())])


@dataclass(frozen=True)
class NewReference:
    """Reference that the same pipeline makes.

    Attributes:
        documents: documents of the reference.
        sources: sources of the configuration, whose texts are read.
        folder: folder with the results of `FitReference` and `AssignReference`.
        named: True to name the clusters.
    """

    documents: ReferenceDocuments
    sources: Sequence[Source]
    folder: str
    named: bool

    @cached_property
    def name_rows(self) -> pa.Table:
        """Documents that name the clusters, by cluster and key; `quoted` marks the first."""
        rows = files.read_as(files.join(self.folder, NAMED), lambda data: unpack([data]))
        cluster = rows["cluster"].to_numpy()
        position = np.arange(len(cluster)) - np.searchsorted(cluster, cluster)
        return rows.append_column("quoted", pa.array(position < QUOTED))

    @cached_property
    def choice(self) -> Choice:
        """Documents that are chosen for samples."""
        return Choice.read(self.folder)


@dataclass
class _Sums:
    """Sums over the units of a bundle."""

    classes: ClassCounts
    clusters: list[ClusterCounts]
    names: list[pa.Table] = field(default_factory=lambda: [_NAME_ROWS.empty_table()])
    texts: list[pa.Table] = field(default_factory=lambda: [_TEXT_ROWS.empty_table()])


@dataclass
class ClassifyUnits:
    """Write the classes of all documents and count them, as work of a sum over units.

    Args:
        sketches: folder of the sketches.
        verdicts: folder of the row-aligned verdicts.
        assignments: folder of the row-aligned assignments.
        classes: folder that gets the row-aligned column `class`.
        synthetic: for each source, True if its role is synthetic.
        thresholds: thresholds of the reference; None for those of a new one.
        reference: reference that the same pipeline makes; None for a loaded one.
    """

    sketches: str
    verdicts: str
    assignments: str
    classes: str
    synthetic: Sequence[bool]
    thresholds: Thresholds | None = None
    reference: NewReference | None = None

    def setup(self) -> None:
        """Do nothing: the thresholds may not exist yet."""

    def start(self) -> _Sums:
        """Return empty sums."""
        return _Sums(ClassCounts.empty(len(self.synthetic)), [])

    @cached_property
    def _limits(self) -> Thresholds:
        if self.thresholds is not None:
            return self.thresholds
        assert self.reference is not None
        return read_thresholds(self.reference.folder)

    def add(self, unit: Unit, sums: _Sums) -> None:
        """Classify and count the documents of a unit."""
        cells = dict(
            zip(
                ASSIGNMENTS.names,
                load_unit(self.assignments, unit.index, ASSIGNMENTS.names),
                strict=True,
            )
        )
        partner, stage = load_unit(self.verdicts, unit.index, ["partner", "stage"])
        path = unit_file(self.sketches, unit.index, "parquet")
        sketch = files.read_table(path, _COLUMNS)
        surface = fixed_matrix(sketch["surface"], np.uint32).reshape(-1, SURFACE_MEASURES)
        document_class = self._limits.classify(cells["dot"], cells["density"], surface)
        table = pa.table({"class": document_class})
        files.write_table(unit_file(self.classes, unit.index, "parquet"), table)
        sums.classes.add_verdicts(unit.source, document_class, stage)
        hi, lo, tokens = (sketch[name].to_numpy() for name in _COLUMNS[1:])
        if self.synthetic[unit.source]:
            kept = np.flatnonzero(partner < 0)
            outside = self._limits.bands.outside(surface[kept])
            outside[cells["dot"][kept] < self._limits.dot] = False
            sums.classes.add_surfaces(outside, hi[kept], lo[kept], unit.index, kept)
        if self.reference is None:
            return
        rows = self.reference.documents.rows(unit)
        part = self.reference.documents.part(hi[rows], lo[rows])
        totals = self._cluster_counts(sums)
        for total, chosen in zip(totals, (rows, rows[part == HELD_OUT]), strict=True):
            total.add(
                cells["cluster"][chosen],
                tokens[chosen],
                document_class[chosen],
                cells["audit_cluster"][chosen],
            )
        _add_texts(self.reference, self.sketches, unit, sums)

    def _cluster_counts(self, sums: _Sums) -> list[ClusterCounts]:
        if not sums.clusters:
            assert self.reference is not None
            folder = self.reference.folder
            sizes = read_codebook(folder).size, read_second_codebook(folder).size
            sums.clusters += [ClusterCounts.empty(*sizes) for _ in range(2)]
        return sums.clusters

    def pack(self, sums: _Sums) -> Iterator[tuple[str, bytes | pa.Buffer]]:
        """Yield the sums of a bundle."""
        yield CLASS_COUNTS, sums.classes.to_bytes()
        if self.reference is not None:
            if sums.clusters:  # a bundle without units may end before there is a codebook
                values = [counts.to_json() for counts in sums.clusters]
                yield CLUSTER_COUNTS, json.dumps(values).encode()
            yield CLUSTER_NAMES, to_buffer(pa.concat_tables(sums.names))
            yield RATIO, to_buffer(pa.concat_tables(sums.texts))

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes | pa.Buffer:
        """Merge the sums of all bundles, and name the clusters."""
        if name == CLASS_COUNTS:
            counts = ClassCounts.empty(len(self.synthetic))
            for part in parts:
                counts.merge(ClassCounts.from_bytes(part))
            return counts.to_bytes()
        if name == CLUSTER_COUNTS:
            pairs = [map(ClusterCounts.from_json, json.loads(part)) for part in parts]
            totals = [reduce(ClusterCounts.merge, counts) for counts in zip(*pairs, strict=True)]
            return json.dumps([total.to_json() for total in totals]).encode()
        rows = unpack(parts).combine_chunks()
        rows = rows.take(pa.array(by_hash(rows, "key")))
        if name == RATIO:
            return json.dumps(zstd_ratio(rows["text"].to_pylist())).encode()
        return to_buffer(_name_clusters(rows))


def _add_texts(reference: NewReference, sketches: str, unit: Unit, sums: _Sums) -> None:
    """Read the texts of a unit that name clusters or are compressed."""
    chosen = reference.name_rows
    chosen = chosen.filter(pa.array(chosen["unit"].to_numpy() == unit.index))
    if not reference.named:
        chosen = chosen.slice(0, 0)
    choice = reference.choice.table
    in_unit = choice["unit"].to_numpy() == unit.index
    in_unit &= choice["use"].to_numpy() & TEXTS != 0
    choice = choice.filter(pa.array(in_unit))
    name_places, text_places = (table["place"].to_numpy() for table in (chosen, choice))
    rows = np.union1d(name_places, text_places)
    if not len(rows):
        return
    source = reference.sources[unit.source]
    texts = texts_of(sketches, unit, source, rows, ["text"])["text"]

    def cut(places: NDArray[np.int64], characters: int) -> list[str]:
        return [texts[row][:characters] for row in np.searchsorted(rows, places).tolist()]

    beginnings = cut(name_places, NAME_CHARACTERS)
    quoted = zip(beginnings, chosen["quoted"].to_pylist(), strict=True)
    words = [" ".join(words_of(text)) for text in beginnings]
    columns = {name: chosen[name] for name in ("key", "unit", "place", "cluster")}
    columns["text"] = pa.array([text if shown else None for text, shown in quoted], pa.string())
    columns["words"] = pa.array(words, pa.string())
    sums.names.append(pa.table(columns, schema=_NAME_ROWS))
    columns = {name: choice[name] for name in ("key", "unit", "place")}
    columns["text"] = pa.array(cut(text_places, BLOCK), pa.large_string())
    sums.texts.append(pa.table(columns, schema=_TEXT_ROWS))


def _name_clusters(rows: pa.Table) -> pa.Table:
    """Name clusters by the distinctive words of their texts: a table with schema `NAMES`.

    Args:
        rows: cluster, words and, where it is quoted, beginning of each text, by key.
    """
    words: dict[int, list[list[str]]] = {}
    texts: dict[int, list[str]] = {}
    for cluster, text, joined in zip(
        *(rows[name].to_pylist() for name in ("cluster", "text", "words")), strict=True
    ):
        words.setdefault(cluster, []).append(joined.split())
        texts.setdefault(cluster, []).extend([] if text is None else [text])
    names = distinctive_words(words)
    return pa.Table.from_pylist(
        [{"cluster": c, "words": names[c], "texts": texts[c]} for c in sorted(names)], schema=NAMES
    )
