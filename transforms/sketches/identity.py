"""Ids of documents: the id in the row, else source/file#row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.transforms.sketches.digest import row_digest

_SPREAD = 0x9E3779B97F4A7C15


def hash_ids(ids: pa.Array, source: int) -> NDArray[np.uint64]:
    """Return 64-bit hashes of ids, different for each source: uint64[n].

    Args:
        ids: string[n], ids.
        source: number of their source.
    """
    hashes, _ = row_digest(pa.record_batch([ids], names=["id"]))
    return hashes + np.uint64(source * _SPREAD % 2**64)


def document_ids(ids: pa.Array, places: pa.Array, repeated: NDArray[np.bool_]) -> pa.Array:
    """Make the ids of a unit's documents unique in their source.

    Args:
        ids: string[n], ids of the rows, null where a row has none.
        places: string[n], ids made of the rows' places.
        repeated: bool[n], documents whose id isn't unique; their place is added to it.
    """
    unique = pc.binary_join_element_wise(ids, places, "@")
    return pc.coalesce(pc.if_else(pa.array(repeated), unique, ids), places)
