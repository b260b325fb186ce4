"""Ids of documents: the id in the row, else source/file#row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.sources import Source
from outcross.transforms.sketches.digest import row_digest
from outcross.transforms.sketches.store import Sketches

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


def ids_of(
    sketches: Sketches,
    sources: Sequence[Source],
    documents: NDArray[np.int64],
    repeated: NDArray[np.bool_],
) -> pa.ChunkedArray:
    """Return the ids of some documents of the run.

    Args:
        sketches: sketches of all units.
        sources: sources of the configuration.
        documents: ascending document numbers.
        repeated: bool[n] over all documents, whose id isn't unique in their source.
    """
    parts = []
    for unit, rows, among in sketches.rows_of(documents):
        table = sketches.table(unit, ["id", "row"]).take(pa.array(rows))
        source = sources[sketches.units[unit].source].name
        parts.append(
            document_ids(
                table["id"].combine_chunks(),
                sketches.places[unit].ids(table["row"].to_numpy(), source),
                repeated[documents[among]],
            )
        )
    return pa.chunked_array(parts, type=pa.string())
