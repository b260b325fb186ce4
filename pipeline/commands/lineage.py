"""Summary of a lineage: human text that was bought, used again and left."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.pipeline.inputs.lineage import LINEAGE, damage_error, read_lineage
from outcross.schemas.columns import LEDGER_COLUMN
from outcross.schemas.lineage import Amount, Generation, Lineage, LineageSummary, Purchase
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files

_FINGERPRINT = np.dtype([("hi", np.uint64), ("lo", np.uint64)])


def lineage_summary(folder: str) -> LineageSummary:
    """Summarise a lineage.

    Args:
        folder: folder of the lineage.

    Raises:
        ConfigError: when the folder holds no lineage, or a file that it names can't be read.
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
    """Return what each generation bought, and how often later ones have written it again."""
    used = [
        _fingerprints(folder, generation.used)
        for generation in state.generations
        if generation.used is not None
    ]
    texts, times = np.unique(np.concatenate([np.zeros(0, _FINGERPRINT), *used]), return_counts=True)
    return [
        _bought(folder, generation, texts, times)
        for generation in state.generations
        if generation.bought
    ]


def _fingerprints(folder: str, name: str) -> NDArray[np.void]:
    table = _read(folder, name)
    fingerprints = np.empty(len(table), _FINGERPRINT)
    fingerprints["hi"], fingerprints["lo"] = table["fingerprint_hi"], table["fingerprint_lo"]
    return fingerprints


def _read(folder: str, name: str, columns: list[str] | None = None) -> pa.Table:
    path = files.join(folder, name)
    try:
        return files.read_table(path, columns)
    except (OSError, ValueError) as error:
        raise damage_error(path, error) from None


def _bought(
    folder: str, generation: Generation, texts: NDArray[np.void], times: NDArray[np.int64]
) -> Purchase:
    """Return the human text that a generation bought.

    Args:
        folder: folder of the lineage.
        generation: the generation.
        texts: fingerprint[n], texts of the ledger that later generations wrote, ascending.
        times: int64[n], how often each of them was written.
    """
    uses, tokens = [], []
    for part in generation.bought:
        notes = _read(folder, part.file, [LEDGER_COLUMN])[0].combine_chunks()
        bought = np.empty(len(notes), _FINGERPRINT)
        bought["hi"], bought["lo"] = notes.field("fingerprint_hi"), notes.field("fingerprint_lo")
        written = np.zeros(len(bought), np.int64)
        # A ledger holds no text twice.
        _, place, among = np.intersect1d(bought, texts, return_indices=True)
        written[place] = times[among]
        uses.append(written)
        tokens.append(notes.field("tokens").to_numpy())
    counts, lengths = np.concatenate(uses), np.concatenate(tokens)
    used = counts > 0
    return Purchase(
        generation=generation.name,
        bought=generation.fresh,
        used=Amount(documents=int(used.sum()), tokens=int(lengths[used].sum())),
        left=Amount(documents=int((~used).sum()), tokens=int(lengths[~used].sum())),
        uses=int(counts.sum()),
    )
