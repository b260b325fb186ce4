"""How far a general compressor shortens texts: what repeats, at any distance, costs little."""

from __future__ import annotations

from collections.abc import Iterable

import zstandard

BLOCK = 128 << 10
BLOCKS = 8
_LEVEL = 3


def zstd_ratio(texts: Iterable[str]) -> float | None:
    """Bytes of texts / bytes after zstd, in blocks of 128 KiB, so that sets of any size compare.

    Args:
        texts: in an order by hash, since neighbours in a file speak of the same. Each is followed
            by a line feed; what is beyond the last of 8 whole blocks is not looked at.

    Returns:
        None where there is no whole block.
    """
    joined = bytearray()
    for text in texts:
        joined += text.encode("utf-8", "replace") + b"\n"
        if len(joined) >= BLOCK * BLOCKS:
            break
    whole = min(len(joined) // BLOCK, BLOCKS)
    if whole == 0:
        return None
    blocks = (bytes(joined[at * BLOCK : (at + 1) * BLOCK]) for at in range(whole))
    made = zstandard.ZstdCompressor(level=_LEVEL)
    return whole * BLOCK / sum(len(made.compress(block)) for block in blocks)
