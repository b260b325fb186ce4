"""Copies as weights are the same corpus as copies that are rows, in fewer rows."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from tests.end_to_end.conftest import Run, run, write_rows
from tests.support.commands import outcross
from tests.support.promises import promised_bytes

# Synthetic documents have to be repeated for it, and not all human ones are taken.
ASKED = ["--tokens", 100_000, "--human-share", 0.1, "--max-copies-synthetic", 4]


@pytest.fixture(scope="module")
def rows(corpus, base, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("rows") / "out"
    shutil.copytree(base.out, out)
    return run(corpus.config(out), *ASKED, out=out)


@pytest.fixture(scope="module")
def weights(corpus, rows, tmp_path_factory) -> Run:
    """Ask for the other kind of copies, where the first result stands."""
    out = tmp_path_factory.mktemp("weights") / "out"
    shutil.copytree(rows.out, out)
    return run(corpus.config(out), *ASKED, "--copies", "weights", out=out)


def weight_of(result: Run) -> Counter:
    """Return the weight of all rows of each document."""
    weights: Counter = Counter()
    for row in result.data:
        weights[row["outcross"]["source"], row["outcross"]["id"]] += row["outcross"]["weight"]
    return weights


def test_every_document_is_one_row_and_weighs_its_copies(rows, weights):
    assert set(weights.appearances.values()) == {1}
    assert weight_of(weights) == weight_of(rows) == rows.appearances
    assert sum(weight_of(weights).values()) == len(rows.data) > len(weights.data)
    first = {
        (row["outcross"]["source"], row["outcross"]["id"]): row
        for row in rows.data
        if row["outcross"]["copy"] == 1
    }
    for row in weights.data:
        expected = first[row["outcross"]["source"], row["outcross"]["id"]]
        provenance = expected["outcross"] | {"of": 1, "weight": float(expected["outcross"]["of"])}
        assert row == expected | {"outcross": provenance}


def test_figures_are_of_the_weighted_corpus(rows, weights):
    by_rows, by_weights = (dict(result.report) for result in (rows, weights))
    requests = [by_rows.pop("asked"), by_weights.pop("asked")]
    assert [asked.pop("copies") for asked in requests] == ["rows", "weights"]
    assert requests[0] == requests[1]
    shards = by_rows.pop("shards"), by_weights.pop("shards")
    for measure in ("documents", "tokens", "copies"):
        sums = [sum(shard["figures"][measure] for shard in found) for found in shards]
        assert sums[0] == sums[1] == by_rows["stages"][-1]["roles"]["all"][measure]
    lines = by_rows.pop("conservation"), by_weights.pop("conservation")
    assert any(line["not_selected"].get("quota") for line in lines[0])
    assert sum(line["copies"] for line in lines[0]) == len(rows.data) - len(weights.data)
    assert [line | {"copies": 0} for line in lines[0]] == lines[1]
    assert by_weights == by_rows
    assert by_weights["achieved"]["most_copies"] == max(rows.appearances.values()) > 2


def test_promises_hold_in_the_files_and_shard_by_shard(rows, weights):
    assert weights.plan["shards"] == len(weights.report["shards"]) < rows.plan["shards"]
    tokens: Counter = Counter()
    for shard in weights.report["shards"]:
        own = pq.read_table(weights.out / "data" / shard["file"], columns=["outcross"]).to_pylist()
        found = [row["outcross"] for row in own]
        assert shard["rows"] == len(found)
        assert shard["figures"]["documents"] == sum(row["weight"] for row in found) > len(found)
        for role in ("human", "synthetic"):
            part = sum(row["weight"] * row["tokens"] for row in found if row["role"] == role)
            tokens[role] += part
            if role == "human":
                assert shard["human_share"] == pytest.approx(part / shard["figures"]["tokens"])
    achieved = weights.report["achieved"]
    assert abs(tokens["human"] - 10_000) <= achieved["longest_document"] / 2
    assert {role: achieved[f"{role}_tokens"] for role in tokens} == tokens
    for line in weights.report["conservation"]:
        assert line["read"] == line["kept"] + line["removed"] + line["rejected"]
        assert line["kept"] == line["written"] + sum(line["not_selected"].values())
        assert line["written"] == sum(
            row["outcross"]["source"] == line["source"] for row in weights.data
        )


def test_a_person_is_told(corpus, rows, weights, tmp_path):
    told = f"copies are weights: {len(weights.data):,} rows that count as {len(rows.data):,}"
    assert told in weights.stdout
    assert "copies are weights" not in rows.stdout
    page = (weights.out / "report.html").read_text()
    assert "Copies are weights" in page
    assert "as weights" in page
    assert "Copies are weights" not in (rows.out / "report.html").read_text()
    out = tmp_path / "out"
    shutil.copytree(weights.out, out)
    shown = outcross("plan", corpus.config(out), *ASKED, "--copies", "weights").stdout
    assert f"{weights.plan['shards']} shards, copies as weights" in shown


def test_the_card_says_how_to_train_on_it(rows, weights, tmp_path, monkeypatch):
    """Run the page's code as it stands; only the sampler is replaced."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(weights.out)
    card = (weights.out / "README.md").read_text()
    sampled, repeated = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    torch = SimpleNamespace(data=SimpleNamespace(WeightedRandomSampler=_Sampler))
    names: dict = {"torch": SimpleNamespace(utils=torch)}
    exec(sampled.replace("import datasets, torch", "import datasets"), names)
    assert names["sampler"].num_samples == len(rows.data)
    assert sum(names["sampler"].weights) == len(rows.data)
    exec(repeated, names)
    own = Counter((row["source"], row["id"]) for row in names["rows"]["outcross"])
    assert own == rows.appearances
    assert f"{len(weights.data):,} rows count as {len(rows.data):,} documents" in card
    assert "```python" not in (rows.out / "README.md").read_text()


