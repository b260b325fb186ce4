"""Units of the input, and their rows as blocks of valid documents.

Which rows of a unit are valid, and in which order, depends on nothing but its bytes and the
source's fields, so that a later stage can read a unit again and align by position.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.columns import canonical, mark_wide, plain
from schemas.config import ConfigError, Source
from schemas.documents import RAW_BYTES, Piece, Unit
from transforms.compressed import PIECE, BrokenError, decompressed, is_compressed
from transforms.files import is_local
from transforms.filters import Met, matches
from transforms.jsonl import determined, in_order, parse, scan
from transforms.parquet import ParquetColumns, undecodable
from transforms.seals import check_piece, open_piece
from transforms.text_fields import text_of

BATCH_BYTES = 8 << 20
_BATCH_ROWS = 1 << 16

_JSONL = re.compile(r"\.(jsonl|ndjson|json)(\.gz|\.zst)?$", re.IGNORECASE)
_PARQUET = re.compile(r"\.(parquet|pq)$", re.IGNORECASE)


@dataclass(frozen=True)
class Reject:
    """A row that can't be read, or what is left of a broken file.

    Attributes:
        kind: what `number` counts; a byte is one of the decompressed file.
        number: of a line or row through the unit, of a byte within its file, from 0.
        reason: what was found and what is expected; the same words for the same fault.
        raw: the first 500 bytes.
        piece: number of the piece of the unit in which the byte is; 0 for lines and rows.
    """

    kind: Literal["line", "row", "byte"]
    number: int
    reason: str
    raw: bytes
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
        return len(self.rows) + len(self.rejects)

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


def read_unit(unit: Unit, source: Source, batch_bytes: int = BATCH_BYTES) -> Iterator[Block]:
    """The unit's documents in their order, in blocks of about `batch_bytes` before parsing.

    Rows are counted through the unit's pieces, and small pieces share blocks.

    Raises:
        OSError: when a file can't be opened.
        ChangedError: when a file is not what its seal says.
    """
    return _shared(_blocks(unit, source, batch_bytes), batch_bytes)


def _blocks(unit: Unit, source: Source, batch_bytes: int) -> Iterator[Block]:
    pieces = lines = 0
    for is_jsonl, alike in groupby(unit.pieces, lambda piece: piece.kind == "jsonl"):
        run = list(alike)
        together = [run] if is_jsonl else [[piece] for piece in run]
        for few in together:
            covered = 0
            read = _read_jsonl if is_jsonl else _read_alone
            for block in read(few, source, batch_bytes):
                covered += block.lines
                yield block.moved(pieces, lines)
            pieces, lines = pieces + len(few), lines + covered


def _read_alone(pieces: Sequence[Piece], source: Source, batch_bytes: int) -> Iterator[Block]:
    """Blocks of one piece that shares its own with no other."""
    (piece,) = pieces
    for block in read_piece(piece, source, batch_bytes):
        yield replace(block, pieces=((0, block.lines),))
    check_piece(piece)


def read_piece(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Block]:
    """Blocks of one piece that is not of JSON lines; rows are counted from its beginning.

    Memory follows `batch_bytes` and the longest line, not the file. What can't be read of a broken
    file (of a row group, in Parquet) is one reject, and everything before it is read.
    """
    return _read_parquet(piece, source, batch_bytes)


def kind_of(file: str) -> Literal["jsonl", "parquet"]:
    """The kind of a file, by its name."""
    return "parquet" if _PARQUET.search(file) else "jsonl"


def input_files(source: Source) -> list[tuple[str, int]]:
    """Paths and sizes of a source's files, by path.

    Raises:
        ConfigError: when a glob matches nothing, or a file's extension is unknown.
    """
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


def _read_jsonl(pieces: Sequence[Piece], source: Source, batch_bytes: int) -> Iterator[Block]:
    """Blocks of whole lines, numbered through the pieces; small pieces share one."""
    together: list[bytes] = []
    covered: list[tuple[int, int]] = []
    size = taken = line = 0

    def block() -> Block:
        nonlocal size, taken, line
        parsed = _jsonl_block(b"".join(together), line, source)
        parsed = replace(parsed, bytes=taken, pieces=tuple(covered))
        together.clear()
        covered.clear()
        size, taken, line = 0, 0, line + parsed.lines
        return parsed

    for number, piece in enumerate(pieces):
        at = 0
        for data, cost, broken in whole_lines(piece_bytes(piece), batch_bytes):
            if together and (broken is not None or size + len(data) > batch_bytes):
                yield block()
            if broken is not None:
                raw = (data + broken.raw)[:RAW_BYTES]
                rest = 1 if data else 0
                rejects = [Reject("byte", at, broken.reason, raw, number)]
                yield replace(_rejected(rejects, rest, cost), pieces=((number, rest),))
                line += rest
                break
            marked = piece.start == 0 and at == 0
            lines = data.removeprefix(b"\xef\xbb\xbf") if marked else data
            if lines and not lines.endswith(b"\n"):
                lines += b"\n"
            at += len(data)
            together.append(lines)
            covered.append((number, lines.count(b"\n")))
            size, taken = size + len(lines), taken + cost
            if size >= batch_bytes:
                yield block()
        check_piece(piece)
    if together:
        yield block()


def _shared(blocks: Iterable[Block], batch_bytes: int) -> Iterator[Block]:
    """The blocks, of which small ones in succession with the same columns are joined."""
    together: list[Block] = []
    size = rows = 0
    for block in blocks:
        weight, height = block.batch.nbytes, len(block.rows)
        if together and (
            size + weight > batch_bytes
            or rows + height > _BATCH_ROWS
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


def _jsonl_block(data: bytes, base: int, source: Source) -> Block:
    lines = scan(data)
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


def piece_bytes(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """The content of the lines of a piece, in parts, each with the bytes of the file it took."""
    if is_compressed(piece.file):
        return decompressed(piece.file, lambda _: open_piece(piece))
    return _plain_bytes(piece)


def _plain_bytes(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """The bytes of the lines that start in the piece's range."""
    with open_piece(piece) as file:
        at = piece.start
        skipping = at > 0
        if skipping:  # the line before may end just where the range starts
            at -= 1
            file.seek(at)
        while part := file.read(PIECE):
            begin, end = 0, len(part)
            if skipping:
                begin = part.find(b"\n") + 1
                skipping = begin == 0
                if 0 <= piece.stop <= at + (end if skipping else begin):
                    return  # no line starts in the range
            last = False
            if piece.stop >= 0 and at + end >= piece.stop:
                newline = part.find(b"\n", max(begin, piece.stop - 1 - at))
                last = newline >= 0
                end = newline + 1 if last else end
            if not skipping:
                yield part[begin:end], end - begin
            if last:
                return
            at += len(part)


