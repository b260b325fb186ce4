"""Compression ratio of texts: repetition at any distance compresses well."""

from __future__ import annotations

from collections.abc import Iterable

import zstandard

BLOCK = 128 << 10
BLOCKS = 8
_LEVEL = 3


def zstd_ratio(texts: Iterable[str]) -> float | None:
    """Compute bytes of texts / bytes after zstd, in blocks of 128 KiB.

    Blocks make sets of any size comparable.

    Args:
        texts: texts in an order by hash, as neighbours in a file have the same subject. Each is
            followed by a line feed. Text beyond the eighth block is ignored.

    Returns:
        None where the texts don't fill a block.
    """
    joined = bytearray()
    for text in texts:
        joined += text.encode("utf-8", "replace") + b"\n"
        if len(joined) >= BLOCK * BLOCKS:
            break
    number = min(len(joined) // BLOCK, BLOCKS)
    if number == 0:
        return None
    blocks = (bytes(joined[at * BLOCK : (at + 1) * BLOCK]) for at in range(number))
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return number * BLOCK / sum(len(compressor.compress(block)) for block in blocks)
