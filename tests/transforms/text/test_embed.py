"""The default embedder: exact integers, a memory that changes nothing, and how well it clusters."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks.embedders.purity import purity
from outcross.transforms.text import embed
from outcross.transforms.text.embed import (
    SCALE,
    Embedder,
    StaticEmbedder,
    default_fingerprint,
    load_default,
)
from outcross.transforms.text.known import Known
from outcross.transforms.text.words import split_words

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("OUTCROSS_DATA", ROOT / ".." / "shared" / "data"))
PACKAGED = ROOT / "transforms" / "data"
TABLE: NDArray[np.int8] = np.load(PACKAGED / "static_table.npy")
TOKENIZER = Tokenizer.from_file(str(PACKAGED / "tokenizer.json"))
TOKENIZER.no_padding()
TOKENIZER.no_truncation()
DEFAULT = load_default()

texts = st.lists(
    st.sampled_from(["The", "unbelievably", "café", "x_1", "日本", "zqxjkvbp", "!", "on-line"]),
    max_size=30,
).map(" ".join)


def embedded(embedder: Embedder, *values: str) -> NDArray[np.int8]:
    array = pa.array(values, pa.string())
    return embedder.embed(split_words(array), array).vectors


def by_hand(table: NDArray[np.int8], text: str) -> NDArray[np.int8]:
    words = split_words(pa.array([text]))
    data = words.characters.data
    spelled = [data[a:b].tobytes().decode() for a, b in words.spans(np.arange(len(words.hashes)))]
    encodings = TOKENIZER.encode_batch(spelled, add_special_tokens=False)
    ids = [i for encoding in encodings for i in encoding.ids]
    total = table[ids].astype(np.int64).sum(0)
    norm = np.sqrt(np.float64((total**2).sum()))
    unit = np.rint(total * SCALE / norm) if norm else total
    return np.asarray(np.clip(unit, -127, 127), np.int8)


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, min_size=1, max_size=4))
def test_is_the_quantised_sum_of_rows(values: list[str]) -> None:
    found = embedded(DEFAULT, *values)
    assert found.dtype == np.int8
    assert found.shape == (len(values), DEFAULT.dims)
    for row, value in zip(found, values, strict=True):
        assert np.array_equal(row, by_hand(TABLE, value))


def test_nothing_to_embed_is_zero() -> None:
    assert not embedded(DEFAULT, "", "!!!", "x" * 101).any()
    assert embedded(DEFAULT).shape == (0, 256)


@pytest.mark.parametrize("repeats", [255, 256, 511, 5_000])
def test_long_documents_don_t_overflow(repeats: int) -> None:
    once = embedded(DEFAULT, "outcross breeding lines")
    assert np.array_equal(embedded(DEFAULT, "outcross breeding lines " * repeats), once)


def test_sums_stay_exact_at_the_extremes_of_int8() -> None:
    table = np.zeros_like(TABLE)
    table[TOKENIZER.token_to_id("a")] = -128
    table[TOKENIZER.token_to_id("a"), 0] = 127
    embedder = StaticEmbedder(table, TOKENIZER, name="extreme", fingerprint="")
    assert np.array_equal(embedded(embedder, "a " * 1_200_000), embedded(embedder, "a"))
    table[TOKENIZER.token_to_id("a"), 1:] = 0
    embedder = StaticEmbedder(table, TOKENIZER, name="clipped", fingerprint="")
    assert embedded(embedder, "a")[0, 0] == 127


def test_the_memory_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i} {i * 7919:x}é café_{i}" for i in range(300)]
    values = [" ".join(rng.choice(vocabulary, 20)) for _ in range(60)]
    want = embedded(load_default(), *values)
    for remembered in (0, 1, 500, 2_000):
        forgetful = load_default(remembered=remembered)
        for begin in range(0, 60, 7):
            found = embedded(forgetful, *values[begin : begin + 7])
            assert np.array_equal(found, want[begin : begin + 7])
    backwards = load_default(remembered=500)
    for i in reversed(range(60)):
        assert np.array_equal(embedded(backwards, values[i])[0], want[i])


def test_the_memory_is_bounded() -> None:
    forgetful = load_default(remembered=1_000)
    sizes = []
    for i in range(200):
        embedded(forgetful, " ".join(f"w{i}x{j}" for j in range(20)))
        sizes.append(len(forgetful._memory))
    assert max(sizes) <= 1_200
    assert min(sizes[1:]) < max(sizes) / 2  # it has been emptied


def test_every_instance_gives_the_same_fingerprint_and_shares_the_table() -> None:
    other = load_default()
    assert other.fingerprint == DEFAULT.fingerprint == default_fingerprint()
    assert len(other.fingerprint) == 32
    assert np.shares_memory(other._table, DEFAULT._table)
    assert not other._table.flags.writeable


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the table of small is int8\[10, 256\]"):
        StaticEmbedder(TABLE[:10], TOKENIZER, name="small", fingerprint="")
    with pytest.raises(ValueError, match="float32"):
        StaticEmbedder(TABLE.astype(np.float32), TOKENIZER, name="floats", fingerprint="")


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    shutil.copytree(PACKAGED, folder)
    table = TABLE.copy()
    table[1000, 0] ^= 1
    np.save(folder / "static_table.npy", table)
    monkeypatch.setattr(embed, "_DATA", folder)
    embed._default_parts.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"static_table\.npy has sha256"):
            load_default()
    finally:
        embed._default_parts.cache_clear()


def counted(embedder: Embedder, *values: str) -> Known:
    array = pa.array(values, pa.string())
    return embedder.embed(split_words(array), array).known


@pytest.mark.parametrize(
    ("text", "words", "known"),
    [
        ("The cat sat on the mat", 6, 6),
        ("unbelievably", 1, 0),  # falls into a beginning and its ends
        ("snake_case read_csv", 2, 1),  # csv is cs ##v
        ("naïve café", 2, 2),  # accents are taken off before words are looked up
        ("a I x 5 1990 2.50", 0, 0),  # of every language
        ("два слова", 2, 0),
        ("中文 中", 3, 0),  # each is a word
        ("don't", 1, 1),
        ("5th B2B", 2, 1),
        ("", 0, 0),
    ],
)
def test_knows_what_is_made_of_whole_words(text: str, words: int, known: int) -> None:
    assert counted(DEFAULT, text) == Known(words, known)


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, min_size=1, max_size=6), st.integers(1, 40))
def test_what_is_known_depends_on_the_words_alone(values: list[str], remembered: int) -> None:
    """Check that neither the batch, earlier texts nor the memory's size matters."""
    parts = [counted(DEFAULT, value) for value in values]
    assert counted(DEFAULT, *values) == Known.total(parts)
    small = load_default(remembered)
    assert [counted(small, value) for value in values] == parts
    assert counted(small, *values[::-1]) == Known.total(parts)


def test_related_texts_are_closer() -> None:
    x = embedded(
        DEFAULT,
        "How do I transfer money to another bank account?",
        "sending funds to a different bank",
        "The cat slept on the warm window sill.",
    ).astype(np.int64)
    assert x[0] @ x[1] > 2 * abs(x[0] @ x[2])


def test_shipped_files_are_small_and_described() -> None:
    assert sum(f.stat().st_size for f in PACKAGED.iterdir()) < 10e6
    metadata = json.loads((PACKAGED / "static_table.json").read_text("utf-8"))
    assert (metadata["table"]["rows"], metadata["table"]["dims"]) == TABLE.shape
    assert set(metadata) == {
        *("table", "tokenizer", "model", "texts", "recipe", "unicode_version"),
    }


@pytest.mark.parametrize(("name", "least"), [("clinc", 0.81), ("banking", 0.76)])
def test_purity_on_labelled_questions(name: str, least: float) -> None:
    path = DATA / "labelled" / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; OUTCROSS_DATA names the folder of the corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    threads = faiss.omp_get_max_threads()
    vectors = embedded(DEFAULT, *(row["text"] for row in rows))
    result = purity(vectors, [row["label"] for row in rows])
    faiss.omp_set_num_threads(threads)
    assert result >= least
