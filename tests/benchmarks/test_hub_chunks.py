"""Shards that share most rows share most bytes, which `benchmarks/hub_chunks.py` measures."""

import numpy as np

from benchmarks.hub_chunks import PLAIN, chunks, shard, shared, written
from outcross.transforms.writing.shards import WRITER_OPTIONS


def test_chunks_end_where_the_content_says_so():
    data = np.random.default_rng(0).bytes(1 << 20)
    cut = chunks(data)
    assert sum(cut.values()) == len(data)
    assert shared(data, data) == 1
    assert shared(data, b"one byte more" + data) > 0.8
    assert shared(data, np.random.default_rng(1).bytes(1 << 20)) == 0


def test_a_shard_without_the_first_row_of_another_shares_most_bytes():
    draw = np.random.default_rng(0)
    words = [draw.bytes(4).hex() for _ in range(5000)]
    texts = [" ".join(words[at] for at in draw.integers(0, 5000, 150)) for _ in range(9000)]
    first = shard(np.arange(9000), texts, np.zeros(9000, np.int32))
    second = first.slice(1)
    plain, chunked = (
        shared(written(first, options), written(second, options))
        for options in (PLAIN, WRITER_OPTIONS)
    )
    assert chunked > 0.75
    assert plain < 0.6
