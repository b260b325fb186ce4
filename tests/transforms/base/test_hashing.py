"""Seeded hashes are reproducible, uniform, and independent between seeds and salts."""

import numpy as np
import pytest

from outcross.transforms.base.hashing import mix64, seeded_hash


def consecutive(n):
    return np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64)


def test_mix_is_that_of_splitmix64():
    # The first outputs of splitmix64 seeded with 1234567, as published with its reference.
    golden = 0x9E3779B97F4A7C15
    states = [(1234567 + golden * i) % 2**64 for i in (1, 2, 3)]
    assert [int(mix64(np.uint64(s))) for s in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_values_never_change():
    hi, lo = np.array([0, 1, 2**64 - 1], np.uint64), np.array([0, 2, 2**63], np.uint64)
    assert seeded_hash(hi, lo, 0, "gumbel").tolist() == [
        140191221325257384,
        16851645378787431609,
        15415654316087399232,
    ]


def test_neighbours_are_spread_evenly():
    h = seeded_hash(*consecutive(1 << 16), 0, "sample")
    for shift in (0, 20, 56):
        counts = np.bincount((h >> np.uint64(shift) & np.uint64(255)).astype(int), minlength=256)
        chi2 = ((counts - 256.0) ** 2 / 256).sum()
        assert 150 < chi2 < 380  # 255 degrees of freedom, 5 deviations
    assert len(np.unique(h)) == len(h)


@pytest.mark.parametrize("half", [0, 1])
def test_every_fingerprint_bit_matters(half):
    base = [np.zeros(64, np.uint64), np.zeros(64, np.uint64)]
    flipped = [b.copy() for b in base]
    flipped[half] = np.uint64(1) << np.arange(64, dtype=np.uint64)
    changed = seeded_hash(*base, 3, "x") ^ seeded_hash(*flipped, 3, "x")
    bits = np.unpackbits(changed.view(np.uint8)).reshape(64, 64).sum(1)
    assert bits.min() >= 12
    assert 30 < bits.mean() < 34


def test_equal_differences_in_both_halves_do_not_cancel():
    n = np.arange(1000, dtype=np.uint64)
    assert len(np.unique(seeded_hash(n, n, 0, "x"))) == 1000
    assert len(np.unique(seeded_hash(n, ~n, 0, "x"))) == 1000


def test_seeds_and_salts_are_independent():
    hi, lo = consecutive(20_000)
    hashes = seeded_hash(hi, lo, 0, "gumbel").astype(float)
    for changed in (seeded_hash(hi, lo, 1, "gumbel"), seeded_hash(hi, lo, 0, "shard")):
        assert abs(np.corrcoef(hashes, changed.astype(float))[0, 1]) < 0.03


def test_a_slice_hashes_as_the_whole():
    hi, lo = consecutive(100)
    expected = seeded_hash(hi, lo, 9, "x")
    assert (seeded_hash(hi[::7], lo[::7], 9, "x") == expected[::7]).all()
    assert (seeded_hash(hi, lo, 9 - 2**64, "x") == expected).all()


def test_halves_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        seeded_hash(np.zeros(3, np.uint64), np.zeros(2, np.uint64), 0, "x")
    with pytest.raises(ValueError, match="int64 and uint64"):
        seeded_hash(np.zeros(2, np.int64), np.zeros(2, np.uint64), 0, "x")  # type: ignore[arg-type]


def test_arrays_that_cannot_be_written_are_read():
    hi, lo = consecutive(10)
    expected = seeded_hash(hi, lo, 0, "x")
    hi.flags.writeable = lo.flags.writeable = False
    assert (seeded_hash(hi, lo, 0, "x") == expected).all()
