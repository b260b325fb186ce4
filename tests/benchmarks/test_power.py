import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.schemas.figures import Measure
from outcross.schemas.gates import Gates

FOLDER = Path(__file__).parents[2] / "benchmarks" / "measures"


@pytest.fixture(scope="module")
def power():
    before = list(sys.path)
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("power", FOLDER / "power.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["power"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


@given(
    texts=st.lists(st.text(max_size=3), max_size=60),
    size=st.integers(1, 30),
    seed=st.integers(0, 99),
    least=st.integers(1, 40),
    corpora=st.integers(1, 4),
)
def test_reference_and_corpora_are_drawn_of_different_rows(
    power, texts, size, seed, least, corpora
):
    power.LEAST_HUMAN = least
    parts = power.split(texts, size, seed, corpora)
    assert (parts == []) == (len(texts) < 2 * size)
    if parts:
        reference, *others = parts
        assert 1 <= len(others) <= corpora
        assert {len(corpus) for corpus in others} == {size}
        assert len(reference) == min(max(size, least), len(texts) - size)
        assert sum(map(Counter, parts), Counter()) <= Counter(texts)
        assert len(others) == corpora or len(texts) - sum(map(len, parts)) < size
        assert parts == power.split(texts[::-1], size, seed, corpora)


def test_copies_of_a_text_are_drawn_one_by_one(power):
    power.LEAST_HUMAN = 100
    reference, corpus = power.split(["same"] * 100 + [f"text {i}" for i in range(100)], 100, 4)
    assert 30 < reference.count("same") < 70
    assert reference.count("same") + corpus.count("same") == 100


def test_templated_documents_are_frames_and_letters(power):
    texts = [f"It is number {i} of the {i * i} texts that were told." for i in range(40)]
    documents = power.templated(texts, 60, 2)
    assert documents == power.templated(texts, 60, 2) != power.templated(texts, 60, 3)
    frames, letters = documents[::2], documents[1::2]
    for document in frames:
        assert any(document.startswith(a) and document.endswith(b) for a, b in power.FRAMES)
        assert sum(text in document for text in texts) == 1
    kept = {tuple(text.split()[place] for place in (0, 1, 3, 4)) for text in texts}
    used = Counter(tuple(letter.split()[place] for place in (0, 1, 3, 4)) for letter in letters)
    assert set(used) <= kept
    assert len(used) <= power.LETTERS


def test_what_stands_in_the_file_is_not_measured_again(power, tmp_path, monkeypatch):
    drawn = power.Drawn(["human"], [("one", ["a"]), ("other", ["b"]), ("other", ["c"])])
    calls = []

    def audits(drawn, seed):
        calls.append(seed)
        for name, texts in drawn.corpora:
            yield [{"name": name, "seed": seed, "texts": texts}]

    monkeypatch.setitem(power.CHECKS, "halves", lambda data, size, seed: iter([drawn]))
    monkeypatch.setitem(power.TRIALS, "halves", {300: 3})
    monkeypatch.setattr(power, "audits", audits)
    lines = tmp_path / "lines.jsonl"
    first = power.measured(["halves"], [300], tmp_path, lines)
    assert calls == [0, 1, 2]
    assert len(first) == 9
    assert [measures[0]["texts"] for measures in first.values()][:3] == [["a"], ["b"], ["c"]]
    assert power.measured(["halves"], [300], tmp_path, lines) == first
    assert calls == [0, 1, 2]


def test_trials_are_judged_anew_by_other_gates(power):
    measure = Measure(
        name="openings", value=0.3, human=0.1, low=0, high=1, against=0.2, error=0.01, n=200,
        outcome="stop",
    ).model_dump()  # fmt: skip
    trial = power.Trial("halves", "reviews", 300, 0)
    assert power.verdicts({trial: [measure]}, Gates())[trial].outcome == "stop"
    loose = Gates(openings={"warn": 0.5, "stop": 0.6})
    assert power.verdicts({trial: [measure]}, loose)[trial].outcome != "stop"
