"""Read units as blocks of valid documents.

The valid rows of a unit and their order depend only on its bytes and the source's fields. So a
later stage can read a unit again and align the rows by position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal

import numpy as np
import pyarrow as pa

from outcross.schemas.columns import canonical, mark_wide, plain
from outcross.schemas.documents import RAW_BYTES, Piece, Unit
from outcross.schemas.sources import Source
from outcross.schemas.supertypes import bare, cast, without_null_lists
from outcross.schemas.text_field import paths_of
from outcross.transforms.inputs.compressed import BrokenError
from outcross.transforms.inputs.content import LineBlocks, content, strip_marks, whole_lines
from outcross.transforms.inputs.faults import raise_fault_of_machine
from outcross.transforms.inputs.footers import (
    broken_column,
    broken_parquet,
    fault_of_footer,
    group_bytes,
    group_rows,
    open_for_arrow,
)
from outcross.transforms.inputs.seals import check_piece
from outcross.transforms.reading.arrow_ipc import arrow_rows
from outcross.transforms.reading.delimited import delimited_rows
from outcross.transforms.reading.json_values import json_rows
from outcross.transforms.reading.jsonl import in_order, is_determined, parse
from outcross.transforms.reading.line_scan import scan
from outcross.transforms.reading.parquet import ParquetColumns, batch_rows, undecodable
from outcross.transforms.reading.plain_text import text_file, text_lines
from outcross.transforms.rows.blocks import (
    Block,
    Reject,
    Rows,
    block_of_rejects,
    join_blocks,
    with_columns,
)
from outcross.transforms.rows.filters import matches
from outcross.transforms.rows.open_keys import named_columns
from outcross.transforms.rows.text_fields import text_of

BATCH_BYTES = 8 << 20

_Columns = tuple[tuple[str, str], ...]


def read_unit(unit: Unit, source: Source, batch_bytes: int = BATCH_BYTES) -> Iterator[Block]:
    """Yield the unit's documents in their order, in blocks of about `batch_bytes` before parsing.

    Rows are counted through the unit's pieces, and small pieces share blocks. Memory depends on
    `batch_bytes` and the longest row, not on the file. The unreadable rest of a broken file, or of
    a Parquet row group, is one reject; everything before it is read.

    Args:
        unit: unit of the input.
        source: source of the unit.
        batch_bytes: bytes of a block, about.

    Raises:
        OSError: a file can't be opened.
        ChangedError: a file has changed since it was sealed.
    """
    return join_blocks(_blocks(unit, source, batch_bytes), batch_bytes)


def _blocks(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    pieces = lines = 0
    for (is_jsonl, _), run in groupby(
        unit.pieces, lambda piece: (piece.kind == "jsonl", piece.columns)
    ):
        same = list(run)
        for group in [same] if is_jsonl else [[piece] for piece in same]:
            covered = 0
            read = _read_jsonl if is_jsonl else _read_single
            for block in read(group, source, batch_bytes):
                covered += block.lines
                yield block.moved(pieces, lines)
            pieces, lines = pieces + len(group), lines + covered


def _read_single(pieces: Sequence[Piece], source: Source, batch_bytes: int) -> Iterator[Block]:
    """Yield blocks of a single piece."""
    (piece,) = pieces
    for block in read_piece(piece, source, batch_bytes):
        yield replace(block, pieces=((0, block.lines),))
    check_piece(piece)


def read_piece(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Block]:
    """Yield blocks of a piece, except of JSON lines; rows are counted from its beginning."""
    if piece.kind == "parquet":
        return _read_parquet(piece, source, batch_bytes)
    if piece.kind == "json":
        return _read_json(piece, source, batch_bytes)
    return _read_rows(piece, source, batch_bytes)


def _read_jsonl(pieces: Sequence[Piece], source: Source, batch_bytes: int) -> Iterator[Block]:
    """Yield blocks of JSON lines, numbered through the pieces; small pieces share a block."""
    pending: list[bytes] = []
    covered: list[int] = []  # number of the piece that each of them is of
    size = taken = line = 0

    def block() -> Block:
        nonlocal size, taken, line
        data = b"".join(pending)
        parsed = _json_block(data, taken, line, source, pieces[0].columns)
        counts = [parsed.lines] if len(pending) == 1 else [lines.count(b"\n") for lines in pending]
        parsed = replace(parsed, pieces=tuple(zip(covered, counts, strict=True)))
        pending.clear()
        covered.clear()
        size, taken, line = 0, 0, line + parsed.lines
        return parsed

    for number, piece in enumerate(pieces):
        at = used = 0
        for data, cost, broken in whole_lines(content(piece), batch_bytes):
            used += cost
            if pending and (broken is not None or size + len(data) > batch_bytes):
                yield block()
            if broken is not None:
                rest = 1 if data else 0
                lost = max(0, piece.bytes - used) + cost
                reject = _broken(broken, at, data, rest, cost, lost, number)
                yield replace(reject, pieces=((number, rest),))
                line += rest
                break
            at += len(data)
            lines = data if data.endswith(b"\n") else data + b"\n"
            pending.append(lines)
            covered.append(number)
            size, taken = size + len(lines), taken + cost
            if size >= batch_bytes:
                yield block()
        check_piece(piece)
    if pending:
        yield block()


def json_blocks(
    piece: Piece, source: Source, batch_bytes: int
) -> tuple[Literal["line", "row"], LineBlocks]:
    """Return the unit in which rows of a JSON piece are counted, and the rows, a line each.

    Args:
        piece: piece of format json or jsonl.
        source: source of the piece; an object with its text field is a row.
        batch_bytes: bytes of a block, about.
    """
    if piece.kind == "json":
        return json_rows(piece, paths_of(source.text_field)[0], batch_bytes)
    return "line", whole_lines(content(piece), batch_bytes)


def _read_json(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Block]:
    line = at = used = 0
    kind, blocks = json_blocks(piece, source, batch_bytes)
    for data, taken, broken in blocks:
        used += taken
        if broken is not None:
            lost = max(0, piece.bytes - used) + taken
            yield _broken(broken, at, data, 1 if data else 0, taken, lost)
            return
        block = _json_block(data, taken, line, source, piece.columns)
        yield replace(block, rejects=[replace(reject, kind=kind) for reject in block.rejects])
        line += block.lines
        at += len(data)


def _broken(
    broken: BrokenError, at: int, data: bytes, lines: int, taken: int, lost: int, piece: int = 0
) -> Block:
    """Return the rest of a broken file, from byte `at` on, as a block with one reject."""
    raw = (data + broken.raw)[:RAW_BYTES]
    reject = Reject("byte", at, broken.reason, raw, lost=lost, broken=True, piece=piece)
    return block_of_rejects([reject], lines, taken)


def _read_rows(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Block]:
    used = lines = 0
    try:
        for rows in piece_rows(piece, source, batch_bytes):
            used += rows.bytes
            lines += rows.lines
            yield _check_rows(rows, source, piece.columns)
    except BrokenError as broken:
        rest = max(0, piece.bytes - used)
        block = _broken(broken, used, b"", 0, rest, rest)
        if piece.kind == "text-file":  # it is one document, so the loss is known
            block = replace(block, rejects=[replace(r, broken=False) for r in block.rejects])
        yield block


def piece_rows(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Rows]:
    """Return the rows of a piece before they are filtered and checked.

    Args:
        piece: piece of a format other than JSON and Parquet.
        source: source of the piece; its text field names the column of plain text.
        batch_bytes: bytes of a batch, about.
    """
    if piece.kind == "arrow":
        return arrow_rows(piece, batch_bytes)
    if piece.kind == "text-lines":
        return text_lines(piece, paths_of(source.text_field)[0], batch_bytes)
    if piece.kind == "text-file":
        return text_file(piece, paths_of(source.text_field)[0])
    return delimited_rows(piece, batch_bytes)


def _check_rows(rows: Rows, source: Source, columns: _Columns) -> Block:
    """Return the valid rows of a batch, and the rest as rejects."""
    block = _batch_block(with_columns(_bare(rows.batch), columns), 0, source)
    rest = rows.bytes - sum(reject.lost for reject in rows.rejects)
    rejects = [
        replace(
            reject,
            kind=rows.kind,
            number=int(rows.rows[reject.number]),
            lost=max(0, rest) // max(1, rows.batch.num_rows),
        )
        for reject in block.rejects
    ]
    rejects = sorted([*rejects, *rows.rejects], key=lambda reject: reject.number)
    return replace(
        block,
        rows=rows.rows[block.rows],
        rejects=rejects,
        lines=rows.lines,
        bytes=rows.bytes,
    )


def _bare(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with bare types and without metadata of other programs."""
    columns = [cast(c, without_null_lists(c, bare(c.type))) for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _json_block(data: bytes, taken: int, base: int, source: Source, columns: _Columns) -> Block:
    """Return the documents of some lines.

    Args:
        data: whole lines.
        taken: input bytes of the lines.
        base: number of lines before them.
        source: source of the lines.
        columns: columns that their files' folders name.
    """
    lines = scan(strip_marks(data))
    named = named_columns(source)
    parsed = parse(lines, lines.filled, named)
    parsed = replace(parsed, batch=with_columns(parsed.batch, columns))
    filtering = matches(parsed.batch, source.where)
    wanted = filtering.kept
    text, reasons = text_of(parsed.batch, source)
    faults = [*parsed.faults]
    faults += [(int(parsed.rows[i]), why) for i, why in reasons.items() if wanted[i]]
    valid = wanted.copy()
    valid[list(reasons)] = False
    batch, rows = parsed.batch, parsed.rows
    if not valid.all():
        rows = rows[valid]
        batch, text = batch.filter(pa.array(valid)), text.filter(pa.array(valid))
    if len(rows) < len(lines.filled) and not is_determined(batch):
        # Types must not depend on rows that are left out.
        batch = with_columns(parse(lines, rows, named).batch, columns)
        text, _ = text_of(batch, source)
    rejects = [
        Reject("line", base + number, why, line[:RAW_BYTES], lost=taken * len(line) // len(data))
        for number, why in sorted(faults)
        for line in (lines.line(number),)
    ]
    return Block(
        mark_wide(in_order(batch, lines, rows)),
        text,
        base + rows,
        rejects,
        filtered=int(np.count_nonzero(~wanted)),
        lines=len(lines),
        bytes=taken,
        met=filtering.met,
    )


def _read_parquet(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Block]:
    with open_for_arrow(piece) as stream:
        rows = 1
        try:
            columns = ParquetColumns(stream)
            fault = fault_of_footer(columns.file)
            if fault is None and group_bytes(columns.file) > stream.size():
                fault = (
                    "broken Parquet: its footer names more bytes than it has; get the file again"
                )
                stop = None if piece.stop < 0 else piece.stop
                rows = max(1, sum(group_rows(columns.file)[piece.start : stop]))
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise_fault_of_machine(error, piece.file)
            fault = broken_parquet(error)
        if fault is not None:
            reject = Reject("byte", 0, fault, b"", rows, lost=piece.bytes, broken=True)
            yield block_of_rejects([reject], 0, piece.bytes)
            return
        base = 0
        stop = columns.file.num_row_groups if piece.stop < 0 else piece.stop
        for group in range(piece.start, stop):
            yield from _row_group(columns, group, base, source, batch_bytes, piece)
            base += columns.file.metadata.row_group(group).num_rows


def _row_group(
    parquet: ParquetColumns,
    group: int,
    base: int,
    source: Source,
    batch_bytes: int,
    piece: Piece,
) -> Iterator[Block]:
    metadata = parquet.file.metadata.row_group(group)
    rows = metadata.num_rows
    size = max(
        0, sum(metadata.column(i).total_compressed_size for i in range(metadata.num_columns))
    )
    step = batch_rows(metadata, batch_bytes)
    read = 0
    reason = parquet.repeated_member()
    batches = parquet.batches(group, step) if reason is None else iter(())
    reason = reason or f"broken Parquet: row group {group} ends before its {rows} rows"
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError, MemoryError) as fault:
            raise_fault_of_machine(fault, piece.file)
            column = broken_column(parquet.file, group)
            reason, batch = broken_parquet(fault, f"column {column!r}, row group {group}: "), None
        if batch is None:
            break
        block = _batch_block(with_columns(batch, piece.columns), base + read, source)
        taken = size * len(batch) // max(1, rows)
        lost = taken // max(1, len(batch))
        rejects = [replace(reject, lost=lost) for reject in block.rejects]
        yield replace(block, bytes=taken, rejects=rejects)
        read += batch.num_rows
    if read < rows:
        lost = size * (rows - read) // rows
        rejects = [Reject("row", base + read, reason, b"", rows=rows - read, lost=lost)]
        yield block_of_rejects(rejects, rows - read, lost)


def _batch_block(batch: pa.RecordBatch, base: int, source: Source) -> Block:
    """Return the documents of a batch.

    Args:
        batch: n rows with bare types.
        base: number of rows before them.
        source: source of the rows.
    """
    rows = batch.num_rows
    reasons = _undecodable(batch)
    if reasons:
        readable = np.ones(rows, bool)
        readable[list(reasons)] = False
        places = np.flatnonzero(readable)
        batch = batch.filter(pa.array(readable))
    else:
        places = np.arange(rows)
    filtering = matches(batch, source.where)
    wanted = filtering.kept
    text, faults = text_of(batch, source)
    valid = wanted.copy()
    valid[list(faults)] = False
    rejects = [Reject("row", base + row, why, b"") for row, why in reasons.items()]
    for row, why in faults.items():
        if wanted[row]:
            raw = canonical(plain(batch.slice(row, 1).to_struct_array())[0]) or ""
            rejects.append(Reject("row", base + int(places[row]), why, raw.encode()[:RAW_BYTES]))
    rejects.sort(key=lambda reject: reject.number)
    if not valid.all():
        places = places[valid]
        batch, text = batch.filter(pa.array(valid)), text.filter(pa.array(valid))
    return Block(
        mark_wide(batch),
        text,
        base + places,
        rejects,
        filtered=int(np.count_nonzero(~wanted)),
        lines=rows,
        bytes=0,
        met=filtering.met,
    )


def _undecodable(batch: pa.RecordBatch) -> dict[int, str]:
    """Return a reason for each row with text that isn't UTF-8; it names the column."""
    reasons: dict[int, str] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for row in undecodable(column):
            reasons.setdefault(row, f"column {name!r} is not valid UTF-8")
    return dict(sorted(reasons.items()))
