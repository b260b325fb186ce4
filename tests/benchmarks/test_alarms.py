import base64
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.schemas.figures import Measure

PATH = Path(__file__).parents[2] / "benchmarks" / "measures" / "alarms.py"


@pytest.fixture(scope="module")
def alarms():
    spec = importlib.util.spec_from_file_location("alarms", PATH)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def measure(name, against, error=0.01, outcome="go"):
    human = {"human": 1.0, "low": 0.9, "high": 1.1, "value": against}
    return Measure(name=name, against=against, error=error, n=100, outcome=outcome, **human)


@given(texts=st.lists(st.text(max_size=4), max_size=40), seed=st.integers(0, 99))
def test_halves_hold_every_text_once_and_repeats_together_in_any_order(alarms, texts, seed):
    first, other = alarms.halves(texts, seed)
    assert Counter(first) + Counter(other) == Counter(texts)
    assert not set(first) & set(other)
    again = alarms.halves(texts[::-1], seed)
    assert [sorted(half) for half in again] == [sorted(first), sorted(other)]


def test_halves_of_different_seeds_cut_independently(alarms):
    texts = [f"text {i}" for i in range(4000)]
    first, other = (set(alarms.halves(texts, seed)[0]) for seed in (0, 1))
    assert len(first) == pytest.approx(2000, abs=150)
    assert len(first & other) == pytest.approx(1000, abs=150)


def test_junk_has_the_characters_the_lines_or_the_length_of_texts(alarms):
    texts = [f"First line of {i}.\n\nAnother one, {i * i}.\n" for i in range(50)]
    drawn = alarms.junk(texts, 100, 3)
    assert sum(map(len, drawn.values())) == 100
    assert drawn == alarms.junk(texts, 100, 3) != alarms.junk(texts, 100, 4)
    characters = {"".join(sorted(text)) for text in texts}
    assert all("".join(sorted(junk)) in characters for junk in drawn["shuffled"])
    assert not set(drawn["shuffled"]) & set(texts)
    lines = {line for text in texts for line in text.splitlines() if line}
    for junk in drawn["one line"]:
        (line,) = set(junk.split("\n"))
        assert line in lines
        assert junk.count(line) >= 10
    for junk in drawn["base64"]:
        assert base64.b64encode(base64.b64decode(junk, validate=True)).decode() == junk
        assert abs(len(junk) - len(texts[-1])) < 10


def test_the_generation_from_which_on_an_order_holds(alarms):
    def sets(*against):
        return [measure("vocabulary", value) for value in against]

    early = [sets(0.5, 0.7, 1.0), sets(0.9, 0.8, 1.0), sets(0.5, 0.52, 1.0), sets(0.3, 0.6, 1.0)]
    assert alarms.ordered_from(early, 0) == 3
    assert alarms.ordered_from(early, 1.96) == 4
    assert alarms.ordered_from(early[:2], 0) == 3  # never: one more than there are
    assert alarms.ordered_from(early[:1], 0) == 1
    assert alarms.ordered_from([sets(0.5, None, 1.0)], 0) == 2


def test_of_a_divergence_the_larger_one_is_less_diverse(alarms):
    falling = [[measure("js", value, 0.001) for value in (0.05, 0.02, 0.0)]]
    assert alarms.ordered_from(falling, 1.96) == 1
    assert alarms.ordered_from([falling[0][::-1]], 0) == 2


def test_more_alarms_than_are_allowed_are_told_by_set(alarms):
    def split(verdict, outcome):
        measured = measure("js", 0.1, outcome=outcome).model_dump()
        return {"verdict": verdict, "documents": 10, "measures": {"js": measured}}

    quiet, loud = split("go", "go"), split("stop", "stop")
    halves = {
        "good": [quiet] * 100,
        "once": [quiet] * 99 + [loud],
        "bad": [quiet] * 98 + [loud] * 2,
    }
    assert alarms.false_alarms(halves, 0.01, "") == ["bad: 2 of 100 halves are stopped"]
    assert len(alarms.false_alarms(halves, 0, "")) == 2
