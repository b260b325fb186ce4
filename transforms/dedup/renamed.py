"""Names made from places that equal the id of another document, so that it needs its place too.

Such an id contains the name of its source as a place does, so only those are looked at. A
document whose name changes may take the name of a third one, and so on.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.dedup.bands import shared
from outcross.transforms.dedup.corpus import Corpus
from outcross.transforms.exchange.deal import deal, leading
from outcross.transforms.exchange.packing import Keyed
from outcross.transforms.sketches.identity import hash_ids

_ID, _NAME, _POSSIBLE = 0, 1, 2  # an id; a name made from a place; one that it may get


def send_names(
    corpus: Corpus, unit: int, repeated: NDArray[np.bool_], bits: int
) -> Iterator[Keyed]:
    """Yield the ids of a unit that look like places, and its names made from places.

    Args:
        corpus: documents of all units.
        unit: number of a unit whose source has ids.
        repeated: bool[n], documents whose id another document of the source has.
        bits: bits that choose a partition.
    """
    table = corpus.table(unit, ["id", "row"])
    ids = table["id"].combine_chunks()
    source, places = corpus.named[unit].source, corpus.named[unit].places
    assert places is not None  # as for all units of this run
    looks = pc.or_(pc.starts_with(ids, f"{source}/"), pc.match_substring(ids, f"@{source}/"))
    looks = pc.fill_null(looks, False).to_numpy(zero_copy_only=False)
    missing = ids.is_null().to_numpy(zero_copy_only=False)
    named = np.flatnonzero(missing | repeated | looks)
    if len(named) == 0:
        return
    chosen = pa.array(named)
    place = places.ids(table["row"].to_numpy()[named], source)
    joined = pc.binary_join_element_wise(ids.take(chosen), place, "@")
    party = int(corpus.party[unit])
    names = hash_ids(pc.coalesce(joined, place), party)
    number = corpus.numbers(unit)
    hashes = np.concatenate([names, hash_ids(ids.filter(pa.array(looks)), party)])
    certain = (missing | repeated)[named]
    kinds = np.concatenate([np.where(certain, _NAME, _POSSIBLE), np.full(looks.sum(), _ID)])
    columns = {"name": hashes, "number": np.concatenate([number[named], number[looks]])}
    yield from deal(leading(hashes, bits), columns | {"kind": kinds.astype(np.int8)})


def taken_names(rows: pa.Table) -> pa.Table:
    """Return the pairs of documents of which the first one's name is the second one's id.

    Args:
        rows: rows of a partition, from `send_names`.

    Returns:
        Columns `number`, `taken` and `certain`, which is False where the first one has the name
        only if its own id is taken.
    """
    name, number, kind = (rows[column].to_numpy() for column in ("name", "number", "kind"))
    places = shared(name)
    name, number, kind = name[places], number[places], kind[places]
    is_id = kind == _ID
    ids, owners = name[is_id], number[is_id]
    order = np.argsort(ids, kind="stable")
    ids, owners = ids[order], owners[order]
    made = np.flatnonzero(~is_id)
    starts, stops = (np.searchsorted(ids, name[made], side) for side in ("left", "right"))
    often = stops - starts
    taker = np.repeat(made, often)
    step = np.arange(len(taker)) - np.repeat(np.cumsum(often) - often, often)
    taken = owners[np.repeat(starts, often) + step]
    certain = kind[taker] == _NAME
    return pa.table({"number": number[taker], "taken": taken, "certain": certain})


def save_renamed(path: str, rows: pa.Table) -> None:
    """Write the numbers of all documents whose id is taken by a name, ascending.

    Args:
        path: path of the file.
        rows: rows of all partitions, from `taken_names`.
    """
    number, taken, certain = (
        rows[name].to_numpy(zero_copy_only=False) for name in rows.column_names
    )
    renamed = np.zeros(0, np.int64)
    new = np.unique(taken[certain])
    while len(new):
        renamed = np.union1d(renamed, new)
        new = np.setdiff1d(taken[np.isin(number, new)], renamed)
    if len(renamed):
        files.write_array(path, renamed)


def add_renamed(path: str, first: int, repeated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool[n]: documents of a unit that need their place in their names.

    Args:
        path: file that `save_renamed` wrote, if there are such documents.
        first: number of the unit's first document.
        repeated: bool[n], documents whose id another document of their source has.
    """
    if not files.exists(path):
        return repeated
    renamed = files.read_array(path) - first
    repeated = repeated.copy()
    repeated[renamed[(renamed >= 0) & (renamed < len(repeated))]] = True
    return repeated
