"""Bytes that two nearly equal shards share, size and write time, with and without chunked pages.

    python -m benchmarks.hub_chunks [--rows 60000] [--repeat 5] [--texts 'corpora/*.jsonl.gz']

A hub cuts a file where a rolling hash of its bytes says so, into chunks of about 64 KiB, and stores
each chunk once. This script cuts both files of a pair in the same way, with a gear hash and the
same sizes. The pairs hold the rows of a shard in the order of their hashes, as `write` does.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.corpora import documents, sentences
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.writing.shards import WRITER_OPTIONS, row_group

LEAST, MOST = 8 << 10, 128 << 10  # bytes of a chunk
MASK = np.uint64(0xFFFF << 48)  # a boundary every 64 KiB
GEAR = np.random.default_rng(0).integers(0, 1 << 64, 256, dtype=np.uint64)
PLAIN = {"compression": "zstd"}


@numba.njit(cache=True)
def _cuts(data: NDArray[np.uint8], gear: NDArray[np.uint64], mask: np.uint64) -> NDArray[np.int64]:
    cuts = [0]
    hashed = np.uint64(0)
    for at in range(len(data)):
        hashed = (hashed << np.uint64(1)) + gear[data[at]]
        size = at + 1 - cuts[-1]
        if size >= MOST or (size >= LEAST and hashed & mask == 0):
            cuts.append(at + 1)
            hashed = np.uint64(0)
    if cuts[-1] < len(data):
        cuts.append(len(data))
    return np.array(cuts)


def chunks(data: bytes) -> dict[bytes, int]:
    """Return the bytes of each different chunk, by its digest."""
    cuts = _cuts(np.frombuffer(data, np.uint8), GEAR, MASK)
    parts = (data[a:b] for a, b in pairwise(cuts))
    return {hashlib.blake2b(part, digest_size=16).digest(): len(part) for part in parts}


def shared(first: bytes, second: bytes) -> float:
    """Return the share of the second file's bytes that a store with the first file has already."""
    stored, wanted = chunks(first), chunks(second)
    return sum(size for key, size in wanted.items() if key in stored) / sum(wanted.values())


def written(table: pa.Table, options: Mapping[str, Any]) -> bytes:
    """Write a table as `write_shard` does."""
    rows = row_group(table.nbytes, table.num_rows)
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, **options) as writer:
        for low in range(0, table.num_rows, rows):
            writer.write_table(table.slice(low, rows), row_group_size=rows)
    return sink.getvalue()


def shard(numbers: NDArray[np.int64], texts: list[str], clusters: NDArray[np.int32]) -> pa.Table:
    """Return the rows of a shard in the order of their hashes.

    Args:
        numbers: int64[n], numbers of the documents.
        texts: texts of all documents.
        clusters: int32[m], clusters of all documents.
    """
    key = seeded_hash(numbers.astype(np.uint64), numbers.astype(np.uint64), 0, "shuffle")
    order = numbers[np.argsort(key)]
    struct = {
        "id": pa.array([f"gpt:{n:08d}" for n in order]),
        "cluster": pa.array(clusters[order]),
        "tokens": pa.array([texts[n].count(" ") + 1 for n in order]),
    }
    rows = {"id": struct["id"], "text": pa.array([texts[n] for n in order])}
    rows["outcross"] = pa.StructArray.from_arrays(list(struct.values()), list(struct))
    return pa.table(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--texts", default=None, help="JSONL with prose")
    task = parser.parse_args()
    spare = task.rows // 10
    texts = documents(sentences(task.texts), task.rows + spare, 1500)
    draw = np.random.default_rng(1)
    clusters = draw.integers(0, 500, len(texts)).astype(np.int32)
    base = np.arange(task.rows)
    more = np.arange(task.rows, task.rows + spare)
    other = np.where(draw.random(task.rows) < 0.5, (clusters[base] + 1) % 500, clusters[base])
    others = np.concatenate([other, clusters[task.rows :]]).astype(np.int32)
    keep = {share: draw.random(task.rows) >= share for share in (0.001, 0.01)}
    pairs = {
        "the same rows, other clusters": shard(base, texts, others),
        "10 rows more": shard(np.concatenate([base, more[:10]]), texts, clusters),
        "100 rows more": shard(np.concatenate([base, more[:100]]), texts, clusters),
    }
    for share, kept in keep.items():
        pairs[f"{share:.1%} of the rows are missing"] = shard(base[kept], texts, clusters)
    first = shard(base, texts, clusters)
    seconds: dict[str, list[float]] = {"plain": [], "chunked": []}
    sizes = {}
    for _ in range(task.repeat):
        for name, options in (("plain", PLAIN), ("chunked", WRITER_OPTIONS)):
            started = time.process_time()
            sizes[name] = len(written(first, options))
            seconds[name].append(time.process_time() - started)
    ratios = [b / a for a, b in zip(seconds["plain"], seconds["chunked"], strict=True)]
    print(f"{task.rows:,} rows, {sizes['plain']:,} bytes plain, {sizes['chunked']:,} chunked")
    print(f"size x {sizes['chunked'] / sizes['plain']:.4f}")
    print(
        f"write time x {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"plain {statistics.median(seconds['plain']):.2f} s of processor time"
    )
    for name, table in pairs.items():
        shares = [
            shared(written(first, options), written(table, options))
            for options in (PLAIN, WRITER_OPTIONS)
        ]
        print(f"| {name} | {shares[0]:.1%} | {shares[1]:.1%} |")


if __name__ == "__main__":
    main()
