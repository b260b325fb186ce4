"""Signatures bit for bit against datasketch, and their estimates against exact Jaccard."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.text.minhash import (
    agreement,
    band_values,
    lsh_parameters,
    permutations,
    signatures,
)
from outcross.transforms.text.shingles import shingles
from tests.support.words import split

documents = st.lists(
    st.lists(
        st.sampled_from(["a", "b", "Ein", "été", "x_1", "!", "longer_than_eight"]), max_size=25
    ),
    min_size=1,
    max_size=5,
)


def datasketch_signature(
    hashes: NDArray[np.uint32], num_perm: int, seed: int
) -> NDArray[np.uint32]:
    sketch = MinHash(num_perm=num_perm, seed=seed, hashfunc=int, scheme="affine32")
    sketch.update_batch(hashes.tolist())
    values: NDArray[np.uint32] = sketch.hashvalues
    return values


@settings(deadline=None)  # the first call compiles
@given(documents, st.integers(1, 7), st.sampled_from([1, 16, 128, 131]), st.integers(0, 5))
def test_equal_to_datasketch_bit_for_bit(
    parts: list[list[str]], ngram: int, num_perm: int, seed: int
) -> None:
    words = split(*(" ".join(p) for p in parts))
    offsets, hashes = shingles(words, ngram)
    found = signatures(words, ngram, num_perm, seed)
    assert found.dtype == np.uint32
    for d in range(len(parts)):
        part = hashes[offsets[d] : offsets[d + 1]]
        assert np.array_equal(found[d], datasketch_signature(part, num_perm, seed))


def test_texts_without_words_are_not_all_the_same() -> None:
    found = signatures(split("!!!", "???", "!!!", "", "word"))
    assert agreement(found, np.array([0, 0, 0, 0]), np.array([2, 1, 3, 4])).tolist() == [
        128,
        0,
        0,
        0,
    ]


def test_agreement_estimates_jaccard() -> None:
    rng = np.random.default_rng(3)
    texts = []
    for share in (0.02, 0.1, 0.3, 1.0):
        a = rng.integers(0, 10_000, 2_000)
        b = np.where(rng.random(2_000) < share, rng.integers(0, 10_000, 2_000), a)
        texts += [" ".join(map(str, a)), " ".join(map(str, b))]
    words = split(*texts)
    offsets, hashes = shingles(words)
    found = signatures(words, num_perm=1024)
    left = np.arange(0, 8, 2)
    estimates = agreement(found, left, left + 1) / 1024
    for i, estimate in zip(left, estimates, strict=True):
        one, other = (set(hashes[offsets[k] : offsets[k + 1]].tolist()) for k in (i, i + 1))
        jaccard = len(one & other) / len(one | other)
        assert abs(estimate - jaccard) < 5 * np.sqrt(0.25 / 1024)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 6))
def test_agreement_counts_equal_positions(seed: int, num_perm: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 3, (n, num_perm), dtype=np.uint32)
    left, right = rng.integers(0, n, (2, 20))
    counts = agreement(found, left, right)
    assert counts.dtype == np.uint16
    assert np.array_equal(counts, (found[left] == found[right]).sum(1))


def test_agreement_refuses_rows_that_are_not_there() -> None:
    found = np.zeros((2, 4), np.uint32)
    with pytest.raises(IndexError, match="right has rows from -1 to 1"):
        agreement(found, np.array([0, 1]), np.array([1, -1]))
    with pytest.raises(IndexError, match="there are 2 signatures"):
        agreement(found, np.array([2]), np.array([0]))
    with pytest.raises(ValueError, match="pairs"):
        agreement(found, np.array([0, 1]), np.array([0]))


def test_permutations_are_those_of_datasketch() -> None:
    for ours, theirs in zip(
        permutations(64, 7),
        MinHash(num_perm=64, seed=7, scheme="affine32").permutations,
        strict=True,
    ):
        assert np.array_equal(ours, theirs)
        assert ours.dtype == np.uint32


def test_parameters_are_those_of_datasketch() -> None:
    assert lsh_parameters(0.8, 128) == (17, 7)
    for num_perm in (2, 3, 16, 48, 64):
        for threshold in (0.0, 0.2, 0.45, 0.5, 0.7, 0.9, 0.97, 1.0):
            try:
                index = MinHashLSH(threshold=threshold, num_perm=num_perm, weights=(0.02, 0.98))
            except ValueError:
                with pytest.raises(ValueError, match="too few"):
                    lsh_parameters(threshold, num_perm)
            else:
                assert lsh_parameters(threshold, num_perm) == (index.b, index.r)


def test_band_values_are_equal_exactly_where_bands_are() -> None:
    rng = np.random.default_rng(0)
    found = rng.integers(0, 2, (500, 12), dtype=np.uint32)
    values = band_values(found, 4, 3)
    assert values.shape == (500, 4)
    values_of: dict[tuple[int, ...], set[int]] = {}
    for d in range(500):
        for band in range(4):
            key = (band, *found[d, 3 * band : 3 * band + 3].tolist())
            values_of.setdefault(key, set()).add(int(values[d, band]))
    assert all(len(one) == 1 for one in values_of.values())
    assert len(set.union(*values_of.values())) == len(values_of) == 32


def test_band_values_are_mixed() -> None:
    # What partitions entries is the prefix: close signatures must not share it.
    found = np.arange(20_000, dtype=np.uint32)[:, None]
    prefixes = band_values(found, 1, 1)[:, 0] >> np.uint64(56)
    counts = np.bincount(prefixes.astype(np.int64), minlength=256)
    assert abs(counts - 78.1).max() < 6 * np.sqrt(78.1)


def test_out_of_range_is_refused() -> None:
    words = split("a b c")
    with pytest.raises(ValueError, match="ngram is 0"):
        signatures(words, ngram=0)
    with pytest.raises(ValueError, match="num_perm is 0"):
        signatures(words, num_perm=0)
    with pytest.raises(ValueError, match="3 bands of 50 rows don't fit signatures of 128 values"):
        band_values(signatures(words), 3, 50)
