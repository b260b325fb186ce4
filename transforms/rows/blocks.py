"""What is read of a unit: valid rows, and the rows that can't be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.rows.filters import Met

BATCH_ROWS = 1 << 16
"""Rows of a block at most."""


@dataclass(frozen=True)
class Reject:
    """A row that can't be read, or what is left of a broken file.

    Attributes:
        kind: what `number` counts; a byte is one of the decompressed file.
        number: of a line or row through the unit, of a byte within its file, from 0.
        reason: what was found and what is expected; the same words for the same fault.
        raw: the first 500 bytes.
        rows: how many rows it stands for; 1 where nobody knows.
        lost: input bytes that it stands for.
        broken: whether the file is broken as a whole, not a row in it.
        piece: number of the piece of the unit in which the byte is; 0 for lines and rows.
    """

    kind: Literal["line", "row", "byte"]
    number: int
    reason: str
    raw: bytes
    rows: int = 1
    lost: int = 0
    broken: bool = False
    piece: int = 0


@dataclass(frozen=True)
class Block:
    """A stretch of a unit.

    Attributes:
        batch: the n valid rows with all of the user's columns.
        text: their n texts, string or large_string, no nulls.
        rows: their n places, counted through the unit: lines (blank ones too) or rows, from 0.
        rejects: the rows that can't be read.
        filtered: rows that the source's `where` leaves out.
        lines: lines or rows of the unit that this block covers, of whatever kind.
        bytes: input bytes that it took.
        met: what the keys of `where` met, in their order.
        pieces: numbers of the pieces that it covers, in order, with the lines of each.
    """

    batch: pa.RecordBatch
    text: pa.Array
    rows: NDArray[np.int64]
    rejects: list[Reject]
    filtered: int
    lines: int
    bytes: int
    met: tuple[Met, ...] = ()
    pieces: tuple[tuple[int, int], ...] = ()

    @property
    def read(self) -> int:
        """Rows read: the valid and the rejected ones."""
        return len(self.rows) + sum(reject.rows for reject in self.rejects)

    def moved(self, pieces: int, lines: int) -> Block:
        """Return the block as it is counted behind so many pieces and lines."""
        rejects = [
            replace(reject, piece=reject.piece + pieces)
            if reject.kind == "byte"
            else replace(reject, number=reject.number + lines)
            for reject in self.rejects
        ]
        covered = tuple((number + pieces, count) for number, count in self.pieces)
        return replace(self, rows=self.rows + lines, rejects=rejects, pieces=covered)


@dataclass(frozen=True)
class Rows:
    """Rows of a piece as a format's reader gives them, before anything is asked of them.

    Attributes:
        batch: n rows.
        rows: their n places within the piece, ascending.
        rejects: what can't be read at all.
        lines: lines or rows of the piece that they cover.
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


def shared(blocks: Iterable[Block], batch_bytes: int) -> Iterator[Block]:
    """Join small blocks in succession that have the same columns."""
    together: list[Block] = []
    size = rows = 0
    for block in blocks:
        weight, height = block.batch.nbytes, len(block.rows)
        if together and (
            size + weight > batch_bytes
            or rows + height > BATCH_ROWS
            or not _alike(together[-1], block)
        ):
            yield _joined(together)
            together, size, rows = [], 0, 0
        if 2 * weight > batch_bytes:  # so that it isn't kept while the next one is read
            yield _joined([*together, block])
            together, size, rows = [], 0, 0
            continue
        together.append(block)
        size, rows = size + weight, rows + height
    if together:
        yield _joined(together)


def _alike(block: Block, other: Block) -> bool:
    return block.text.type == other.text.type and block.batch.schema.equals(
        other.batch.schema, check_metadata=True
    )


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        batch=pa.concat_batches([block.batch for block in blocks]),
        text=pa.concat_arrays([block.text for block in blocks]),
        rows=np.concatenate([block.rows for block in blocks]),
        rejects=[reject for block in blocks for reject in block.rejects],
        filtered=sum(block.filtered for block in blocks),
        lines=sum(block.lines for block in blocks),
        bytes=sum(block.bytes for block in blocks),
        met=tuple(map(Met.total, zip(*(block.met for block in blocks if block.met), strict=True))),
        pieces=tuple(piece for block in blocks for piece in block.pieces),
    )
