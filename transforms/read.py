"""Units of the input, and their rows as blocks of valid documents.

Which rows of a unit are valid, and in which order, depends on nothing but its bytes and the
source's fields, so that a later stage can read a unit again and align by position.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from schemas.columns import LEDGER_COLUMN, canonical, is_json, json_field, mark_wide, plain
from schemas.config import Format, Source
from schemas.documents import RAW_BYTES, Unit
from transforms.arrow_ipc import arrow_rows
from transforms.blocks import Block, Piece, Reject, rejected, with_columns
from transforms.compressed import PIECE, BrokenError
from transforms.content import content, whole_lines, without_marks
from transforms.delimited import delimited
from transforms.fields import matches, text_of
from transforms.files import open_input
from transforms.footers import (
    broken_column,
    broken_parquet,
    fault_of_footer,
    group_bytes,
    group_rows,
    open_parquet,
)
from transforms.input_files import InputFile, input_files
from transforms.json_values import holds_lines, json_rows
from transforms.jsonl import determined, parse, scan
from transforms.magic import is_compressed
from transforms.open_keys import named_columns
from transforms.plain_text import text_file, text_lines

UNIT_BYTES = 64 << 20
BATCH_BYTES = 8 << 20


def plan_units(sources: Sequence[Source], unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """The pieces of the input: whole files, byte ranges of lines, row groups of Parquet.

    Args:
        sources: in configuration order.
        unit_bytes: size from which a file is split; a compressed file never is.

    Raises:
        ConfigError: when a glob matches nothing, or a file's format is unknown.
    """
    units: list[Unit] = []
    for position, source in enumerate(sources):
        for file in input_files(source).files:
            kind = _kind(file, unit_bytes)
            if kind == "parquet":
                parts = _row_groups(file.path, file.size, unit_bytes)
            elif kind in ("jsonl", "text-lines"):
                parts = _ranges(file.path, file.size, unit_bytes)
            else:
                parts = [(0, -1, file.size)]
            for start, stop, taken in parts:
                units.append(
                    Unit(len(units), position, file.path, kind, start, stop, taken, file.columns)
                )
    return units


def read_unit(unit: Unit, source: Source, batch_bytes: int = BATCH_BYTES) -> Iterator[Block]:
    """The unit's documents in their order, in blocks of about `batch_bytes` before parsing.

    Memory follows `batch_bytes` and the longest row, not the file. What can't be read of a broken
    file (of a row group, in Parquet) is one reject, and everything before it is read.

    Raises:
        OSError: when the file can't be opened.
    """
    if unit.kind == "parquet":
        return _read_parquet(unit, source, batch_bytes)
    if unit.kind in ("jsonl", "json"):
        return _read_json(unit, source, batch_bytes)
    return _read_pieces(unit, source, batch_bytes)


def file_identity(path: str) -> str:
    """Size and a sampled hash of the bytes: the first and last MiB and 16 stretches of 64 KiB."""
    with open_input(path) as file:
        size = file.seek(0, os.SEEK_END)
        mib = 1 << 20
        if size <= 4 * mib:
            spans = [(0, size)]
        else:
            inner = [(mib + i * (size - 2 * mib) // 16, 64 << 10) for i in range(16)]
            spans = [(0, mib), *inner, (size - mib, mib)]
        digest = xxhash.xxh3_128()
        for start, length in spans:
            file.seek(start)
            digest.update(file.read(length))
    return f"{size}-{digest.hexdigest()}"


def _kind(file: InputFile, unit_bytes: int) -> Format:
    """Return how a file is read; a large .json of lines as lines, so that it can be split."""
    if file.kind != "json" or file.size <= unit_bytes or is_compressed(file.path):
        return file.kind
    with open_input(file.path) as stream:
        lines = holds_lines(stream.read(PIECE), complete=file.size <= PIECE)
        return "jsonl" if lines else "json"


def _ranges(file: str, size: int, unit_bytes: int) -> list[tuple[int, int, int]]:
    if size <= unit_bytes or is_compressed(file):
        return [(0, -1, size)]
    parts = -(-size // unit_bytes)
    edges = [size * i // parts for i in range(parts + 1)]
    return [(a, b, b - a) for a, b in pairwise(edges)]


def _row_groups(file: str, size: int, unit_bytes: int) -> list[tuple[int, int, int]]:
    whole = [(0, -1, size)]
    if size <= unit_bytes:
        return whole
    with open_parquet(file) as stream:
        try:
            metadata = pq.read_metadata(stream)
        except (pa.ArrowException, OSError, ValueError):  # read_unit rejects it with its reason
            return whole
    units: list[tuple[int, int, int]] = []
    start = taken = 0
    for group in range(metadata.num_row_groups):
        found = metadata.row_group(group)
        weight = sum(found.column(i).total_compressed_size for i in range(found.num_columns))
        if group > start and taken + weight > unit_bytes:
            units.append((start, group, taken))
            start, taken = group, 0
        taken += weight
    return [*units, (start, metadata.num_row_groups, taken)]


def json_blocks(
    unit: Unit, text_field: str, batch_bytes: int
) -> tuple[Literal["line", "row"], Iterator[tuple[bytes, int, BrokenError | None]]]:
    """Return what the rows of a JSON unit are called, and blocks of them, a line each."""
    if unit.kind == "json":
        return json_rows(unit, text_field, batch_bytes)
    return "line", whole_lines(content(unit), batch_bytes)


def _read_json(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    line = at = used = 0
    kind, blocks = json_blocks(unit, source.text_field, batch_bytes)
    for data, taken, broken in blocks:
        used += taken
        if broken is not None:
            lost = max(0, unit.bytes - used) + taken
            yield _broken(broken, at, data, 1 if data else 0, taken, lost)
            return
        block = _jsonl_block(data, line, source, unit.columns)
        rejects = [
            replace(reject, kind=kind, lost=taken * reject.lost // len(data))
            for reject in block.rejects
        ]
        yield replace(block, bytes=taken, rejects=rejects)
        line += block.lines
        at += len(data)


def _broken(broken: BrokenError, at: int, data: bytes, lines: int, taken: int, lost: int) -> Block:
    """Return what is left of a broken file, from byte `at` on, as one reject."""
    raw = (data + broken.raw)[:RAW_BYTES]
    return rejected([Reject("byte", at, broken.reason, raw, lost=lost, broken=True)], lines, taken)


def _read_pieces(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    used = lines = 0
    try:
        for piece in row_pieces(unit, source.text_field, batch_bytes):
            used += piece.bytes
            lines += piece.lines
            yield _judged(piece, source, unit.columns)
    except BrokenError as broken:
        rest = max(0, unit.bytes - used)
        yield _broken(broken, used, b"", 0, rest, rest)


def row_pieces(unit: Unit, text_field: str, batch_bytes: int) -> Iterator[Piece]:
    """Return the rows of a unit as its format has them, neither filtered nor judged.

    Args:
        unit: of a format that is neither JSON nor Parquet.
        text_field: what plain text is called.
        batch_bytes: of a piece, about.
    """
    if unit.kind == "arrow":
        return arrow_rows(unit, batch_bytes)
    if unit.kind == "text-lines":
        return text_lines(unit, text_field, batch_bytes)
    if unit.kind == "text-file":
        return text_file(unit, text_field)
    return delimited(unit, batch_bytes)


def _judged(piece: Piece, source: Source, columns: tuple[tuple[str, str], ...]) -> Block:
    """Return the valid rows of a piece, and why the others are none."""
    batch = with_columns(_bare(piece.batch), columns)
    block = _parquet_block(batch, 0, source)
    rest = piece.bytes - sum(reject.lost for reject in piece.rejects)
    rejects = [
        replace(
            reject,
            kind=piece.kind,
            number=int(piece.rows[reject.number]),
            lost=max(0, rest) // max(1, piece.batch.num_rows),
        )
        for reject in block.rejects
    ]
    rejects = sorted([*rejects, *piece.rejects], key=lambda reject: reject.number)
    return replace(
        block,
        rows=piece.rows[block.rows],
        rejects=rejects,
        lines=piece.lines,
        bytes=piece.bytes,
    )


def _jsonl_block(
    data: bytes, base: int, source: Source, columns: tuple[tuple[str, str], ...]
) -> Block:
    lines = scan(without_marks(data))
    named = named_columns(source)
    parsed = parse(lines, lines.filled, named)
    parsed = replace(parsed, batch=with_columns(parsed.batch, columns))
    wanted = matches(parsed.batch, source.where)
    text, reasons = text_of(parsed.batch, source.text_field)
    faults = [*parsed.faults]
    faults += [(int(parsed.rows[i]), why) for i, why in reasons.items() if wanted[i]]
    valid = wanted.copy()
    valid[list(reasons)] = False
    batch, rows = parsed.batch, parsed.rows
    if not valid.all():
        rows = rows[valid]
        batch, text = batch.filter(pa.array(valid)), text.filter(pa.array(valid))
    if len(rows) < len(lines.filled) and not determined(batch):
        # What isn't taken must not leave its types behind.
        batch = with_columns(parse(lines, rows, named).batch, columns)
        text, _ = text_of(batch, source.text_field)
    rejects = [
        Reject("line", base + number, why, line[:RAW_BYTES], lost=len(line))
        for number, why in sorted(faults)
        for line in (lines.line(number),)
    ]
    filtered = int(np.count_nonzero(~wanted))
    return Block(mark_wide(batch), text, base + rows, rejects, filtered, len(lines), len(data))


def _read_parquet(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    with open_parquet(unit.file) as stream:
        rows = 1
        try:
            file = pq.ParquetFile(
                stream, buffer_size=PIECE, pre_buffer=False, page_checksum_verification=True
            )
            fault = fault_of_footer(file)
            if fault is None and group_bytes(file) > stream.size():
                fault = "broken Parquet: its footer tells more than there is; get the file again"
                stop = None if unit.stop < 0 else unit.stop
                rows = max(1, sum(group_rows(file)[unit.start : stop]))
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            fault = broken_parquet(error)
        if fault is not None:
            reject = Reject("byte", 0, fault, b"", rows, lost=unit.bytes, broken=True)
            yield rejected([reject], 0, unit.bytes)
            return
        base = 0
        for group in range(unit.start, file.num_row_groups if unit.stop < 0 else unit.stop):
            yield from _row_group(file, group, base, source, batch_bytes, unit.columns)
            base += file.metadata.row_group(group).num_rows


def _row_group(
    file: pq.ParquetFile,
    group: int,
    base: int,
    source: Source,
    batch_bytes: int,
    columns: tuple[tuple[str, str], ...],
) -> Iterator[Block]:
    found = file.metadata.row_group(group)
    rows = found.num_rows
    size = max(0, sum(found.column(i).total_compressed_size for i in range(found.num_columns)))
    per_row = max(1, found.total_byte_size // max(1, rows))
    step = max(1, min(rows, batch_bytes // per_row, 1 << 16))
    batches = file.iter_batches(batch_size=step, row_groups=[group], use_threads=False)
    done = 0
    reason = f"broken Parquet: row group {group} ends before its {rows} rows"
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError, MemoryError) as fault:
            column = broken_column(file, group)
            reason, batch = broken_parquet(fault, f"column {column!r}, row group {group}: "), None
        if batch is None:
            break
        block = _parquet_block(with_columns(_bare(batch), columns), base + done, source)
        taken = size * len(batch) // max(1, rows)
        lost = taken // max(1, len(batch))
        rejects = [replace(reject, lost=lost) for reject in block.rejects]
        yield replace(block, bytes=taken, rejects=rejects)
        done += batch.num_rows
    if done < rows:
        lost = size * (rows - done) // rows
        rejects = [Reject("row", base + done, reason, b"", rows=rows - done, lost=lost)]
        yield rejected(rejects, rows - done, lost)


def _parquet_block(batch: pa.RecordBatch, base: int, source: Source) -> Block:
    rows = batch.num_rows
    reasons = _undecodable(batch)
    if reasons:
        readable = np.ones(rows, bool)
        readable[list(reasons)] = False
        places = np.flatnonzero(readable)
        batch = batch.filter(pa.array(readable))
    else:
        places = np.arange(rows)
    wanted = matches(batch, source.where)
    text, faults = text_of(batch, source.text_field)
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
    filtered = int(np.count_nonzero(~wanted))
    return Block(mark_wide(batch), text, base + places, rejects, filtered, rows, 0)


def _undecodable(batch: pa.RecordBatch) -> dict[int, str]:
    """Rows with text that isn't UTF-8: Parquet promises it, and nothing checks."""
    reasons: dict[int, str] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            for row in range(len(column)):
                try:
                    column.slice(row, 1).validate(full=True)
                except pa.ArrowInvalid:
                    reasons.setdefault(row, f"column {field.name!r} is not valid UTF-8")
    return dict(sorted(reasons.items()))


def _bare(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without what other programs noted on it: our marks must be our own.

    A ledger is; its columns that hold JSON go on holding JSON.
    """
    columns = [c.storage if isinstance(c, pa.ExtensionArray) else c for c in batch.columns]
    ours = LEDGER_COLUMN in batch.schema.names
    schema = pa.schema(
        [
            json_field(field.name) if ours and is_json(field) else pa.field(field.name, column.type)
            for field, column in zip(batch.schema, columns, strict=True)
        ]
    )
    return pa.RecordBatch.from_arrays(columns, schema=schema)
