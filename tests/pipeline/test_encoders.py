"""Commands with each kind of embedder, on small models that the test writes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands.audit import audit, build_reference
from outcross.pipeline.commands.compare import compare
from outcross.pipeline.commands.preview import preview
from outcross.pipeline.commands.run import plan, run
from outcross.schemas.audit import AuditRequest, ReferenceRequest
from outcross.schemas.config import Config, parse
from outcross.schemas.report import EmbedderReport
from outcross.schemas.user_input import ConfigError
from outcross.transforms.encoders.load import load_embedder
from outcross.transforms.text.words import split_words
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.onnx_bert import write_bert, write_static
from tests.support.promises import promised_hashes
from tests.support.tokenizers import write_tokenizer
from tests.support.units import batches_of, units_of

KINDS = ["static", "fp32", "int8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a corpus and three models."""
    folder = tmp_path_factory.mktemp("encoders")
    texts, draw = paragraphs(20), random.Random(0)
    human = [{"id": f"h{n}", "text": text} for n, text in enumerate(texts[:300])]
    generated = [
        {"id": f"g{n}", "text": " ".join(draw.sample(text.split(), k=len(text.split())))}
        for n, text in enumerate(texts[300:500])
    ]
    write_jsonl(folder / "human.jsonl", human)
    write_jsonl(folder / "gpt.jsonl", generated)
    write_static(folder / "static")
    write_bert(folder / "fp32")
    write_bert(folder / "int8", int8=True, hidden=96)
    return folder


def key_of(folder: Path, kind: str) -> str:
    return f"{'static' if kind == 'static' else 'transformers'}:{folder / kind}"


def config(folder: Path, out: Path, kind: str, **keys: Any) -> Config:
    sources = [
        {"name": name, "role": role, "files": [str(folder / f"{name}.jsonl")], "id_field": "id"}
        for name, role in (("gpt", "synthetic"), ("human", "human"))
    ]
    values = {"out": str(out), "embedder": key_of(folder, kind), "sources": sources}
    return parse({**values, "tokens": 4000, "rounds": 2, **keys})


@pytest.mark.parametrize("kind", KINDS)
def test_every_command_works_with_every_embedder(
    folder: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = key_of(folder, kind)
    reference = str(tmp_path / "reference")
    request = ReferenceRequest(
        human=[str(folder / "human.jsonl")], out=reference, embedder=key, workers=1
    )
    fingerprint = build_reference(request)
    described = json.loads((tmp_path / "reference" / "reference.json").read_text())
    assert described["embedder_name"] == f"{key.partition(':')[0]}:{kind}"

    keys = {"reference": reference, "workers": 1}
    planned = plan(config(folder, tmp_path / "run", kind, **keys))
    result = run(config(folder, tmp_path / "run", kind, **keys))
    assert result.plan is not None
    assert result.plan.to_json() == planned.to_json()
    assert result.report.reference is not None
    assert result.report.reference.fingerprint == fingerprint
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["embedder"] == described["embedder"]
    assert manifest["embedder_model"]["name"] == described["embedder_name"]
    assert "tokenizer.json" in manifest["embedder_model"]["files"]

    shown = result.report.embedder
    assert shown is not None
    assert shown.name == described["embedder_name"]
    if kind == "static":  # it reads whole texts
        assert shown.texts is None
    else:
        assert shown.texts == 500
        assert 0 < (shown.cut_share or 0) <= 1
        assert 0 < (shown.read_share or 0) < 1
        assert (shown.texts_per_second or 0) > 0

    reports = []
    for name in ("human", "gpt"):
        out = str(tmp_path / f"audit-{name}")
        asked = AuditRequest(
            paths=[str(folder / f"{name}.jsonl")], reference=reference, out=out, embedder=key
        )
        reports.append((out, audit(asked).report))
    assert compare(reports).reference == fingerprint
    # An audit of the same files has read the same texts.
    paths = [str(folder / f"{name}.jsonl") for name in ("gpt", "human")]
    asked = AuditRequest(paths=paths, reference=reference, out=str(tmp_path / "same"), embedder=key)
    assert without_speed(audit(asked).report.embedder) == without_speed(shown)

    # An audit of the run reads the texts that the run has written.
    asked = AuditRequest(paths=[str(tmp_path / "run")], out=str(tmp_path / "own"))
    written = pq.read_table(tmp_path / "run" / "data")["text"]
    reading = load_embedder(key).embed(split_words(written), written).reading
    expected = without_speed(shown)
    if reading is not None:
        expected |= {
            "texts": len(written),
            "cut": reading.cut,
            "cut_share": reading.cut / len(written),
            "read_share": reading.read / reading.characters,
            "tokens": reading.tokens,
        }
        assert len(written) < 500
    assert without_speed(audit(asked).report.embedder) == expected
    assert f"note: embedder is that of the run, {key}\n" in capsys.readouterr().err


def without_speed(embedder: EmbedderReport | None) -> dict[str, Any]:
    assert embedder is not None
    return embedder.model_dump(exclude={"texts_per_second"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict[str, str]]]]:
    """Run with dynamic int8, a tokenizer and paraphrases; return the folder and the sources' rows.

    Some generated texts have the words of human ones in another order.
    """
    folder, draw = tmp_path_factory.mktemp("whole"), random.Random(0)
    plain = [[w for w in text.split() if w.isascii() and w.isalpha()] for text in paragraphs(20)]
    texts = [" ".join(words[:12]).lower() for words in plain if len(words) > 12][:360]
    texts[160:220] = [" ".join(draw.sample(text.split(), k=12)) for text in texts[:60]]
    rows = {
        "human": [{"id": f"h{n}", "text": text} for n, text in enumerate(texts[:160])],
        "gpt": [{"id": f"g{n}", "text": text} for n, text in enumerate(texts[160:])],
    }
    for name, of_source in rows.items():
        write_jsonl(folder / f"{name}.jsonl", of_source)
    write_bert(folder / "int8", int8=True, longest=200, hidden=96)
    write_tokenizer(folder / "tokenizer")
    report = run(all_of_it(folder, folder / "out", workers=1)).report
    assert report.deduplication.semantic > 10
    assert report.achieved is not None
    assert report.achieved.tokens > 12 * sum(line.written for line in report.conservation)
    return folder, rows


