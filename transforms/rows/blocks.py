"""Blocks of a unit: valid rows, and rejects for the rows that can't be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.rows.filters import Met

BATCH_ROWS = 1 << 16
"""The most rows of a block."""


@dataclass(frozen=True)
class Reject:
    """A row that can't be read, or the rest of a broken file.

    Attributes:
        kind: unit of `number`; a byte is a byte of the decompressed file.
        number: number of the line or row in the unit, or of the byte in its file, from 0.
        reason: the fault and the expected value; equal words for equal faults, but for
            numbers in a fault of Parquet.
        raw: first 500 bytes.
        rows: number of rows that it stands for; 1 where that is unknown.
        lost: input bytes that it stands for.
        broken: True if the file is broken, not a row in it.
        piece: number of the unit's piece that holds the byte; 0 for lines and rows.
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
        rows: int64[n], their places in the unit: number of the line, blank ones too, or row.
        rejects: rows that can't be read.
        filtered: number of rows that the source's `where` leaves out.
        lines: number of all lines or rows of the unit that the block covers.
        bytes: input bytes of the block.
        met: counts for each key of `where`, in their order.
        pieces: numbers of the covered pieces in order, with the number of lines of each.
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
        """Number of rows, valid and rejected."""
        return len(self.rows) + sum(reject.rows for reject in self.rejects)

    def moved(self, pieces: int, lines: int) -> Block:
        """Return the block with its pieces and lines counted from these first numbers."""
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
    """Rows of a piece from the reader of its format, before they are filtered and checked.

    Attributes:
        batch: n rows.
        rows: int64[n], their places in the piece, ascending.
        rejects: rows that the reader can't read.
        lines: number of lines or rows of the piece that are covered.
        bytes: input bytes.
        kind: unit of the places.
    """

    batch: pa.RecordBatch
    rows: NDArray[np.int64]
    rejects: list[Reject]
    lines: int
    bytes: int
    kind: Literal["line", "row"] = "row"


def block_of_rejects(rejects: list[Reject], lines: int, taken: int) -> Block:
    """Return a block without a valid row.

    Args:
        rejects: rejects of the block.
        lines: number of lines or rows that it covers.
        taken: input bytes.
    """
    batch = pa.RecordBatch.from_arrays([], schema=pa.schema([]))
    rows = np.zeros(0, np.int64)
    return Block(batch, pa.array([], pa.string()), rows, rejects, 0, lines, taken)


def with_columns(batch: pa.RecordBatch, columns: tuple[tuple[str, str], ...]) -> pa.RecordBatch:
    """Add columns with a single value to a batch, except those that it has.

    Args:
        batch: n rows.
        columns: name and value of each column.
    """
    for name, value in columns:
        if name not in batch.schema.names:
            values = pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
            if batch.num_columns == 0:
                batch = pa.RecordBatch.from_arrays([values], names=[name])
            else:
                batch = batch.append_column(name, values)
    return batch


def join_blocks(blocks: Iterable[Block], batch_bytes: int) -> Iterator[Block]:
    """Join successive small blocks with the same columns.

    Args:
        blocks: blocks of a unit in order.
        batch_bytes: bytes of a joined block, at most.
    """
    pending: list[Block] = []
    size = rows = 0
    for block in blocks:
        weight, height = block.batch.nbytes, len(block.rows)
        if pending and (
            size + weight > batch_bytes
            or rows + height > BATCH_ROWS
            or not _have_same_columns(pending[-1], block)
        ):
            yield _join(pending)
            pending, size, rows = [], 0, 0
        if 2 * weight > batch_bytes:  # give it now, so that memory doesn't hold the next one too
            yield _join([*pending, block])
            pending, size, rows = [], 0, 0
            continue
        pending.append(block)
        size, rows = size + weight, rows + height
    if pending:
        yield _join(pending)


def _have_same_columns(first: Block, second: Block) -> bool:
    return first.text.type == second.text.type and first.batch.schema.equals(
        second.batch.schema, check_metadata=True
    )


def _join(blocks: Sequence[Block]) -> Block:
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
