"""Paraphrases from end to end, with a small encoder that the test writes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from outcross.pipeline.cli.explain_table import show_removals
from outcross.pipeline.commands.explain import explain_removals
from outcross.pipeline.commands.restore import restore
from outcross.pipeline.commands.run import dedup, run
from outcross.schemas.config import Config, parse
from outcross.schemas.user_input import ConfigError
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.onnx_bert import write_bert, write_static


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an encoder, and a corpus in which sentences stand in two orders of words."""
    folder, draw = tmp_path_factory.mktemp("semantic"), random.Random(0)
    plain = [[w for w in text.split() if w.isascii() and w.isalpha()] for text in paragraphs(20)]
    bases = [" ".join(words[:12]).lower() for words in plain if len(words) > 12][:260]
    human = [{"id": f"h{n}", "text": text} for n, text in enumerate(bases[:160])]
    shuffled = [" ".join(draw.sample(text.split(), k=12)) for text in bases[:60]]
    generated = [{"id": f"g{n}", "text": t} for n, t in enumerate([*shuffled, *bases[160:]])]
    write_jsonl(folder / "human.jsonl", human)
    write_jsonl(folder / "gpt.jsonl", generated)
    write_bert(folder / "encoder", longest=200)
    write_static(folder / "static")
    return folder


def config(folder: Path, out: Path, **keys: Any) -> Config:
    sources = [
        {"name": name, "role": role, "files": [str(folder / f"{name}.jsonl")], "id_field": "id"}
        for name, role in (("gpt", "synthetic"), ("human", "human"))
    ]
    values = {"out": str(out), "sources": sources}
    values["embedder"] = f"transformers:{folder / 'encoder'}"
    return parse({**values, **keys})


def removed_rows(out: Path) -> list[dict[str, Any]]:
    return [
        row for path in sorted(out.glob("removed/*")) for row in pq.read_table(path).to_pylist()
    ]


def test_paraphrases_are_removed_and_everything_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    result = dedup(config(folder, out, semantic_threshold=0.98))
    rows = [row for row in removed_rows(out) if row["stage"] == "semantic"]
    removal = result.report.deduplication
    assert removal.semantic == len(rows) > 10
    assert all(row["similarity"] >= 0.98 and "cosine" in row["rule"] for row in rows)
    assert not any(row["source"] == "human" and row["kept_source"] == "gpt" for row in rows)
    assert 0 < len(removal.least_semantic) <= 20
    assert removal.counts["paraphrases"] >= len(rows)
    assert sum(line.removed for line in result.report.conservation) == len(removed_rows(out))

    explained = explain_removals(str(out), 5)
    assert sum(line["semantic"] for line in explained.figures["sources"]) == len(rows)
    assert len(explained.figures["least_semantic"]) == 5
    assert {row["stage"] for row in explained.figures["least_similar"]} <= {"near", "exact"}
    show_removals(explained, as_json=False)
    assert "least similar paraphrases" in capsys.readouterr().out
    back = str(tmp_path / "back.jsonl")
    assert restore(str(out), back, {"stage": "semantic"}).rows == len(rows)
    assert "in other words" in (out / "report.html").read_text()

    without = tmp_path / "without"
    plain = dedup(config(folder, without)).report.deduplication
    assert (plain.semantic, plain.least_semantic) == (0, [])
    assert "paraphrases" not in plain.counts
    pipelines = [
        json.loads((path / "manifest.json").read_text())["pipelines"] for path in (out, without)
    ]
    assert pipelines[0] == pipelines[1]


def test_files_and_workers_change_no_verdict(folder: Path, tmp_path: Path) -> None:
    dedup(config(folder, tmp_path / "whole", semantic_threshold=0.98, workers=1))
    lines = (folder / "gpt.jsonl").read_text().splitlines(keepends=True)
    for n in range(3):
        (tmp_path / f"part{n}.jsonl").write_text("".join(reversed(lines[n::3])))
    sources = config(folder, tmp_path / "parts").model_dump(mode="json")["sources"]
    sources[0]["files"] = [str(tmp_path / "part*.jsonl")]
    parts = config(folder, tmp_path / "parts", semantic_threshold=0.98, sources=sources)
    dedup(parts)
    names = ("id", "source", "kept_id", "kept_source", "stage", "similarity")
    verdicts = [
        sorted(tuple(row[name] for name in names) for row in removed_rows(tmp_path / out))
        for out in ("whole", "parts")
    ]
    assert verdicts[0] == verdicts[1]


def test_a_run_says_what_it_took_of_each_class(folder: Path, tmp_path: Path) -> None:
    asked = config(folder, tmp_path / "run", semantic_threshold=0.98, tokens=800, rounds=1)
    losses = run(asked).report.deduplication.losses
    assert sum(line.semantic for line in losses if line.role == "all") > 10
    for line in losses:
        others = line.documents - line.exact - line.contained
        assert line.semantic_share == (line.semantic / others if others else None)
    again = config(
        folder, tmp_path / "next", semantic_threshold=0.98, against=[str(tmp_path / "run")]
    )
    dedup(again)
    assert any(row["kept_source"].startswith("run/") for row in removed_rows(tmp_path / "next"))


def test_what_cannot_be_compared_is_refused(folder: Path, tmp_path: Path) -> None:
    for embedder in (None, f"static:{folder / 'static'}"):
        with pytest.raises(ConfigError, match="semantic_threshold: only works with an encoder"):
            config(folder, tmp_path / "out", embedder=embedder, semantic_threshold=0.95)
    dedup(config(folder, tmp_path / "earlier", embedder=None))
    later = config(
        folder, tmp_path / "out", semantic_threshold=0.95, against=[str(tmp_path / "earlier")]
    )
    with pytest.raises(ConfigError, match=r"against: .*earlier was made with no embeddings"):
        dedup(later)
