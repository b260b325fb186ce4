"""Assign all documents to the codebooks of a new reference, and sum up those of the reference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit, sketch_schema
from outcross.transforms.base import files
from outcross.transforms.estimators.lexical import rare_words
from outcross.transforms.exchange.packing import to_buffer, unpack
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.assignments import ASSIGNED_COLUMNS, ASSIGNMENTS, assign
from outcross.transforms.reference.candidates import (
    highest_hash,
    smallest_hashes,
    smallest_of_each,
)
from outcross.transforms.reference.codebook import Codebook
from outcross.transforms.reference.documents import THRESHOLDS, ReferenceDocuments, read_parts
from outcross.transforms.reference.fit_reference import (
    POOL,
    SAMPLED,
    WORDS,
    Choice,
    by_hash,
    read_bands,
    read_codebook,
    read_second_codebook,
)
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.reference.second_codebook import SecondCodebook
from outcross.transforms.reference.thresholds import Thresholds, set_thresholds
from outcross.transforms.sketches.store import NGRAM_COLUMNS, in_words, ngram_runs, packed_runs
from outcross.transforms.text.ngrams import Tables, count_ngrams

LIMITS, NAMED, POOLED, RARE = "limits", "named", "pooled", "rare"
"""Names of sums: thresholds, documents that name clusters, documents of the pool, rare words."""
TEXTS_A_NAME = 6, 24
"""Least and most texts from which the name of a cluster is made."""
TEXTS_IN_ALL = 4_000
"""Texts from which the names of all clusters are made."""

_NGRAMS = "ngrams-"
_RANGES = 8  # of the buckets of n-grams, each merged by a worker of its own
_PLACES = [("unit", pa.int64()), ("place", pa.int64()), ("key", pa.uint64())]
_LIMITS = pa.schema([*_PLACES, ("dot", pa.int32()), ("density", pa.int64())])
_NAMED = pa.schema([*_PLACES, ("cluster", pa.int32())])


@dataclass
class _Sums:
    """Sums over the units of a bundle."""

    ngrams: Tables = field(default_factory=Tables.empty)
    tables: dict[str, list[pa.Table]] = field(
        default_factory=lambda: {LIMITS: [], NAMED: [], POOLED: []}
    )
    words: list[NDArray[np.uint32]] = field(default_factory=list)


@dataclass
class AssignReference:
    """Assign all documents, and sum up those of the reference, as work of a sum over units.

    Args:
        documents: documents of the reference.
        folder: folder with the results of `FitReference`.
        assignments: folder that gets the row-aligned assignments of all documents.
        num_perm: values in a signature.
    """

    documents: ReferenceDocuments
    folder: str
    assignments: str
    num_perm: int

    def setup(self) -> None:
        """Do nothing: the codebooks may not exist yet."""

    def start(self) -> _Sums:
        """Return empty sums."""
        return _Sums()

    @cached_property
    def _codebooks(self) -> tuple[Codebook, SecondCodebook]:
        return read_codebook(self.folder), read_second_codebook(self.folder)

    @cached_property
    def _choice(self) -> Choice:
        return Choice.read(self.folder)

    def add(self, unit: Unit, sums: _Sums) -> None:
        """Assign the documents of a unit, and add those of the reference to the sums."""
        path = unit_file(self.documents.sketches, unit.index, "parquet")
        rows = self.documents.rows(unit)
        pool = self._choice.rows(unit.index, POOL)
        columns = ASSIGNED_COLUMNS
        if len(rows):
            columns = sorted({*columns, "fingerprint_hi", "fingerprint_lo", *NGRAM_COLUMNS})
        sketch = files.read_table(path, None if len(pool) else columns)
        assigned = assign(sketch, *self._codebooks)
        files.write_table(unit_file(self.assignments, unit.index, "parquet"), assigned)
        if len(rows):
            self._add_samples(unit, rows, sketch, assigned, sums)
            counted = np.zeros(sketch.num_rows, bool)
            counted[rows] = True
            runs = ngram_runs(sketch.select(NGRAM_COLUMNS))
            count_ngrams(*runs, counted, sums.ngrams.unigrams, sums.ngrams.bigrams)
        if len(pool):
            taken = in_words(sketch).take(pa.array(pool))
            taken = taken.select(sketch_schema(self.num_perm).names)
            cells = assigned.take(pa.array(pool))
            columns_of = {"unit": np.full(len(pool), unit.index), "place": pool}
            columns_of |= {name: cells[name] for name in ASSIGNMENTS.names}
            for name, column in columns_of.items():
                taken = taken.append_column(name, pa.chunked_array([pa.array(column)]))
            sums.tables[POOLED].append(taken)

    def _add_samples(
        self,
        unit: Unit,
        rows: NDArray[np.int64],
        sketch: pa.Table,
        assigned: pa.Table,
        sums: _Sums,
    ) -> None:
        """Add a unit's candidates for the thresholds and names, and its words."""
        hi, lo = (sketch[f"fingerprint_{half}"].to_numpy()[rows] for half in ("hi", "lo"))
        cluster, dot, density = (assigned[name].to_numpy()[rows] for name in _CELLS)
        key = sample_key(hi, lo, np.ones(len(rows), np.int64))
        parts = read_parts(self.folder)
        calibrates = np.flatnonzero(self.documents.part(hi, lo) == THRESHOLDS)
        few = calibrates[smallest_hashes(key[calibrates], SAMPLED, int(parts[THRESHOLDS]))]

        def table(chosen: NDArray[np.int64], **columns: NDArray[np.int64]) -> dict[str, object]:
            places = {"unit": np.full(len(chosen), unit.index), "place": rows[chosen]}
            return {**places, "key": key[chosen], **columns}

        sums.tables[LIMITS].append(
            pa.table(table(few, dot=dot[few], density=density[few]), schema=_LIMITS)
        )
        counts, (_, most) = self._codebooks[0].counts, TEXTS_A_NAME
        expected = counts * (parts.sum() / max(int(counts.sum()), 1))
        likely = np.flatnonzero(key <= highest_hash(most, expected)[cluster])
        few = likely[smallest_of_each(cluster[likely], key[likely], most)]
        sums.tables[NAMED].append(pa.table(table(few, cluster=cluster[few]), schema=_NAMED))
        offsets, words = packed_runs(sketch["words"])
        chosen = self._choice.rows(unit.index, WORDS)
        sums.words += [words[offsets[row] : offsets[row + 1]].copy() for row in chosen]

    def pack(self, sums: _Sums) -> Iterator[tuple[str, bytes | pa.Buffer]]:
        """Yield the sums of a bundle, also empty ones."""
        width = len(sums.ngrams.unigrams) // _RANGES
        for number in range(_RANGES):
            part = slice(number * width, (number + 1) * width)
            ngrams = Tables(sums.ngrams.unigrams[part], sums.ngrams.bigrams[part])
            yield f"{_NGRAMS}{number}", ngrams.to_bytes()
        empty = {LIMITS: _LIMITS, NAMED: _NAMED, POOLED: self._pooled_schema}
        for name, tables in sums.tables.items():
            parts = tables or [empty[name].empty_table()]
            yield name, to_buffer(pa.concat_tables(parts))
        yield RARE, np.concatenate([np.zeros(0, np.uint32), *sums.words]).tobytes()

    @property
    def _pooled_schema(self) -> pa.Schema:
        places = [pa.field(name, pa.int64()) for name in ("unit", "place")]
        cells = [pa.field(field.name, field.type) for field in ASSIGNMENTS]
        dims = self._codebooks[0].centroids.shape[1]
        return pa.schema([*sketch_schema(self.num_perm, dims=dims), *places, *cells])

    def merge(self, name: str, parts: Iterable[bytes]) -> bytes | pa.Buffer:
        """Merge the sums of all bundles, and decide what they are for."""
        if name.startswith(_NGRAMS):
            return reduce(Tables.merge, map(Tables.from_bytes, parts)).to_bytes()
        if name == RARE:
            words = np.concatenate([np.frombuffer(part, np.uint32) for part in parts])
            return rare_words(words).tobytes()
        rows = unpack(parts).combine_chunks()
        if name == LIMITS:
            order = by_hash(rows, "key")[:SAMPLED]
            dot, density = (rows[column].to_numpy()[order] for column in ("dot", "density"))
            thresholds = set_thresholds(dot, density, read_bands(self.folder))
            return json.dumps(asdict(thresholds)).encode()
        if name == NAMED:
            return to_buffer(_choose_named(rows))
        hi, lo = (rows[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        rows = rows.append_column("key", pa.array(sample_key(hi, lo, np.ones(len(hi), np.int64))))
        return to_buffer(rows.take(pa.array(by_hash(rows, "key"))).drop_columns("key"))


_CELLS = ("cluster", "dot", "density")


def _choose_named(rows: pa.Table) -> pa.Table:
    """Choose the documents whose texts name the clusters: by cluster and key."""
    rows = rows.take(pa.array(by_hash(rows, "key")))
    cluster, key = rows["cluster"].to_numpy(), rows["key"].to_numpy()
    least, most = TEXTS_A_NAME
    count = max(least, min(most, TEXTS_IN_ALL // (int(cluster.max(initial=0)) + 1)))
    return rows.take(pa.array(smallest_of_each(cluster, key, count)))


def read_ngrams(folder: str) -> Tables:
    """Return the n-gram counts of the reference, from the folder of the sums."""
    ranges = [
        files.read_as(files.join(folder, f"{_NGRAMS}{number}"), Tables.from_bytes)
        for number in range(_RANGES)
    ]
    return Tables(
        np.concatenate([tables.unigrams for tables in ranges]),
        np.concatenate([tables.bigrams for tables in ranges]),
    )


def read_thresholds(folder: str) -> Thresholds:
    """Return the thresholds of the reference, from the folder of the sums."""
    return Thresholds.from_json(files.read_json(files.join(folder, LIMITS)))
