"""Groups of documents that repeat one document, against brute force and for any partitions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.gates import Gates
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.repeat_groups import CountRepeats, count_groups, total_groups
from tests.support.repeats import group_sizes


def repeats_within(
    partner: NDArray[np.int64], part: NDArray[np.int64], parts: int
) -> NDArray[np.int64]:
    """Return the documents of each part that repeat another one of it."""
    stands = np.where(partner < 0, np.arange(len(partner)), partner)
    distinct, _ = count_groups(stands, part, np.zeros(len(part), bool), parts)
    return np.bincount(part, minlength=parts) - distinct


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_groups_are_those_of_brute_force(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    standing = [*np.flatnonzero(kept).tolist(), n, n + 3]  # and documents of an earlier run
    partner = np.where(kept, -1, rng.choice(standing, n)).astype(np.int64)
    rows = rng.random(n) < 0.7
    repeated = [d if kept[d] else int(partner[d]) for d in range(n) if rows[d]]
    sizes = Counter(Counter(repeated).values())
    groups = group_sizes(partner, rows)
    assert groups.tolist() == [list(pair) for pair in sorted(sizes.items())]
    assert groups.dtype == np.int64
    assert groups.shape == (len(sizes), 2)


def test_what_repeats_a_document_outside_of_the_set_is_a_group_without_it() -> None:
    """Count a text of the reference, too, or a corpus of this text alone would repeat nothing."""
    partner = np.array([-1, 0, 0, -1, 3, 9])
    assert group_sizes(partner, np.ones(6, bool)).tolist() == [[1, 1], [2, 1], [3, 1]]
    some = np.array([False, True, True, True, True, True])
    assert group_sizes(partner, some).tolist() == [[1, 1], [2, 2]]
    collapsed = np.full(1000, 1234)
    assert group_sizes(collapsed, np.ones(1000, bool)).tolist() == [[1000, 1]]


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_every_document_of_a_set_is_in_one_group(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    partner = np.where(kept, -1, rng.choice([*np.flatnonzero(kept).tolist(), n], n))
    rows = rng.random(n) < 0.7
    groups = group_sizes(partner, rows)
    assert groups.prod(axis=1).sum() == rows.sum()
    # A part of a set has no group that the complete set doesn't have as large.
    complete = group_sizes(partner, np.ones(n, bool))
    assert groups[:, 0].max(initial=0) <= complete[:, 0].max(initial=0)
    assert groups[:, 1].sum() <= complete[:, 1].sum()


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 5))
def test_a_part_repeats_itself_as_in_the_definition(seed: int, n: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random(n) < 0.4
    standing = [*np.flatnonzero(kept).tolist(), n, n + 3]  # and documents of an earlier run
    partner = np.where(kept, -1, rng.choice(standing, n)).astype(np.int64)
    part = rng.integers(0, parts, n)
    expected = []
    for number in range(parts):
        inside = np.flatnonzero(part == number)
        different = {d if kept[d] else int(partner[d]) for d in inside.tolist()}
        expected.append(len(inside) - len(different))
    counted = repeats_within(partner, part, parts)
    assert counted.tolist() == expected
    # A part alone repeats itself as the same documents do as a set.
    for number in range(parts):
        groups = group_sizes(partner, part == number)
        assert counted[number] == ((groups[:, 0] - 1) * groups[:, 1]).sum()


def test_a_file_of_one_answer_repeats_itself_and_not_the_file_that_it_copies() -> None:
    """Identical answers, a copy of another file, and a clean one; the first answer lies outside."""
    kept = np.full(10, -1)
    identical = np.full(805, 3)  # its answer stands in the clean file as well
    copy = np.arange(10)
    partner = np.concatenate([kept, identical, copy])
    part = np.repeat([0, 1, 2], [10, 805, 10])
    assert repeats_within(partner, part, 4).tolist() == [0, 804, 0, 0]


@pytest.mark.parametrize("bits", [1, 3, 6])
def test_partitions_add_up_to_the_whole(tmp_path: Path, bits: int) -> None:
    rng = np.random.default_rng(4)
    partner = np.where(rng.random(90) < 0.5, -1, rng.integers(0, 90, 90))
    partner = np.where(partner[partner] < 0, partner, -1)  # partners are kept
    file = rng.integers(0, 3, 90)
    domain = np.array(["open", "answers", None], object)[rng.integers(0, 3, 90)]
    offsets = np.array([0, 40, 40, 90])
    for unit in range(3):
        rows = slice(offsets[unit], offsets[unit + 1])
        for name, table in (
            ("sketches", pa.table({"domain": pa.array(domain[rows].tolist(), pa.string())})),
            ("verdicts", pa.table({"partner": partner[rows]})),
            ("documents", pa.table({"file": file[rows]})),
        ):
            files.make_folder(str(tmp_path / name))
            files.write_table(unit_file(str(tmp_path / name), unit, "parquet"), table)
    (tmp_path / "counts").mkdir()
    gates = Gates(domains={"answers": "converge"})
    work = CountRepeats(
        ["synthetic", "reference"],
        offsets,
        *(str(tmp_path / name) for name in ("sketches", "verdicts", "documents")),
        gates,
        3,
        bits,
        str(tmp_path / "counts"),
    )
    sent: dict[int, list[pa.Table]] = {}
    for unit in range(3):
        for key, rows in work.send(Unit(unit, int(unit == 2), ())):
            sent.setdefault(key, []).append(rows)
    for key, tables in sent.items():
        list(work.collect(key, pa.concat_tables(tables)))
    judged = (np.arange(90) < 40) & (domain != "answers")
    distinct, groups = total_groups(work.folder, 3)
    assert (np.bincount(file) - distinct).tolist() == repeats_within(partner, file, 3).tolist()
    assert groups.tolist() == group_sizes(partner, judged).tolist()
