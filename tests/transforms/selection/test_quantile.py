"""Weighted quantiles by hash equal the plain definition, for any split into units."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.quantile import (
    CUTS,
    DRAWN,
    LAST_HASH,
    CutByHash,
    DrawByHash,
    HashedRows,
    SumBuckets,
    up_to,
)
from tests.support.filling import Candidates, fill_by_hash
from tests.support.sums import add_up

CELLS = 3  # of a group


@dataclass(frozen=True)
class Split:
    """Rows in units."""

    every: HashedRows
    unit: NDArray[np.int64]

    def rows(self, unit: Unit) -> HashedRows:
        return self.every.take(self.unit == unit.index)


def random_hashes(rng: np.random.Generator, n: int, kind: str) -> NDArray[np.uint64]:
    """Draw hashes: all different, in few buckets, or few different ones."""
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
    if kind == "few buckets":
        hashes = (hashes >> np.uint64(8)) | (
            rng.integers(0, 3, n, dtype=np.uint64) << np.uint64(56)
        )
    if kind == "few":
        hashes = np.resize(hashes[: max(1, n // 6)], n)
    return hashes


@st.composite
def splits(draw: st.DrawFn) -> tuple[Split, int, list[list[Unit]], np.random.Generator]:
    """Draw rows of several groups, in units and lanes; equal hashes have equal lengths."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, groups, units = draw(st.integers(0, 80)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    hashes = random_hashes(rng, n, draw(st.sampled_from(["all", "few buckets", "few"])))
    longest = draw(st.sampled_from([1, 30, 100_000]))
    tokens = (hashes % np.uint64(longest + 1)).astype(np.int64)
    group = rng.integers(0, groups, n)
    rows = HashedRows(group, hashes, tokens, group * CELLS + rng.integers(0, CELLS, n))
    numbers = [Unit(index, 0, ()) for index in rng.permutation(units).tolist()]
    cut = draw(st.integers(0, units))
    return Split(rows, rng.integers(0, units, n)), groups, [numbers[:cut], numbers[cut:]], rng


def ordered(rows: HashedRows) -> list[tuple[int, int, int]]:
    """Return hash, tokens and cell of rows in their order."""
    return sorted(zip(rows.hash.tolist(), rows.tokens.tolist(), rows.cell.tolist(), strict=True))


def last_hash(rows: HashedRows, wanted: float) -> int:
    """Return the last hash that is needed, document by document."""
    if wanted >= rows.tokens.sum():
        return LAST_HASH
    last, reached = -1, 0
    for hashed, tokens, _ in ordered(rows):
        if reached >= wanted:
            break
        last, reached = hashed, reached + tokens
    return last


