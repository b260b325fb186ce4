"""Cuts of cells: against their definition written out, and the same through any windows."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.selection.cuts import NEXT, Cuts, Rows, Windows, cut
from outcross.transforms.selection.histogram import Histogram, bits_needed

Case = tuple[Rows, NDArray[np.float64]]


def taken_rows(rows: Rows, cuts: Cuts) -> NDArray[np.bool_]:
    return cuts.take(rows.cell, rows.key, rows.tie, rows.number)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw candidates with many equal keys and ties, and wants of 0 to more than the supply."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, cells = draw(st.integers(0, 80)), draw(st.sampled_from([1, 3, 25]))
    longest, keys = draw(st.sampled_from([1, 7, 1000])), draw(st.sampled_from([1, 5, 2**63]))
    rows = Rows(
        cell=rng.integers(0, cells, n),
        key=rng.integers(0, keys, n).astype(np.uint64) * np.uint64(2**64 // (2 * keys) or 1),
        tie=rng.integers(0, draw(st.sampled_from([1, 2**63])), n).astype(np.uint64),
        number=rng.permutation(n),
        tokens=rng.integers(0, longest + 1, n),
    )
    supply = np.bincount(rows.cell, rows.tokens, cells)
    most = draw(st.sampled_from([0.1, 1.0, 1.2]))
    return rows, supply * rng.uniform(0, most, cells)


def plain_cut(rows: Rows, wanted: NDArray[np.float64], total: float) -> list[bool]:
    """Choose documents as the rules are written, one by one."""
    n = len(rows.cell)
    columns = [column.tolist() for column in (rows.key, rows.tie, rows.number)]
    order = sorted(range(n), key=lambda i: tuple(column[i] for column in columns))
    queues: list[list[int]] = [[i for i in order if rows.cell[i] == c] for c in range(len(wanted))]
    taken = [False] * n
    lacking, rests = [], []
    for c, queue in enumerate(queues):
        reached = at = 0
        while at < len(queue) and reached < wanted[c]:
            tokens = int(rows.tokens[queue[at]])
            if reached + tokens > wanted[c]:
                break
            taken[queue[at]] = True
            reached += tokens
            at += 1
        lacking.append(max(wanted[c] - reached, 0.0))
        rests.append(queue[at : at + NEXT + 1])
    missing = total - rows.tokens[taken].sum() - math.fsum(lacking)
    waiting = []
    for c, rest in enumerate(rests):
        missing += lacking[c]
        share = 0.0
        if rest:
            tokens = int(rows.tokens[rest[0]])
            share = lacking[c] / max(tokens, 1)
            if lacking[c] > 0 and 0 < tokens <= 2 * missing:
                taken[rest[0]] = True
                missing -= tokens
        waiting += [(share == 0, place, -share, c, i) for place, i in enumerate(rest)]
    for *_, i in sorted(waiting):
        tokens = int(rows.tokens[i])
        if not taken[i] and missing > 0 and 0 < tokens <= 2 * missing:
            taken[i] = True
            missing -= tokens
    return taken


@settings(max_examples=300, deadline=None)
@given(cases())
def test_documents_are_those_of_the_rules_written_out(case: Case) -> None:
    rows, wanted = case
    total = float(wanted.sum())
    cuts = cut(rows, wanted, total, Windows.every(len(wanted)))
    taken = taken_rows(rows, cuts)
    assert taken.tolist() == plain_cut(rows, wanted, total)
    by_cell = np.bincount(rows.cell, rows.tokens * taken, len(wanted))
    assert cuts.taken.tolist() == by_cell.tolist()


@settings(max_examples=300, deadline=None)
@given(cases())
def test_all_cells_are_within_half_of_the_last_document_unless_none_fits(case: Case) -> None:
    rows, wanted = case
    total = float(wanted.sum())
    taken = taken_rows(rows, cut(rows, wanted, total, Windows.every(len(wanted))))
    missing = total - rows.tokens[taken].sum()
    longest = rows.tokens[taken].max(initial=0)
    assert missing >= -longest / 2 - 1e-6
    if missing > longest / 2 + 1e-6:
        left = np.sort(rows.cell[~taken & (rows.tokens > 0) & (rows.tokens <= 2 * missing)])
        for cell in np.unique(left):  # those that would fit stand too far behind
            assert (rows.cell[~taken] == cell).sum() > NEXT


@settings(max_examples=300, deadline=None)
@given(cases())
def test_a_cell_is_off_by_less_than_a_document_where_cells_have_enough(case: Case) -> None:
    rows, wanted = case
    supply = np.bincount(rows.cell, rows.tokens, len(wanted))
    wanted = np.minimum(wanted, supply)
    cuts = cut(rows, wanted, float(wanted.sum()), Windows.every(len(wanted)))
    longest = np.zeros(len(wanted), np.int64)
    np.maximum.at(longest, rows.cell, rows.tokens)
    assert (wanted - cuts.taken <= longest + 1e-6).all()


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(1, 12), st.integers(1, 5), st.randoms(use_true_random=False))
def test_windows_and_the_division_of_the_rows_have_no_influence(
    case: Case, bits: int, parts: int, random: Any
) -> None:
    rows, wanted = case
    total = float(wanted.sum())
    expected = cut(rows, wanted, total, Windows.every(len(wanted)))
    unit = np.array([random.randrange(parts) for _ in range(len(rows.cell))], np.int64)
    units = [rows.take(np.flatnonzero(unit == u)) for u in range(parts)]
    random.shuffle(units)
    histogram = Histogram.merge(
        Histogram.from_bytes(Histogram.count(u.cell, u.key, u.tokens, bits).to_bytes())
        for u in units
    )
    windows = Windows.every(len(wanted))
    for part in range(3):  # each part of the cells is decided by itself
        of_part = histogram.of_cells(part, 3, bits).windows(wanted, bits)
        mine = np.arange(len(wanted)) % 3 == part
        for name in ("start", "stop", "before"):
            getattr(windows, name)[mine] = getattr(of_part, name)[mine]
    sent = [u.take(np.flatnonzero(windows.hold(u.cell, u.key))) for u in units]
    columns = {
        name: np.concatenate([getattr(u, name) for u in sent]) for name in rows.__dataclass_fields__
    }
    cuts = cut(Rows(**columns), wanted, total, windows)
    assert (taken_rows(rows, cuts) == taken_rows(rows, expected)).all()
    assert (cuts.taken == expected.taken).all()
    assert (cuts.beyond == expected.beyond).all()


def test_windows_leave_out_most_documents() -> None:
    rng = np.random.default_rng(0)
    n, cells, limit = 100_000, 20, 10_000
    cell, tokens = rng.integers(0, cells, n), rng.integers(1, 300, n)
    key = rng.integers(0, 2**64, n, dtype=np.uint64)
    bits = bits_needed(n, limit)
    wanted = np.bincount(cell, tokens, cells) * 0.4
    windows = Histogram.count(cell, key, tokens, bits).windows(wanted, bits)
    assert windows.hold(cell, key).sum() <= limit
    assert bits_needed(limit, limit) == 0


def test_cells_that_want_less_than_a_document_get_their_share_of_documents() -> None:
    cells = 100
    cell = np.repeat(np.arange(cells), 2)
    n = len(cell)
    key = np.tile(np.arange(2, dtype=np.uint64), cells)
    rows = Rows(cell, key, np.zeros(n, np.uint64), np.arange(n), np.full(n, 100))
    wanted = np.where(np.arange(cells) < 50, 10.0, 70.0)
    cuts = cut(rows, wanted, float(wanted.sum()), Windows.every(cells))
    assert cuts.taken.max() == 100
    assert cuts.taken[:50].sum() == 500
    assert cuts.taken[50:].sum() == 3500


def test_a_shorter_document_behind_is_taken_where_the_boundary_is_too_long() -> None:
    tokens = np.array([50, 500, 400, 30])
    numbers = np.arange(4)
    rows = Rows(
        np.zeros(4, np.int64), numbers.astype(np.uint64), np.zeros(4, np.uint64), numbers, tokens
    )
    cuts = cut(rows, np.array([80.0]), 80.0, Windows.every(1))
    assert taken_rows(rows, cuts).tolist() == [True, False, False, True]


@pytest.mark.parametrize("wanted", [0.0, 5.0])
def test_without_candidates_nothing_is_taken(wanted: float) -> None:
    none = np.zeros(0, np.int64)
    rows = Rows(none, none.astype(np.uint64), none.astype(np.uint64), none, none)
    cuts = cut(rows, np.full(3, wanted), 3 * wanted, Windows.every(3))
    assert cuts.taken.tolist() == [0, 0, 0]
    assert not len(cuts.beyond)