def _read_parquet(piece: Piece, source: Source, batch_bytes: int) -> Iterator[Block]:
    with open_parquet(piece) as stream:
        try:
            columns = ParquetColumns(stream)
            file = columns.file
            names = file.schema_arrow.names
        except (pa.ArrowException, OSError) as fault:
            yield _rejected([Reject("byte", 0, _broken_parquet(fault), b"")], 0, piece.bytes)
            return
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            why = f"columns {twice} are there twice; names must differ"
            yield _rejected([Reject("byte", 0, why, b"")], 0, piece.bytes)
            return
        stop = file.num_row_groups if piece.stop < 0 else piece.stop
        base = 0
        for group in range(piece.start, stop):
            yield from _row_group(columns, group, base, source, batch_bytes)
            base += file.metadata.row_group(group).num_rows


def _row_group(
    columns: ParquetColumns, group: int, base: int, source: Source, batch_bytes: int
) -> Iterator[Block]:
    found = columns.file.metadata.row_group(group)
    rows = found.num_rows
    size = sum(found.column(i).total_compressed_size for i in range(found.num_columns))
    per_row = max(1, found.total_byte_size // max(1, rows))
    step = max(1, min(rows, batch_bytes // per_row, _BATCH_ROWS))
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


def open_parquet(piece: Piece) -> Any:
    """The file of a Parquet piece as Arrow reads it, held to its seal."""
    if piece.seal is None and is_local(piece.file):
        return pa.OSFile(piece.file)
    return pa.PythonFile(open_piece(piece), mode="r")


def _broken_parquet(fault: Exception) -> str:
    return f"broken Parquet: {re.sub(r'[0-9]+', 'N', str(fault).splitlines()[0])}"
