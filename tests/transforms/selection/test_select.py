"""Filling over rounds: caps, quotas, and the order of the choice."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.selection.select import Candidates, Filling, fill_by_hash

ROUNDS = (1, 2, 4)


def documents(
    rng: np.random.Generator, cell: NDArray[Any], tokens: NDArray[Any], cap: NDArray[Any]
) -> Candidates:
    n = len(cell)
    hi, lo = (rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(2))
    return Candidates(cell, tokens, cap, hi, lo)


@st.composite
def corpora(draw: st.DrawFn, one_cap: bool = False) -> tuple[Candidates, NDArray[np.float64]]:
    """Draw candidates and quotas, from far below a document to more than the supply."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, C = draw(st.integers(1, 60)), draw(st.sampled_from([1, 3, 30]))
    longest, most = draw(st.sampled_from([1, 7, 1000])), draw(st.integers(1, 4))
    cell = rng.integers(0, C, n)
    cap = np.full(n, most) if one_cap else rng.integers(0, most + 1, n)
    candidates = documents(rng, cell, rng.integers(0, longest + 1, n), cap)
    room = np.bincount(cell, candidates.cap * candidates.tokens, C)
    quota = {
        "within": room * rng.uniform(0, 1, C),
        "little": room * rng.uniform(0, 0.1, C),
        "whole": room,
        "any": room.sum() * rng.dirichlet(np.full(C, 0.5)) * rng.uniform(0, 1.3),
    }[draw(st.sampled_from(["within", "little", "whole", "any"]))]
    return candidates, quota.astype(np.float64)


def filled(
    candidates: Candidates, quota: NDArray[np.float64], rounds: int, equal_keys: bool = False
) -> NDArray[np.int64]:
    filling = Filling(candidates, quota)
    for number in range(1, rounds + 1):
        key = candidates.hashes(number, "key")[filling.remaining]
        filling.choose(key * np.uint64(not equal_keys), number / rounds)
    return filling.copies


@settings(max_examples=400, deadline=None)
@given(corpora(), st.sampled_from(ROUNDS), st.booleans())
def test_caps_hold_and_all_rounds_together_are_within_half_of_the_longest_document(
    corpus: tuple[Candidates, NDArray[np.float64]], rounds: int, equal_keys: bool
) -> None:
    candidates, quota = corpus
    copies = filled(candidates, quota, rounds, equal_keys)
    assert (copies >= 0).all()
    assert (copies <= candidates.cap).all()
    room, wanted = (candidates.cap * candidates.tokens).sum(), quota.sum()
    taken, half = (copies * candidates.tokens).sum(), candidates.tokens.max() / 2
    if room >= wanted:
        assert abs(taken - wanted) <= half + 1e-6
    else:
        assert taken >= room - max(half - (wanted - room), 0) - 1e-6


