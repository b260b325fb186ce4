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


def repeated_ids(sketches: Sketches, sources: Sequence[Source]) -> NDArray[np.bool_]:
    """Mark the documents whose id another document of their source has as well: bool[n].

    The other document may get that id from its place, if its row has no id or a repeated one.
    """
    repeated = np.zeros(len(sketches), bool)
    for number, source in enumerate(sources):
        if source.id_field is None:
            continue
        hashes, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        without = [np.zeros(0, np.int64)]
        for unit in sketches.units:
            if unit.source != number:
                continue
            at = int(sketches.offsets[unit.index])
            # Chunk by chunk: the ids of a large source are more than one Arrow string can hold.
            for chunk in sketches.table(unit.index, ["id"]).column(0).chunks:
                present = pc.is_valid(chunk).to_numpy(zero_copy_only=False)
                hashes.append(_hashed(chunk)[present])
                places.append(at + np.flatnonzero(present))
                without.append(at + np.flatnonzero(~present))
                at += len(chunk)
        hashed, place = np.concatenate(hashes), np.concatenate(places)
        if not len(place):
            continue
        _, inverse, often = np.unique(hashed, return_inverse=True, return_counts=True)
        repeated[place] = often[inverse] > 1
        named = np.union1d(np.concatenate(without), place[repeated[place]])
        while len(named):  # a name made from a place may equal another id
            chunks = ids_of(sketches, sources, named, repeated).chunks
            taken = np.isin(hashed, np.concatenate([_hashed(chunk) for chunk in chunks]))
            named = place[taken & ~repeated[place]]
            repeated[named] = True
    return repeated


def _hashed(ids: pa.Array) -> NDArray[np.uint64]:
    hashes, _ = row_digest(pa.record_batch([ids], names=["id"]))
    return hashes


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
        repeated: bool[n] over all documents, result of `repeated_ids`.
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
