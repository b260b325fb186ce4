"""Rows of removed/, read shard by shard: counts, the most repeated and the least similar.

A removal is never held longer than its shard, but for those that are returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from outcross.pipeline.stages.texts import Name
from outcross.schemas.documents import REMOVED_FIELDS
from outcross.transforms.base import files
from outcross.transforms.dedup.decide import EXACT, NEAR, STAGES

COLUMNS = [field.name for field in REMOVED_FIELDS]
BUCKETS = 1 << 20
"""Buckets of kept documents, by hash; counting them takes 8 MB."""
GROUP = 1 << 20
"""Removals whose kept documents are counted by name at a time, at most."""


def removed_shards(out: str, columns: Sequence[str] = COLUMNS) -> Iterator[pa.Table]:
    """Yield the shards of a run's removed/, in order.

    Args:
        out: output directory of the run.
        columns: columns to read.
    """
    for path in files.list_files(files.join(out, "removed", "*.parquet")):
        yield files.read_table(path, columns)


def count_removals(out: str) -> Counter[tuple[str, str]]:
    """Count the removals by source and stage.

    Args:
        out: output directory of the run.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for shard in removed_shards(out, ["source", "stage"]):
        counts.update(_counts(shard, "source", "stage"))
    return counts


def least_similar(
    out: str, number: int, stages: Sequence[int] = (EXACT, NEAR)
) -> list[dict[str, Any]]:
    """Return the removals of some stages with the lowest similarity, exact repeats last.

    Args:
        out: output directory of the run.
        number: number of removals.
        stages: stages of the removals. Similarities of words and of embeddings don't compare.
    """
    least: pa.Table | None = None
    names = pa.array([STAGES[stage] for stage in stages])
    for shard in removed_shards(out):
        repeats = shard.filter(pc.is_in(shard["stage"], names))
        rows = repeats if least is None else pa.concat_tables([least, repeats])
        exact = pc.equal(rows["stage"], STAGES[EXACT]).to_numpy()
        order = np.lexsort((exact, rows["similarity"].to_numpy()))[:number]
        least = rows.take(pa.array(order)).combine_chunks()
    rows_of_all: list[dict[str, Any]] = [] if least is None else least.to_pylist()
    return rows_of_all


def most_repeated(
    out: str, number: int, buckets: int = BUCKETS, group: int = GROUP
) -> list[tuple[Name, int]]:
    """Return the documents in whose favour most others were removed, two at least.

    Count the removals of each bucket of documents first, and then by name in the largest buckets,
    until no other bucket can hold a document with as many removals.

    Args:
        out: output directory of the run.
        number: number of documents.
        buckets: number of buckets.
        group: number of removals whose documents are counted by name at a time. A single bucket
            may hold more.

    Returns:
        Names and counts, the most repeated first, equal ones by name.
    """
    totals = np.zeros(buckets, np.int64)
    for counts in _kept_counts(out):
        np.add.at(totals, _buckets(counts, buckets), np.fromiter(counts.values(), np.int64))
    order = np.argsort(-totals, kind="stable")
    group_of = (np.cumsum(totals[order]) - totals[order]) // group
    most: list[tuple[Name, int]] = []
    for chosen in np.split(order, np.flatnonzero(np.diff(group_of)) + 1):
        least = most[-1][1] if len(most) == number else 2
        if totals[chosen[0]] < least:
            break
        is_chosen = np.zeros(buckets, bool)
        is_chosen[chosen[totals[chosen] >= least]] = True
        repeats: Counter[Name] = Counter()
        for counts in _kept_counts(out):
            chosen_names = is_chosen[_buckets(counts, buckets)].tolist()
            for (name, count), is_wanted in zip(counts.items(), chosen_names, strict=True):
                if is_wanted:
                    repeats[name] += count
        several = [item for item in repeats.items() if item[1] >= least]
        most = sorted([*most, *several], key=lambda item: (-item[1], item[0]))[:number]
    return most


def _kept_counts(out: str) -> Iterator[Counter[Name]]:
    """Yield how many removals of each shard are in favour of each document."""
    for shard in removed_shards(out, ["kept_source", "kept_id"]):
        yield _counts(shard, "kept_source", "kept_id")


def _counts(table: pa.Table, *columns: str) -> Counter[Any]:
    grouped = table.group_by(list(columns), use_threads=False).aggregate([([], "count_all")])
    values = [grouped[name].to_pylist() for name in columns]
    names, counts = zip(*values, strict=True), grouped["count_all"].to_pylist()
    return Counter(dict(zip(names, counts, strict=True)))


def _buckets(names: Counter[Name], buckets: int) -> NDArray[np.int64]:
    keys = (f"{source}\0{name}".encode() for source, name in names)
    return np.fromiter((xxh3_64_intdigest(key) % buckets for key in keys), np.int64, len(names))
