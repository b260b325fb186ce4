"""Partitions of band values."""

from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.dedup.bands import partition_bits


@given(st.integers(0, 10**10))
def test_partitions_are_as_many_as_keep_each_small(rows):
    bits = partition_bits(rows)
    assert 2 < bits <= 12
    assert bits == 12 or rows / 2**bits <= 1 << 20
