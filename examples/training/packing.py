"""Sequences of one length for a causal language model, from the files of `outcross export`.

    outcross export out --format npy --tokenizer ./model
    for window in Packed("out/tokens", length=2048, seed=1):
        inputs, labels = window.tokens[:-1], window.tokens[1:]

Documents stand one behind the other, each with an end of text. They are cut at every `length`
tokens. No token is padding, and none is left out but for less than `length` at the end of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """A sequence for training.

    Attributes:
        tokens: int64[length + 1], tokens; the last one is only a label.
        document: int64[length + 1], number of each token's document in the window, from 0. Where
            two differ, attention may be cut.
        position: int64[length + 1], position of each token in its document, counted from the
            window's beginning or the document's.
    """

    tokens: NDArray[np.int64]
    document: NDArray[np.int64]
    position: NDArray[np.int64]


class Packed:
    """Windows of all files of an export, in an order of seed and epoch; resumed by `taken`.

    Args:
        folder: folder of an export, with tokens.json; of format npy or megatron.
        length: tokens of a window.
        seed: seed of the windows' order.
        epoch: number of the epoch.
        taken: number of windows of this epoch that were taken before.
    """

    def __init__(
        self, folder: str | Path, length: int, seed: int = 0, epoch: int = 0, taken: int = 0
    ) -> None:
        facts = json.loads(Path(folder, "tokens.json").read_text())
        end = ".npy" if facts["format"] == "npy" else ".bin"
        names = [name for part in facts["parts"] for name in part["files"] if name.endswith(end)]
        self.end: int = facts["end_of_text"]["id"]
        # Nothing is read here: pages of the files come into memory when they are used.
        self.files = [np.memmap(Path(folder, name), facts["dtype"], "r") for name in names]
        self.length, self.seed, self.epoch, self.taken = length, seed, epoch, taken

    def __len__(self) -> int:
        return sum(max(0, (len(file) - 1) // self.length) for file in self.files)

    def __iter__(self) -> Iterator[Window]:
        """Yield the rest of the epoch."""
        counts = [max(0, (len(file) - 1) // self.length) for file in self.files]
        starts = np.cumsum([0, *counts])
        order = np.random.default_rng([self.seed, self.epoch]).permutation(int(starts[-1]))
        for number in order[self.taken :].tolist():
            file = int(np.searchsorted(starts, number, side="right")) - 1
            first = (number - int(starts[file])) * self.length
            self.taken += 1
            yield self._window(self.files[file][first : first + self.length + 1])

    def _window(self, cut: Any) -> Window:
        tokens = cut.astype(np.int64)
        begins = np.concatenate([[True], tokens[:-1] == self.end])
        document = np.cumsum(begins) - 1
        position = np.arange(len(tokens)) - np.flatnonzero(begins)[document]
        return Window(tokens, document, position)