def draw_plainly(rows: HashedRows, quota: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the drawn tokens by cell, document by document."""
    drawn, carried = np.zeros(len(quota) * CELLS, np.int64), 0.0
    for group, wanted in enumerate(quota.tolist()):
        part = rows.take(rows.group == group)
        all_of_it = wanted >= part.tokens.sum()
        missing = wanted if all_of_it else wanted + carried
        for _, tokens, cell in ordered(part):
            if not all_of_it and (missing <= 0 or 2 * missing < tokens):
                break
            drawn[cell] += tokens
            missing -= tokens
        carried = carried + missing if all_of_it else missing
    return drawn


def summed(work: Any, split: Split, groups: int, lanes: list[list[Unit]], folder: str) -> None:
    add_up(SumBuckets(split, groups), lanes, folder)
    add_up(work, lanes, folder)


@settings(max_examples=200, deadline=None)
@given(splits())
def test_cuts_are_at_the_document_that_reaches_the_amount(
    case: tuple[Split, int, list[list[Unit]], np.random.Generator],
) -> None:
    split, groups, lanes, rng = case
    supply = np.bincount(split.every.group, split.every.tokens, groups)
    wanted = np.rint(supply * rng.choice([0, 0.001, 0.3, 0.9, 1, 1.2], groups))
    with TemporaryDirectory() as folder:
        summed(CutByHash(split, folder, wanted.tolist()), split, groups, lanes, folder)
        cuts = files.read_json(files.join(folder, CUTS))
    for group, last in enumerate(cuts):
        rows = split.every.take(split.every.group == group)
        assert last == last_hash(rows, wanted[group])
        taken = rows.tokens[up_to(rows.hash, last)]
        assert taken.sum() >= min(wanted[group], supply[group])


@settings(max_examples=200, deadline=None)
@given(splits())
def test_draws_are_those_of_the_documents_one_by_one(
    case: tuple[Split, int, list[list[Unit]], np.random.Generator],
) -> None:
    split, groups, lanes, rng = case
    supply = np.bincount(split.every.group, split.every.tokens, groups)
    quota = supply * rng.choice([0, 0.01, 0.37, 0.5, 0.99, 1], groups)
    longest = int(split.every.tokens.max(initial=0))
    with TemporaryDirectory() as folder:
        work = DrawByHash(split, folder, quota.tolist(), groups * CELLS, slack=longest)
        summed(work, split, groups, lanes, folder)
        drawn = files.unpack_arrays(files.read_bytes(files.join(folder, DRAWN)))["drawn"]
    assert drawn.tolist() == draw_plainly(split.every, quota).tolist()
    assert abs(drawn.sum() - quota.sum()) <= longest / 2 + 1e-6


def test_draws_are_those_of_filling_by_hash(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n, groups = 3000, 7
    hi, lo = rng.integers(0, 2**64, (2, n), dtype=np.uint64)
    tokens, group = rng.integers(0, 90, n), rng.integers(0, groups, n)
    rows = HashedRows(group, seeded_hash(hi, lo, 5, "fresh 1"), tokens, group * CELLS)
    split = Split(rows, rng.integers(0, 4, n))
    lanes = [[Unit(0, 0, ()), Unit(3, 0, ())], [Unit(1, 0, ())], [Unit(2, 0, ())]]
    quota = np.bincount(group, tokens, groups) * rng.random(groups)
    work = DrawByHash(split, str(tmp_path), quota.tolist(), groups * CELLS, slack=90)
    summed(work, split, groups, lanes, str(tmp_path))
    drawn = files.unpack_arrays((tmp_path / DRAWN).read_bytes())["drawn"]
    candidates = Candidates(group, tokens, np.ones_like(tokens), hi, lo)
    copies = fill_by_hash(candidates, quota, 5, "fresh 1", topped_up=False)
    expected = np.bincount(group * CELLS, copies * tokens, groups * CELLS)
    assert drawn.tolist() == expected.tolist()


def test_a_part_is_an_even_sample(tmp_path: Path) -> None:
    """Over many seeds each document comes about equally often, long and short ones alike."""
    seeds, n = 150, 200
    rng = np.random.default_rng(0)
    hi, lo = rng.integers(0, 2**64, (2, n), dtype=np.uint64)
    tokens, group = rng.integers(1, 60, n), np.zeros(n, np.int64)
    often = np.zeros(n, int)
    wanted = 1500
    for seed in range(seeds):
        rows = HashedRows(group, seeded_hash(hi, lo, seed, "archive"), tokens, group)
        split = Split(rows, group)
        summed(
            CutByHash(split, str(tmp_path), [wanted]), split, 1, [[Unit(0, 0, ())]], str(tmp_path)
        )
        (last,) = json.loads((tmp_path / CUTS).read_bytes())
        often += up_to(rows.hash, last)
    share = often.sum() / seeds / n
    assert share == pytest.approx(wanted / tokens.sum(), rel=0.05)
    deviation = (seeds * share * (1 - share)) ** 0.5
    assert abs(often - seeds * share).max() < 5 * deviation
    assert often.std() == pytest.approx(deviation, rel=0.2)
    assert abs(np.corrcoef(often, tokens)[0, 1]) < 0.2


def test_only_documents_around_the_cut_are_collected(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 200_000
    group = np.zeros(n, np.int64)
    rows = HashedRows(group, rng.integers(0, 2**64, n, dtype=np.uint64), group + 10, group)
    split = Split(rows, group)
    add_up(SumBuckets(split, 1), [[Unit(0, 0, ())]], str(tmp_path))
    work = CutByHash(split, str(tmp_path), [n * 3.0])
    sums = work.start()
    work.add(Unit(0, 0, ()), sums)
    assert sum(len(part.hash) for part in sums.rows) < 50
