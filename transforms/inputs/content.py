"""The bytes of a piece's file as text, decompressed, and cut into whole lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outcross.schemas.documents import Piece
from outcross.transforms.inputs.compressed import PIECE, BrokenError, decompressed
from outcross.transforms.inputs.magic import HEAD, is_compressed, stranger
from outcross.transforms.inputs.seals import open_piece

_FIRST = 64 << 10  # bytes that tell the line ends
_BOM = b"\xef\xbb\xbf"
_MARKS = re.compile(rb"(?m)^(?:\xef\xbb\xbf)+")


def content(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of a piece in parts, each with the bytes of the file that it took.

    Line ends of an old Mac become newlines where a file has no others.

    Raises:
        BrokenError: after all that could be read of a broken file, or of one that is no text.
        OSError: when the file can't be opened.
    """
    if not is_compressed(piece.file):
        yield from plain_bytes(piece)
        return
    old_mac: bool | None = None
    for part, taken in decompressed(piece.file, lambda _: open_piece(piece)):
        if old_mac is None and part:
            _check_text(part)
            old_mac = _is_old_mac(part)
        yield part.replace(b"\r", b"\n") if old_mac else part, taken


def plain_bytes(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of the lines that start in the piece's range.

    Raises:
        BrokenError: when the file is no text.
        OSError: when the file can't be opened.
    """
    with open_piece(piece) as file:
        head = file.read(_FIRST)
        _check_text(head)
        old_mac = _is_old_mac(head)
        at = max(0, piece.start - 1)  # the line before may end just where the range starts
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


def whole_lines(
    pieces: Iterator[tuple[bytes, int]], size: int
) -> Iterator[tuple[bytes, int, BrokenError | None]]:
    """Yield blocks of whole lines with the input bytes they took, and last what a break leaves.

    Args:
        pieces: from `content`.
        size: bytes from which a block is given.
    """
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


def without_marks(lines: bytes) -> bytes:
    """Return lines without the byte order marks at their beginnings, as `cat` leaves them."""
    # One byte is looked for far faster than three, and most texts don't have it.
    return _MARKS.sub(b"", lines) if _BOM[:1] in lines and _BOM in lines else lines


def _check_text(head: bytes) -> None:
    what = stranger(head[:HEAD])
    if what is not None:
        raise BrokenError(f"not what its name says: the file is {what}", head[:HEAD], True)


def _is_old_mac(head: bytes) -> bool:
    return b"\r" in head and b"\n" not in head
