"""What documents are called: their own id, else source/file#row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.config import Source
from schemas.documents import Unit
from transforms.digest import row_digest
from transforms.files import shown
from transforms.sketch import Sketches


def file_names(units: Sequence[Unit]) -> list[str]:
    """Each unit's file below the folder that all files of its source share.

    So an id says which file is meant, and doesn't depend on where the corpus lies.
    """
    names: dict[tuple[int, str], str] = {}
    for source in {unit.source for unit in units}:
        paths = sorted({unit.file for unit in units if unit.source == source})
        # Not os.path: a path may be one of an object store.
        folders = [path.split("/")[:-1] for path in paths]
        shared = [names[0] for names in takewhile(_alike, zip(*folders, strict=False))]
        start = sum(len(name) + 1 for name in shared)
        names |= {(source, path): shown(path[start:]) for path in paths}
    return [names[unit.source, unit.file] for unit in units]


def _alike(names: tuple[str, ...]) -> bool:
    return len(set(names)) == 1


def repeated_ids(sketches: Sketches, sources: Sequence[Source]) -> NDArray[np.bool_]:
    """Which documents have an id that another document of their source has as well."""
    repeated = np.zeros(len(sketches), bool)
    for number, source in enumerate(sources):
        if source.id_field is None:
            continue
        hashes, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for unit in sketches.units:
            if unit.source != number:
                continue
            at = int(sketches.offsets[unit.index])
            # Chunk by chunk: the ids of a large source are more than one Arrow string can hold.
            for chunk in sketches.table(unit.index, ["id"]).column(0).chunks:
                hashed, _ = row_digest(pa.record_batch([chunk], names=["id"]))
                present = np.flatnonzero(pc.is_valid(chunk).to_numpy(zero_copy_only=False))
                hashes.append(hashed[present])
                places.append(at + present)
                at += len(chunk)
        _, inverse, often = np.unique(
            np.concatenate(hashes), return_inverse=True, return_counts=True
        )
        repeated[np.concatenate(places)] = often[inverse] > 1
    return repeated


def document_ids(
    own: pa.Array, row: NDArray[np.int64], repeated: NDArray[np.bool_], source: str, file: str
) -> pa.Array:
    """The ids of a unit's documents, unique in their source.

    Args:
        own: string[n], the documents' own ids, null where there is none.
        row: int64[n], rows in the file.
        repeated: bool[n], whose own id isn't unique in the source; their place is added.
        source, file: names.
    """
    place = pc.binary_join_element_wise(f"{source}/{file}", pa.array(row).cast(pa.string()), "#")
    unique = pc.binary_join_element_wise(own, place, "@")
    return pc.coalesce(pc.if_else(pa.array(repeated), unique, own), place)


def ids_of(
    sketches: Sketches,
    sources: Sequence[Source],
    documents: NDArray[np.int64],
    repeated: NDArray[np.bool_],
) -> pa.ChunkedArray:
    """The ids of some documents of the run.

    Args:
        sketches: of all units.
        sources: the configuration's sources.
        documents: ascending document numbers.
        repeated: bool[n] over all documents, from `repeated_ids`.
    """
    names, bases = file_names(sketches.units), sketches.row_bases()
    parts = []
    for unit, rows, places in sketches.rows_of(documents):
        table = sketches.table(unit, ["id", "row"]).take(pa.array(rows))
        parts.append(
            document_ids(
                table["id"].combine_chunks(),
                table["row"].to_numpy() + bases[unit],
                repeated[documents[places]],
                sources[sketches.units[unit].source].name,
                names[unit],
            )
        )
    return pa.chunked_array(parts, type=pa.string())
