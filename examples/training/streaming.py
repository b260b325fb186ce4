"""The rows of a run as a stream of `datasets`, shuffled, resumed, and without copies to disk.

stream = stream_of("out", seed=1)
for row in stream: ...
state = stream.state_dict()          # later: stream.load_state_dict(state)
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any


def stream_of(out: str | Path, seed: int = 0, buffer: int = 1000) -> Any:
    """Return the rows of data/ as an IterableDataset.

    Args:
        out: output directory of a run.
        seed: seed of the order of shards, and of draws from the buffer.
        buffer: rows to draw the next one from.
    """
    from datasets import load_dataset

    pattern = str(Path(glob.escape(str(out)), "data", "*.parquet"))
    stream = load_dataset("parquet", data_files=pattern, split="train", streaming=True)
    return stream.shuffle(seed=seed, buffer_size=buffer)
