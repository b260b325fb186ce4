"""Junk on its way through the command: written once at most, and known by a reference later."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.end_to_end.conftest import Run, run
from tests.pipeline.stages.test_classes import GOOD, JUNK, WORDS, texts
from tests.support.commands import outcross
from tests.support.corpora import write_jsonl


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("noise")
    rows = [("good", text) for text in GOOD] + [("junk", text) for text in JUNK]
    files = {
        "human": [{"id": f"h{i}", "text": text} for i, text in enumerate(texts(1, 1600, WORDS))],
        "synthetic": [{"id": f"{kind}-{i}", "text": text} for i, (kind, text) in enumerate(rows)],
    }
    sources = []
    for role, role_rows in files.items():
        path = write_jsonl(folder / f"{role}.jsonl", role_rows)
        sources.append({"name": role, "role": role, "files": [str(path)], "id_field": "id"})
    asked = {"tokens": 25_000, "human_share": 0.02, "max_copies": {"synthetic": 4, "human": 4}}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"out": str(folder / "out"), "sources": sources, **asked}))
    return run(config, out=folder / "out")


def test_a_twentieth_of_junk_is_neither_lifted_nor_copied(done):
    tokens = {"good": 0, "junk": 0}
    for row in done.data:
        provenance = row["outcross"]
        if provenance["source"] == "synthetic":
            kind = provenance["id"].split("-")[0]
            tokens[kind] += provenance["tokens"]
            assert kind == "good" or provenance["of"] == 1
    assert max(done.appearances.values()) > 1
    quotas = done.plan["quotas"]
    off = sum(quota["synthetic_off_support"] for quota in quotas)
    available_off = sum(quota["off_support_available"] for quota in quotas)
    available = available_off + sum(quota["synthetic_available"] for quota in quotas)
    assert (
        off / (off + sum(quota["synthetic"] for quota in quotas))
        <= available_off / available * 1.001
    )
    longest = max(row["outcross"]["tokens"] for row in done.data)
    assert tokens["junk"] <= off + longest
    assert "look like no human text" in " ".join(done.stderr.split())


def test_a_reference_knows_junk_in_another_corpus(done, tmp_path):
    path = write_jsonl(tmp_path / "junk.jsonl", [{"text": text} for text in JUNK + GOOD[:150]])
    asked = ["--reference", done.out / "reference", "--out", tmp_path / "out", "--json"]
    outcross("audit", path, *asked)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    share = report["judged"]["off_support"]
    assert share >= len(JUNK) / (len(JUNK) + 150)
    assert [w for w in report["verdict"]["warnings"] if "look like no human text" in w]
