"""Reading sketches: columns of one unit, and places of documents in the units."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import REJECTS, WORD_COUNT, Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.places import Places, places_of
from outcross.transforms.rows.damage import Damage
from outcross.transforms.text.signs import with_signs

NGRAM_COLUMNS = ["words", "signs"]


@dataclass(frozen=True)
class UnitReport:
    """Counts and schema of one unit.

    Attributes:
        unit: index of the unit.
        rows: valid rows, each with a sketch.
        lines: lines or rows in each piece, valid or not, for numbering what follows it.
        piece_rows: valid rows of each piece.
        read, rejected, filtered: numbers of rows; read rows are valid, rejected or filtered.
        lost: input bytes that could not be read.
        reasons: why rows were rejected, with counts.
        damaged: unreadable parts of broken files, the largest first.
        schema: serialised Arrow schema of the user's columns.
        everywhere: columns with a value in every valid row.
        named: numbers of valid rows with an id, a domain, a generation, a prompt, by field.
        tokens: tokens of the valid rows.
        words, known: numbers of `Known`; 0 without an embedder.
        reading: numbers of `Reading`; 0 for an embedder that reads whole texts.
        embedding_seconds: time that embedding took, of one thread; 0 for such an embedder.
        build: the embedder's `Model.build`.
        met: a `Met` for each key of the source's `where`, in their order.
    """

    unit: int
    rows: int = 0
    lines: list[int] = field(default_factory=list)
    piece_rows: list[int] = field(default_factory=list)
    read: int = 0
    rejected: int = 0
    filtered: int = 0
    tokens: int = 0
    lost: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    damaged: list[Damage] = field(default_factory=list)
    schema: str = ""
    everywhere: list[str] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)
    words: int = 0
    known: int = 0
    reading: dict[str, int] = field(default_factory=dict)
    embedding_seconds: float = 0.0
    build: str = ""
    met: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: str, unit: int) -> UnitReport:
        """Read the report of a unit from the folder of its sketches."""
        path = unit_file(folder, unit, "json")
        return files.read_as(path, lambda data: cls(**json.loads(data)))

    def arrow_schema(self) -> pa.Schema:
        """Return the Arrow schema of the user's columns in this unit."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))


