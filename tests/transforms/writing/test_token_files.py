from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.writing import token_files
from outcross.transforms.writing.token_files import (
    Sequences,
    appearances,
    part_names,
    token_type,
    training_order,
    write_sequences,
)
from tests.support.megatron import read_indexed


def fingerprints(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    hi, lo = draw.integers(0, 2**63, (2, n), np.uint64)
    return hi, lo


@given(
    documents=st.lists(st.lists(st.integers(0, 60_000), max_size=20), max_size=12),
    order=st.lists(st.integers(0, 11), max_size=30),
    dtype=st.sampled_from(["uint16", "int32"]),
    batch=st.integers(1, 50),
)
def test_megatron_reads_the_documents_in_their_order(
    tmp_path_factory, documents, order, dtype, batch
) -> None:
    folder = tmp_path_factory.mktemp("files")
    order = [number for number in order if number < len(documents)]
    lengths = np.array([len(document) for document in documents], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.array([token for document in documents for token in document], dtype)
    sequences = Sequences(ids, offsets, np.array(order, np.int64), end=60_001)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_files, "_BATCH", batch)
        digests, size = write_sequences(str(folder), ["t.bin", "t.idx"], sequences, dtype)
        write_sequences(str(folder), ["t.npy"], sequences, dtype)
    expected = [[*documents[number], 60_001] for number in order]
    assert [found.tolist() for found in read_indexed(folder / "t")] == expected
    assert size == sum(path.stat().st_size for path in folder.glob("t.*[nx]"))
    assert sorted(digests) == ["t.bin", "t.idx"]
    flat = [token for document in expected for token in document]
    assert np.fromfile(folder / "t.npy", dtype).tolist() == flat


def test_types_are_those_that_megatron_chooses() -> None:
    assert [token_type("megatron", n) for n in (1, 65_499, 65_500)] == ["uint16"] * 2 + ["int32"]
    assert [token_type("npy", n) for n in (1, 65_536, 65_537)] == ["uint16"] * 2 + ["uint32"]


def test_fractions_of_weights_are_chances() -> None:
    hi, lo = fingerprints(20_000)
    weight = np.tile([1.0, 0.0, 2.3, 0.5], 5_000)
    times = appearances(weight, hi, lo, 3)
    assert (times >= np.floor(weight)).all()
    assert (times <= np.ceil(weight)).all()
    assert times.reshape(-1, 4).mean(axis=0) == pytest.approx([1, 0, 2.3, 0.5], abs=0.03)
    assert (appearances(weight, hi, lo, 4) != times).any()
    order = np.argsort(hi)
    assert (appearances(weight[order], hi[order], lo[order], 3) == times[order]).all()


def test_the_order_depends_on_content_and_seed_alone() -> None:
    hi, lo = fingerprints(200)
    copy, times = np.ones(200, np.int64), np.tile([0, 1, 3, 2], 50)
    order = training_order(hi, lo, copy, times, 5)
    assert np.bincount(order, minlength=200).tolist() == times.tolist()
    turned = np.arange(200)[::-1]
    again = training_order(hi[turned], lo[turned], copy, times[turned], 5)
    assert (turned[again] == order).all()
    assert (training_order(hi, lo, copy, times, 6) != order).any()
    # Copies that are rows and copies that are weights stand in the same order.
    rows = np.repeat(np.arange(200), times)
    number = np.arange(len(rows)) - (np.cumsum(times) - times)[rows] + 1
    as_rows = training_order(hi[rows], lo[rows], number, np.ones_like(rows), 5)
    assert (rows[as_rows] == order).all()


def test_shards_have_a_seeded_order() -> None:
    names = part_names("megatron", 40, 1)
    assert sorted(names) == [
        [f"train-{n:05d}-of-00040.{end}" for end in ("bin", "idx")] for n in range(40)
    ]
    assert names != sorted(names)
    assert names == part_names("megatron", 40, 1) != part_names("megatron", 40, 2)
