"""Rows of data/ for a PyTorch DataLoader: shuffled anew in each epoch, and resumed at any row.

    from rows import Rows, loader
    rows = Rows("out", columns=["text"], seed=1)
    for batch in loader(rows, batch_size=32, workers=4):
        ...                       # save rows.state_dict() with the model; see `Rows`

`Rows` itself is a plain iterable that needs pyarrow only. `loader` needs torch.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


class Rows:
    """The rows of a run, as dicts, each once an epoch, in an order of seed and epoch.

    Shards come in a seeded order, and the row groups of a shard, and the rows of a group. data/ is
    dealt to shards by hash, so this mixes well, and one row group at a time is in memory.

    Args:
        out: output directory of a run.
        columns: columns to read; all of them if None.
        seed: seed of the order.
        part, parts: this process's part of the row groups, such as a rank and its world.
    """

    def __init__(
        self,
        out: str | Path,
        columns: list[str] | None = None,
        seed: int = 0,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        self.paths = sorted(Path(out, "data").glob("*.parquet"))
        self.columns, self.seed, self.part, self.parts = columns, seed, part, parts
        self.epoch = self.taken = 0

    def state_dict(self) -> dict[str, int]:
        """Return the place: the epoch, and how many of its rows were taken."""
        return {"epoch": self.epoch, "taken": self.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on at a place; the seed, the part and the files must be the same."""
        self.epoch, self.taken = state["epoch"], state["taken"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rest of the epoch, and begin the next one at its end."""
        skip = self.taken
        draw = random.Random(f"{self.seed} {self.epoch}")
        groups = [
            (path, group, rows) for path in self.paths for group, rows in enumerate(_sizes(path))
        ]
        draw.shuffle(groups)
        for path, group, size in groups[self.part :: self.parts]:
            order = list(range(size))
            random.Random(f"{self.seed} {self.epoch} {path.name} {group}").shuffle(order)
            if skip >= size:  # taken before: not even read
                skip -= size
                continue
            table = pq.ParquetFile(path).read_row_group(group, self.columns)
            for row in table.take(order[skip:]).to_pylist():
                self.taken += 1
                yield row
            skip = 0
        self.epoch, self.taken = self.epoch + 1, 0


def _sizes(path: Path) -> list[int]:
    """Return the rows of each row group of a file."""
    metadata = pq.read_metadata(path)
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def loader(rows: Rows, batch_size: int, workers: int = 0) -> Any:
    """Return a DataLoader over rows. Each worker reads a part of the row groups.

    With workers, `rows.state_dict()` of this process does not know how far they are: save the
    number of batches, or use torchdata's StatefulDataLoader, which asks `Rows` in each worker.
    """
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    class Parts(IterableDataset):
        def __iter__(self) -> Iterator[dict[str, Any]]:
            worker = get_worker_info()
            if worker is not None:  # this is a copy in another process
                rows.part += rows.parts * worker.id
                rows.parts *= worker.num_workers
            return iter(rows)

    return DataLoader(Parts(), batch_size=batch_size, num_workers=workers, collate_fn=list)
