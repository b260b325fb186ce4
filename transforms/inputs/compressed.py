"""Compressed files, up to where they break: of any number of parts."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import zstandard

from outcross.schemas.documents import RAW_BYTES
from outcross.transforms.base.files import open_input
from outcross.transforms.inputs.magic import COMPRESSIONS, HEAD, ending_of, stranger

PIECE = 1 << 20  # bytes of a file that are read at once
_SQUEEZED = 4 << 10  # bytes that are decompressed at once: zstd makes up to 32,000 of one
_WINDOW = 2**31  # zstd --long=31, as the large public dumps use it
_AGAIN = "get the file again"


class BrokenError(Exception):
    """The rest of a file can't be read.

    Attributes:
        reason: what was found, and what to do.
        raw: the bytes at which it breaks.
        whole: whether the text before it ends where a compressed part ended.
    """

    def __init__(self, reason: str, raw: bytes, whole: bool) -> None:
        super().__init__(reason)
        self.reason, self.raw, self.whole = reason, raw, whole


def decompressed(
    path: str, opener: Callable[[str], BinaryIO] = open_input
) -> Iterator[tuple[bytes, int]]:
    """Yield the content of a compressed file in pieces, each with the bytes that it took.

    Args:
        path: of the file; its ending says how it is compressed.
        opener: gives the file's own bytes.

    Raises:
        BrokenError: after all that could be read of a broken file.
        OSError: when the file can't be opened.
    """
    ending = ending_of(path)
    name, begins = COMPRESSIONS[ending]
    with opener(path) as file:
        head = file.read(HEAD)
    if head and not any(head.startswith(begin[: len(head)]) for begin in begins):
        what = stranger(head)
        if what is None:
            what = f"not compressed, or its beginning is lost; rename it without {ending}"
        raise BrokenError(f"broken {name}: the file is {what}, or get it again", head, True)
    if ending == ".lz4":
        return _lz4(path, opener)
    codec, errors = _codec(ending)
    return _decompress(path, opener, name, codec, errors)


def _codec(ending: str) -> tuple[Callable[[], Any], tuple[type[Exception], ...]]:
    if ending == ".gz":
        return lambda: zlib.decompressobj(31), (zlib.error,)
    if ending == ".bz2":
        return bz2.BZ2Decompressor, (OSError, ValueError)
    if ending == ".xz":
        return lzma.LZMADecompressor, (lzma.LZMAError, MemoryError)
    zstd = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    return zstd.decompressobj, (zstandard.ZstdError,)


def _lz4(path: str, opener: Callable[[str], BinaryIO]) -> Iterator[tuple[bytes, int]]:
    given, taken = False, 0
    with opener(path) as file:
        stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "lz4")
        while True:
            try:
                piece = stream.read(_SQUEEZED * 16)
            except (OSError, pa.ArrowException) as fault:
                early = "Truncated" in str(fault)
                cause = "the file ends too early" if early else str(fault).splitlines()[0]
                reason = f"broken lz4: {cause}; {_AGAIN}"
                raise BrokenError(reason, b"", not given) from None
            if not piece:
                break
            given, before = True, taken
            taken = file.tell()
            yield piece, taken - before


def _decompress(
    path: str,
    opener: Callable[[str], BinaryIO],
    name: str,
    codec: Callable[[], Any],
    errors: tuple[type[Exception], ...],
    *,
    slowly_from: int | None = None,
    known: int = 0,
) -> Iterator[tuple[bytes, int]]:
    """Yield a compressed file's bytes up to where it breaks, whatever number of parts it has.

    A decoder that fails loses what it decoded in that call, so at a fault the file is read again
    up to the same place (`slowly_from`, leaving out the `known` bytes that were already given) and
    byte by byte from there.
    """
    decoder = codec()
    parts = 0  # that ended
    fed, given = b"", False  # the first bytes that this part took, and whether it gave some
    at = total = 0
    with opener(path) as file:
        while piece := file.read(PIECE):
            place = 0
            while place < len(piece):
                if parts and not fed and piece[place] == 0:  # padding, as on tapes
                    place += 1
                    at += 1
                    continue
                step = 1 if slowly_from is not None and at >= slowly_from else _SQUEEZED
                if slowly_from is not None and at < slowly_from:
                    step = min(step, slowly_from - at)
                part = piece[place : place + step]
                try:
                    out = decoder.decompress(part)
                except errors as fault:
                    if slowly_from is None:
                        yield from _decompress(
                            path, opener, name, codec, errors, slowly_from=at, known=total
                        )
                        return
                    raw = b"" if given else fed + piece[place:]
                    reason = f"broken {name}: {_cause(fault)}; {_AGAIN}"
                    raise BrokenError(reason, raw, not given) from None
                spent = len(part) - len(decoder.unused_data)
                fed = (fed + part[:spent])[:RAW_BYTES]
                given |= bool(out)
                yield b"", 0 if at < (slowly_from or 0) else spent
                for start in range(max(0, known - total), len(out), PIECE):
                    yield out[start : start + PIECE], 0
                total += len(out)
                if decoder.eof:
                    decoder, fed, given = codec(), b"", False
                    parts += 1
                at += spent
                place += spent
    if fed:
        raise BrokenError(f"broken {name}: the file ends too early; {_AGAIN}", b"", not given)


def _cause(fault: Exception) -> str:
    return re.sub(
        r"^Error -?\d+ while decompressing data: |^zstd decompress\w* error: ", "", str(fault)
    )
