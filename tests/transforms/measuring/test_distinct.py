"""Different texts and answers are counted the same for any partitions, units and lanes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from apache_beam import Create
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.exchange import Collect, Send
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.distinct import (
    CountDistinct,
    count_distinct_by_source,
    first_rows,
    parted,
    total_distinct,
)

SOURCES = 3
Row = tuple[int, int, int, int]
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.integers(0, SOURCES - 1)),
    max_size=40,
)


def table(rows: Sequence[Row]) -> pa.Table:
    hi, lo, prompt, source = np.array(rows, np.uint64).reshape(-1, 4).T
    return pa.table({"hi": hi, "lo": lo, "prompt": prompt, "source": source.astype(np.int32)})


def plain(rows: Sequence[Row]) -> list[list[int]]:
    texts = {(hi, lo, source) for hi, lo, _, source in rows}
    answers = {row for row in rows if row[2]}
    return [
        [sum(row[-1] == n for row in part) for n in range(SOURCES)] for part in (texts, answers)
    ]


@given(ROWS)
def test_a_partition_counts_what_differs(rows: list[Row]) -> None:
    assert count_distinct_by_source(table(rows), SOURCES).tolist() == plain(rows)


@given(ROWS)
def test_of_equal_rows_one_is_sent(rows: list[Row]) -> None:
    sent = [row for row, first in zip(rows, first_rows(table(rows)), strict=True) if first]
    assert sorted(sent) == sorted(set(rows))


@given(ROWS, st.sampled_from([1, 2, 7, 64]))
def test_rows_are_dealt_by_their_hash(rows: list[Row], partitions: int) -> None:
    spread = [(hi << 40, *others) for hi, *others in rows]
    every = table(spread)
    dealt = list(parted(every, every["hi"].to_numpy(), partitions))
    assert len({number for number, _ in dealt}) == len(dealt)
    texts = [{row["hi"] for row in part.to_pylist()} for _, part in dealt]
    assert sum(map(len, texts)) == len(set().union(*texts))
    back = [tuple(row.values()) for _, part in dealt for row in part.to_pylist()]
    assert sorted(back) == sorted(spread)


@pytest.mark.parametrize("partitions", [1, 2, 7, 64])
def test_an_exchange_counts_as_one_pass_does(tmp_path: Path, partitions: int) -> None:
    rng = np.random.default_rng(partitions)
    units, rows = [], []
    for index in range(5):
        count, source = 0 if index == 3 else 60, index % SOURCES
        hi = rng.integers(0, 20, count).astype(np.uint64) << np.uint64(58)
        lo, prompt = rng.integers(0, 2, count, np.uint64), rng.integers(0, 3, count, np.uint64)
        columns = {"fingerprint_hi": hi, "fingerprint_lo": lo, "prompt": prompt}
        files.write_table(unit_file(str(tmp_path), index, "parquet"), pa.table(columns))
        lists = zip(hi.tolist(), lo.tolist(), prompt.tolist(), strict=True)
        rows += [(*row, source) for row in lists]
        units.append(Unit(index, source, ()))
    folder = tmp_path / "counts"
    folder.mkdir()
    work = CountDistinct(str(tmp_path), SOURCES, partitions, str(folder))
    run_pipeline(
        lambda root: root | Create([units[:2], units[2:]]) | Send(work) | Collect(work),
        pipeline_options(2, ()),
    )
    assert total_distinct(str(folder), SOURCES).tolist() == plain(rows)
