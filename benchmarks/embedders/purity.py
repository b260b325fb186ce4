"""Purity of clusters on labelled questions, for every kind of embedder.

    python -m benchmarks.embedders.purity FOLDER --models fp32 dynamic8

Spherical k-means with four cells a label, mean of three seeds; the share of questions that have the
commonest label of their cell. The sets are CLINC150 and Banking77 in `$OUTCROSS_DATA/labelled`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.embedders.models import NAMES, write_models
from benchmarks.embedders.speed import DATA
from outcross.transforms.encoders.load import load_embedder
from outcross.transforms.text.words import split_words


def purity(embeddings: NDArray[np.int8], labels: Sequence[str], seeds: int = 3) -> float:
    """Return the mean purity of k-means with four cells a label."""
    x = embeddings.astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1)
    names, numbers = np.unique(labels, return_inverse=True)
    cells = 4 * len(names)
    faiss.omp_set_num_threads(1)
    purities = []
    for seed in range(seeds):
        kmeans = faiss.Kmeans(
            x.shape[1],
            cells,
            niter=20,
            seed=seed,
            spherical=True,
            max_points_per_centroid=10**6,
            min_points_per_centroid=1,
        )
        kmeans.train(x)
        cell = kmeans.index.search(x, 1)[1][:, 0]
        counts = np.zeros((cells, len(names)), np.int64)
        np.add.at(counts, (cell, numbers), 1)
        purities.append(counts.max(1).sum() / len(numbers))
    return float(np.mean(purities))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the models")
    parser.add_argument("--every", type=int, default=1, help="take every n-th question")
    parser.add_argument("--models", nargs="*", default=["packaged", *NAMES])
    arguments = parser.parse_args()
    folders = write_models(arguments.folder)
    for name in ("clinc", "banking"):
        with gzip.open(DATA / "labelled" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        rows = rows[:: arguments.every]
        texts = pa.array([row["text"] for row in rows])
        words = split_words(texts)
        for model in arguments.models:
            key = None if model == "packaged" else f"transformers:{folders[model]}"
            embeddings = load_embedder(key).embed(words, texts).vectors
            result = purity(embeddings, [row["label"] for row in rows])
            print(f"{name} {model}: {result:.3f}", flush=True)


if __name__ == "__main__":
    main()
