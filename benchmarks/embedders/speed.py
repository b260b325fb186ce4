"""Texts per second of one core, and likeness to fp32, of every kind of embedder.

    python -m benchmarks.embedders.speed FOLDER --texts 400

The peer is what sentence-transformers' `encode` does, by ONNX Runtime in fp32: batches of 32 texts
sorted by length, padded to the longest of each, mean pooling. Where sentence-transformers itself is
installed, it is run as well, with the same weights and one thread. Time is processor time, as a
machine with other work on it distorts a clock.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.embedders.models import write_models, write_static
from outcross.transforms.encoders.load import load_model
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.words import split_words

BATCH = 32
DATA = Path(os.environ.get("OUTCROSS_DATA", "../shared/data"))


def texts_of(path: Path, count: int) -> list[str]:
    """Return evenly spread texts of a .jsonl.gz file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line)["text"] for line in lines]
    return [rows[place] for place in np.linspace(0, len(rows) - 1, count).astype(int)]


def as_sentence_transformers(folder: Path, texts: list[str]) -> NDArray[np.float32]:
    """Embed texts by padded batches of 32, sorted by length: float32[n, dims]."""
    model = load_model(f"transformers:{folder}").embedder()
    session, tokenizer = model.session, model.tokenizer  # type: ignore[attr-defined]
    order = np.argsort([-len(text) for text in texts], kind="stable")
    out = np.zeros((len(texts), session.dims), np.float32)
    for start in range(0, len(texts), BATCH):
        rows = order[start : start + BATCH]
        ids = [encoding.ids for encoding in tokenizer.encode_batch([texts[r] for r in rows])]
        longest = max(map(len, ids))
        padded = np.array([each + [session.pad] * (longest - len(each)) for each in ids])
        mask = np.array([[1] * len(each) + [0] * (longest - len(each)) for each in ids])
        fed: dict[str, Any] = {"input_ids": padded, "attention_mask": mask}
        fed["token_type_ids"] = np.zeros_like(padded)
        (states,) = session.runtime.run([session.output], fed)
        out[rows] = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return out


def timed(work: Callable[[], NDArray[Any]], texts: int, repeat: int) -> tuple[float, NDArray[Any]]:
    """Return texts per second of processor time, the best of several runs, and the embeddings."""
    work()
    best = 0.0
    for _ in range(repeat):
        start = time.process_time()
        out = work()
        best = max(best, texts / (time.process_time() - start))
    return best, out


def cosine(x: NDArray[Any], y: NDArray[Any]) -> str:
    a, b = x.astype(float), y.astype(float)
    likeness = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return f"{likeness.mean():.4f} (least {likeness.min():.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the models")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=2)
    arguments = parser.parse_args()
    texts = texts_of(DATA / "embedder_texts.jsonl.gz", arguments.texts)
    array = pa.array(texts)
    words = split_words(array)
    models = write_models(arguments.folder)
    size = sum(map(len, texts))
    print(f"load average {os.getloadavg()[0]:.1f}, {len(texts)} texts, {size:,} characters")
    rate, exact = timed(
        lambda: as_sentence_transformers(models["fp32"], texts), len(texts), arguments.repeat
    )
    peer = rate
    print(f"padded batches of 32, fp32: {rate:,.1f} texts/s", flush=True)
    if importlib.util.find_spec("sentence_transformers"):
        import torch
        from sentence_transformers import SentenceTransformer

        from benchmarks.embedders.models import PINNED, pinned

        torch.set_num_threads(1)
        reference = SentenceTransformer(str(pinned(next(iter(PINNED))).parent), device="cpu")
        peer, exact = timed(lambda: reference.encode(texts), len(texts), arguments.repeat)
        print(f"sentence-transformers, fp32: {peer:,.1f} texts/s", flush=True)
    for name, folder in models.items():
        embedder = load_model(f"transformers:{folder}").embedder()
        rate, out = timed(
            lambda embedder=embedder: embedder.embed(words, array).vectors,  # type: ignore[misc]
            len(texts),
            arguments.repeat,
        )
        print(f"{name}: {rate:,.1f} texts/s, {rate / peer:.2f} x, cosine {cosine(out, exact)}")
    _static(arguments.folder / "static", texts, arguments.repeat)


def _static(folder: Path, texts: list[str], repeat: int) -> None:
    """Print the speed of static models, on the same texts over and over."""
    many = texts * max(1, 20_000 // len(texts))
    array = pa.array(many)
    words = split_words(array)
    packaged, static = load_default(), load_model(f"static:{write_static(folder)}").embedder()
    rate, first = timed(lambda: packaged.embed(words, array).vectors, len(many), repeat)
    print(f"packaged table: {rate:,.0f} texts/s")
    rate, out = timed(lambda: static.embed(words, array).vectors, len(many), repeat)
    print(f"the same as static:PLACE: {rate:,.0f} texts/s, cosine {cosine(out, first)}")
    rate, _ = timed(lambda: packaged.embed(split_words(array), array).vectors, len(many), repeat)
    print(f"packaged table, and splitting into words: {rate:,.0f} texts/s")
    if importlib.util.find_spec("model2vec"):
        from model2vec import StaticModel

        model = StaticModel.from_pretrained(folder)
        rate, theirs = timed(
            lambda: model.encode(many, use_multiprocessing=False), len(many), repeat
        )
        print(f"model2vec: {rate:,.0f} texts/s, cosine {cosine(theirs, out)}")


if __name__ == "__main__":
    main()
