"""Work that turns shards of data/ into files of tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.sources import Source
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError
from outcross.transforms.base.progress import count
from outcross.transforms.base.visible import visible_name
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.inputs.footers import GET_AGAIN
from outcross.transforms.reading.read import read_unit
from outcross.transforms.rows.blocks import Block
from outcross.transforms.rows.fields import extract
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.tokens import encode, load_tokenizer
from outcross.transforms.text.words import split_words
from outcross.transforms.writing.shards import SHARD_CURE
from outcross.transforms.writing.token_files import (
    Sequences,
    appearances,
    training_order,
    write_sequences,
)

_COLUMNS = ("weight", "copy", "tokens")
"""Fields of the column `outcross` that an export reads."""


@dataclass
class ExportUnits:
    """Write the tokens of each shard of data/, as work of units; finished ones are skipped.

    Attributes:
        source: source that reads the shards, with the tokenizer.
        folder: folder that gets the files.
        reports: folder that gets a report for each shard, as JSON.
        names: names of the files of each shard, by the number of its unit.
        rows: rows of each shard.
        dtype: name of the type of a token.
        end: number of the token behind each document.
        seed: seed of the order.
    """

    source: Source
    folder: str
    reports: str
    names: Sequence[list[str]]
    rows: Sequence[int]
    dtype: str
    end: int
    seed: int

    def setup(self) -> None:
        """Do nothing, as the tokenizer is shared by all threads of a process."""

    def run(self, unit: Unit) -> int:
        """Write the files of a shard, then its report.

        Raises:
            DamagedError: the shard can't be read, or has not the rows that the run wrote.
        """
        report, names = unit_file(self.reports, unit.index, "json"), self.names[unit.index]
        if self._is_written(report, names):
            return unit.index
        ids, lengths = [np.zeros(0, self.dtype)], [np.zeros(0, np.int64)]
        columns: list[tuple[NDArray[Any], ...]] = []
        for block in read_unit(unit, self.source):
            if block.rejects:
                fault = block.rejects[0].reason.removesuffix(f"; {GET_AGAIN}")
                raise DamagedError(f"{visible_name(unit.pieces[0].file)}: {fault}; {SHARD_CURE}")
            tokens, sizes = self._encoded(block)
            ids.append(tokens)
            lengths.append(sizes)
            columns.append(_columns_of(block))
            count("documents", len(sizes))
            count("bytes", block.bytes)
        length = np.concatenate(lengths)
        if len(length) != self.rows[unit.index]:
            raise DamagedError(
                f"{visible_name(unit.pieces[0].file)} has {len(length):,} rows, and the run wrote "
                f"{self.rows[unit.index]:,}; {SHARD_CURE}"
            )
        hi, lo, weight, copy, told = _joined(columns)
        times = np.where(length > 0, appearances(weight, hi, lo, self.seed), 0)
        order = training_order(hi, lo, copy, times, self.seed)
        offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        sequences = Sequences(np.concatenate(ids), offsets, order, self.end)
        digests, size = write_sequences(self.folder, names, sequences, self.dtype)
        facts = {
            "files": digests,
            "bytes": size,
            "documents": len(order),
            "tokens": int((times * length).sum()),
            "without_tokens": int((length == 0).sum()),
            "differing": int((length != told).sum()),
        }
        files.write_json(report, facts)
        return unit.index

    def _is_written(self, report: str, names: Sequence[str]) -> bool:
        """Return whether the files of a shard are there, as they were written.

        Args:
            report: path of the shard's report.
            names: names of the files.
        """
        paths = [files.join(self.folder, name) for name in names]
        if not files.exists(report) or not all(map(files.exists, paths)):
            return False
        digests = files.read_as(report, lambda data: json.loads(data)["files"])
        return [digests.get(n) for n in names] == [files.sha256_of(path)[1] for path in paths]

    def _encoded(self, block: Block) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the tokens of a block's documents, and the number of each document's tokens."""
        file = self.source.tokenizer
        assert file is not None
        parts = [
            np.array(encoding.ids, self.dtype)
            for encoding in encode(block.text, load_tokenizer(file), file.place)
        ]
        lengths = np.array([len(part) for part in parts], np.int64)
        return np.concatenate([np.zeros(0, self.dtype), *parts]), lengths


def _columns_of(block: Block) -> tuple[NDArray[Any], ...]:
    """Return halves of fingerprints, weights, numbers of copies, and tokens as the run says."""
    hi, lo = fingerprints(split_words(block.text))
    fields = (extract(block.batch, f"outcross.{name}") for name in _COLUMNS)
    return hi, lo, *(field.to_numpy(zero_copy_only=False) for field in fields)


def _joined(columns: list[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    none = np.zeros(0, np.uint64)
    empty = (none, none, np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    return [np.concatenate(parts) for parts in zip(empty, *columns, strict=True)]
