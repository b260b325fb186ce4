"""Pool: human text that fitted no centroids, with which every other text is compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.assignments import ASSIGNMENTS
from outcross.transforms.reference.sample import Sample, sample_key
from outcross.transforms.sketches.store import Sketches, UnitReport

DOCUMENTS = 1 << 15
TOKENS = 1 << 22
CELLS = pa.schema([*ASSIGNMENTS, pa.field("class", pa.int8(), nullable=False)])
"""Schema of the cells of documents."""
POOL_FILES = ("pool/unit-000000.parquet", "pool/unit-000000.json", "pool/cells.parquet")


@dataclass(frozen=True, eq=False)
class Pool:
    """Documents with the smallest hashes from the two quarters that fitted no centroids.

    Attributes:
        sketch: sketches of the documents by ascending key. Deduplication compares texts with them,
            and measures are counted from them.
        cells: columns of `CELLS`, aligned with `sketch`.
    """

    sketch: pa.Table
    cells: pa.Table

    @classmethod
    def of(cls, sketch: pa.Table, cells: pa.Table) -> Pool:
        """Make a pool of documents, without what users of the reference have no use for.

        Args:
            sketch: sketches of the documents, by ascending key.
            cells: columns of `CELLS`, aligned with `sketch`.
        """
        nulls = pa.nulls(sketch.num_rows, pa.string())
        blanks = {"id": nulls, "domain": nulls, "generation": nulls}
        blanks["prompt"] = pa.array(np.zeros(sketch.num_rows, np.uint64))
        for name, column in blanks.items():
            place = sketch.schema.get_field_index(name)
            sketch = sketch.set_column(place, sketch.schema.field(place), column)
        return cls(sketch, cells.select(CELLS.names).cast(CELLS))

    def save(self, folder: str) -> None:
        """Write the pool as the sketches of one unit, which deduplication can read."""
        files.make_folder(files.join(folder, "pool"))
        report = UnitReport(unit=0, rows=self.sketch.num_rows, read=self.sketch.num_rows)
        for path, table in zip(POOL_FILES[::2], (self.sketch, self.cells), strict=True):
            files.write_table(files.join(folder, path), table)
        files.write_json(files.join(folder, POOL_FILES[1]), asdict(report))

    @classmethod
    def load(cls, folder: str) -> Pool:
        """Read a pool that `save` wrote.

        Raises:
            ValueError: its files have different numbers of rows.
        """
        pool = cls(*(files.read_table(files.join(folder, path)) for path in POOL_FILES[::2]))
        reported = len(pool_sketches(folder))
        if not reported == len(pool) == pool.cells.num_rows:
            raise ValueError(
                f"{', '.join(POOL_FILES)} have {len(pool)}, {reported} and {pool.cells.num_rows} "
                "rows; needed: as many"
            )
        return pool

    def __len__(self) -> int:
        return int(self.sketch.num_rows)

    @cached_property
    def sample(self) -> Sample:
        """Return all of the pool as a sample."""
        cells = {name: self.cells[name].to_numpy() for name in self.cells.column_names}
        cells["row"] = np.arange(len(self))
        sketch = self.sketch.combine_chunks()
        hi, lo = (sketch[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        key = sample_key(hi, lo, np.ones(len(self), np.int64))
        # The last document may go beyond the limit of tokens.
        return Sample.of(key, cells, sketch, DOCUMENTS, 2 * TOKENS)

    @property
    def fingerprint(self) -> bytes:
        """Return the fingerprints of its documents."""
        hi, lo = (self.sketch[f"fingerprint_{half}"].to_numpy() for half in ("hi", "lo"))
        return bytes(hi.tobytes() + lo.tobytes())


def pool_sketches(folder: str) -> Sketches:
    """Open the sketches of the pool in a reference's folder."""
    path = files.join(folder, "pool")
    piece = Piece(unit_file(path, 0, "parquet"), "parquet", 0, -1, 0)
    return Sketches(path, [Unit(0, 0, (piece,))])
