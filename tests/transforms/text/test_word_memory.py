"""The memory of words against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.text.word_memory import WordMemory, number_new

# On both sides of the numbers of words that make the table grow.
SIZES = [0, 1, 2_048, 2_049, 8_192, 8_193, 20_000]


@given(st.sampled_from(SIZES), st.integers(0, 2**32 - 1), st.integers(0, 1_000))
def test_new_words_are_numbered_in_the_order_of_their_first_places(
    words: int, seed: int, number: int
) -> None:
    rng = np.random.default_rng(seed)
    names = rng.integers(0, 2**64, words, np.uint64)
    hashes = names[np.concatenate([np.arange(words), rng.integers(0, max(words, 1), words)])]
    rng.shuffle(hashes)
    known = hashes % np.uint64(3) == 0
    entries = np.where(known, 7, -1).astype(np.int32)
    numbers: dict[int, int] = {}
    places = []
    for place in np.flatnonzero(~known):
        if hashes[place] not in numbers:
            numbers[hashes[place]] = number + len(numbers)
            places.append(place)
    expected = [7 if old else numbers[name] for name, old in zip(hashes, known, strict=True)]
    assert number_new(hashes, entries, number).tolist() == places
    assert entries.tolist() == expected


@given(st.lists(st.integers(0, 3_000), max_size=6), st.integers(0, 2**32 - 1))
def test_words_keep_their_entries_and_rows(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    memory = WordMemory()
    rows_of: dict[int, list[int]] = {}
    for size in sizes:
        hashes = np.unique(rng.integers(0, 2**64, size, np.uint64))
        counts = rng.integers(0, 3, len(hashes))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        rows = rng.integers(0, 1_000, int(counts.sum()), np.int32)
        memory.add(hashes, offsets, rows, np.zeros(len(hashes), np.uint8))
        parts = np.split(rows, offsets[1:-1]) if size else []
        rows_of |= {name: part.tolist() for name, part in zip(hashes.tolist(), parts, strict=True)}
    assert memory.words == len(rows_of)
    assert len(memory) == len(rows_of) + sum(map(len, rows_of.values()))
    names = np.array([*rows_of], np.uint64)
    entries = memory.find(names)
    starts = memory.starts
    for name, entry in zip(names.tolist(), entries.tolist(), strict=True):
        assert memory.rows[starts[entry] : starts[entry + 1]].tolist() == rows_of[name]
    assert (memory.find(rng.integers(0, 2**64, 50, np.uint64)) == -1).all()
