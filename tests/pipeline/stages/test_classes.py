"""Junk among synthetic text: never preferred, never copied, and named in a warning."""

import random
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outcross.pipeline.commands.run import RunResult
from outcross.transforms.reference import fit_reference
from outcross.transforms.text.surface import Bands
from tests.pipeline.stages.test_select import TOPICS, select
from tests.support.corpora import write_jsonl

WORDS = [topic.split() for topic in TOPICS]
RARE = WORDS[3]


def texts(seed: int, documents: int, topics: list[list[str]]) -> list[str]:
    rng = np.random.default_rng(seed)
    return [
        " ".join(rng.choice(topics[rng.integers(len(topics))], rng.integers(15, 60)))
        for _ in range(documents)
    ]


def junk(seed: int, documents: int) -> list[str]:
    """Return texts of random characters, and of repeated words of the rare topic."""
    rng = random.Random(seed)
    return [
        "".join(rng.choices(string.printable[:95], k=rng.randrange(100, 400)))
        if i % 2
        else " ".join(rng.sample(RARE, 10) * rng.randrange(8, 20))
        for i in range(documents)
    ]


GOOD = texts(2, 900, WORDS[:3]) + texts(3, 30, WORDS[3:])
JUNK = junk(4, 50)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write synthetic text that lacks a quarter of the human topics but for the junk."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, documents in (("human", texts(1, 1600, WORDS)), ("synthetic", GOOD + JUNK)):
        write_jsonl(folder / f"{name}.jsonl", [{"text": text} for text in documents])
    return folder


def run(corpus: Path, out: Path) -> tuple[RunResult, list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the result, its rows of junk and its other synthetic rows."""
    asked = {"tokens": 25_000, "human_share": 0.02, "max_copies": {"synthetic": 4, "human": 4}}
    result, rows = select(corpus, out, **asked)
    rows = [row for row in rows if row["role"] == "synthetic"]
    strange = set(JUNK)
    return result, *([r for r in rows if (r["text"] in strange) is bad] for bad in (True, False))


def of_junk(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> float:
    bad, good = (sum(row["tokens"] for row in part) for part in (rows, others))
    return bad / (bad + good)


def test_junk_is_written_once_and_no_more_than_its_share(corpus: Path, tmp_path: Path) -> None:
    result, bad, good = run(corpus, tmp_path / "out")
    junk_lengths, good_lengths = (
        [len(re.findall(r"\w+", text)) for text in documents] for documents in (JUNK, GOOD)
    )
    natural = sum(junk_lengths) / (sum(junk_lengths) + sum(good_lengths))
    assert {row["of"] for row in bad} <= {1}
    assert len({row["id"] for row in bad}) == len(bad)
    assert of_junk(bad, good) <= natural * 1.02 + max(junk_lengths) / 20_000
    assert max(row["of"] for row in good) > 1
    (warning,) = [w for w in result.report.verdict.warnings if "look like no human text" in w]
    assert "of 980 synthetic documents" in warning
    band = r"by their compression, not 1\d\.\d% to 66\.\d%"
    assert re.search(band + r" \(such as synthetic/synthetic\.jsonl#9\d\d\)", warning)


def test_without_bands_junk_would_be_copied(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_reference, "set_bands", lambda surface: Bands())
    result, bad, _ = run(corpus, tmp_path / "out")
    assert max(row["of"] for row in bad) > 1
    assert not [w for w in result.report.verdict.warnings if "look like no human text" in w]
