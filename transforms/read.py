"""Units of the input, and their rows as blocks of valid documents.

Which rows of a unit are valid, and in which order, depends on nothing but its bytes and the
source's fields, so that a later stage can read a unit again and align by position.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from schemas.columns import canonical, mark_wide, plain
from schemas.config import ConfigError, Source
from schemas.documents import RAW_BYTES, Unit
from transforms.compressed import PIECE, BrokenError, decompressed, is_compressed
from transforms.files import is_local, open_input
from transforms.filters import Met, matches
from transforms.jsonl import determined, in_order, parse, scan
from transforms.parquet import ParquetColumns, undecodable
from transforms.text_fields import text_of

UNIT_BYTES = 64 << 20
BATCH_BYTES = 8 << 20

_JSONL = re.compile(r"\.(jsonl|ndjson|json)(\.gz|\.zst)?$", re.IGNORECASE)
_PARQUET = re.compile(r"\.(parquet|pq)$", re.IGNORECASE)


@dataclass(frozen=True)
class Reject:
    """A row that can't be read, or what is left of a broken file.

    Attributes:
        kind: what `number` counts; a byte is one of the decompressed file.
        number: within the unit, from 0.
        reason: what was found and what is expected; the same words for the same fault.
        raw: the first 500 bytes.
    """

    kind: Literal["line", "row", "byte"]
    number: int
    reason: str
    raw: bytes


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
        met: what the keys of `where` met, in their order.
    """

    batch: pa.RecordBatch
    text: pa.Array
    rows: NDArray[np.int64]
    rejects: list[Reject]
    filtered: int
    lines: int
    bytes: int
    met: tuple[Met, ...] = ()

    @property
    def read(self) -> int:
        """Rows read: the valid and the rejected ones."""
        return len(self.rows) + len(self.rejects)


