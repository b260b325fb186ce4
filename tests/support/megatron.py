"""A reader of Megatron's indexed datasets, written from the format's description.

megatron-core has the original, but imports torch, which takes gigabytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# megatron/core/datasets/indexed_dataset.py, `DType`
TYPES = {
    1: np.uint8,
    2: np.int8,
    3: np.int16,
    4: np.int32,
    5: np.int64,
    6: np.float64,
    7: np.float32,
    8: np.uint16,
}


def read_indexed(prefix: Path) -> list[NDArray[Any]]:
    """Return the documents of `prefix`.bin, each a sequence.

    Args:
        prefix: path of the files without their ends.
    """
    with Path(f"{prefix}.idx").open("rb") as file:
        assert file.read(9) == b"MMIDIDX\x00\x00"
        (version,) = struct.unpack("<Q", file.read(8))
        assert version == 1
        (code,) = struct.unpack("<B", file.read(1))
        sequences, documents = struct.unpack("<QQ", file.read(16))
        offset = file.tell()
    assert offset == 34
    index = np.memmap(f"{prefix}.idx", mode="r")
    lengths = np.frombuffer(index, np.int32, sequences, offset)
    pointers = np.frombuffer(index, np.int64, sequences, offset + lengths.nbytes)
    starts = offset + lengths.nbytes + pointers.nbytes
    ends = np.frombuffer(index, np.int64, documents, starts)
    assert starts + ends.nbytes == len(index)
    assert ends.tolist() == list(range(sequences + 1))
    dtype = TYPES[code]
    tokens = np.fromfile(f"{prefix}.bin", dtype)
    size = np.dtype(dtype).itemsize
    runs = [
        tokens[pointer // size : pointer // size + length]
        for pointer, length in zip(pointers.tolist(), lengths.tolist(), strict=True)
    ]
    assert sum(map(len, runs)) == len(tokens)
    return runs
