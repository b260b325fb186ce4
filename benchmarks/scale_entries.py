"""Entries of bands and sizes of partitions at any size, from sketches alone.

    python benchmarks/scale_entries.py OUT [--documents 1000000000] [--entry-bytes 16]

OUT is the output of a run or a `dedup`, with its work folder. The band values of its sketches say
how many documents share one. For a larger corpus, groups stay as frequent per document as they
are, but for hot ones, which grow with the corpus: a text that is a hundredth of a sample is a
hundredth of the whole. Partitions take entries by a hash of the value, so the groups of a size fall
into them as a multinomial draw, and no entry needs to be made.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from outcross.transforms.text.minhash import band_values, lsh_parameters

HOT = 1e-3
"""Share of the documents from which a group counts as hot."""
LEAST_HOT = 50  # documents of a hot group


@dataclass(frozen=True)
class Bands:
    """Groups of documents with the same band value.

    Attributes:
        documents: number of documents that were looked at.
        bands: bands of a document.
        groups: number of groups of each size, over all bands, without hot ones.
        hot: shares of the documents in each hot group.
        sharing: share of the documents that share a band with another.
    """

    documents: int
    bands: int
    groups: dict[int, int]
    hot: list[float]
    sharing: float


def observe(values: NDArray[np.uint64]) -> Bands:
    """Group the band values of documents.

    Args:
        values: uint64[n, bands], band values of each document.
    """
    documents, bands = values.shape
    groups: Counter[int] = Counter()
    shares = np.zeros(documents, bool)
    for band in range(bands):
        _, group, sizes = np.unique(values[:, band], return_inverse=True, return_counts=True)
        shares |= sizes[group] > 1
        groups.update(sizes.tolist())
    least = max(LEAST_HOT, HOT * documents)
    hot = [size / documents for size in groups for _ in range(groups[size]) if size >= least]
    usual = {size: count for size, count in groups.items() if size < least}
    return Bands(documents, bands, usual, sorted(hot, reverse=True), float(shares.mean()))


def partition_sizes(
    bands: Bands, documents: int, partitions: int, seed: int = 0
) -> NDArray[np.int64]:
    """Return int64[partitions]: the entries of each partition for a larger corpus.

    Args:
        bands: groups of a sample.
        documents: number of documents of the larger corpus.
        partitions: number of partitions.
        seed: seed of the draw.
    """
    rng = np.random.default_rng(seed)
    sizes = np.zeros(partitions, np.int64)
    even = np.full(partitions, 1 / partitions)
    for size, count in sorted(bands.groups.items()):
        number = round(count * documents / bands.documents)
        sizes += size * rng.multinomial(number, even)
    for share in bands.hot:
        sizes[rng.integers(partitions)] += round(share * documents)
    return sizes


def values_of_run(out: Path, threshold: float) -> NDArray[np.uint64]:
    """Return uint64[n, bands]: band values of the texts that a run has sketched, each text once.

    Exact repeats are found before, so they have no entries.

    Args:
        out: output directory of the run, with its work folder.
        threshold: similarity for which the bands are chosen.
    """
    parts, texts = [], []
    for path in sorted(out.glob(".outcross/sketch-*/units/*.parquet")):
        if path.name.startswith("unit-") and "signature" in pq.read_schema(path).names:
            table = pq.read_table(path, columns=["signature", "fingerprint_hi", "fingerprint_lo"])
            column = table.column(0).combine_chunks()
            texts.append(np.stack([table.column(at).to_numpy() for at in (1, 2)], 1))
            width = column.type.byte_width
            data = np.frombuffer(column.buffers()[1], np.uint32)
            signatures = data[: len(column) * width // 4].reshape(-1, width // 4)
            count, rows = lsh_parameters(threshold, width // 4)
            parts.append(band_values(signatures, count, rows))
    _, first = np.unique(np.concatenate(texts), axis=0, return_index=True)
    return np.concatenate(parts)[np.sort(first)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--documents", type=int, nargs="+", default=[10**8, 10**9, 10**10])
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--entry-bytes", type=int, default=16, help="bytes of an entry in memory")
    parser.add_argument("--partition-bytes", type=float, default=2e9)
    arguments = parser.parse_args()
    bands = observe(values_of_run(arguments.out, arguments.threshold))
    hottest = max(bands.hot, default=max(bands.groups) / bands.documents)
    print(
        f"{bands.documents:,} texts, {bands.bands} bands; {bands.sharing:.2%} share a band; "
        f"hot groups: {len(bands.hot)}, the largest holds {hottest:.3%} of the documents\n"
    )
    print(
        "| documents | entries | bytes | partitions | entries of a partition | of the largest "
        "| largest group |\n|---:|---:|---:|---:|---:|---:|---:|"
    )
    for documents in arguments.documents:
        total = documents * bands.bands * arguments.entry_bytes
        partitions = max(1, round(total / arguments.partition_bytes))
        sizes = partition_sizes(bands, documents, partitions)
        largest = max(sum(bands.hot[:1]) * documents, *bands.groups)
        print(
            f"| {documents:,} | {sizes.sum():,} | {total / 1e9:,.0f} GB | {partitions:,} "
            f"| {sizes.mean():,.0f} | {sizes.max():,} | {largest:,.0f} |"
        )


if __name__ == "__main__":
    main()
