"""`examples/own_pipeline.py` on Python's own documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import own_pipeline
import pytest

import outcross
from tests.support.human_texts import human_paragraphs


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference")
    write(folder / "human.jsonl", [paragraph.text for paragraph in human_paragraphs()[:1500]])
    request = outcross.ReferenceRequest(
        human=[str(folder / "human.jsonl")], out=str(folder / "out")
    )
    outcross.build_reference(request)
    return str(folder / "out")


def write(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def test_clusters_that_the_corpus_lacks_come_first(
    reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [letters(paragraph.text) for paragraph in human_paragraphs()[:40]]
    write(tmp_path / "corpus.jsonl", texts)
    arguments = [str(tmp_path / "corpus.jsonl"), "--reference", reference]
    own_pipeline.main([*arguments, "--work", str(tmp_path / "work")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["corpus", "human", "cluster"]
    assert [line.split()[0] for line in lines[1:]] == ["0.00%"] * 10
    counted = sum(tokens for _, tokens in own_pipeline.read_counts(tmp_path / "work"))
    assert counted == sum(len(text.split()) for text in texts)


def letters(text: str) -> str:
    """Return the text's words of letters alone, whose number nobody disputes."""
    return " ".join(re.findall("[A-Za-z]+", text))


def test_shares_add_up_to_all(reference: str) -> None:
    clusters = own_pipeline.compare({0: 30, 1: 10}, outcross.load_reference(reference))
    assert sum(line.corpus for line in clusters) == pytest.approx(1)
    assert sum(line.reference for line in clusters) == pytest.approx(1)
    assert {line.cluster: line.corpus for line in clusters if line.corpus} == {0: 0.75, 1: 0.25}
    ratios = [line.corpus / line.reference for line in clusters]
    assert ratios == sorted(ratios)


def test_what_cannot_be_measured_is_refused(
    reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "corpus.jsonl", ["a text in a column of another name"])
    arguments = [str(tmp_path / "corpus.jsonl"), "--reference", reference, "--work"]
    with pytest.raises(SystemExit, match="--text-field name the column"):
        own_pipeline.main([*arguments, str(tmp_path / "work"), "--text-field", "answer"])
    with pytest.raises(SystemExit):
        own_pipeline.main([*arguments, str(tmp_path / "work")])
    assert "choose a folder that does not exist yet" in capsys.readouterr().err
