"""Human text that fitted nothing: what every other text is compared with, and against itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.codebook import ASSIGNMENTS
from outcross.transforms.reference.sample import Sample, sample_key
from outcross.transforms.sketches.store import Sketches, UnitReport, packed_runs

DOCUMENTS = 1 << 15
TOKENS = 1 << 22
POOL_FILES = ("pool/unit-000000.parquet", "pool/unit-000000.json", "pool/cells.parquet")


@dataclass(frozen=True, eq=False)
class Pool:
    """Documents of the reference's quarters that fitted nothing, those with the smallest hashes.

    Attributes:
        sketch: of the documents, by ascending key: what deduplication needs to tell whether a
            text repeats one of them, and what measures are counted from.
        cells: with `ASSIGNMENTS` and `class`, aligned with it.
    """

    sketch: pa.Table
    cells: pa.Table

    @classmethod
    def of(
        cls, sketches: Sketches, documents: NDArray[np.int64], cells: dict[str, NDArray[Any]]
    ) -> Pool:
        """The pool of a reference.

        Args:
            sketches: of a run.
            documents: int64[n], ascending, those that fitted nothing.
            cells: aligned with them, the columns of `ASSIGNMENTS` and `class`.
        """
        hi, lo, tokens = (
            sketches.numbers(name)[documents]
            for name in ("fingerprint_hi", "fingerprint_lo", "tokens")
        )
        key = sample_key(hi, lo, np.ones(len(documents), np.int64))
        order = np.argsort(key, kind="stable")[:DOCUMENTS]
        before = np.cumsum(tokens[order]) - tokens[order]
        chosen = np.sort(order[before < TOKENS])  # in the order of documents, to be read
        parts, places = [], [np.zeros(0, np.int64)]
        for unit, rows, place in sketches.rows_of(documents[chosen]):
            table = files.read_table(sketches.paths[unit])
            parts.append(table.take(pa.array(rows)))
            places.append(place)
        if not parts:
            parts = [files.read_table(sketches.paths[0]).slice(0, 0)]
        at = chosen[np.concatenate(places)]
        by_key = np.argsort(key[at], kind="stable")
        sketch = pa.concat_tables(parts).combine_chunks().take(pa.array(by_key))
        # An id, a domain or a prompt says nothing to whom the yardstick is handed.
        none = pa.nulls(sketch.num_rows, pa.string())
        empty = {"id": none, "domain": none, "generation": none}
        empty["prompt"] = pa.array(np.zeros(sketch.num_rows, np.uint64))
        for name, column in empty.items():
            place = sketch.schema.get_field_index(name)
            sketch = sketch.set_column(place, sketch.schema.field(place), column)
        fields = [*ASSIGNMENTS, pa.field("class", pa.int8(), nullable=False)]
        columns = [pa.array(cells[field.name][at[by_key]], field.type) for field in fields]
        return cls(sketch, pa.table(columns, schema=pa.schema(fields)))

    def save(self, folder: str) -> None:
        """Writes it as sketches of one unit, so that deduplication reads it like any other."""
        files.make_folder(files.join(folder, "pool"))
        report = UnitReport(unit=0, rows=self.sketch.num_rows, read=self.sketch.num_rows)
        for path, table in zip(POOL_FILES[::2], (self.sketch, self.cells), strict=True):
            files.write_table(files.join(folder, path), table)
        files.write_json(files.join(folder, POOL_FILES[1]), asdict(report))

    @classmethod
    def load(cls, folder: str) -> Pool:
        """What `save` wrote.

        Raises:
            ValueError: its files are not of one pool.
        """
        found = cls(*(files.read_table(files.join(folder, path)) for path in POOL_FILES[::2]))
        told = len(pool_sketches(folder))
        if not told == len(found) == found.cells.num_rows:
            raise ValueError(
                f"{', '.join(POOL_FILES)} have {len(found)}, {told} and {found.cells.num_rows} rows"
            )
        return found

    def __len__(self) -> int:
        return int(self.sketch.num_rows)

    @cached_property
    def sample(self) -> Sample:
        """All of it, as what is measured."""
        cells = {name: self.cells[name].to_numpy() for name in self.cells.column_names}
        cells["row"] = np.arange(len(self))
        sketch = self.sketch.combine_chunks()
        hi, lo = (sketch[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        key = sample_key(hi, lo, np.ones(len(self), np.int64))
        # One document may go beyond the limit of tokens.
        return Sample.of(key, cells, sketch, DOCUMENTS, 2 * TOKENS)

    @property
    def fingerprint(self) -> bytes:
        """Of what it holds."""
        hi, lo = (self.sketch[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        return bytes(hi.tobytes() + lo.tobytes())


def pool_sketches(folder: str) -> Sketches:
    """The pool that stands in a yardstick's folder, as deduplication sees it."""
    path = files.join(folder, "pool")
    piece = Piece(unit_file(path, 0, "parquet"), "parquet", 0, -1, 0)
    return Sketches(path, [Unit(0, 0, (piece,))])


def words_until(
    sketches: Sketches, documents: NDArray[np.int64], key: NDArray[np.uint64], tokens: int
) -> NDArray[np.uint32]:
    """Word hashes of the documents with the smallest keys, until there are so many words.

    Args:
        sketches: of a run.
        documents: int64[n], ascending.
        key: uint64[n].
        tokens: words from which no further document is taken.
    """
    order = np.argsort(key, kind="stable")
    lengths = sketches.numbers("tokens")[documents][order]
    chosen = order[np.cumsum(lengths) - lengths < tokens]
    parts = [np.zeros(0, np.uint32)]
    for unit, rows, _ in sketches.rows_of(documents[np.sort(chosen)]):
        offsets, words = packed_runs(sketches.table(unit, ["words"]).column(0))
        parts += [words[offsets[row] : offsets[row + 1]] for row in rows]
    return np.concatenate(parts)
