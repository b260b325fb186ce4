"""Time of deduplication for many copies of one template, which must grow in proportion.

    python benchmarks/dedup/hot_bucket.py [--sizes 25000 50000 100000 200000] [--repeat 3]
                                          [--workers 2] [--texts 'corpora/*.jsonl.gz']

Every document is the same 300 words with one or two of them changed, so that they all share most of
their LSH bands: comparing all pairs of such a bucket would take the square of its size.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from corpora import sentences, write_jsonl
from processes import dedup, load

WORDS = 300


def copies(words: list[str], count: int, seed: int = 0) -> list[str]:
    """So many copies of the first words, one or two of them changed in each."""
    rng = np.random.default_rng(seed)
    template = words[:WORDS]
    places = rng.integers(0, len(template), (count, 2))
    replacements = rng.integers(0, len(words), (count, 2))
    texts = []
    for number, (place, other) in enumerate(zip(places, replacements, strict=True)):
        text = template.copy()
        for k in range(1 + number % 2):
            text[place[k]] = words[other[k]]
        texts.append(" ".join(text))
    return texts


def one_size(words: list[str], count: int, workers: int, repeat: int) -> tuple[float, float, int]:
    """Return the seconds of the stage and of the run, and the number of kept documents."""
    runs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_jsonl(folder / "copies.jsonl", copies(words, count))
        for number in range(repeat):
            out = folder / f"out-{number}"
            run, manifest = dedup(folder / "copies.jsonl", out, workers, "--id-field", "id")
            kept = sum(
                output["rows"]
                for output in manifest["outputs"]
                if output["file"].startswith("data/")
            )
            runs.append((manifest["stage_seconds"]["deduplicate"], run.seconds, kept))
    stage, run_seconds, kepts = zip(*runs, strict=True)
    return statistics.median(stage), statistics.median(run_seconds), kepts[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[25_000, 50_000, 100_000, 200_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--texts", help="JSONL files to take words from")
    arguments = parser.parse_args()
    words = [word for text in sentences(arguments.texts) for word in text.split()]
    one_size(words, 1_000, arguments.workers, 1)  # kernels are compiled once
    print(f"{arguments.workers} workers, median of {arguments.repeat}, {load()}\n")
    print("| copies | deduplicate, seconds | docs/s | whole run, seconds | kept |")
    print("|---:|---:|---:|---:|---:|")
    results = []
    for count in sorted(arguments.sizes):
        stage, run_seconds, kept = one_size(words, count, arguments.workers, arguments.repeat)
        results.append((count, stage))
        print(f"| {count:,} | {stage:.2f} | {count / stage:,.0f} | {run_seconds:.1f} | {kept:,} |")
    for (fewer, short), (more, long) in itertools.pairwise(results):
        print(f"{more / fewer:g} × the copies: {long / short:.2f} × the seconds of the stage")


if __name__ == "__main__":
    main()