class Sketches:
    """Sketches of a run, as the driver and the later stages read them.

    Documents are numbered through: document `offsets[u] + i` is the i-th valid row of unit u.

    Args:
        folder: folder that `SketchDocuments` wrote.
        units: all units, in order.
    """

    def __init__(self, folder: str, units: Sequence[Unit]) -> None:
        self.folder = folder
        self.units = list(units)
        self.paths = [unit_file(folder, unit.index, "parquet") for unit in units]
        self.reports = [UnitReport.load(folder, unit.index) for unit in units]
        self.offsets: NDArray[np.int64] = np.concatenate(
            [[0], np.cumsum([report.rows for report in self.reports], dtype=np.int64)]
        ).astype(np.int64)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    @property
    def documents(self) -> list[Unit]:
        """List of the units whose rows are documents; they come first."""
        return [unit for unit in self.units if unit.passages_of is None]

    @property
    def offered(self) -> list[Unit]:
        """List of the units that are chosen from: of passages where a source has `pieces`."""
        return [unit for unit in self.units if unit.index not in self.replaced]

    @cached_property
    def replaced(self) -> dict[int, Unit]:
        """Units of passages by the index of the unit with their documents."""
        return {unit.passages_of: unit for unit in self.units if unit.passages_of is not None}

    @property
    def offered_rows(self) -> int:
        """Number of documents and passages that are chosen from."""
        return sum(self.reports[unit.index].rows for unit in self.offered)

    @property
    def document_count(self) -> int:
        """Number of documents, which come before all passages."""
        return int(self.offsets[len(self.documents)])

    def table(self, unit: int, columns: Sequence[str]) -> pa.Table:
        """Read some columns of one unit's sketches."""
        return files.read_table(self.paths[unit], columns)

    def rows_of(
        self, documents: NDArray[np.int64]
    ) -> Iterable[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield units with rows in them, and places in `documents`, which ascend."""
        cuts = np.searchsorted(documents, self.offsets)
        for unit in range(len(self.units)):
            places = np.arange(cuts[unit], cuts[unit + 1])
            if len(places):
                yield unit, documents[places] - self.offsets[unit], places

    @cached_property
    def places(self) -> list[Places]:
        """Return the places of each unit's rows."""
        return places_of(self.units, [report.lines for report in self.reports])

    def rejects(self, sources: Sequence[Source]) -> Iterator[pa.Table]:
        """Yield the rejected rows of each unit with some, with their places in the files.

        Args:
            sources: sources of the configuration.
        """
        for unit, report in zip(self.units, self.reports, strict=True):
            if not report.rejected:  # passages have no rejects
                continue
            places = self.places[unit.index]
            table = files.read_table(unit_file(self.folder, unit.index, "rejects.parquet"))
            rows: list[dict[str, Any]] = []
            for reject in table.to_pylist():
                at = reject["kind"], reject["number"], reject["piece"]
                rows.append(
                    {
                        "source": sources[unit.source].name,
                        "file": places.names[places.piece(*at)],
                        "place": places.place_of(*at),
                        "reason": reject["reason"],
                        "rows": reject["rows"],
                        "raw": reject["raw"],
                    }
                )
            yield pa.Table.from_pylist(rows, schema=REJECTS)


def read_in_words(path: str, columns: Sequence[str]) -> pa.Table:
    """Read columns of a unit's sketches, with words as `tokens`, whatever tokens are.

    Args:
        path: file of the sketches.
        columns: names of the columns.
    """
    table = files.read_table(path, [*columns, *([WORD_COUNT.name] if "tokens" in columns else [])])
    return in_words(table)


def in_words(sketch: pa.Table) -> pa.Table:
    """Return sketches with words as `tokens`, without a column `word_count`."""
    if WORD_COUNT.name not in sketch.column_names:
        return sketch
    place = sketch.column_names.index("tokens")
    table = sketch.set_column(place, sketch.schema.field(place), sketch[WORD_COUNT.name])
    return table.drop_columns([WORD_COUNT.name])


def word_counts(sketch: pa.Table) -> NDArray[np.int64]:
    """Count the words of documents in their column `words`: int64[n]."""
    return np.diff(packed_runs(sketch["words"])[0])


def fixed_matrix(column: pa.ChunkedArray, dtype: Any) -> NDArray[Any]:
    """View a fixed-size binary column as a matrix, one row for each document."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    width = array.type.byte_width // np.dtype(dtype).itemsize
    flat = np.frombuffer(array.buffers()[1], dtype) if len(array) else np.zeros(0, dtype)
    return flat[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)


def packed_runs(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Unpack the `words` column: offsets int64[n + 1], word hashes uint32[total]."""
    return _unpacked(column, np.uint32)


def item_runs(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Unpack the `items` column: offsets int64[n + 1], items uint64[total]."""
    return _unpacked(column, np.uint64)


def ngram_runs(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Unpack the words, signs and borders that n-grams are counted of.

    Args:
        table: columns `NGRAM_COLUMNS` of n documents.

    Returns:
        int64[n + 1] offsets and uint32[total] hashes.
    """
    return with_signs(*packed_runs(table["words"]), *_unpacked(table["signs"], np.uint8))


def _unpacked(column: pa.ChunkedArray, dtype: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Unpack runs of numbers that `pack_runs` packed."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if len(array) == 0:
        return np.zeros(1, np.int64), np.zeros(0, dtype)
    _, starts, data = array.buffers()
    offsets = np.frombuffer(starts, np.int64)[array.offset : array.offset + len(array) + 1]
    offsets = offsets // np.dtype(dtype).itemsize
    values = np.frombuffer(data, dtype) if data is not None else np.zeros(0, dtype)
    return offsets - offsets[0], values[offsets[0] : offsets[-1]]
