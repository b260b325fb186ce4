"""Encoders of `transformers`: neighbours don't count, and pooling is what the model says."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.encoders.load import load_embedder, load_model
from outcross.transforms.encoders.pooling import pool
from outcross.transforms.text.embed import SCALE, Embedded, Embedder
from outcross.transforms.text.words import split_words
from tests.support.onnx_bert import VOCABULARY, random_weights, tokenizer, write_bert

WORDS = [word for word in VOCABULARY[56:] if word.isalpha()]


def embed(embedder: Embedder, texts: list[str]) -> Embedded:
    array = pa.array(texts, pa.string())
    return embedder.embed(split_words(array), array)


def texts_of(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, 60))) for _ in range(count)]


@pytest.fixture(scope="module", params=["fp32", "int8", "lasttoken"])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tmp_path_factory.mktemp("models") / request.param
    pooling = "lasttoken" if request.param == "lasttoken" else "mean"
    write_bert(folder, int8=request.param == "int8", pooling=pooling)
    return load_embedder(f"transformers:{folder}")


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1 << 16), st.integers(1, 60), st.lists(st.integers(0, 60), max_size=5))
def test_neighbours_do_not_count(
    embedder: Embedder, seed: int, count: int, cuts: list[int]
) -> None:
    """Shuffle texts and cut them into other batches: each keeps its bytes."""
    texts = texts_of(seed, count)
    whole = embed(embedder, texts).vectors
    order = np.random.default_rng(seed).permutation(count)
    edges = sorted({0, count, *(cut for cut in cuts if cut < count)})
    out = np.zeros_like(whole)
    for start, stop in pairwise(edges):
        rows = order[start:stop]
        out[rows] = embed(embedder, [texts[row] for row in rows]).vectors
    assert out.tobytes() == whole.tobytes()


def test_a_text_alone_has_the_bytes_that_it_has_in_a_crowd(embedder: Embedder) -> None:
    texts = texts_of(7, 200)
    whole = embed(embedder, texts).vectors
    alone = np.concatenate([embed(embedder, [text]).vectors for text in texts[:20]])
    assert alone.tobytes() == whole[:20].tobytes()


def test_dynamic_int8_runs_single_texts(tmp_path: Path) -> None:
    dynamic = load_model(f"transformers:{write_bert(tmp_path / 'int8', int8=True)}")
    plain = load_model(f"transformers:{write_bert(tmp_path / 'fp32')}")
    assert dynamic.build.endswith("single texts")
    assert plain.build.endswith("batches")


def test_dynamic_int8_is_near_fp32(tmp_path: Path) -> None:
    texts = texts_of(3, 50)
    folders = (write_bert(tmp_path / "fp32"), write_bert(tmp_path / "int8", int8=True))
    x, y = (
        embed(load_embedder(f"transformers:{folder}"), texts).vectors.astype(float)
        for folder in folders
    )
    cosine = (x * y).sum(1) / np.maximum(np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1), 1)
    assert cosine[np.any(x != 0, axis=1)].min() > 0.99


def states_of(text: str, longest: int = 48) -> NDArray[np.float64]:
    """Compute the states of a text's tokens with NumPy, as BERT is defined."""
    w = {name: value.astype(float) for name, value in random_weights(longest=64).items()}
    ids = tokenizer().encode(text).ids
    ids = ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        x = x - x.mean(1, keepdims=True)
        x /= np.sqrt((x * x).mean(1, keepdims=True) + 1e-12)
        return x * w[f"{name}.LayerNorm.weight"] + w[f"{name}.LayerNorm.bias"]

    def linear(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"])

    def erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
        from math import erf

        return np.vectorize(erf)(x)

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x + w["embeddings.position_embeddings.weight"][: len(ids)], "embeddings")
    for layer in range(2):
        name = f"encoder.layer.{layer}"
        heads = []
        q, k, v = (linear(x, f"{name}.attention.self.{p}") for p in ("query", "key", "value"))
        for part in np.split(np.arange(64), 4):
            scores = np.exp(q[:, part] @ k[:, part].T / 4)
            heads.append(scores / scores.sum(1, keepdims=True) @ v[:, part])
        heard = linear(np.concatenate(heads, axis=1), f"{name}.attention.output.dense")
        x = norm(x + heard, f"{name}.attention.output")
        wide = linear(x, f"{name}.intermediate.dense")
        wide = wide * (1 + erf(wide / 2**0.5)) / 2
        x = norm(x + linear(wide, f"{name}.output.dense"), f"{name}.output")
    return x


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken"])
def test_embeddings_are_those_of_the_model_and_its_pooling(tmp_path: Path, pooling: str) -> None:
    embedder = load_embedder(f"transformers:{write_bert(tmp_path / 'm', pooling=pooling)}")
    texts = ["the cat sat", "two red ships ran", "old house " * 40]
    out = embed(embedder, texts).vectors
    for text, vector in zip(texts, out, strict=True):
        states = states_of(text)
        expected = {
            "mean": states.mean(0),
            "cls": states[0],
            "max": states.max(0),
            "lasttoken": states[-1],
        }[pooling]
        exact = np.clip(expected * SCALE / np.linalg.norm(expected), -127, 127)
        assert np.abs(vector - exact).max() < 0.52


def test_what_is_cut_and_known_is_counted(tmp_path: Path) -> None:
    embedder = load_embedder(f"transformers:{write_bert(tmp_path / 'm', longest=10)}")
    texts = ["the cat", "the cat " * 10, "", "Ω cat", "the cat " * 1000]
    result = embed(embedder, texts)
    reading = result.reading
    assert reading is not None
    assert (reading.texts, reading.cut) == (5, 2)
    assert reading.characters == sum(map(len, texts))
    assert reading.read == 7 + 31 + 0 + 5 + 31  # eight words and the blanks between them
    assert reading.tokens == 2 + 8 + 0 + 2 + 8
    assert result.known == (20, 19)
    assert result.vectors[1].tobytes() == result.vectors[4].tobytes()
    assert not result.vectors[2].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0])
def test_states_that_are_no_numbers_give_zeros(value: float) -> None:
    states = np.ones((2, 3, 64), np.float32)
    states[0, :, 5 if value else slice(None)] = value
    out = pool(states, np.array([3, 3]), "mean", 64)
    assert not out[0].any()
    assert out[1].all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1 << 16), st.sampled_from(["mean", "cls", "max", "lasttoken"]))
def test_pooling_ignores_padding(seed: int, pooling: str) -> None:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(5, 9, 70)).astype(np.float32)
    lengths = rng.integers(1, 10, 5)
    out = pool(states, lengths, pooling, 64)  # type: ignore[arg-type]
    for row, n in enumerate(lengths):
        junk = states[row : row + 1].copy()
        junk[:, n:] = np.nan
        alone = pool(junk, lengths[row : row + 1], pooling, 64)  # type: ignore[arg-type]
        assert alone.tobytes() == out[row].tobytes()
