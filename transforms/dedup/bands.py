"""LSH: documents that share the value of a band, grouped (Indyk and Motwani 1998)."""

from __future__ import annotations

import numpy as np

ENTRY = np.dtype([("band", "<u8"), ("rank", "<u4")])
_ENTRIES_A_PART = 1 << 20
_LARGEST_BITS = 12


def partition_bits(documents: int, bands: int) -> int:
    """Leading bits of a band value by which entries are shuffled, so that a part fits any worker.

    Args:
        documents: that take part.
        bands: entries of each.
    """
    parts = max(4, documents * bands // _ENTRIES_A_PART)
    return min(parts.bit_length(), _LARGEST_BITS)
