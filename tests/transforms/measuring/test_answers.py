"""Measures of answers against their definitions."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from fractions import Fraction
from math import comb, exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.measuring import answers
from outcross.transforms.measuring.answers import (
    Answers,
    Prompts,
    saturates_at,
    saturation,
    summarise,
)
from tests.support.answers import Documents, documents, partition, sketched

DATA = Path(os.environ.get("OUTCROSS_DATA", Path(__file__).parents[4] / "shared/data"))


counts = st.lists(st.integers(1, 9), min_size=1, max_size=8).map(lambda c: np.array(c, np.int64))


@given(counts, st.integers(1, 40))
def test_figures_are_their_definitions(c: NDArray[np.int64], draws: int) -> None:
    answers_ = Answers(c)
    n = int(c.sum())
    k = 1 + draws % n
    hurlbert = sum(1 - Fraction(comb(n - int(x), k), comb(n, k)) for x in c)
    assert answers_.distinct_rarefied(k) == pytest.approx(float(hurlbert), rel=1e-12)
    assert answers_.distinct_rarefied(n) == pytest.approx(answers_.distinct)
    assert answers_.effective == pytest.approx(exp(-sum(x / n * log(x / n) for x in c.tolist())))
    labels = np.repeat(np.arange(len(c)), c)
    same = [a == b for a, b in itertools.combinations(labels, 2)]
    assert answers_.same_chance == (sum(same) / len(same) if same else None)
    with pytest.raises(ValueError, match=f"of {n} answers"):
        answers_.distinct_rarefied(n + 1)


def test_the_chance_is_unbiased() -> None:
    """Over all ways to draw 4 of 9 answers its mean is the chance among the 9."""
    labels = np.repeat(np.arange(3), [5, 3, 1])
    drawn = [
        Answers(np.unique(labels[list(rows)], return_counts=True)[1]).same_chance
        for rows in itertools.combinations(range(9), 4)
    ]
    assert np.mean([c for c in drawn if c is not None]) == pytest.approx(
        Answers(np.array([5, 3, 1])).same_chance
    )


def test_saturation_averages_over_prompts_that_have_so_many() -> None:
    always, never = np.array([4]), np.ones(3, np.int64)
    assert saturation([always, never]) == [1.0, 0.5, 0.5, 0.0]
    assert saturation([always, never], most=2) == [1.0, 0.5]
    assert saturation([]) == []


def test_where_sampling_stops_paying() -> None:
    assert saturates_at([1.0, 0.5, 0.05, 0.049, 0.2]) == 4
    assert saturates_at([1.0, 0.5, 0.4]) is None
    assert saturates_at([]) is None


def test_two_sources_of_answers() -> None:
    """Judge a prompt with one answer, one with many, one asked once, and no prompt."""
    jokes = ["Why did the scarecrow win an award? He was outstanding in his field."] * 5
    jokes += ["Why did the scarecrow win an award? Because he was outstanding in his field!"]
    names = ["Paris", "Oslo", "Quito", "Dakar"]
    columns = sketched([*jokes, *names, "alone", "no prompt", "no prompt"])
    prompt = np.array([7] * 6 + [9] * 4 + [3] + [0] * 2, np.uint64)
    prompts = summarise(prompt, *columns)
    assert (prompts.prompts, prompts.several, prompts.thinned, prompts.answers) == (3, 2, 0, 11)
    assert prompts.k == 4
    assert prompts.distinct == pytest.approx((1 + 4) / 2)
    assert prompts.effective == pytest.approx((1 + 4) / 2)
    assert prompts.same_chance == pytest.approx(0.5)
    assert prompts.gains == pytest.approx((1, 0.5, 0.5, 0.5, 0, 0))
    assert prompts.reached == (3, 2, 2, 2, 1, 1)
    assert prompts.saturates_at == 5
    (worst,) = prompts.collapsed
    assert (worst.prompt, worst.answers, worst.same_chance, worst.times) == (7, 6, 1.0, 6)
    assert worst.row in range(6)


def test_the_row_of_a_collapse_leads_its_commonest_answer() -> None:
    columns = sketched(["red", *["blue"] * 8, "green", "yellow"])
    (worst,) = summarise(np.full(11, 5, np.uint64), *columns).collapsed
    assert 1 <= worst.row <= 8
    assert worst.times == 8


def test_the_worst_collapse_comes_first() -> None:
    """Sort by chance, then by the number of answers, then by hash."""
    given = {9: ["a"] * 4, 5: ["a"] * 8 + ["b", "c"], 7: ["a"] * 6, 2: ["a"] * 4, 3: ["a"] * 3}
    columns = sketched([*itertools.chain(*given.values())])
    prompt = np.repeat(np.array([*given], np.uint64), [*map(len, given.values())])
    assert [entry.prompt for entry in summarise(prompt, *columns).collapsed] == [7, 2, 9, 5]


def test_nothing_to_judge() -> None:
    columns = sketched(["one", "two"])
    for prompt, prompts in (([0, 0], 0), ([1, 2], 2)):
        summary = summarise(np.array(prompt, np.uint64), *columns)
        assert (summary.prompts, summary.several) == (prompts, 0)
        assert summary.k is summary.distinct is summary.effective is summary.same_chance is None
        assert summary.collapsed == ()
        assert summary.saturates_at is None
    assert summarise(np.zeros(0, np.uint64), *columns.at([])).gains == ()


@st.composite
def asked(draw: st.DrawFn) -> tuple[NDArray[np.uint64], Documents, list[int]]:
    columns = draw(documents(most=30))
    n = len(columns.hi)
    prompt = draw(st.lists(st.sampled_from([0, 1, 2, 2**63]), min_size=n, max_size=n))
    return np.array(prompt, np.uint64), columns, draw(st.permutations(range(n)))


@pytest.mark.parametrize("most", [3, 512])
def test_the_summary_does_not_depend_on_the_order(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "COLLAPSED_ANSWERS", 2)

    @given(asked())
    def check(case: tuple[NDArray[np.uint64], Documents, list[int]]) -> None:
        prompt, columns, rows = case
        expected = summarise(prompt, *columns, most=most)
        shuffled = summarise(prompt[rows], *columns.at(rows), most=most)
        assert without_rows(shuffled) == without_rows(expected)
        for a, b in zip(shuffled.collapsed, expected.collapsed, strict=True):
            assert columns.hi[rows[a.row]] == columns.hi[b.row]
            assert columns.lo[rows[a.row]] == columns.lo[b.row]
            assert columns.embeddings[rows[a.row]].tolist() == columns.embeddings[b.row].tolist()

    check()


def without_rows(summary: Prompts) -> tuple[object, ...]:
    figures = {k: v for k, v in vars(summary).items() if k != "collapsed"}
    return (
        figures,
        [
            (entry.prompt, entry.answers, entry.same_chance, entry.times)
            for entry in summary.collapsed
        ],
    )


@given(asked())
def test_the_summary_is_that_of_each_prompt(
    case: tuple[NDArray[np.uint64], Documents, list[int]],
) -> None:
    prompt, columns, _ = case
    classes = [
        np.unique(
            partition(columns.at(np.flatnonzero(prompt == entry).tolist())), return_counts=True
        )
        for entry in np.unique(prompt[prompt != 0])
    ]
    several = [Answers(counts_) for _, counts_ in classes if counts_.sum() > 1]
    summary = summarise(prompt, *columns)
    assert summary.prompts == len(classes)
    assert summary.several == len(several)
    assert list(summary.gains) == pytest.approx(saturation([counts_ for _, counts_ in classes]))
    if several:
        assert summary.k == min(
            10, sorted(entry.answers for entry in several)[(len(several) - 1) // 2]
        )
        chances = [entry.same_chance for entry in several if entry.same_chance is not None]
        assert summary.same_chance == pytest.approx(np.mean(chances))
        assert summary.effective == pytest.approx(np.mean([entry.effective for entry in several]))
        among = [
            entry.distinct_rarefied(summary.k) for entry in several if entry.answers >= summary.k
        ]
        assert summary.distinct == pytest.approx(np.mean(among))
    expected = [
        (-entry.same_chance, -entry.answers)
        for entry in several
        if entry.answers >= 4 and entry.same_chance is not None and entry.same_chance >= 0.5
    ]
    assert [(-entry.same_chance, -entry.answers) for entry in summary.collapsed] == sorted(expected)


def test_a_prompt_with_very_many_answers_is_sampled_fairly() -> None:
    """Draw copies one by one, not all or none, so that the chance stays the same."""
    frequency = np.array([1200, 800, *[1] * 2000])
    text = np.repeat(np.arange(len(frequency)), frequency)
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(len(frequency), 256))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings = np.clip(np.rint(unit * 254), -127, 127).astype(np.int8)
    hi = rng.integers(0, 2**63, len(frequency)).astype(np.uint64)
    n = len(text)
    summary = summarise(
        np.full(n, 8, np.uint64),
        np.arange(n + 1),
        text.astype(np.uint32),
        hi[text],
        hi[text],
        embeddings[text],
    )
    assert (summary.answers, summary.thinned, summary.reached[0]) == (n, 1, 1)
    truth = Answers(frequency).same_chance
    assert summary.same_chance == pytest.approx(truth, abs=0.04)
    assert summary.same_chance != truth


def test_people_repeat_themselves_less_than_models() -> None:
    path = DATA / "multisample/novelty_bench.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; OUTCROSS_DATA names the folder of the corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chance = {}
    for source in ("human", "gpt-4o/regenerate"):
        chosen = [row["generations"] for row in rows if row["source"] == source]
        prompt = np.repeat(np.arange(1, len(chosen) + 1, dtype=np.uint64), [*map(len, chosen)])
        chance[source] = summarise(prompt, *sketched([*itertools.chain(*chosen)])).same_chance
    human, model = chance["human"], chance["gpt-4o/regenerate"]
    assert human is not None
    assert model is not None
    assert 3 * human < model