class _Sampler:
    def __init__(self, weights: list[float], num_samples: int) -> None:
        self.weights, self.num_samples = weights, num_samples


def test_a_plan_carries_the_kind_of_copies(corpus, base, weights, tmp_path):
    plan = weights.out / "plan.json"
    out = tmp_path / "out"
    shutil.copytree(base.out, out)
    config = corpus.config(out, workers=1)
    refused = outcross("run", config, "--plan", plan, "--copies", "rows", code=2)
    assert "leave out copies" in refused.stderr
    done = run(config, "--plan", plan, out=out)
    assert promised_bytes(done.out) == promised_bytes(weights.out)
    assert done.report["shards"] == weights.report["shards"]


def test_an_audit_counts_each_document_once_in_either_kind(rows, weights, tmp_path):
    reports = []
    for name, result in (("rows", rows), ("weights", weights)):
        out = tmp_path / name
        done = outcross("audit", result.out, "--out", out, "--json", code=None)
        report = json.loads(done.stdout)
        assert sum(line["read"] for line in report["conservation"]) == len(weights.data)
        for line in report["conservation"]:
            del line["filtered"]  # the rows of further copies
        reports.append({name: value for name, value in report.items() if name != "shards"})
    assert reports[0] == reports[1]


def test_a_later_run_knows_what_was_written(rows, weights, tmp_path):
    texts = [{"text": row["text"]} for row in rows.data if row["outcross"]["role"] == "human"][:50]
    batch = write_rows(tmp_path / "batch.jsonl", [*texts, {"text": "something that is new"}])
    for name, result in (("rows", rows), ("weights", weights)):
        out = tmp_path / name
        outcross("dedup", "--synthetic", batch, "--out", out, "--against", result.out)
        assert [row["text"] for row in Run(out, "", "").data] == ["something that is new"]


def test_deduplication_has_no_copies(corpus, base, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(base.out, out)
    refused = outcross("dedup", corpus.config(out), "--copies", "weights", code=2)
    assert "No such option" in refused.stderr
    outcross("dedup", corpus.config(out, copies="weights"))  # in a YAML it may stay
    for row in Run(out, "", "").data:
        assert [row["outcross"][name] for name in ("copy", "of", "weight")] == [1, 1, 1]
