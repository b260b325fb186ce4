"""Text of a piece's file as bytes: decompressed, and cut into whole lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outcross.schemas.documents import Piece
from outcross.transforms.inputs.compressed import PIECE, BrokenError, decompress
from outcross.transforms.inputs.magic import HEAD, foreign_format, is_compressed
from outcross.transforms.inputs.seals import open_piece

_FIRST = 64 << 10  # bytes that are searched for line ends
_BOM = b"\xef\xbb\xbf"
_MARKS = re.compile(rb"(?m)^(?:\xef\xbb\xbf)+")

LineBlocks = Iterator[tuple[bytes, int, BrokenError | None]]
"""Blocks of whole lines, each with its input bytes; the last one may have the file's fault."""


def content(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of a piece in parts, each with its number of bytes of the file.

    Carriage returns become newlines in files that have no newline.

    Raises:
        BrokenError: the file is broken, or no text; everything before the fault has been given.
        OSError: the file can't be opened.
    """
    if not is_compressed(piece.file):
        yield from _plain_bytes(piece)
        return
    old_mac: bool | None = None
    for part, taken in decompress(piece.file, lambda _: open_piece(piece)):
        if old_mac is None and part:
            _check_text(part)
            old_mac = _is_old_mac(part)
        yield part.replace(b"\r", b"\n") if old_mac else part, taken


def _plain_bytes(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of the lines that start in the piece's range.

    Raises:
        BrokenError: the file is no text.
        OSError: the file can't be opened.
    """
    with open_piece(piece) as file:
        head = file.read(_FIRST)
        _check_text(head)
        old_mac = _is_old_mac(head)
        at = max(0, piece.start - 1)  # the line before may end exactly at the start
        skipping = piece.start > 0
        file.seek(at)
        while part := file.read(PIECE):
            if old_mac:
                part = part.replace(b"\r", b"\n")
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


def whole_lines(parts: Iterator[tuple[bytes, int]], size: int) -> LineBlocks:
    """Yield blocks of whole lines with their input bytes, then the rest of a broken file.

    Args:
        parts: bytes and their costs, from `content`.
        size: least bytes of a block, except the last.
    """
    pending: list[bytes] = []
    length = taken = 0
    broken: BrokenError | None = None
    try:
        for part, cost in parts:
            taken += cost
            pending.append(part)
            length += len(part)
            end = part.rfind(b"\n") + 1 if length >= size else 0
            if end:
                pending[-1] = part[:end]
                yield b"".join(pending), taken, None
                pending = [part[end:]]
                length, taken = len(part) - end, 0
    except BrokenError as error:
        broken = error
    data = b"".join(pending)
    end = len(data) if broken is None or broken.complete else data.rfind(b"\n") + 1
    if end:
        yield data[:end], taken, None
        taken = 0
    if broken is not None:
        yield data[end:], taken, broken


def strip_marks(lines: bytes) -> bytes:
    """Return lines without the byte order marks at their beginnings, which `cat` leaves."""
    # A search for one byte is far faster than for three, and most texts don't have it.
    return _MARKS.sub(b"", lines) if _BOM[:1] in lines and _BOM in lines else lines


def _check_text(head: bytes) -> None:
    content = foreign_format(head[:HEAD])
    if content is not None:
        raise BrokenError(f"not what its name says: the file is {content}", head[:HEAD], True)


def _is_old_mac(head: bytes) -> bool:
    return b"\r" in head and b"\n" not in head