@settings(max_examples=200, deadline=None)
@given(corpora(), st.sampled_from(ROUNDS), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_has_no_influence(
    corpus: tuple[Candidates, NDArray[np.float64]], rounds: int, equal_keys: bool, random: Any
) -> None:
    candidates, quota = corpus
    order = np.array(random.sample(range(len(candidates.cell)), len(candidates.cell)))
    shuffled = filled(candidates.take(order), quota, rounds, equal_keys)
    assert (shuffled == filled(candidates, quota, rounds, equal_keys)[order]).all()


@settings(max_examples=200, deadline=None)
@given(corpora(one_cap=True))
def test_where_a_cell_must_repeat_all_of_its_documents_are_there_as_often_as_goes_in_whole(
    corpus: tuple[Candidates, NDArray[np.float64]],
) -> None:
    candidates, quota = corpus
    copies = filled(candidates, quota, 4)
    supply = np.bincount(candidates.cell, candidates.tokens, len(quota))
    fewest = np.where(supply > 0, np.minimum(quota // np.maximum(supply, 1), candidates.cap[0]), 0)
    assert (copies >= fewest[candidates.cell]).all()


@settings(max_examples=200, deadline=None)
@given(corpora(one_cap=True), st.sampled_from(ROUNDS))
def test_a_round_fills_its_part_of_the_quotas_and_never_takes_back(
    corpus: tuple[Candidates, NDArray[np.float64]], rounds: int
) -> None:
    candidates, quota = corpus
    room = np.bincount(candidates.cell, candidates.cap * candidates.tokens, len(quota))
    quota = np.minimum(quota, room)
    filling = Filling(candidates, quota)
    full_rounds = (filling.copies * candidates.tokens).sum()
    before = filling.copies.copy()
    for number in range(1, rounds + 1):
        key = candidates.hashes(number, "key")[filling.remaining]
        filling.choose(key, number / rounds)
        assert (filling.copies >= before).all()
        before = filling.copies.copy()
        target = full_rounds + (quota.sum() - full_rounds) * number / rounds
        taken = (filling.copies * candidates.tokens).sum()
        assert abs(taken - target) <= candidates.tokens.max() / 2 + 1e-6


@pytest.mark.parametrize("rounds", ROUNDS)
def test_quotas_far_below_a_document_do_not_add_up_to_more_than_all(rounds: int) -> None:
    # Cells that got a document in one round must not be made up for by all the others in the next.
    cells, per_cell = 1000, 5
    cell = np.repeat(np.arange(cells), per_cell)
    n = len(cell)
    candidates = documents(np.random.default_rng(0), cell, np.full(n, 100), np.full(n, 2))
    copies = filled(candidates, np.full(cells, 10.0), rounds)
    assert (copies * 100).sum() == 10_000


def test_cells_with_many_documents_meet_their_own_quotas() -> None:
    rng = np.random.default_rng(0)
    cells, n = 50, 20_000
    candidates = documents(rng, rng.integers(0, cells, n), rng.integers(1, 300, n), np.full(n, 2))
    room = np.bincount(candidates.cell, 2 * candidates.tokens, cells)
    quota = room * rng.uniform(0.05, 0.95, cells)
    for rounds in ROUNDS:
        copies = filled(candidates, quota, rounds)
        got = np.bincount(candidates.cell, copies * candidates.tokens, cells)
        assert np.abs(got - quota).max() <= 300


def test_the_smallest_keys_go_first_in_every_round() -> None:
    n = 12
    candidates = documents(
        np.random.default_rng(0), np.zeros(n, int), np.full(n, 10), np.ones(n, int)
    )
    filling = Filling(candidates, np.array([80.0]))
    filling.choose(np.arange(n), 0.5)
    assert filling.copies.tolist() == [1] * 4 + [0] * 8
    assert filling.remaining.tolist() == list(range(4, n))
    filling.choose(-np.arange(8.0), 1)
    assert filling.copies.tolist() == [1] * 4 + [0] * 4 + [1] * 4
    assert filling.missing == 0


def test_the_blind_sample_fills_what_is_missing_by_its_order_and_leaves_the_filling_alone() -> None:
    candidates = documents(
        np.random.default_rng(0), np.zeros(6, int), np.full(6, 10), np.full(6, 2)
    )
    filling = Filling(candidates, np.array([95.0]))  # each once, and 35 more
    order = np.array([5, 4, 3, 2, 1, 0], np.uint64)
    assert filling.sample(order).tolist() == [1, 1, 1, 2, 2, 2]
    assert filling.copies.tolist() == [1] * 6


def test_documents_without_words_neither_help_nor_hang() -> None:
    tokens = np.array([0, 0, 10, 0])
    candidates = documents(np.random.default_rng(0), np.array([0, 0, 1, 2]), tokens, np.full(4, 2))
    assert filled(candidates, np.array([0.0, 20.0, 0.0]), 2)[2] == 2
    assert filled(candidates, np.array([5.0, 0.0, 5.0]), 2)[2] == 1  # their quotas go elsewhere
    none = documents(np.random.default_rng(0), np.zeros(3, int), np.zeros(3, int), np.full(3, 2))
    assert (filled(none, np.array([7.0]), 4) <= 2).all()
    assert len(filled(none.take(np.zeros(0, int)), np.array([7.0]), 4)) == 0


@settings(max_examples=200, deadline=None)
@given(corpora(one_cap=True), st.integers(0, 2**63 - 1))
def test_tokens_drawn_by_hash_are_within_half_of_the_longest_document(
    corpus: tuple[Candidates, NDArray[np.float64]], seed: int
) -> None:
    candidates, quota = corpus
    room = np.bincount(candidates.cell, candidates.cap * candidates.tokens, len(quota))
    quota = np.minimum(quota, room)
    copies = fill_by_hash(candidates, quota, seed, "human")
    assert (copies <= candidates.cap).all()
    taken = (copies * candidates.tokens).sum()
    assert abs(taken - quota.sum()) <= candidates.tokens.max() / 2 + 1e-6


def test_documents_are_drawn_by_the_seed_alone() -> None:
    n = 2000
    rng = np.random.default_rng(0)
    candidates = documents(rng, np.zeros(n, int), rng.integers(50, 150, n), np.ones(n, int))
    quota = np.array([candidates.tokens.sum() / 4])
    chosen = [fill_by_hash(candidates, quota, seed, "human") > 0 for seed in (1, 2)]
    common = (chosen[0] & chosen[1]).sum()
    assert abs(common - n / 16) < 4 * np.sqrt(n / 16)  # as two independent quarters
    smallest = np.argsort(seeded_hash(candidates.hi, candidates.lo, 1, "human"))
    assert set(np.flatnonzero(chosen[0])) == set(smallest[: chosen[0].sum()])
