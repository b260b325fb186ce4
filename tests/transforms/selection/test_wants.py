"""Filling quotas in steps: full copies, rounds, totals that make up for one another."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.selection.cuts import NEXT, Rows
from outcross.transforms.selection.uses import FRESH, LEDGER, OFF_SUPPORT, SYNTHETIC
from outcross.transforms.selection.wants import (
    SCORED,
    USES,
    Quotas,
    Standing,
    within_supply,
)
from tests.support.selection import filled

ROUNDS = (1, 2, 4)


def documents(
    rng: np.random.Generator, place: NDArray[Any], cell: NDArray[Any], tokens: Any, cells: int
) -> Rows:
    n = len(cell)
    key, tie = (rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(2))
    tokens = np.broadcast_to(np.asarray(tokens, np.int64), n)
    return Rows(place * cells + cell, key, tie, np.arange(n), tokens)


def quotas_of(rows: Rows, quota: NDArray[np.float64], cap: int) -> Quotas:
    shape = quota.shape
    supply = np.bincount(rows.cell, rows.tokens, quota.size).astype(np.int64).reshape(shape)
    caps = np.ones(shape, np.int64)
    caps[SCORED] = cap
    return Quotas(quota, supply, caps)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Quotas, Rows]:
    """Draw documents of all uses, and quotas that they can fill."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, cells = draw(st.integers(1, 120)), draw(st.sampled_from([1, 3, 12]))
    longest, cap = draw(st.sampled_from([1, 7, 1000])), draw(st.integers(1, 4))
    place, cell = rng.integers(0, len(USES), n), rng.integers(0, cells, n)
    rows = documents(rng, place, cell, rng.integers(0, longest + 1, n), cells)
    quotas = quotas_of(rows, np.zeros((len(USES), cells)), cap)
    share = rng.uniform(0, draw(st.sampled_from([0.1, 1.0])), quotas.quota.shape)
    if draw(st.booleans()):
        share[:] = 1.0
    return Quotas(quotas.supply * quotas.cap * share, quotas.supply, quotas.cap), rows


@settings(max_examples=300, deadline=None)
@given(corpora(), st.sampled_from(ROUNDS))
def test_caps_hold_and_totals_are_within_half_of_the_longest_unless_nothing_fits(
    corpus: tuple[Quotas, Rows], rounds: int
) -> None:
    quotas, rows = corpus
    copies, standings = filled(quotas, rows, rounds)
    cells = quotas.quota.shape[1]
    assert (copies <= quotas.cap.ravel()[rows.cell]).all()
    place = rows.cell // cells
    for uses in ([FRESH], [FRESH, LEDGER], [OFF_SUPPORT], [*USES]):
        places = [USES.index(use) for use in uses]
        of_uses = np.isin(place, places)
        missing = math.fsum(quotas.quota[places].ravel()) - (copies * rows.tokens)[of_uses].sum()
        longest = rows.tokens[of_uses & (copies > 0)].max(initial=0)
        last = of_uses & (place == places[-1])
        fits = last & (copies < quotas.cap.ravel()[rows.cell]) & (rows.tokens <= 2 * missing)
        full = standings[0].full.ravel()[rows.cell]
        untaken = fits & (rows.tokens > 0) & (copies == full)
        if missing > longest / 2 + 1e-6 and untaken.any():
            crowded = np.bincount(rows.cell[last & (copies == full)]).max(initial=0)
            closed = (quotas.quota.ravel()[rows.cell[untaken]] == 0).any()
            assert crowded > NEXT or closed or (standings[0].rest[SCORED] == 0).any()
        if uses != [*USES] or quotas.quota[SCORED].sum() > rows.tokens.max() * 4:
            assert missing >= -longest / 2 - 1e-6


