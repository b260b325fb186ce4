"""The bytes of a unit's file as text, decompressed, and cut into whole lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.documents import Unit
from transforms.compressed import PIECE, BrokenError, decompressed
from transforms.files import open_input
from transforms.magic import HEAD, is_compressed, stranger

_FIRST = 64 << 10  # bytes that tell the line ends
_BOM = b"\xef\xbb\xbf"
_MARKS = re.compile(rb"(?m)^(?:\xef\xbb\xbf)+")


def content(unit: Unit) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of a unit in pieces, each with the bytes of the file that it took.

    Line ends of an old Mac become newlines where a file has no others.

    Raises:
        BrokenError: after all that could be read of a broken file, or of one that is no text.
        OSError: when the file can't be opened.
    """
    if not is_compressed(unit.file):
        yield from plain_bytes(unit)
        return
    old_mac: bool | None = None
    for piece, taken in decompressed(unit.file):
        if old_mac is None and piece:
            _check_text(piece)
            old_mac = _is_old_mac(piece)
        yield piece.replace(b"\r", b"\n") if old_mac else piece, taken


def plain_bytes(unit: Unit) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of the lines that start in the unit's range.

    Raises:
        BrokenError: when the file is no text.
        OSError: when the file can't be opened.
    """
    with open_input(unit.file) as file:
        head = file.read(_FIRST)
        _check_text(head)
        old_mac = _is_old_mac(head)
        at = max(0, unit.start - 1)  # the line before may end just where the range starts
        skipping = unit.start > 0
        file.seek(at)
        while piece := file.read(PIECE):
            if old_mac:
                piece = piece.replace(b"\r", b"\n")
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
