"""Removals read shard by shard are those of all shards read at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.commands.removed_rows import (
    count_removals,
    least_similar,
    most_repeated,
)
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.transforms.dedup.decide import SEMANTIC

rows = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abcdefgh"),
        "source": st.sampled_from(["gpt", "people"]),
        "kept_id": st.sampled_from("abcdefgh"),
        "kept_source": st.sampled_from(["gpt", "people"]),
        "stage": st.sampled_from(["exact", "near", "contained", "semantic"]),
        "rule": st.just(""),
        "similarity": st.sampled_from([0.75, 0.875, 1.0]),
    }
)


def written(folder: Path, shards: list[list[dict[str, Any]]]) -> str:
    (folder / "removed").mkdir()
    for number, shard in enumerate(shards):
        table = pa.Table.from_pylist(shard, schema=pa.schema(REMOVED_FIELDS))
        pq.write_table(table, folder / "removed" / f"{number:05d}.parquet")
    return str(folder)


@settings(deadline=None, max_examples=40)
@given(
    shards=st.lists(st.lists(rows, max_size=20), max_size=4),
    number=st.integers(1, 6),
    buckets=st.sampled_from([1, 3, 64]),
    group=st.sampled_from([1, 5, 1000]),
)
def test_the_shards_make_no_difference(
    shards: list[list[dict[str, Any]]], number: int, buckets: int, group: int
) -> None:
    removals = [row for shard in shards for row in shard]
    with TemporaryDirectory() as folder:
        out = written(Path(folder), shards)
        assert count_removals(out) == Counter((row["source"], row["stage"]) for row in removals)
        repeats = Counter((row["kept_source"], row["kept_id"]) for row in removals)
        several = [item for item in repeats.items() if item[1] > 1]
        most = sorted(several, key=lambda item: (-item[1], item[0]))[:number]
        assert most_repeated(out, number, buckets, group) == most
        repeated = [row for row in removals if row["stage"] in ("exact", "near")]
        least = sorted(repeated, key=lambda row: (row["similarity"], row["stage"] == "exact"))
        assert least_similar(out, number) == least[:number]
        paraphrases = [row for row in removals if row["stage"] == "semantic"]
        least = sorted(paraphrases, key=lambda row: row["similarity"])
        assert least_similar(out, number, [SEMANTIC]) == least[:number]
