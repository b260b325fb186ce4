"""A sample of parts is that of the whole: the documents with the smallest keys, nothing else."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.estimators.vendi import DIMS
from outcross.transforms.reference.sample import DOCUMENTS, TOKENS, Sample, sample_key
from tests.support.references import fixed, packed

WIDE = 256


def row(key: int) -> dict[str, Any]:
    """Make a document; the same key gives the same text and the same other columns."""
    rng = np.random.default_rng(key)
    words = rng.integers(0, 2**32, int(rng.choice([0, 0, 1, 2, 5, 9])), dtype=np.uint32)
    wide = rng.integers(-127, 128, WIDE).astype(np.int8)
    return {
        "key": key,
        "cluster": key % 5,
        "audit_cluster": key % 3,
        "class": key % 2,
        "tokens": len(words),
        "embedding": wide,
        "words": words,
    }


def sample(keys: list[int], documents: int, tokens: int) -> Sample:
    rows = [row(key) for key in keys]
    n = len(rows)
    words = [entry["words"] for entry in rows]
    offsets = np.cumsum([0, *map(len, words)])
    sketch = pa.table(
        {
            "tokens": pa.array([entry["tokens"] for entry in rows], pa.int64()),
            "embedding": fixed(np.array([r["embedding"] for r in rows], np.int8).reshape(n, WIDE)),
            "words": packed(offsets, np.concatenate([np.zeros(0, np.uint32), *words])),
        }
    )
    # The rows of the sketch stand in another order than the keys.
    turned = np.arange(n)[::-1]
    cells = {name: np.array([entry[name] for entry in rows], int) for name in CELLS}
    cells = {name: column[turned] for name, column in cells.items()} | {"row": turned}
    return Sample.of(np.array(keys, np.uint64)[turned], cells, sketch, documents, tokens)


CELLS = ("cluster", "audit_cluster", "class")


def definition(keys: list[int], documents: int, tokens: int) -> list[dict[str, Any]]:
    """Take the bottom-k sample as its docstring defines it."""
    kept: list[dict[str, Any]] = []
    before = 0
    for key in sorted(keys)[:documents]:
        entry = row(key)
        words = entry["words"].tobytes() if before < tokens else b""
        kept.append(entry | {"embedding": entry["embedding"][:DIMS].tobytes(), "words": words})
        before += entry["tokens"]
    return kept


LIMITS = st.tuples(st.integers(1, 12), st.integers(1, 40))
# Few keys, so that the same text stands there several times.
KEYS = st.lists(st.one_of(st.integers(0, 9), st.integers(2**64 - 9, 2**64 - 1)), max_size=30)


@settings(max_examples=150)
@given(KEYS, LIMITS)
def test_a_sample_is_that_of_its_definition(keys: list[int], limits: tuple[int, int]) -> None:
    drawn = sample(keys, *limits)
    expected = definition(keys, *limits)
    assert drawn.table.to_pylist() == expected
    assert len(drawn) == len(expected)
    assert drawn.embeddings.tobytes() == b"".join(kept["embedding"] for kept in expected)
    assert drawn.embeddings.shape == (len(expected), DIMS)
    before = np.cumsum([0, *(kept["tokens"] for kept in expected)])
    offsets, words = drawn.words
    assert offsets.tolist() == before[: len(offsets)].tolist()
    assert words.tobytes() == b"".join(kept["words"] for kept in expected)
    assert offsets[-1] >= min(before[-1], limits[1])


@settings(max_examples=150)
@given(KEYS, LIMITS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_whole(
    keys: list[int], limits: tuple[int, int], parts: int, random: Any
) -> None:
    dealt: list[list[int]] = [[] for _ in range(parts)]
    for key in keys:
        random.choice(dealt).append(key)
    pieces = [sample(part, *limits) for part in dealt]
    while len(pieces) > 1:
        random.shuffle(pieces)
        pieces.append(pieces.pop().merge(pieces.pop()))
    assert pieces[0].table.equals(sample(keys, *limits).table)


@settings(max_examples=50)
@given(KEYS, LIMITS)
def test_bytes_give_back_the_sample(keys: list[int], limits: tuple[int, int]) -> None:
    drawn = sample(keys, *limits)
    read = Sample.from_bytes(drawn.to_bytes(), *limits)
    assert read.table.equals(drawn.table)
    assert (read.documents, read.tokens) == limits
    assert read.to_bytes() == drawn.to_bytes()
    assert [part.tolist() for part in read.words] == [part.tolist() for part in drawn.words]


def test_nothing_is_a_sample_that_changes_nothing() -> None:
    none = Sample.empty(5, 9)
    assert len(none) == 0
    assert none.words[0].tolist() == [0]
    assert none.embeddings.shape == (0, DIMS)
    assert Sample.from_bytes(none.to_bytes(), 5, 9).table.equals(none.table)
    some = sample([3, 1], 5, 9)
    for merged in (none.merge(some), some.merge(none)):
        assert merged.table.equals(some.table)
    assert none.merge(none).table.equals(none.table)


def test_samples_of_other_limits_do_not_merge() -> None:
    with pytest.raises(ValueError, match="samples of 5 and 6 documents, 9 and 9 tokens don't"):
        Sample.empty(5, 9).merge(Sample.empty(6, 9))
    with pytest.raises(ValueError, match=f"samples of {DOCUMENTS} and {DOCUMENTS} documents"):
        Sample.empty().merge(Sample.empty(tokens=TOKENS - 1))


def test_merging_leaves_both_as_they_were() -> None:
    first, second = sample([1, 2, 7], 4, 9), sample([3, 4, 5], 4, 9)
    before = [part.table.to_pylist() for part in (first, second)]
    reduce(Sample.merge, [first, second, first])
    assert [part.table.to_pylist() for part in (first, second)] == before


def test_keys_are_those_of_the_text_and_the_appearance_alone() -> None:
    rng = np.random.default_rng(0)
    hi, lo = rng.integers(0, 2**64, (2, 4000), dtype=np.uint64)
    lo[0] = 2**64 - 1
    copy = rng.integers(1, 4, 4000)
    keys = sample_key(hi, lo, copy)
    order = rng.permutation(4000)
    assert (sample_key(hi[order], lo[order], copy[order].astype(np.int32)) == keys[order]).all()
    assert len(np.unique(keys)) == 4000
    assert not (sample_key(hi, lo, copy + 1) == keys).any()
    assert np.histogram(keys.astype(float), 8, (0, 2.0**64))[0].min() > 400  # evenly spread


def correlation(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    return float(np.corrcoef(one.astype(float), other.astype(float))[0, 1])


def test_appearances_are_sampled_independently() -> None:
    rng = np.random.default_rng(1)
    hi, lo = rng.integers(0, 2**64, (2, 20_000), dtype=np.uint64)
    ones = np.ones(20_000, np.int64)
    assert abs(correlation(sample_key(hi, lo, ones), sample_key(hi, lo, 2 * ones))) < 0.03
