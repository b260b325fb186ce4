"""Rows of Arrow IPC files and streams: .arrow, .feather, and the output of `save_to_disk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Piece
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.faults import raise_fault_of_machine
from outcross.transforms.inputs.footers import fault_of_names, open_for_arrow
from outcross.transforms.rows.blocks import Reject, Rows

_ROWS = 1 << 16  # rows of a slice, at most


def arrow_rows(piece: Piece, size: int) -> Iterator[Rows]:
    """Yield the rows of a file in slices of its record batches.

    Args:
        piece: piece that is a complete file.
        size: bytes of a slice, about.

    Raises:
        BrokenError: the file is broken; all rows before the fault have been given.
    """
    base = taken = 0
    with open_for_arrow(piece) as stream:
        try:
            for batch in _batches(stream):
                at = min(stream.tell(), piece.bytes)
                for rows in _slices(batch, base, size, max(0, at - taken)):
                    yield rows
                    base += rows.lines
                taken = max(taken, at)
        except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as fault:
            raise_fault_of_machine(fault, piece.file)
            cause = (str(fault) or type(fault).__name__).splitlines()[0]
            reason = f"broken Arrow IPC: row {base} or later: {cause}; get the file again"
            raise BrokenError(reason, b"", True) from None


def arrow_schema(piece: Piece) -> pa.Schema:
    """Return the schema of a file.

    Raises:
        ArrowException: the file is broken.
        OSError: the file can't be opened, or is broken.
    """
    with open_for_arrow(piece) as stream:
        return _reader(stream).schema


def _reader(stream: Any) -> Any:
    head = stream.read(6)
    stream.seek(0)
    if head.startswith(b"FEA1"):
        raise pa.ArrowInvalid("Feather of version 1; write it again as version 2")
    return pa.ipc.open_file(stream) if head == b"ARROW1" else pa.ipc.open_stream(stream)


def _batches(stream: Any) -> Iterator[pa.RecordBatch]:
    reader = _reader(stream)
    if fault := fault_of_names(reader.schema.names):
        raise pa.ArrowInvalid(fault)
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader


def _slices(batch: pa.RecordBatch, base: int, size: int, taken: int) -> Iterator[Rows]:
    rows = batch.num_rows
    faults = _broken_columns(batch)
    if faults:
        reason = f"broken Arrow IPC: column {faults[0]!r} of a batch of {rows} rows is damaged"
        rejects = [Reject("row", base, reason, b"", rows=rows, lost=taken)]
        empty = pa.RecordBatch.from_arrays([], schema=pa.schema([]))
        yield Rows(empty, np.zeros(0, np.int64), rejects if rows else [], rows, taken)
        return
    step = max(1, min(_ROWS, rows * size // max(1, batch.nbytes)))
    for start in range(0, rows, step):
        part = batch.slice(start, step)
        places: NDArray[np.int64] = np.arange(base + start, base + start + part.num_rows)
        share = taken * (start + part.num_rows) // rows - taken * start // rows
        yield Rows(part, places, [], part.num_rows, share)


def _broken_columns(batch: pa.RecordBatch) -> list[str]:
    """Return the columns of a damaged file whose offsets point outside their values."""
    names = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            _as_bytes(column).validate(full=True)
        except pa.ArrowException:
            names.append(name)
    return names


def _as_bytes(column: pa.Array) -> pa.Array:
    """Return text as bytes, so that invalid UTF-8 is a fault of its own row."""
    if pa.types.is_string(column.type):
        return column.view(pa.binary())
    if pa.types.is_large_string(column.type):
        return column.view(pa.large_binary())
    return column
