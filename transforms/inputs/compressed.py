"""Decompress files of any number of parts, up to the byte where they break."""

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
from outcross.transforms.inputs.faults import raise_fault_of_machine
from outcross.transforms.inputs.magic import COMPRESSIONS, HEAD, ending_of, foreign_format

PIECE = 1 << 20  # bytes of a file in one read
_SQUEEZED = 4 << 10  # bytes of one decompression; zstd expands a byte to 32,000 at most
_WINDOW = 2**31  # zstd --long=31, used by large public dumps
_AGAIN = "get the file again"


class BrokenError(Exception):
    """The rest of a file can't be read.

    Attributes:
        reason: the fault, and what to do.
        raw: the bytes at the fault.
        complete: True if the text before the fault ends where a compressed part ended.
    """

    def __init__(self, reason: str, raw: bytes, complete: bool) -> None:
        super().__init__(reason)
        self.reason, self.raw, self.complete = reason, raw, complete


def decompress(
    path: str, opener: Callable[[str], BinaryIO] = open_input
) -> Iterator[tuple[bytes, int]]:
    """Yield the content of a compressed file in pieces, each with its number of input bytes.

    Args:
        path: path of the file; its ending names the compression.
        opener: function that opens the file's stored bytes.

    Raises:
        BrokenError: the file is broken; everything before the fault has been given.
        OSError: the file can't be opened.
    """
    ending = ending_of(path)
    name, begins = COMPRESSIONS[ending]
    with opener(path) as file:
        head = file.read(HEAD)
    if head and not any(head.startswith(begin[: len(head)]) for begin in begins):
        content = foreign_format(head)
        if content is None:
            content = f"not compressed, or its beginning is lost; rename it without {ending}"
        raise BrokenError(f"broken {name}: the file is {content}, or get it again", head, True)
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
        return lzma.LZMADecompressor, (lzma.LZMAError,)
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
                raise_fault_of_machine(fault, path)
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
    """Yield the content of a file of any number of parts, up to the byte where it breaks.

    A decoder that fails loses the output of that call. So the file is read a second time, and
    bytes from the failed call on are decoded one by one. Output that was given already is skipped.

    Args:
        path: path of the file.
        opener: function that opens the file's stored bytes.
        name: name of the compression, for messages.
        codec: function that makes a decoder.
        errors: exceptions of the decoder.
        slowly_from: position from which bytes are decoded one by one; None in the first pass.
        known: bytes of content that the first pass has given.
    """
    decoder = codec()
    parts = 0  # complete ones
    fed, given = b"", False  # first input bytes of this part, and whether it gave output
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
