"""Compressed files, up to where they break: gzip and zstd, of any number of parts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import zstandard

from schemas.documents import RAW_BYTES
from transforms.files import open_input

PIECE = 1 << 20  # bytes of a file that are read at once
_SQUEEZED = 4 << 10  # bytes that are decompressed at once: zstd makes up to 32,000 of one
_WINDOW = 2**31  # zstd --long=31, as the large public dumps use it


class BrokenError(Exception):
    """The rest of a file can't be read.

    Attributes:
        reason: why.
        raw: the bytes at which it breaks.
        whole: whether the text before it ends where a compressed part ended.
    """

    def __init__(self, reason: str, raw: bytes, whole: bool) -> None:
        super().__init__(reason)
        self.reason, self.raw, self.whole = reason, raw, whole


def is_compressed(path: str) -> bool:
    """Whether the name says so: then the file can't be split."""
    return path.lower().endswith((".gz", ".zst"))


def decompressed(
    path: str, opener: Callable[[str], BinaryIO] = open_input
) -> Iterator[tuple[bytes, int]]:
    """The content of a .gz or .zst file in pieces, each with the bytes of the file that it took.

    Args:
        path: of the file; its ending says how it is compressed.
        opener: gives the file's own bytes.

    Raises:
        BrokenError: after all that could be read of a broken file.
        OSError: when the file can't be opened.
    """
    if path.lower().endswith(".gz"):
        return _decompress(path, opener, "gzip", lambda: zlib.decompressobj(31), zlib.error)
    zstd = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    return _decompress(path, opener, "zstd", zstd.decompressobj, zstandard.ZstdError)


def _decompress(
    path: str,
    opener: Callable[[str], BinaryIO],
    name: str,
    codec: Callable[[], Any],
    error: type[Exception],
    *,
    slowly_from: int | None = None,
    known: int = 0,
) -> Iterator[tuple[bytes, int]]:
    """A compressed file's bytes up to where it breaks, whatever number of parts it has.

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
                except error as fault:
                    if slowly_from is None:
                        yield from _decompress(
                            path, opener, name, codec, error, slowly_from=at, known=total
                        )
                        return
                    raw = b"" if given else fed + piece[place:]
                    raise BrokenError(f"broken {name}: {_cause(fault)}", raw, not given) from None
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
        raise BrokenError(f"broken {name}: the file ends too early", b"", not given)


def _cause(fault: Exception) -> str:
    return re.sub(
        r"^Error -?\d+ while decompressing data: |^zstd decompress\w* error: ", "", str(fault)
    )
