"""Draw rows in proportion to `outcross.weight`, for runs with `copies: weights`.

import numpy as np
weights = row_weights("out")
sampler = weighted_sampler(weights, draws=len(weights), seed=1)        # torch
rows = draw(weights, draws=len(weights), seed=1)                       # NumPy alone
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray


def row_weights(out: str | Path) -> NDArray[np.float64]:
    """Return the weights of a run's rows, in the order of the sorted shards: float64[n]."""
    paths = sorted(Path(out, "data").glob("*.parquet"))
    columns = [pq.ParquetFile(path).read(["outcross.weight"])["outcross"] for path in paths]
    parts = [column.combine_chunks().field("weight").to_numpy() for column in columns]
    return np.concatenate(parts)


def draw(weights: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.int64]:
    """Draw rows with replacement, in proportion to their weights: int64[draws].

    Over an epoch of sum(weights) draws, each row comes as often as it weighs on average.
    """
    ends = np.cumsum(weights)
    places = np.random.default_rng(seed).random(draws) * ends[-1]
    return np.searchsorted(ends, places, side="right")


def repeat(weights: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Return each row as often as it weighs, shuffled: the judged corpus to the token."""
    rows = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
    return np.random.default_rng(seed).permutation(rows)


def weighted_sampler(weights: NDArray[np.float64], draws: int, seed: int) -> Any:
    """Return torch's sampler of the same kind, for the `sampler` of a DataLoader."""
    import torch
    from torch.utils.data import WeightedRandomSampler

    generator = torch.Generator().manual_seed(seed)
    return WeightedRandomSampler(weights.tolist(), draws, replacement=True, generator=generator)
