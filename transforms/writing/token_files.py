"""Files of tokens for training: Megatron's `.bin` and `.idx`, and tokens without a header.

Megatron's index is that of `IndexedDataset` in megatron-core 0.16 (megatron/core/datasets):

    9 bytes    MMIDIDX, two zeros
    uint64     version, 1
    uint8      code of the type: 8 for uint16, 4 for int32
    uint64     number of sequences, n
    uint64     number of documents plus 1
    int32[n]   tokens of each sequence
    int64[n]   place of each sequence in the .bin file, in bytes
    int64[]    first sequence of each document, and n

All numbers are little-endian. Each document is one sequence here.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from outcross.schemas.export import TokenFormat
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash

_BATCH = 1 << 20  # tokens that are gathered at once
_CODES = {"uint16": 8, "int32": 4}  # Megatron's `DType`


@dataclass(frozen=True)
class Sequences:
    """Tokens of n documents, and the order in which they are written.

    Attributes:
        ids: integers[total], tokens of all documents.
        offsets: int64[n + 1], first token of each document, and the number of all.
        order: int64[m], documents in the order in which they are written, some of them repeated.
        end: number of the token behind each document.
    """

    ids: NDArray[Any]
    offsets: NDArray[np.int64]
    order: NDArray[np.int64]
    end: int

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64[m], tokens of the written documents with their ends."""
        lengths: NDArray[np.int64] = np.diff(self.offsets)[self.order] + 1
        return lengths

    def batches(self) -> Iterator[NDArray[Any]]:
        """Yield the written tokens, some documents at a time."""
        end = np.array([self.end], self.ids.dtype)
        cuts = np.searchsorted(
            np.cumsum(self.lengths), np.arange(0, self.lengths.sum() + _BATCH, _BATCH)
        )
        for first, last in pairwise([*cuts.tolist(), len(self.order)]):
            parts = [
                part
                for document in self.order[first:last].tolist()
                for part in (self.ids[self.offsets[document] : self.offsets[document + 1]], end)
            ]
            if parts:
                yield np.concatenate(parts)


def token_type(kind: TokenFormat, vocabulary: int) -> str:
    """Return NumPy's name of the type of a token.

    Megatron chooses uint16 below 65,500 tokens, and int32 otherwise. Files without a header have
    the smallest unsigned type.

    Args:
        kind: format of the files.
        vocabulary: largest number of a token, plus 1.
    """
    if kind == "megatron":
        return "uint16" if vocabulary < 65_500 else "int32"
    return "uint16" if vocabulary <= 1 << 16 else "uint32"


def appearances(
    weight: NDArray[np.float64], hi: NDArray[np.uint64], lo: NDArray[np.uint64], seed: int
) -> NDArray[np.int64]:
    """Return how often each document is written: int64[n].

    A weight of 2.3 is 2, or 3 with a chance of .3, which a hash of the document decides.

    Args:
        weight: float64[n], weights, 0 or more.
        hi: uint64[n], upper halves of the documents' fingerprints.
        lo: uint64[n], lower halves.
        seed: seed of the order.
    """
    whole = np.floor(weight)
    chance = (seeded_hash(hi, lo, seed, "weight") >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (whole + (chance < weight - whole)).astype(np.int64)


def training_order(
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    copy: NDArray[np.int64],
    times: NDArray[np.int64],
    seed: int,
) -> NDArray[np.int64]:
    """Order documents by a hash of their content, the number of their copy, and a seed.

    Args:
        hi: uint64[n], upper halves of the documents' fingerprints.
        lo: uint64[n], lower halves.
        copy: int64[n], number of each row's copy, from 1.
        times: int64[n], how often each row is written.
        seed: seed of the order.

    Returns:
        int64[m], rows; a row that is written several times stands at several places.
    """
    row = np.repeat(np.arange(len(times)), times)
    repeat = np.arange(len(row)) - (np.cumsum(times) - times)[row]
    number = (copy[row] + repeat).astype(np.uint64)
    key = seeded_hash(hi[row], lo[row] + number, seed, "training order")
    return row[np.argsort(key, kind="stable")]


def part_names(kind: TokenFormat, parts: int, seed: int) -> list[list[str]]:
    """Return the names of the files of each shard, with the shards in a seeded order.

    Args:
        kind: format of the files.
        parts: number of shards.
        seed: seed of the order.
    """
    number = np.arange(parts, dtype=np.uint64)
    key = seeded_hash(number, np.zeros_like(number), seed, "training order of shards")
    place = np.argsort(np.argsort(key, kind="stable"), kind="stable")
    ends = ("bin", "idx") if kind == "megatron" else ("npy",)
    return [[f"train-{at:05d}-of-{parts:05d}.{end}" for end in ends] for at in place.tolist()]


def index_parts(lengths: NDArray[np.int64], dtype: str) -> Iterator[bytes]:
    """Yield the parts of Megatron's index.

    Args:
        lengths: int64[m], tokens of the documents with their ends.
        dtype: name of the type of a token.
    """
    count, size = len(lengths), np.dtype(dtype).itemsize
    yield b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, _CODES[dtype], count, count + 1)
    yield lengths.astype("<i4").tobytes()
    yield ((np.cumsum(lengths) - lengths) * size).astype("<i8").tobytes()
    yield np.arange(count + 1).astype("<i8").tobytes()


def write_sequences(
    folder: str, names: list[str], sequences: Sequences, dtype: str
) -> tuple[Mapping[str, str], int]:
    """Write the files of a shard, each whole or not at all.

    Args:
        folder: folder of the files.
        names: names of the files, from `part_names`.
        sequences: tokens of the documents.
        dtype: name of the type of a token.

    Returns:
        SHA-256 of each file by its name; bytes of all of them.
    """
    digests: dict[str, str] = {}
    size = 0
    for name in names:
        digest = hashlib.sha256()

        def write(
            file: BinaryIO, digest: Any = digest, is_index: bool = name.endswith(".idx")
        ) -> None:
            nonlocal size
            little = np.dtype(dtype).newbyteorder("<")
            parts = (
                index_parts(sequences.lengths, dtype)
                if is_index
                else (batch.astype(little, copy=False).tobytes() for batch in sequences.batches())
            )
            for part in parts:
                file.write(part)
                digest.update(part)
                size += len(part)

        files.write_whole(files.join(folder, name), write)
        digests[name] = digest.hexdigest()
    return digests, size