def plan_units(sources: Sequence[Source], unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """The pieces of the input: whole files, byte ranges of JSONL, row groups of Parquet.

    Args:
        sources: in configuration order.
        unit_bytes: size from which a file is split; a compressed file never is.

    Raises:
        ConfigError: when a glob matches nothing, or a file's extension is unknown.
    """
    units: list[Unit] = []
    for position, source in enumerate(sources):
        for file, size in _files(source):
            if _PARQUET.search(file):
                parts = _row_groups(file, size, unit_bytes)
                kind: Literal["jsonl", "parquet"] = "parquet"
            else:
                parts, kind = _ranges(file, size, unit_bytes), "jsonl"
            for start, stop, taken in parts:
                units.append(Unit(len(units), position, file, kind, start, stop, taken))
    return units


def read_unit(unit: Unit, source: Source, batch_bytes: int = BATCH_BYTES) -> Iterator[Block]:
    """The unit's documents in their order, in blocks of about `batch_bytes` before parsing.

    Memory follows `batch_bytes` and the longest line, not the file. What can't be read of a broken
    file (of a row group, in Parquet) is one reject, and everything before it is read.

    Raises:
        OSError: when the file can't be opened.
    """
    if unit.kind == "parquet":
        return _read_parquet(unit, source, batch_bytes)
    return _read_jsonl(unit, source, batch_bytes)


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


def _files(source: Source) -> list[tuple[str, int]]:
    from apache_beam.io.filesystems import FileSystems

    found: dict[str, int] = {}
    # Beam finds nothing for a local glob without a folder; and ./a and a are one file.
    globs = [os.path.abspath(g) if is_local(g) else g for g in source.files]
    for glob, result in zip(source.files, FileSystems.match(globs), strict=True):
        if not result.metadata_list:
            raise ConfigError(f"source {source.name!r}: files: {glob!r} matches no file")
        for entry in result.metadata_list:
            if not (_JSONL.search(entry.path) or _PARQUET.search(entry.path)):
                raise ConfigError(
                    f"source {source.name!r}: files: {glob!r} matches {entry.path!r}; expected "
                    ".jsonl, .ndjson or .json, plain or with .gz or .zst, .parquet or .pq"
                )
            found[entry.path] = entry.size_in_bytes
    return sorted(found.items())


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
        except (pa.ArrowException, OSError):  # read_unit rejects it with its reason
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


def _read_jsonl(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    pieces = decompressed(unit.file) if is_compressed(unit.file) else plain_bytes(unit)
    line = at = 0
    for data, taken, broken in whole_lines(pieces, batch_bytes):
        if broken is not None:
            raw = (data + broken.raw)[:RAW_BYTES]
            rejects = [Reject("byte", at, broken.reason, raw)]
            yield _rejected(rejects, lines=1 if data else 0, taken=taken)
            return
        block = _jsonl_block(data, line, source, first=unit.start == 0 and at == 0)
        yield replace(block, bytes=taken)
        line += block.lines
        at += len(data)


def _jsonl_block(data: bytes, base: int, source: Source, first: bool) -> Block:
    lines = scan(data.removeprefix(b"\xef\xbb\xbf") if first else data)
    parsed = parse(lines, lines.filled)
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
    if len(rows) < len(lines.filled) and not determined(batch):
        # What isn't taken must not leave its types behind.
        batch = parse(lines, rows).batch
        text, _ = text_of(batch, source)
    rejects = [
        Reject("line", base + number, why, lines.line(number)[:RAW_BYTES])
        for number, why in sorted(faults)
    ]
    filtered = int(np.count_nonzero(~wanted))
    batch = mark_wide(in_order(batch, lines, rows))
    return Block(batch, text, base + rows, rejects, filtered, len(lines), len(data), filtering.met)


def _rejected(rejects: list[Reject], lines: int, taken: int) -> Block:
    nothing = pa.RecordBatch.from_arrays([], schema=pa.schema([]))
    rows = np.zeros(0, np.int64)
    return Block(nothing, pa.array([], pa.string()), rows, rejects, 0, lines, taken)


def whole_lines(
    pieces: Iterator[tuple[bytes, int]], size: int
) -> Iterator[tuple[bytes, int, BrokenError | None]]:
    """Blocks of whole lines with the input bytes they took, and last what is left at a break."""
    held: list[bytes] = []
    length = taken = 0
    broken: BrokenError | None = None
    try:
        for piece, cost in pieces:
            taken += cost
            held.append(piece)
            length += len(piece)
            end = piece.rfind(b"\n") + 1 if length >= size else 0
            if end:
                held[-1] = piece[:end]
                yield b"".join(held), taken, None
                held = [piece[end:]]
                length, taken = len(piece) - end, 0
    except BrokenError as error:
        broken = error
    data = b"".join(held)
    end = len(data) if broken is None or broken.whole else data.rfind(b"\n") + 1
    if end:
        yield data[:end], taken, None
        taken = 0
    if broken is not None:
        yield data[end:], taken, broken


def plain_bytes(unit: Unit) -> Iterator[tuple[bytes, int]]:
    """The bytes of the lines that start in the unit's range."""
    with open_input(unit.file) as file:
        at = unit.start
        skipping = at > 0
        if skipping:  # the line before may end just where the range starts
            at -= 1
            file.seek(at)
        while piece := file.read(PIECE):
            begin, end = 0, len(piece)
            if skipping:
                begin = piece.find(b"\n") + 1
                skipping = begin == 0
                if 0 <= unit.stop <= at + (end if skipping else begin):
                    return  # no line starts in the range
            last = False
            if unit.stop >= 0 and at + end >= unit.stop:
                newline = piece.find(b"\n", max(begin, unit.stop - 1 - at))
                last = newline >= 0
                end = newline + 1 if last else end
            if not skipping:
                yield piece[begin:end], end - begin
            if last:
                return
            at += len(piece)


def _read_parquet(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    with open_parquet(unit.file) as stream:
        try:
            columns = ParquetColumns(stream)
            file = columns.file
            names = file.schema_arrow.names
        except (pa.ArrowException, OSError) as fault:
            yield _rejected([Reject("byte", 0, _broken_parquet(fault), b"")], 0, unit.bytes)
            return
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            why = f"columns {twice} are there twice; names must differ"
            yield _rejected([Reject("byte", 0, why, b"")], 0, unit.bytes)
            return
        stop = file.num_row_groups if unit.stop < 0 else unit.stop
        base = 0
        for group in range(unit.start, stop):
            yield from _row_group(columns, group, base, source, batch_bytes)
            base += file.metadata.row_group(group).num_rows


def _row_group(
    columns: ParquetColumns, group: int, base: int, source: Source, batch_bytes: int
) -> Iterator[Block]:
    found = columns.file.metadata.row_group(group)
    rows = found.num_rows
    size = sum(found.column(i).total_compressed_size for i in range(found.num_columns))
    per_row = max(1, found.total_byte_size // max(1, rows))
    step = max(1, min(rows, batch_bytes // per_row, 1 << 16))
    reason = columns.repeated_member()
    if reason is not None:
        rejects = [Reject("row", base + row, reason, b"") for row in range(rows)]
        yield _rejected(rejects, rows, size)
        return
    batches = columns.batches(group, step)
    done = 0
    reason = f"broken Parquet: a row group ends before its {rows} rows"
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as fault:
            reason, batch = _broken_parquet(fault), None
        if batch is None:
            break
        block = _parquet_block(batch, base + done, source)
        yield replace(block, bytes=size * len(batch) // rows)
        done += batch.num_rows
    if done < rows:
        rejects = [Reject("row", base + done, reason, b"")]
        yield _rejected(rejects, rows - done, size * (rows - done) // rows)


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
    filtered = int(np.count_nonzero(~wanted))
    met = filtering.met
    return Block(mark_wide(batch), text, base + places, rejects, filtered, rows, 0, met)


def _undecodable(batch: pa.RecordBatch) -> dict[int, str]:
    """Rows with text that isn't UTF-8, and the column that it stands in."""
    reasons: dict[int, str] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for row in undecodable(column):
            reasons.setdefault(row, f"column {name!r} is not valid UTF-8")
    return dict(sorted(reasons.items()))


def open_parquet(path: str) -> Any:
    return pa.OSFile(path) if is_local(path) else pa.PythonFile(open_input(path), mode="r")


def _broken_parquet(fault: Exception) -> str:
    return f"broken Parquet: {re.sub(r'[0-9]+', 'N', str(fault).splitlines()[0])}"
