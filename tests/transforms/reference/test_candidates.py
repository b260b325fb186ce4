"""Candidates: what units send is enough for the sample of all."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.transforms.reference.candidates import (
    highest_hash,
    smallest_hashes,
    smallest_of_each,
    until,
)

SEEDS = st.integers(0, 2**32 - 1)


def uniform(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 2**64, n, dtype=np.uint64)


@settings(max_examples=60)
@given(SEEDS, st.integers(0, 30_000), st.integers(1, 300), st.integers(1, 64))
def test_the_smallest_hashes_of_all_are_among_those_of_the_units(
    seed: int, n: int, size: int, units: int
) -> None:
    rng = np.random.default_rng(seed)
    hashes, unit = uniform(rng, n), rng.integers(0, units, n)
    sent = []
    for number in range(units):
        part = hashes[unit == number]
        rows = smallest_hashes(part, size, n)
        assert len(rows) <= size
        assert (np.diff(rows) > 0).all()
        sent.append(part[rows])
    together = np.sort(np.concatenate(sent))
    assert together[:size].tolist() == np.sort(hashes)[:size].tolist()
    # However many units there are, little more is sent than the sample holds.
    assert len(together) <= size + 60 + 18 * np.sqrt(size) or n <= 3 * size + 250


def test_all_hashes_are_needed_where_there_are_few() -> None:
    assert int(highest_hash(10, 0)) == int(highest_hash(10, 20)) == 2**64 - 1
    limits = highest_hash(24, np.array([0, 100, 1_000, 10_000]))
    assert limits.dtype == np.uint64
    assert (np.diff(limits.astype(float)) <= 0).all()
    assert 24 / 10_000 < limits[-1] / 2**64 < 0.02


@settings(max_examples=100)
@given(SEEDS, st.integers(0, 60), st.integers(1, 4))
def test_each_cluster_gives_its_smallest_hashes(seed: int, n: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    cluster, hashes = rng.integers(0, 9, n).astype(np.int32), rng.integers(0, 30, n).astype("u8")
    rows = smallest_of_each(cluster, hashes, size)
    expected = [
        row
        for number in range(9)
        for row in sorted(np.flatnonzero(cluster == number), key=lambda row: int(hashes[row]))[
            :size
        ]
    ]
    assert rows.tolist() == expected


@settings(max_examples=100)
@given(SEEDS, st.integers(0, 40), st.integers(1, 90))
def test_documents_are_taken_until_they_are_enough(seed: int, n: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    hashes, sizes = rng.integers(0, 30, n).astype("u8"), rng.integers(0, 12, n)
    expected, total = [], 0
    for row in sorted(range(n), key=lambda row: int(hashes[row])):
        if total < most:
            expected.append(row)
        total += int(sizes[row])
    assert until(hashes, sizes, most).tolist() == expected
