"""Runs whose tokens a tokenizer counts: what is kept stays, what is written fits the budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands.audit import audit, build_reference
from outcross.pipeline.commands.preview import preview
from outcross.pipeline.commands.run import dedup, plan, run
from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.config import Config, parse
from outcross.schemas.user_input import ConfigError
from outcross.transforms.text.passages import split_passages
from tests.pipeline.test_pieces import config as config_of
from tests.pipeline.test_pieces import write_corpus
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.tokenizers import bytes_tokenizer, write_tokenizer

TOKENS = 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    write_corpus(folder)
    write_tokenizer(folder / "bytes")
    write_tokenizer(folder / "other", merges=1)
    return folder


def config(folder: Path, out: str, gpt: dict[str, Any] | None = None, **keys: Any) -> Config:
    keys = {"tokens": TOKENS, "tokenizer": str(folder / "bytes"), **keys}
    kept = {key: value for key, value in keys.items() if value is not None}
    return config_of(folder, folder / out, gpt=gpt or {}, **kept)


@pytest.fixture(scope="module")
def words(folder: Path) -> Path:
    run(config(folder, "words", tokenizer=None, tokens=9000))
    return folder / "words"


@pytest.fixture(scope="module")
def counted(folder: Path) -> Path:
    run(config(folder, "counted"))
    return folder / "counted"


def json_of(out: Path, name: str) -> Any:
    return json.loads((out / name).read_text())


def rows(out: Path, folder: str = "data") -> list[dict[str, Any]]:
    return pq.read_table(out / folder).to_pylist()


def tokens_of(text: str) -> int:
    return len(bytes_tokenizer().encode(text).ids)


def test_rows_and_totals_are_in_the_tokens_of_the_tokenizer(counted: Path) -> None:
    written = rows(counted)
    for row in written:
        assert row["outcross"]["tokens"] == tokens_of(row["text"])
    total = sum(row["outcross"]["tokens"] for row in written)
    report, planned = (json_of(counted, name) for name in ("report.json", "plan.json"))
    achieved = report["achieved"]
    assert achieved["tokens"] == total
    assert abs(total - TOKENS) <= achieved["longest_document"] / 2
    assert planned["reached"]["tokens"] == pytest.approx(TOKENS)
    for stage in report["stages"][-1:]:
        assert stage["roles"]["all"]["tokens"] == total
    assert sum(shard["figures"]["tokens"] for shard in report["shards"]) == total


def test_plan_report_manifest_and_card_name_the_tokenizer(counted: Path, words: Path) -> None:
    named = json_of(counted, "plan.json")["tokenizer"]
    assert named["name"] == "bytes"
    assert json_of(counted, "report.json")["tokenizer"] == named
    assert json_of(counted, "manifest.json")["tokenizer"] == named
    assert json_of(counted, "reference/reference.json")["tokenizer"] == named
    assert f"`bytes (sha256 {named['sha256'][:12]})`" in (counted / "README.md").read_text()
    files = ("plan.json", "report.json", "manifest.json", "reference/reference.json", "README.md")
    for name in files:
        assert "tokenizer" not in (words / name).read_text()


def test_deduplication_and_measures_do_not_know_the_tokenizer(counted: Path, words: Path) -> None:
    assert rows(counted, "removed") == rows(words, "removed")
    ours, theirs = (json_of(out, "report.json") for out in (counted, words))
    assert ours["deduplication"] == theirs["deduplication"]
    in_tokens = {"tokens", "token_entropy", "kl_to_reference"}
    for our, their in zip(ours["stages"][:1], theirs["stages"][:1], strict=True):
        for role, figures in our["roles"].items():
            for name in figures.keys() - in_tokens:
                assert figures[name] == their["roles"][role][name], name
    pool = "reference/pool/unit-000000.parquet"
    assert (counted / pool).read_bytes() == (words / pool).read_bytes()


def test_without_an_embedding_too(folder: Path) -> None:
    source = {"name": "gpt", "role": "synthetic", "files": [str(folder / "gpt.jsonl")]}
    request = {"max_reject_share": 0.5, "sources": [source], "tokenizer": str(folder / "bytes")}
    result = dedup(parse({**request, "out": str(folder / "deduplicated")}))
    assert result.report.tokenizer is not None
    for row in rows(folder / "deduplicated"):
        assert row["outcross"]["tokens"] == tokens_of(row["text"])


def test_runs_in_other_tokens_are_repeated_too(folder: Path, words: Path) -> None:
    source = {"name": "gpt", "role": "synthetic", "files": [str(folder / "gpt.jsonl")]}
    request = {"max_reject_share": 0.5, "sources": [source], "against": [str(words)]}
    removed = []
    for name, keys in (("a", {}), ("b", {"tokenizer": str(folder / "bytes")})):
        dedup(parse({**request, **keys, "out": str(folder / f"against-{name}")}))
        removed.append(rows(folder / f"against-{name}", "removed"))
    assert removed[0] == removed[1]
    assert any(row["kept_source"] != "gpt" for row in removed[0])


def test_pieces_hold_at_most_the_asked_tokens(folder: Path) -> None:
    pieces = {"pieces": "sentence", "piece_tokens": 300}
    run(config(folder, "pieces", gpt=pieces))
    texts = {row["id"]: row["text"] for row in map(json.loads, _lines(folder / "gpt.jsonl"))}
    written = [row for row in rows(folder / "pieces") if row["outcross"]["source"] == "gpt"]
    assert any(row["outcross"]["pieces"] > 1 for row in written)
    assert sum(row["outcross"]["tokens"] > 150 for row in written) > len(written) / 3
    for row in written:
        assert row["text"] in texts[row["id"]]
        assert row["outcross"]["tokens"] == tokens_of(row["text"])
        sentences = split_passages(pa.array([texts[row["id"]]]), "sentence", 1)
        alone = sentences.texts(np.arange(len(sentences.starts))).to_pylist()
        assert row["outcross"]["tokens"] <= 300 or row["text"] in alone


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith('{"')]


def test_the_same_run_is_not_done_again_and_another_tokenizer_is(
    folder: Path, counted: Path
) -> None:
    work = counted / ".outcross"
    sketches = {path.name for path in work.glob("sketch-*")}
    run(config(folder, "counted"))
    assert {path.name for path in work.glob("sketch-*")} == sketches
    plan(config(folder, "counted", tokenizer=str(folder / "other")))
    assert len({path.name for path in work.glob("sketch-*")} - sketches) == 1


def test_a_plan_in_other_tokens_is_refused(folder: Path, counted: Path) -> None:
    given = {"plan": str(counted / "plan.json"), "tokens": None}
    asked = config(folder, "planned", tokenizer=str(folder / "other"), **given)
    with pytest.raises(ConfigError, match=r"tokenizer: .*plan\.json \(plan\) counts tokens of byt"):
        run(asked)


def test_a_reference_in_other_tokens_is_refused(folder: Path, counted: Path, words: Path) -> None:
    for tokenizer, reference in ((None, counted), (str(folder / "bytes"), words)):
        asked = {"tokenizer": tokenizer, "reference": str(reference / "reference")}
        for command in (run, preview):
            with pytest.raises(ConfigError, match=r"tokenizer: .* \(reference\) counts"):
                command(config(folder, "referred", **asked))
        request = {"paths": [str(folder / "gpt.jsonl")], "out": str(folder / "audited")}
        with pytest.raises(ConfigError, match=r"tokenizer: .* \(reference\) counts"):
            audit(AuditRequest.model_validate(request | asked))


def test_an_audit_of_a_run_counts_as_the_run(folder: Path, counted: Path) -> None:
    request = {"paths": [str(counted)], "out": str(folder / "audit")}
    result = audit(AuditRequest.model_validate(request))
    achieved = json_of(counted, "report.json")
    assert result.report.tokenizer is not None
    assert result.report.tokenizer.model_dump() == achieved["tokenizer"]
    tokens = sum(row["outcross"]["tokens"] for row in rows(counted) if row["outcross"]["copy"] == 1)
    known = json_of(folder / "audit", "report.json")["stages"][0]["roles"]["all"]["tokens"]
    assert 0 < known <= tokens


@pytest.mark.parametrize("place", ["other", "gone"])
def test_an_audit_counts_by_the_run_s_copy_of_a_tokenizer_that_changed(
    folder: Path, counted: Path, tmp_path: Path, place: str
) -> None:
    run_folder = tmp_path / "run"
    shutil.copytree(counted, run_folder)
    manifest = json_of(run_folder, "manifest.json")
    manifest["configuration"]["tokenizer"] = str(folder / place)
    (run_folder / "manifest.json").write_text(json.dumps(manifest))
    request = AuditRequest(paths=[str(run_folder)], out=str(tmp_path / "audit"))
    report = audit(request).report
    stored = json_of(counted, "report.json")["tokenizer"]["sha256"]
    assert report.tokenizer is not None
    assert report.tokenizer.sha256 == stored

    for copy in (run_folder / ".outcross").glob("tokenizer-*"):
        copy.unlink()
    with pytest.raises(ConfigError, match=r"^tokenizer: .*run has counted tokens of bytes .*more"):
        audit(AuditRequest(paths=[str(run_folder)], out=str(tmp_path / "again")))


def test_a_reference_is_built_with_the_tokenizer_of_its_runs(folder: Path) -> None:
    request = ReferenceRequest(
        human=[str(folder / "human.jsonl")],
        out=str(folder / "built"),
        tokenizer=str(folder / "bytes"),
    )
    build_reference(request)
    asked = config(folder, "built-run", reference=str(folder / "built"))
    assert plan(asked).tokenizer is not None


def test_a_lineage_keeps_its_tokens(folder: Path) -> None:
    texts = paragraphs(40)
    for name, part in (("one", texts[::2]), ("two", texts[1::2])):
        write_jsonl(folder / f"{name}.jsonl", [{"text": text} for text in part])
    keys = {"lineage": str(folder / "loop"), "tokens": 20_000}

    def generation(name: str, **other: Any) -> Config:
        asked = config(folder, name, **keys, **other)
        human = asked.sources[1].model_copy(
            update={"files": [str(folder / f"{name}.jsonl")], "id_field": None}
        )
        return asked.model_copy(update={"sources": [asked.sources[0], human]})

    run(generation("one"))
    state = json_of(folder / "loop", "lineage.json")
    assert state["tokenizer"]["name"] == "bytes"
    for other in (None, str(folder / "other")):
        with pytest.raises(ConfigError, match=r"tokenizer: .* \(lineage\) counts tokens of bytes"):
            run(generation("two", tokenizer=other))
    result = run(generation("two"))
    place = result.report.lineage
    assert place is not None
    assert place.ledger.tokens == state["generations"][0]["fresh"]["tokens"]
    for row in rows(folder / "two"):
        assert row["outcross"]["tokens"] == tokens_of(row["text"])
