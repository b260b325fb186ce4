"""The compression ratio of whole blocks: sets of any size compare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import zstandard

from outcross.transforms.estimators.compression import BLOCK, BLOCKS, zstd_ratio


def noise(size: int, seed: int = 0) -> str:
    """Text of so many bytes with four bits in each of them."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    return digits[np.random.default_rng(seed).integers(0, 16, size)].tobytes().decode()


def test_there_is_no_ratio_below_one_block() -> None:
    assert zstd_ratio([]) is None
    assert zstd_ratio(["a" * (BLOCK - 2)]) is None
    assert zstd_ratio(["a" * (BLOCK - 1)]) is not None  # with its line feed
    assert zstd_ratio(["a"] * (BLOCK // 2 - 1)) is None
    assert zstd_ratio(["a"] * (BLOCK // 2)) is not None
    assert zstd_ratio(["é" * (BLOCK // 2 - 1)]) is None
    assert zstd_ratio(["é" * (BLOCK // 2)]) is not None  # bytes, not characters


def test_the_ratio_is_that_of_the_compressor() -> None:
    text = noise(3 * BLOCK + 1000)
    data = f"{text}\n".encode()
    compressor = zstandard.ZstdCompressor(level=3)
    size = sum(len(compressor.compress(data[at * BLOCK : (at + 1) * BLOCK])) for at in range(3))
    assert zstd_ratio([text]) == 3 * BLOCK / size
    assert zstd_ratio([text]) == pytest.approx(2, rel=0.03)


def test_sets_of_any_size_have_the_same_ratio() -> None:
    """Compress blocks one by one, so repeats further apart than a block are not seen."""
    texts = [noise(500, seed) for seed in range(2 * BLOCK * BLOCKS // 500)]
    ratios = [zstd_ratio(texts[: blocks * BLOCK // 500 + 1]) for blocks in (1, 2, 5, BLOCKS, 12)]
    assert ratios[0] is not None
    assert ratios == pytest.approx([ratios[0]] * 5, rel=0.01)
    block = noise(BLOCK - 1)
    assert zstd_ratio([block] * 5) == pytest.approx(zstd_ratio([block]), rel=1e-6)


def test_what_repeats_costs_little() -> None:
    texts = [noise(1000, seed % 20) for seed in range(300)]
    other = [noise(1000, seed) for seed in range(300)]
    repeated, varied = zstd_ratio(texts), zstd_ratio(other)
    assert repeated is not None
    assert varied is not None
    assert repeated > 4 * varied


def test_nothing_is_read_beyond_the_last_block() -> None:
    taken = 0

    def texts() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield noise(BLOCK - 1, taken % 3)

    ratio = zstd_ratio(texts())
    assert taken == BLOCKS
    assert ratio == zstd_ratio([noise(BLOCK - 1, i % 3) for i in range(1, BLOCKS + 1)] + ["x"] * 99)


def test_of_one_long_text_no_more_is_looked_at_than_of_many() -> None:
    text = noise(BLOCK * BLOCKS)
    assert zstd_ratio([text + "a" * 4 * BLOCK]) == zstd_ratio([text])


def test_text_that_is_no_unicode_is_no_error() -> None:
    assert zstd_ratio(["\ud800" * BLOCK]) is not None