@settings(max_examples=200, deadline=None)
@given(corpora(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_has_no_influence(corpus: tuple[Quotas, Rows], random: Any) -> None:
    quotas, rows = corpus
    order = np.array(random.sample(range(len(rows.cell)), len(rows.cell)))
    shuffled, _ = filled(quotas, rows.take(order), 2)
    assert (shuffled == filled(quotas, rows, 2)[0][order]).all()


@settings(max_examples=200, deadline=None)
@given(corpora())
def test_rounds_never_take_back_and_standings_add_up(corpus: tuple[Quotas, Rows]) -> None:
    quotas, rows = corpus
    copies, standings = filled(quotas, rows, 4)
    for before, after in pairwise(standings):
        assert (after.got >= before.got).all()
    last = standings[-1]
    counted = np.bincount(rows.cell, copies * rows.tokens, quotas.quota.size)
    assert (last.full * quotas.supply + last.got).ravel().tolist() == counted.tolist()
    restored = Standing.from_bytes(last.to_bytes())
    assert (restored.got == last.got).all()
    assert (restored.cuts.key == last.cuts.key).all()


@pytest.mark.parametrize("rounds", ROUNDS)
def test_quotas_far_below_a_document_do_not_add_up_to_more_than_all(rounds: int) -> None:
    # Cells that got a document in one round must not be made up for by all the others in the next.
    cells, per_cell = 1000, 5
    cell = np.repeat(np.arange(cells), per_cell)
    rng = np.random.default_rng(0)
    rows = documents(rng, np.full(len(cell), SCORED), cell, 100, cells)
    quota = np.zeros((len(USES), cells))
    quota[SCORED] = 10.0
    copies, _ = filled(quotas_of(rows, quota, 2), rows, rounds)
    assert (copies * 100).sum() == 10_000


def test_cells_with_many_documents_meet_their_own_quotas() -> None:
    rng = np.random.default_rng(0)
    cells, n = 50, 20_000
    cell, tokens = rng.integers(0, cells, n), rng.integers(1, 300, n)
    rows = documents(rng, np.full(n, SCORED), cell, tokens, cells)
    quota = np.zeros((len(USES), cells))
    quota[SCORED] = 2 * np.bincount(cell, tokens, cells) * rng.uniform(0.05, 0.95, cells)
    for rounds in ROUNDS:
        copies, _ = filled(quotas_of(rows, quota, 2), rows, rounds)
        got = np.bincount(cell, copies * tokens, cells)
        assert np.abs(got - quota[SCORED]).max() <= 300


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.floats(0, 1.5)), min_size=1),
    st.floats(0, 1.5),
)
def test_what_a_cell_cannot_hold_goes_to_cells_with_room(
    cells: list[tuple[int, int, float]], share: float
) -> None:
    supply, cap = (np.array([cell[i] for cell in cells]) for i in range(2))
    most = supply * cap
    total = float(most.sum() * share)
    quota = most * np.array([cell[2] for cell in cells])
    held = within_supply(quota, supply, cap, total)
    assert (held <= most).all()
    assert (held >= 0).all()
    assert math.fsum(held) == pytest.approx(min(total, float(most.sum())), rel=1e-9)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_expected_mix_looks_half_a_round_ahead(rounds: int) -> None:
    rows = documents(np.random.default_rng(0), np.full(20, SCORED), np.arange(20) % 2, 10, 2)
    quota = np.zeros((len(USES), 2))
    quota[SCORED] = 25.0, 150.0  # of 100 each, so the second has all documents once
    quotas = quotas_of(rows, quota, 2)
    _, standings = filled(quotas, rows, rounds)
    half = 75 // (2 * rounds)
    for standing in standings:
        got = int(standing.got[SCORED].sum())
        ahead = min(half, 75 - got) if got < 75 else 0
        share = int(standing.threshold(quotas, rounds)) / 2**64
        assert share == pytest.approx(ahead / (200 - got), abs=1e-9)
    assert int(standings[-1].threshold(quotas, rounds)) / 2**64 < 6 / 100


def test_synthetic_text_makes_up_for_the_rounding_of_the_other_uses() -> None:
    place = np.array([USES.index(FRESH)] * 4 + [SCORED] * 40)
    tokens = np.array([100] * 4 + [10] * 40)
    rows = documents(np.random.default_rng(0), place, np.zeros(44, np.int64), tokens, 1)
    quota = np.zeros((len(USES), 1))
    quota[USES.index(FRESH)], quota[USES.index(SYNTHETIC)] = 160.0, 300.0
    copies, _ = filled(quotas_of(rows, quota, 1), rows, 2)
    assert (copies * tokens)[:4].sum() == 200
    assert (copies * tokens)[4:].sum() == 260
