"""Products of int8 vectors with centroids, against a product of float32 matrices by NumPy.

    python benchmarks/products.py [--documents 4096] [--repeat 9]

Both take int8 and run on one core, one after the other in each round. Both results are exact, and
they are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.products import Columns

SHAPES = ((312, 256), (1953, 256), (4096, 256), (4096, 384))  # centroids and dimensions
BATCH = 256


def in_batches(multiply: Callable[[NDArray[np.int8]], object], rows: NDArray[np.int8]) -> float:
    """Return the microseconds of processor time a document that products take."""
    start = time.process_time()
    for first in range(0, len(rows), BATCH):
        multiply(rows[first : first + BATCH])
    return (time.process_time() - start) / len(rows) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=9)
    arguments = parser.parse_args()
    print(f"{arguments.documents:,} documents, median of {arguments.repeat} rounds")
    print(f"{'centroids':>9} {'dimensions':>10} {'float32':>12} {'here':>12} {'ratio':>6}")
    draw = np.random.default_rng(0)
    for count, dims in SHAPES:
        rows, centroids = (
            draw.integers(-127, 128, (n, dims), np.int8) for n in (arguments.documents, count)
        )
        columns = Columns.of(centroids)
        matrix = np.ascontiguousarray(centroids.astype(np.float32).T)

        def as_floats(part: NDArray[np.int8], matrix: NDArray[np.float32] = matrix) -> object:
            return part.astype(np.float32) @ matrix

        if not np.array_equal(as_floats(rows[:BATCH]), columns.products(rows[:BATCH])):
            raise SystemExit(f"products with {count} centroids of {dims} dimensions differ")
        rounds = [
            (in_batches(as_floats, rows), in_batches(columns.products, rows))
            for _ in range(arguments.repeat)
        ]
        floats, here = (statistics.median(times) for times in zip(*rounds, strict=True))
        ratio = statistics.median(second / first for first, second in rounds)
        print(f"{count:>9,} {dims:>10,} {floats:>9.1f} µs {here:>9.1f} µs {ratio:>6.2f}")


if __name__ == "__main__":
    main()
