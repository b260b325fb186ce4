"""Filling over rounds, and the Beam parts that count and score."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.residual import FIGURES, Scorer
from outcross.transforms.selection.score_candidates import CountNgrams, ScoreCandidates, read_tables
from outcross.transforms.selection.select import Candidates, Filling, fill_by_hash
from outcross.transforms.text.ngrams import Tables, count_ngrams
from outcross.transforms.text.signs import with_signs

ROUNDS = (1, 2, 4)


def documents(
    rng: np.random.Generator, cell: NDArray[Any], tokens: NDArray[Any], cap: NDArray[Any]
) -> Candidates:
    n = len(cell)
    hi, lo = (rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(2))
    return Candidates(cell, tokens, cap, hi, lo)


@st.composite
def corpora(draw: st.DrawFn, one_cap: bool = False) -> tuple[Candidates, NDArray[np.float64]]:
    """Candidates and quotas, from far below a document to more than there is."""
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
    held = np.bincount(candidates.cell, candidates.tokens, len(quota))
    fewest = np.where(held > 0, np.minimum(quota // np.maximum(held, 1), candidates.cap[0]), 0)
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
    whole = (filling.copies * candidates.tokens).sum()
    before = filling.copies.copy()
    for number in range(1, rounds + 1):
        key = candidates.hashes(number, "key")[filling.remaining]
        filling.choose(key, number / rounds)
        assert (filling.copies >= before).all()
        before = filling.copies.copy()
        target = whole + (quota.sum() - whole) * number / rounds
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
    both = (chosen[0] & chosen[1]).sum()
    assert abs(both - n / 16) < 4 * np.sqrt(n / 16)  # as two independent quarters
    smallest = np.argsort(seeded_hash(candidates.hi, candidates.lo, 1, "human"))
    assert set(np.flatnonzero(chosen[0])) == set(smallest[: chosen[0].sum()])


def unit(index: int) -> Unit:
    return Unit(index, 0, (Piece(f"{index}.jsonl", "jsonl", 0, -1, 1),))


def write_words(folder: Path, texts: list[list[list[int]]], copies: list[list[int]]) -> None:
    for index, (runs, often) in enumerate(zip(texts, copies, strict=True)):
        words = [np.array(run, np.uint32).tobytes() for run in runs]
        signs = [b"\0," * len(run) for run in runs]  # a comma behind each word
        kind = pa.large_binary()
        table = pa.table({"words": pa.array(words, kind), "signs": pa.array(signs, kind)})
        files.write_table(unit_file(str(folder), index, "parquet"), table)
        often_column = pa.table({"copies": pa.array(often, pa.int32())})
        files.write_table(unit_file(str(folder / "copies"), index, "parquet"), often_column)


TEXTS = [[[1, 2, 3], [2**32 - 1, 1]], [[], [7]], [[1, 2], [5, 5, 5, 5]], [[9]]]
COPIES = [[1, 2], [3, 1], [0, 3], [0]]


def with_commas(runs: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Offsets and hashes of words and commas, as `write_words` has them."""
    offsets = np.concatenate([[0], np.cumsum([len(run) for run in runs])]).astype(np.int64)
    ids = np.array([word for run in runs for word in run], np.uint32)
    commas = np.frombuffer(b"\0," * len(ids), np.uint8)
    return with_signs(offsets, ids, 2 * offsets, commas)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("lanes", [[[0, 1, 2, 3]], [[3], [1, 0], [2]]])
def test_counts_are_those_of_one_table_whoever_counts(
    tmp_path: Path, lanes: list[list[int]], counted: bool
) -> None:
    (tmp_path / "copies").mkdir()
    write_words(tmp_path, TEXTS, COPIES)
    path = str(tmp_path / "ngrams.bin")
    before = str(tmp_path / "before.bin") if counted else None

    def count(target: str, on_top_of: str | None) -> None:
        with beam.Pipeline(runner="FnApiRunner") as p:
            dealt = p | beam.Create([[unit(i) for i in lane] for lane in lanes])
            dealt | CountNgrams(str(tmp_path), str(tmp_path / "copies"), target, on_top_of)

    if before is not None:  # all documents twice: what is too much is taken away again
        write_words(tmp_path, TEXTS, [[2] * len(often) for often in COPIES])
        count(before, None)
        write_words(tmp_path, TEXTS, [[c - 2 for c in often] for often in COPIES])
    count(path, before)
    expected = Tables.empty()
    for runs, often in zip(TEXTS, COPIES, strict=True):
        ids = with_commas(runs)
        count_ngrams(*ids, np.array(often, np.int32), expected.unigrams, expected.bigrams)
    found = read_tables(path)
    assert found.totals == expected.totals
    assert found.totals[0] == (2 * 3 + 2) + 2 * (2 * 2 + 2) + (2 + 2) + 3 * (2 * 4 + 2)
    assert (found.unigrams == expected.unigrams).all()
    assert (found.bigrams == expected.bigrams).all()


def test_scores_stand_beside_their_documents(tmp_path: Path) -> None:
    for folder in ("copies", "remaining", "scores"):
        (tmp_path / folder).mkdir()
    write_words(tmp_path, TEXTS, COPIES)
    left = [[True, False], [True, True], [False, False], [True]]
    for index, remaining in enumerate(left):
        path = unit_file(str(tmp_path / "remaining"), index, "parquet")
        files.write_table(path, pa.table({"remaining": remaining}))
    rng = np.random.default_rng(0)
    tables = []
    for name in ("reference", "current"):
        both = rng.integers(0, 3, (2, 1 << 20))
        tables.append(Tables(*both))
        files.write_bytes(str(tmp_path / f"{name}.bin"), tables[-1].to_bytes())
    with beam.Pipeline(runner="FnApiRunner") as p:
        dealt = p | beam.Create([[unit(3), unit(0)], [unit(2), unit(1)]])
        dealt | ScoreCandidates(
            str(tmp_path),
            str(tmp_path / "reference.bin"),
            str(tmp_path / "current.bin"),
            str(tmp_path / "remaining"),
            str(tmp_path / "scores"),
        )
    scorer = Scorer(*tables)
    for index, runs in enumerate(TEXTS):
        scores = files.read_table(unit_file(str(tmp_path / "scores"), index, "parquet"))
        figures = np.where(left[index], scorer.score(*with_commas(runs)), 0)
        for name, figure in zip(FIGURES, figures, strict=True):
            assert scores[name].to_pylist() == figure.tolist()
