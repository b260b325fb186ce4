"""A corpus in a script that the embedder can't read: said, and not judged by clusters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Corpus, write_rows
from tests.support.commands import outcross

_LATIN = "abcdefghijklmnopqrstuvwxyz"
CYRILLIC = str.maketrans(_LATIN + _LATIN.upper(), "абцдефгхийклмнопярстувшэыз" * 2)


@pytest.fixture(scope="module")
def folder(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People's texts in other letters, half of them as a corpus that is as diverse."""
    path = tmp_path_factory.mktemp("languages")
    texts = [{"text": row["text"].translate(CYRILLIC)} for row in corpus.rows["people"]]
    plain = [{"text": row["text"]} for row in corpus.rows["people"]]
    write_rows(path / "corpus.jsonl", texts[::2])
    write_rows(path / "human.jsonl", texts[1::2])
    write_rows(path / "plain.jsonl", plain[::2])
    return path


def known(report: Any) -> dict[str, Any]:
    return {line["source"]: line for line in report["known_words"]}


def test_an_audit_says_what_is_not_judged(folder: Path, tmp_path: Path) -> None:
    human = ["--human", folder / "human.jsonl", "--out", tmp_path / "out", "--workers", "1"]
    message = outcross("audit", folder / "corpus.jsonl", *human, code=None)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    corpus = known(report)["corpus"]
    assert corpus["enough"] is False
    assert corpus["share"] == corpus["known"] / corpus["words"] < 0.1
    warning = f"source 'corpus': the embedder knows {corpus['share']:.0%} of its words"
    assert any(text.startswith(warning) for text in report["verdict"]["warnings"])
    share = f"{corpus['share']:.0%}"
    sentence = f"Clusters of embeddings are not judged: the embedder knows {share} of the words."
    assert report["verdict"]["sentence"].endswith(sentence)
    outcomes = {line["name"]: line["outcome"] for line in report["judged"]["measures"]}
    assert outcomes["effective_clusters"] == outcomes["js"] == "not judged"
    # Words are seen in any language; here they are of too few documents to judge.
    assert outcomes["audit_js"] == outcomes["audit_effective_clusters"] == "too few"
    assert outcomes["near_duplicates"] == "go"
    assert "words that the embedder knows: corpus" in message.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "words known" in page
    assert sentence in page


def test_a_plan_carries_the_warning_of_each_source(folder: Path, tmp_path: Path) -> None:
    sources = ["--synthetic", folder / "plain.jsonl", "--human", folder / "human.jsonl"]
    message = outcross("plan", *sources, "--out", tmp_path / "out", "--workers", "1").stderr
    (warning,) = json.loads((tmp_path / "out" / "plan.json").read_text())["warnings"]
    assert warning.startswith("source 'human': the embedder knows ")
    assert "of its words, and below 60% clusters say little: " in warning
    assert warning in message
