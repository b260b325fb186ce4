"""Contents of a bin's documents: words, items and signatures, as units send them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.dedup.agreement import Meanings
from outcross.transforms.dedup.decide import Measure, Settings
from outcross.transforms.dedup.jaccard import Boilerplate, ShingleSets
from outcross.transforms.sketches.store import item_runs, packed_runs
from outcross.transforms.text.minhash import agreement

CONTENTS = pa.schema(
    [
        ("tokens", pa.int64()),
        ("letters", pa.uint64()),
        ("wording", pa.uint64()),
        ("items", pa.large_binary()),
        ("words", pa.large_binary()),
        ("signature", pa.large_binary()),
    ]
)
"""Columns of the sketches with the contents of documents, as they are sent."""


def contents_columns(exact: bool) -> list[str]:
    """Return the columns `CONTENTS` that are needed, with exact similarities or estimates."""
    return [name for name in CONTENTS.names if name != ("signature" if exact else "words")]


def send_contents(
    sketch: pa.Table, rows: NDArray[np.int64], compared: NDArray[np.bool_]
) -> list[pa.Array]:
    """Return the columns `CONTENTS` of some documents of a unit.

    Args:
        sketch: columns of the unit's sketches; those that it lacks become null.
        rows: int64[m], rows of the documents.
        compared: bool[m], documents that are compared by their contents; those of others are null.
    """
    if not compared.any():
        return [pa.nulls(len(rows), field.type) for field in CONTENTS]
    # The signature gets a variable size first, so that null takes no room.
    chosen = pa.array(rows[compared])
    place = pa.array(np.cumsum(compared) - 1, mask=~compared)
    return [
        sketch[field.name].take(chosen).combine_chunks().cast(field.type).take(place)
        if field.name in sketch.column_names
        else pa.nulls(len(rows), field.type)
        for field in CONTENTS
    ]


class Contents:
    """Contents of n documents, in files that are mapped into memory.

    Args:
        settings: settings of the near rule.
        boilerplate: numbers of documents with each shingle; None for no limit.
    """

    def __init__(self, settings: Settings, boilerplate: Boilerplate | None = None) -> None:
        self.settings, self.boilerplate = settings, boilerplate
        self._open = ExitStack()

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def measures(self, table: pa.Table) -> Sequence[Measure]:
        """Return the similarities of shingles and of items, which take rows of the table.

        They keep nothing of the table, so that a caller can let it go.

        Args:
            table: n rows with `fingerprint_lo`, `compared` and the columns of `send_contents`.
        """
        tokens, letters, wording = (
            table[name].fill_null(0).to_numpy() for name in ("tokens", "letters", "wording")
        )
        items = self._runs(table["items"], item_runs, np.uint64)
        meanings = Meanings(tokens, letters, wording, *items)
        shingles = self._shingles(table) if self.settings.exact else self._estimate(table)
        return [shingles, meanings.agreement]

    def _shingles(self, table: pa.Table) -> Measure:
        words = self._runs(table["words"], packed_runs, np.uint32)
        wordless = table["fingerprint_lo"].to_numpy()
        sets = ShingleSets.of(words, wordless, self.settings.ngram, self.boilerplate)
        return sets.similarity

    def _estimate(self, table: pa.Table) -> Measure:
        permutations = self.settings.num_perm
        signatures = _signatures(table["signature"], permutations)
        place = np.cumsum(table["compared"].to_numpy()) - 1

        def similarity(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
            equal = agreement(signatures, place[left], place[right])
            return (equal / permutations).astype(np.float32)

        return similarity

    def _runs(
        self, column: pa.ChunkedArray, runs: Any, dtype: Any
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Copy the runs of a column to a file, and map it: offsets int64[n + 1], and values."""
        scratch = self._open.enter_context(TemporaryFile())  # noqa: SIM115
        ends = [np.zeros(1, np.int64)]
        total = 0
        for chunk in column.chunks:
            offsets, values = runs(pa.chunked_array([chunk]))
            ends.append(offsets[1:] + total)
            total += len(values)
            with files.writing(gettempdir()):
                scratch.write(np.ascontiguousarray(values).data)
        with files.writing(gettempdir()):
            scratch.flush()
        offsets = np.concatenate(ends)
        if total == 0:
            return offsets, np.zeros(0, dtype)
        return offsets, np.memmap(scratch, dtype, "r", shape=(total,))


def _signatures(column: pa.ChunkedArray, permutations: int) -> NDArray[np.uint32]:
    """Return the signatures of the k compared documents: uint32[k, permutations]."""
    parts = [item_runs(pa.chunked_array([chunk]))[1].view(np.uint32) for chunk in column.chunks]
    return np.concatenate([np.zeros(0, np.uint32), *parts]).reshape(-1, permutations)