def all_of_it(folder: Path, out: Path, **keys: Any) -> Config:
    settings = {"tokenizer": str(folder / "tokenizer"), "semantic_threshold": 0.93}
    return config(folder, out, "int8", **settings, **keys)


@pytest.mark.parametrize("change", ["units and blocks", "workers, order and files"])
def test_neighbours_and_workers_change_no_byte(
    whole: tuple[Path, dict[str, list[dict[str, str]]]], tmp_path: Path, change: str
) -> None:
    folder, rows = whole
    asked = all_of_it(folder, tmp_path / "out", workers=1 if change == "units and blocks" else 3)
    if change == "workers, order and files":
        draw = random.Random(1)
        for source in asked.sources:
            mixed = draw.sample(rows[source.name], len(rows[source.name]))
            for n in range(0, len(mixed), 37):
                write_jsonl(tmp_path / source.name / f"{n:03d}.jsonl", mixed[n : n + 37])
            source.files[:] = [str(tmp_path / source.name / "*.jsonl")]
    cut = change == "units and blocks"
    with units_of(6_000 if cut else 1 << 20), batches_of(1_000 if cut else 1 << 20):
        run(asked)
    assert promised_hashes(tmp_path / "out") == promised_hashes(folder / "out")


def test_batches_and_files_change_no_byte(folder: Path, tmp_path: Path) -> None:
    run(config(folder, tmp_path / "whole", "fp32", workers=1))
    lines = (folder / "gpt.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    for n in range(3):
        (tmp_path / "parts" / f"{n}.jsonl").write_text("".join(lines[n * 70 : (n + 1) * 70]))
    asked = config(folder, tmp_path / "cut", "fp32", workers=3)
    asked.sources[0].files[:] = [str(tmp_path / "parts" / "*.jsonl")]
    run(asked)
    assert promised_hashes(tmp_path / "cut") == promised_hashes(tmp_path / "whole")
    assert list(tmp_path.glob("whole/data/*"))


def test_another_embedder_than_the_references_is_refused_by_name(
    folder: Path, tmp_path: Path
) -> None:
    reference = str(tmp_path / "reference")
    build_reference(
        ReferenceRequest(
            human=[str(folder / "human.jsonl")], out=reference, embedder=key_of(folder, "static")
        )
    )
    for kind, name in (("fp32", str(folder / "fp32")), (None, "static MiniLM table")):
        asked = config(folder, tmp_path / "out", kind or "fp32", reference=reference)
        if kind is None:
            asked = asked.model_copy(update={"embedder": None})
        with pytest.raises(ConfigError, match=r"^reference: .*made with embedder static:static"):
            preview(asked)
        with pytest.raises(ConfigError, match=f"this run has embedder .*{name}"):
            run(asked)
    assert not (tmp_path / "out" / ".outcross").exists()


def test_a_model_that_cannot_be_loaded_stops_before_data_is_read(
    folder: Path, tmp_path: Path
) -> None:
    asked = config(folder, tmp_path / "out", "missing")
    asked.sources[0].files[:] = [str(tmp_path / "no-such-file.jsonl")]
    for command in (preview, plan, run):
        with pytest.raises(ConfigError, match=r"^embedder: .*missing' is no directory"):
            command(asked)
    assert not (tmp_path / "out").exists()
