"""Summary of a lineage: human text that was bought, used again and left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.inputs.lineage import LINEAGE, read_lineage
from outcross.schemas.columns import LEDGER_COLUMN
from outcross.schemas.lineage import Amount, Generation, Lineage, LineageSummary, Purchase
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import LINEAGE_CURE
from outcross.transforms.exchange.deal import part_of

_FINGERPRINT = np.dtype([("hi", np.uint64), ("lo", np.uint64)])
PARTITION = 1 << 22
"""Reused documents that are held at once, about."""
_BATCH = 1 << 16  # rows that are read at once


def lineage_summary(folder: str) -> LineageSummary:
    """Summarise a lineage.

    Args:
        folder: folder of the lineage.

    Raises:
        ConfigError: when the folder holds no lineage.
        DamagedError: when a file of the lineage can't be read.
    """
    if not files.exists(files.join(folder, LINEAGE)):
        raise ConfigError(
            f"lineage: {folder} holds no {LINEAGE}; give the folder that runs were given by "
            "--lineage, after the first of them has finished"
        )
    state = read_lineage(folder)
    return LineageSummary(
        folder=folder, generations=state.generations, ledger=_ledger(folder, state)
    )


def _ledger(folder: str, state: Lineage) -> list[Purchase]:
    """Return what each generation bought, and how often later ones have written it again.

    Fingerprints are compared range by range, so that memory doesn't grow with the ledger.

    Args:
        folder: folder of the lineage.
        state: state of the lineage.
    """
    reused = sum(generation.reused.documents for generation in state.generations)
    partitions = max(1, -(-reused // PARTITION))
    bought = [generation for generation in state.generations if generation.bought]
    counts = np.zeros((len(bought), 2, 2), np.int64)  # used and left: documents, tokens
    uses = np.zeros(len(bought), np.int64)
    for part in range(partitions):
        texts, times = _reused(folder, state, part, partitions)
        for place, generation in enumerate(bought):
            for text, tokens in _bought(folder, generation, part, partitions):
                written = _times(text, texts, times)
                uses[place] += written.sum()
                for column, mask in enumerate((written > 0, written == 0)):
                    counts[place, column] += mask.sum(), tokens[mask].sum()
    return [
        Purchase(
            generation=generation.name,
            bought=generation.fresh,
            used=Amount(documents=int(row[0, 0]), tokens=int(row[0, 1])),
            left=Amount(documents=int(row[1, 0]), tokens=int(row[1, 1])),
            uses=int(often),
        )
        for generation, row, often in zip(bought, counts, uses, strict=True)
    ]


def _reused(
    folder: str, state: Lineage, part: int, partitions: int
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Return the texts of the ledger that later generations wrote, and how often.

    Args:
        folder: folder of the lineage.
        state: state of the lineage.
        part: range of the fingerprints.
        partitions: number of ranges.

    Returns:
        fingerprint[n], ascending, and int64[n].
    """
    names = [g.used for g in state.generations if g.used is not None]
    columns = ["fingerprint_hi", "fingerprint_lo"]
    texts = [np.zeros(0, _FINGERPRINT)]
    for name in names:
        for hi, lo in _read(folder, name, columns):
            texts.append(_texts(hi, lo)[part_of(hi, partitions) == part])
    return np.unique(np.concatenate(texts), return_counts=True)


def _bought(
    folder: str, generation: Generation, part: int, partitions: int
) -> Iterator[tuple[NDArray[np.void], NDArray[np.int64]]]:
    """Yield the fingerprints and lengths of the texts that a generation bought, in one range."""
    columns = [f"{LEDGER_COLUMN}.{name}" for name in ("fingerprint_hi", "fingerprint_lo", "tokens")]
    for bought in generation.bought:
        for hi, lo, tokens in _read(folder, bought.file, columns):
            rows = part_of(hi, partitions) == part
            yield _texts(hi, lo)[rows], tokens[rows]


def _times(
    bought: NDArray[np.void], texts: NDArray[np.void], times: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how often each bought text was written again: int64[m].

    Args:
        bought: fingerprint[m], bought texts.
        texts: fingerprint[n], reused texts, ascending.
        times: int64[n], how often each of them was written.
    """
    if not len(texts):
        return np.zeros(len(bought), np.int64)
    place = np.minimum(np.searchsorted(texts, bought), len(texts) - 1)
    return np.where(texts[place] == bought, times[place], 0)


def _texts(hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.void]:
    fingerprints = np.empty(len(hi), _FINGERPRINT)
    fingerprints["hi"], fingerprints["lo"] = hi, lo
    return fingerprints


def _read(folder: str, name: str, columns: Sequence[str]) -> Iterator[list[NDArray[Any]]]:
    """Yield columns of a file of the lineage, batch by batch; members of structs by dotted names.

    Raises:
        DamagedError: when the file can't be read.
    """
    path = files.join(folder, name)
    with files.open_parquet(path, LINEAGE_CURE) as data:
        for batch in data.iter_batches(_BATCH, columns=list(columns), use_threads=False):
            arrays = pa.Table.from_batches([batch]).flatten().columns
            yield [array.to_numpy() for array in arrays]
