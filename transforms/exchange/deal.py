"""Deal rows to the keys of an exchange."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.exchange.packing import Keyed


def deal(keys: NDArray[Any], columns: Mapping[str, Any]) -> Iterator[Keyed]:
    """Yield the rows of each key, in their order.

    Args:
        keys: integers[n], keys of the rows; small types are sorted more quickly.
        columns: NumPy or Arrow arrays[n] by name.
    """
    order = np.argsort(keys, kind="stable")
    table = pa.table(
        {
            name: values.take(pa.array(order)) if isinstance(values, pa.Array) else values[order]
            for name, values in columns.items()
        }
    )
    ordered = keys[order]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    for start, stop in pairwise([0, *starts.tolist(), len(keys)] if len(keys) else []):
        yield int(ordered[start]), table.slice(start, stop - start)


def leading(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.uint16]:
    """Return the partition of each hash: its leading bits.

    Args:
        hashes: uint64[n], uniform hashes.
        bits: number of leading bits, 1 to 16.
    """
    return (hashes >> np.uint64(64 - bits)).astype(np.uint16)


def part_of(hi: NDArray[np.uint64], parts: int) -> NDArray[np.int64]:
    """Return the range of each fingerprint among ranges of equal size, in ascending order.

    Args:
        hi: uint64[n], upper halves of the fingerprints.
        parts: number of ranges, up to 2**32.

    Returns:
        int64[n].
    """
    return ((hi >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)).astype(np.int64)
