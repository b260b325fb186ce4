"""What is read of a unit: valid rows, and the rows that can't be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class Reject:
    """A row that can't be read, or what is left of a broken file.

    Attributes:
        kind: what `number` counts; a byte is one of the decompressed file.
        number: within the unit, from 0.
        reason: what was found and what is expected; the same words for the same fault.
        raw: the first 500 bytes.
        rows: how many rows it stands for; 1 where nobody knows.
        lost: input bytes that it stands for.
        broken: whether the file is broken as a whole, not a row in it.
    """

    kind: Literal["line", "row", "byte"]
    number: int
    reason: str
    raw: bytes
    rows: int = 1
    lost: int = 0
    broken: bool = False


@dataclass(frozen=True)
class Block:
    """A stretch of a unit.

    Attributes:
        batch: the n valid rows with all of the user's columns.
        text: their n texts, string or large_string, no nulls.
        rows: their n places within the unit: lines (blank ones count) or rows, from 0.
        rejects: the rows that can't be read.
        filtered: rows that the source's `where` leaves out.
        lines: lines or rows of the unit that this block covers, of whatever kind.
        bytes: input bytes that it took.
    """

    batch: pa.RecordBatch
    text: pa.Array
    rows: NDArray[np.int64]
    rejects: list[Reject]
    filtered: int
    lines: int
    bytes: int

    @property
    def read(self) -> int:
        """Rows read: the valid and the rejected ones."""
        return len(self.rows) + sum(reject.rows for reject in self.rejects)


@dataclass(frozen=True)
class Piece:
    """Rows of a unit as a format's reader gives them, before anything is asked of them.

    Attributes:
        batch: n rows.
        rows: their n places within the unit, ascending.
        rejects: what can't be read at all.
        lines: lines or rows of the unit that it covers.
        bytes: input bytes that it took.
        kind: what places count.
    """

    batch: pa.RecordBatch
    rows: NDArray[np.int64]
    rejects: list[Reject]
    lines: int
    bytes: int
    kind: Literal["line", "row"] = "row"


def rejected(rejects: list[Reject], lines: int, taken: int) -> Block:
    """Return a block without a valid row.

    Args:
        rejects: all that is in it.
        lines: lines or rows that it covers.
        taken: input bytes.
    """
    nothing = pa.RecordBatch.from_arrays([], schema=pa.schema([]))
    rows = np.zeros(0, np.int64)
    return Block(nothing, pa.array([], pa.string()), rows, rejects, 0, lines, taken)


def with_columns(batch: pa.RecordBatch, columns: tuple[tuple[str, str], ...]) -> pa.RecordBatch:
    """Return the batch with the columns that its file's folders name, unless it has them.

    Args:
        batch: n rows.
        columns: names and the one value of each.
    """
    for name, value in columns:
        if name not in batch.schema.names:
            values = pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
            if batch.num_columns == 0:
                batch = pa.RecordBatch.from_arrays([values], names=[name])
            else:
                batch = batch.append_column(name, values)
    return batch
