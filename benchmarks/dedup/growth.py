"""Time and memory of `outcross dedup` on ten times the documents.

    python benchmarks/dedup/growth.py [--sizes 100000 1000000 10000000] [--workers 2]
                                      [--texts 'corpora/*.jsonl.gz']

Short texts of 16 to 24 words, drawn from real text as often as they stand there, so that they are
as unlike each other as can be but for 4 % that are copies with their last word changed. They are
written as Parquet, a million rows a file. Allowed are 10.5 times the seconds for ten times the
documents, and 1.5 GB of memory and 100 bytes a document.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from corpora import NEAR_COPIES, sentences
from processes import dedup, load

LEAST, MOST = 16, 24  # words of a document
GROUP = 100_000  # documents of a row group
GROUPS = 10  # row groups of a file
COPY_PERIOD = round(1 / NEAR_COPIES)  # so many documents, one is a copy

MOST_MEMORY = 1.5e9
BYTES_A_DOCUMENT = 100
MOST_TIMES = 1.05
"""Of the seconds, where both grow alike."""


def original_documents(group: int, words: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the words of a group's documents, and their lengths, before copies are planted."""
    rng = np.random.default_rng([0, group])
    return rng.integers(0, words, (GROUP, MOST)), rng.integers(LEAST, MOST + 1, GROUP)


def texts(group: int, stream: pa.Array) -> pa.Array:
    """Return the texts of a group; every 25th is a near-copy of a text of an earlier group."""
    words, counts = original_documents(group, len(stream))
    earlier, earlier_counts = original_documents(group // 2, len(stream))
    copies = np.arange(0, GROUP, COPY_PERIOD)
    words[copies] = earlier[copies + 1]
    counts[copies] = earlier_counts[copies + 1]
    words[copies, counts[copies] - 1] += 1
    words %= len(stream)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    flat = stream.take(pa.array(words[np.arange(MOST) < counts[:, None]]))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat), " ")


def write(folder: Path, documents: int, stream: pa.Array) -> None:
    """Write the corpus as Parquet files."""
    folder.mkdir()
    groups: Iterator[int] = iter(range(-(-documents // GROUP)))
    remaining = documents
    for number in itertools.count():
        part = list(itertools.islice(groups, GROUPS))
        if not part:
            return
        schema = pa.schema([("text", pa.string())])
        path = folder / f"part-{number:03d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in part:
                table = pa.table({"text": texts(group, stream).slice(0, remaining)})
                writer.write_table(table, row_group_size=GROUP)
                remaining -= table.num_rows


class Size(NamedTuple):
    """Time and memory for one number of documents."""

    documents: int
    seconds: float
    without_start: float
    bytes: float
    removed: int


def one_size(documents: int, stream: pa.Array, workers: int) -> Size:
    """Run the command on a corpus of the given size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "in", documents, stream)
        run, manifest = dedup(folder / "in" / "*.parquet", folder / "out", workers)
        removed = sum(
            pq.read_metadata(path).num_rows for path in (folder / "out/removed").glob("*.parquet")
        )
    stages = ", ".join(f"{stage} {took:.1f}" for stage, took in manifest["stage_seconds"].items())
    print(f"  {documents:,}: {stages}", file=sys.stderr)
    return Size(documents, run.seconds, manifest["seconds"], run.megabytes * 1e6, removed)


def report(sizes: list[Size]) -> None:
    """Print the table, and the growth from each size to the next."""
    print("| documents | seconds | docs/s | removed | peak MB | allowed MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        allowed = MOST_MEMORY + BYTES_A_DOCUMENT * size.documents
        print(
            f"| {size.documents:,} | {size.seconds:.1f} | {size.documents / size.seconds:,.0f} "
            f"| {100 * size.removed / size.documents:.2f} % "
            f"| {size.bytes / 1e6:,.0f} | {allowed / 1e6:,.0f} |"
        )
    for smaller, larger in itertools.pairwise(sizes):
        times = larger.documents / smaller.documents
        bytes_per_document = (larger.bytes - smaller.bytes) / (larger.documents - smaller.documents)
        print(
            f"{times:g} × the documents: {larger.seconds / smaller.seconds:.2f} × the seconds "
            f"({larger.without_start / smaller.without_start:.2f} × without the start; "
            f"{times * MOST_TIMES:g} × allowed), {bytes_per_document:,.0f} bytes a document more"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--texts", help="JSONL files to take words from")
    arguments = parser.parse_args()
    stream = pa.array(word for text in sentences(arguments.texts) for word in text.split())
    one_size(1_000, stream, arguments.workers)  # kernels are compiled once
    print(f"{arguments.workers} workers, {load()}\n")
    report([one_size(n, stream, arguments.workers) for n in sorted(arguments.sizes)])


if __name__ == "__main__":
    main()
