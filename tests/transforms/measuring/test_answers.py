"""What answers are worth: the rule against a plain reference, figures against their definitions."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from fractions import Fraction
from math import comb, exp, log
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.transforms.measuring import answers
from outcross.transforms.measuring.answers import (
    Answers,
    Prompts,
    same_answers,
    saturates_at,
    saturation,
    summarise,
)
from outcross.transforms.text.embed import load_default
from outcross.transforms.text.fingerprints import fingerprints
from outcross.transforms.text.words import split_words, word_ids

DATA = Path(os.environ.get("OUTCROSS_DATA", Path(__file__).parents[4] / "shared/data"))


class Documents(NamedTuple):
    """What the functions take of n documents."""

    offsets: NDArray[np.int64]
    words: NDArray[np.uint32]
    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    embeddings: NDArray[np.int8]

    def at(self, rows: list[int]) -> Documents:
        parts = [self.words[self.offsets[d] : self.offsets[d + 1]] for d in rows]
        offsets = np.cumsum([0, *map(len, parts)])
        words = np.concatenate([*parts, np.zeros(0, np.uint32)])
        return Documents(offsets, words, self.hi[rows], self.lo[rows], self.embeddings[rows])


def sketched(texts: list[str]) -> Documents:
    array = pa.array(texts, pa.string())
    words = split_words(array)
    embeddings = load_default().embed(words, array).vectors
    return Documents(words.offsets, word_ids(words), *fingerprints(words), embeddings)


@st.composite
def documents(draw: st.DrawFn, most: int = 12) -> Documents:
    """Few words and few directions, so that all kinds of pairs come up, copies too.

    Copies have embeddings of their own now and then, as from embedders that see punctuation.
    """
    directions = [(0, 0), (4, 0), (4, 1), (3, 2), (2, 3), (0, 4)]
    word_lists = st.lists(st.integers(0, 4), max_size=6)
    kinds = draw(
        st.lists(st.tuples(word_lists, st.sampled_from(directions)), min_size=1, max_size=6)
    )
    picks = draw(st.lists(st.sampled_from(range(len(kinds))), max_size=most))
    shaken = draw(st.lists(st.booleans(), min_size=len(picks), max_size=len(picks)))
    words = [np.array(kinds[pick][0], np.uint32) for pick in picks]
    embeddings = np.zeros((len(picks), 256), np.int8)
    for d, pick in enumerate(picks):
        embeddings[d, :2] = np.array(kinds[pick][1]) * 30
        embeddings[d, 200] += shaken[d]
    # Kinds are in another order by fingerprint than by number, and share upper halves.
    hi = np.array([(pick * 5) % 3 for pick in picks], np.uint64)
    lo = np.array([(pick * 7) % 11 for pick in picks], np.uint64)
    offsets = np.cumsum([0, *map(len, words)])
    return Documents(offsets, np.concatenate([*words, np.zeros(0, np.uint32)]), hi, lo, embeddings)


def alike(a: set[int], b: set[int], x: NDArray[np.int64], y: NDArray[np.int64]) -> bool:
    """The rule as its documentation has it."""
    if not a or not b:
        return False
    jaccard = len(a & b) / len(a | b)
    squares = int((x * x).sum()) * int((y * y).sum())
    cosine = int((x * y).sum()) / np.sqrt(float(squares)) if squares else jaccard
    return bool(jaccard + cosine >= 2 * answers.SAME)


def reference(own: Documents) -> list[int]:
    """Leader clustering in plain Python."""
    by_fingerprint: dict[tuple[int, int], list[int]] = {}
    for d in range(len(own.hi)):
        by_fingerprint.setdefault((int(own.hi[d]), int(own.lo[d])), []).append(d)
    classes = [0] * len(own.hi)
    leaders: list[tuple[set[int], NDArray[np.int64]]] = []
    for _, copies in sorted(by_fingerprint.items()):
        one = min(copies, key=lambda d: own.embeddings[d].tolist())
        words = set(own.words[own.offsets[one] : own.offsets[one + 1]].tolist())
        vector = own.embeddings[one].astype(np.int64)
        hits = (k for k, led in enumerate(leaders) if alike(words, led[0], vector, led[1]))
        number = next(hits, len(leaders))
        if number == len(leaders):
            leaders.append((words, vector))
        for d in copies:
            classes[d] = number
    return classes


@settings(max_examples=400)
@given(documents())
def test_the_partition_is_that_of_plain_leader_clustering(own: Documents) -> None:
    assert same_answers(*own).tolist() == reference(own)


@given(documents(), st.randoms(use_true_random=False))
def test_the_partition_does_not_depend_on_the_order(own: Documents, random: object) -> None:
    rows = list(range(len(own.hi)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert same_answers(*own.at(rows)).tolist() == same_answers(*own)[rows].tolist()


def test_there_are_no_chains() -> None:
    """Of three in a row the outer ones are in one class only if the middle one leads it."""
    ring = list(range(60))
    windows = [np.array(ring[first : first + 20], np.uint32) for first in (0, 4, 8)]
    angles = [0.0, 0.4, 0.8]
    embeddings = np.zeros((3, 256), np.int8)
    embeddings[:, 0] = [round(120 * np.cos(angle)) for angle in angles]
    embeddings[:, 1] = [round(120 * np.sin(angle)) for angle in angles]
    for fingerprint in itertools.permutations([1, 2, 3]):
        hi = np.array(fingerprint, np.uint64)
        classes = same_answers(np.arange(4) * 20, np.concatenate(windows), hi, hi, embeddings)
        assert (classes[0] == classes[2]) == (fingerprint[1] == 1)
        assert classes[1] in (classes[0], classes[2])


def test_neither_one_template_nor_one_topic_is_the_same() -> None:
    classes = same_answers(
        *sketched(
            [
                "Sure! Name your dog Buddy, a warm and loyal classic.",
                "You could name the dog Buddy: a warm, loyal, classic name.",
                "Sure! Name your opera Turandot, a dark and icy tragedy.",
                "Dogs need walks, food and water every single day of the year.",
                "Feed a puppy well and take it outside each morning.",
                "1984",
                "1984.",
                "42",
                "!?",
                "?!",
            ]
        )
    ).tolist()
    assert classes[0] == classes[1]
    assert classes[5] == classes[6]
    assert len(set(classes)) == 8


def test_where_the_embedder_has_nothing_to_say_words_decide() -> None:
    embeddings = np.zeros((3, 256), np.int8)
    words = np.array([1, 2, 3, 4, 1, 2, 3, 5, 1, 6, 7, 8], np.uint32)
    hi = np.arange(3, dtype=np.uint64)
    assert same_answers(np.arange(4) * 4, words, hi, hi, embeddings).tolist() == [0, 0, 1]


counts = st.lists(st.integers(1, 9), min_size=1, max_size=8).map(lambda c: np.array(c, np.int64))


@given(counts, st.integers(1, 40))
def test_figures_are_their_definitions(c: NDArray[np.int64], draws: int) -> None:
    own = Answers(c)
    n = int(c.sum())
    k = 1 + draws % n
    hurlbert = sum(1 - Fraction(comb(n - int(x), k), comb(n, k)) for x in c)
    assert own.distinct_rarefied(k) == pytest.approx(float(hurlbert), rel=1e-12)
    assert own.distinct_rarefied(n) == pytest.approx(own.distinct)
    assert own.effective == pytest.approx(exp(-sum(x / n * log(x / n) for x in c.tolist())))
    labels = np.repeat(np.arange(len(c)), c)
    same = [a == b for a, b in itertools.combinations(labels, 2)]
    assert own.same_chance == (sum(same) / len(same) if same else None)
    with pytest.raises(ValueError, match=f"of {n} answers"):
        own.distinct_rarefied(n + 1)


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
    """A prompt with one answer to give, one with many, one asked once, and no prompt."""
    jokes = ["Why did the scarecrow win an award? He was outstanding in his field."] * 5
    jokes += ["Why did the scarecrow win an award? Because he was outstanding in his field!"]
    names = ["Paris", "Oslo", "Quito", "Dakar"]
    own = sketched([*jokes, *names, "alone", "no prompt", "no prompt"])
    prompt = np.array([7] * 6 + [9] * 4 + [3] + [0] * 2, np.uint64)
    found = summarise(prompt, *own)
    assert (found.prompts, found.several, found.thinned, found.answers) == (3, 2, 0, 11)
    assert found.k == 4
    assert found.distinct == pytest.approx((1 + 4) / 2)
    assert found.effective == pytest.approx((1 + 4) / 2)
    assert found.same_chance == pytest.approx(0.5)
    assert found.gains == pytest.approx((1, 0.5, 0.5, 0.5, 0, 0))
    assert found.reached == (3, 2, 2, 2, 1, 1)
    assert found.saturates_at == 5
    (worst,) = found.collapsed
    assert (worst.prompt, worst.answers, worst.same_chance, worst.times) == (7, 6, 1.0, 6)
    assert worst.row in range(6)


def test_the_row_of_a_collapse_leads_its_commonest_answer() -> None:
    own = sketched(["red", *["blue"] * 8, "green", "yellow"])
    (worst,) = summarise(np.full(11, 5, np.uint64), *own).collapsed
    assert 1 <= worst.row <= 8
    assert worst.times == 8


def test_the_worst_collapse_comes_first() -> None:
    """By chance, then by how many answers there are, then by hash."""
    given = {9: ["a"] * 4, 5: ["a"] * 8 + ["b", "c"], 7: ["a"] * 6, 2: ["a"] * 4, 3: ["a"] * 3}
    own = sketched([*itertools.chain(*given.values())])
    prompt = np.repeat(np.array([*given], np.uint64), [*map(len, given.values())])
    assert [one.prompt for one in summarise(prompt, *own).collapsed] == [7, 2, 9, 5]


def test_nothing_to_judge() -> None:
    own = sketched(["one", "two"])
    for prompt, prompts in (([0, 0], 0), ([1, 2], 2)):
        found = summarise(np.array(prompt, np.uint64), *own)
        assert (found.prompts, found.several) == (prompts, 0)
        assert found.k is found.distinct is found.effective is found.same_chance is None
        assert found.collapsed == ()
        assert found.saturates_at is None
    assert summarise(np.zeros(0, np.uint64), *own.at([])).gains == ()


@st.composite
def asked(draw: st.DrawFn) -> tuple[NDArray[np.uint64], Documents, list[int]]:
    own = draw(documents(most=30))
    n = len(own.hi)
    prompt = draw(st.lists(st.sampled_from([0, 1, 2, 2**63]), min_size=n, max_size=n))
    return np.array(prompt, np.uint64), own, draw(st.permutations(range(n)))


@pytest.mark.parametrize("most", [3, 512])
def test_the_summary_does_not_depend_on_the_order(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_ANSWERS", most)
    monkeypatch.setattr(answers, "COLLAPSED_ANSWERS", 2)

    @given(asked())
    def check(case: tuple[NDArray[np.uint64], Documents, list[int]]) -> None:
        prompt, own, rows = case
        there, here = summarise(prompt, *own), summarise(prompt[rows], *own.at(rows))
        assert without_rows(here) == without_rows(there)
        for a, b in zip(here.collapsed, there.collapsed, strict=True):
            assert own.hi[rows[a.row]] == own.hi[b.row]
            assert own.lo[rows[a.row]] == own.lo[b.row]
            assert own.embeddings[rows[a.row]].tolist() == own.embeddings[b.row].tolist()

    check()


def without_rows(found: Prompts) -> tuple[object, ...]:
    figures = {k: v for k, v in vars(found).items() if k != "collapsed"}
    return (
        figures,
        [(one.prompt, one.answers, one.same_chance, one.times) for one in found.collapsed],
    )


@given(asked())
def test_the_summary_is_that_of_each_prompt(
    case: tuple[NDArray[np.uint64], Documents, list[int]],
) -> None:
    prompt, own, _ = case
    classes = [
        np.unique(same_answers(*own.at(np.flatnonzero(prompt == one).tolist())), return_counts=True)
        for one in np.unique(prompt[prompt != 0])
    ]
    several = [Answers(often) for _, often in classes if often.sum() > 1]
    found = summarise(prompt, *own)
    assert found.prompts == len(classes)
    assert found.several == len(several)
    assert list(found.gains) == pytest.approx(saturation([often for _, often in classes]))
    if several:
        assert found.k == min(10, sorted(one.answers for one in several)[(len(several) - 1) // 2])
        chances = [one.same_chance for one in several if one.same_chance is not None]
        assert found.same_chance == pytest.approx(np.mean(chances))
        assert found.effective == pytest.approx(np.mean([one.effective for one in several]))
        among = [one.distinct_rarefied(found.k) for one in several if one.answers >= found.k]
        assert found.distinct == pytest.approx(np.mean(among))
    expected = [
        (-one.same_chance, -one.answers)
        for one in several
        if one.answers >= 4 and one.same_chance is not None and one.same_chance >= 0.5
    ]
    assert [(-one.same_chance, -one.answers) for one in found.collapsed] == sorted(expected)


def test_a_prompt_with_very_many_answers_is_sampled_fairly() -> None:
    """Copies come by their number, not all or none: the chance stays what it was."""
    often = np.array([1200, 800, *[1] * 2000])
    kind = np.repeat(np.arange(len(often)), often)
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(len(often), 256))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings = np.clip(np.rint(unit * 254), -127, 127).astype(np.int8)
    hi = rng.integers(0, 2**63, len(often)).astype(np.uint64)
    n = len(kind)
    found = summarise(
        np.full(n, 8, np.uint64),
        np.arange(n + 1),
        kind.astype(np.uint32),
        hi[kind],
        hi[kind],
        embeddings[kind],
    )
    assert (found.answers, found.thinned, found.reached[0]) == (n, 1, 1)
    truth = Answers(often).same_chance
    assert found.same_chance == pytest.approx(truth, abs=0.04)
    assert found.same_chance != truth


def test_arrays_of_different_lengths_are_refused() -> None:
    own = sketched(["a", "b"])
    with pytest.raises(ValueError, match="3 prompts for 2 documents"):
        summarise(np.ones(3, np.uint64), *own)
    with pytest.raises(ValueError, match="offsets of 2 answers, 1 and 2 halves"):
        same_answers(own.offsets, own.words, own.hi[:1], own.lo, own.embeddings)


def test_jokes_of_one_model() -> None:
    """Over 90 % of these 1,008 jokes are 25 jokes (Jentzsch & Kersting 2023)."""
    path = DATA / "multisample/jokegpt.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; OUTCROSS_DATA names the folder of the corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        own = sketched([json.loads(line)["text"] for line in lines])
    largest = np.sort(np.bincount(same_answers(*own)))[::-1]
    assert 0.9 < largest[:25].sum() / len(own.hi) < 0.95


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
