"""LSH: documents that share the value of a band, grouped (Indyk and Motwani 1998)."""

from __future__ import annotations

import numpy as np

ENTRY = np.dtype([("band", "<u8"), ("rank", "<u4")])
_ENTRIES_A_PARTITION = 1 << 20
_LARGEST_BITS = 12


def partition_bits(documents: int, bands: int) -> int:
    """Return the number of leading bits of a band value that choose an entry's partition.

    A partition then fits any worker.

    Args:
        documents: number of documents that participate.
        bands: number of entries of each document.
    """
    partitions = max(4, documents * bands // _ENTRIES_A_PARTITION)
    return min(partitions.bit_length(), _LARGEST_BITS)
