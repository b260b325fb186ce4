"""Runs that choose documents in pieces: documents are counted, pieces are written."""

from __future__ import annotations

import json
import random
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from outcross.pipeline.cli.report_table import show_rows
from outcross.pipeline.commands.explain import explain_document, explain_removals
from outcross.pipeline.commands.run import dedup, run
from outcross.schemas.config import Config, parse
from outcross.schemas.report import Report
from outcross.schemas.user_input import ConfigError
from tests.support.commands import outcross
from tests.support.corpora import paragraphs, write_jsonl
from tests.support.units import units_of

BYTES = ("data", "removed")


def write_corpus(folder: Path) -> dict[str, str]:
    """Write human paragraphs and long generated documents; return the texts of these by id."""
    draw, texts = random.Random(1), paragraphs(20)
    human = [{"id": f"h{n}", "text": text} for n, text in enumerate(texts[:150])]
    generated: list[dict[str, Any]] = []
    for n in range(120):
        text = " ".join(draw.sample(texts, draw.choice([1, 3, 9])))
        text = generated[n - 1]["text"] if n % 15 == 7 else text
        generated.append({"id": f"g{n}", "text": text, "topic": f"t{n % 3}", "extra": [n]})
    write_jsonl(folder / "human.jsonl", human)
    write_jsonl(folder / "gpt.jsonl", generated)
    with (folder / "gpt.jsonl").open("a") as file:
        file.write("{broken\n")
    return {row["id"]: row["text"] for row in generated}


def config(folder: Path, out: Path, gpt: dict[str, Any] | None = None, **keys: Any) -> Config:
    gpt = {"pieces": "sentence"} if gpt is None else gpt
    fields = {"id_field": "id", "domain_field": "topic"}
    return parse(
        {
            "out": str(out),
            "tokens": 9000,
            "rounds": 2,
            "max_reject_share": 0.5,
            "sources": [
                {"name": "gpt", "role": "synthetic", "files": [str(folder / "gpt.jsonl")]}
                | fields
                | gpt,
                {"name": "human", "role": "human", "files": [str(folder / "human.jsonl")]}
                | {"id_field": "id"},
            ],
        }
        | keys
    )


def data(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("data/*")) for row in pq.read_table(path).to_pylist()]


def contents(out: Path) -> dict[str, bytes]:
    paths = [path for folder in BYTES for path in out.glob(f"{folder}/*")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def lines(out: Path) -> dict[str, dict[str, Any]]:
    report = json.loads((out / "report.json").read_text())
    return {line["source"]: line for line in report["conservation"]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("pieces")
    return folder, write_corpus(folder)


@pytest.fixture(scope="module")
def out(corpus: tuple[Path, dict[str, str]]) -> Path:
    folder, _ = corpus
    run(config(folder, folder / "out"))
    return folder / "out"


@pytest.fixture(scope="module")
def whole(corpus: tuple[Path, dict[str, str]]) -> Path:
    """Run over the same documents without pieces."""
    folder, _ = corpus
    run(config(folder, folder / "whole", gpt={}))
    return folder / "whole"


def test_documents_are_counted_as_without_pieces(out: Path, whole: Path) -> None:
    counted, expected = lines(out), lines(whole)
    for name in ("gpt", "human"):
        for key in ("filtered", "read", "rejected", "removed", "distinct", "kept"):
            assert counted[name][key] == expected[name][key], key
    assert counted["gpt"]["rejected"] == 1
    assert counted["gpt"]["removed"] > 5
    assert contents(out).keys() >= {"removed/removed-00000-of-00001.parquet"}
    removed = [pq.read_table(folder / "removed").to_pylist() for folder in (out, whole)]
    assert removed[0] == removed[1]
    rejects = [pq.read_table(folder / "rejects").to_pylist() for folder in (out, whole)]
    assert rejects[0] == rejects[1]


def test_removals_by_class_say_that_they_count_pieces(
    out: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, counted in ((out, True), (whole, False)):
        report = Report.model_validate_json((folder / "report.json").read_text())
        show_rows(Console(width=200), report)
        assert ("documents or pieces" in capsys.readouterr().out) == counted


def test_a_document_is_written_if_one_of_its_pieces_is(out: Path) -> None:
    line, rows = lines(out)["gpt"], [row for row in data(out) if row["topic"] is not None]
    documents = {row["id"] for row in rows}
    pieces = {(row["id"], row["outcross"]["piece"]) for row in rows}
    assert line["written"] == len(documents)
    assert sum(line["not_selected"].values()) == line["kept"] - len(documents)
    assert line["copies"] == len(rows) - len(pieces)
    (counts,) = json.loads((out / "report.json").read_text())["pieces"]
    assert counts["source"] == "gpt"
    assert counts["documents"] == line["kept"]
    assert counts["written_documents"] == len(documents)
    assert counts["written_pieces"] == len(pieces)
    assert counts["pieces"] > 2 * counts["documents"]


def test_pieces_keep_columns_and_say_where_they_stood(
    out: Path, corpus: tuple[Path, dict[str, str]]
) -> None:
    texts, parts = corpus[1], set()
    for row in data(out):
        of_run = row["outcross"]
        if of_run["source"] == "human":
            assert (of_run["piece"], of_run["pieces"]) == (None, None)
            continue
        number = int(row["id"][1:])
        assert (of_run["id"], row["topic"]) == (row["id"], f"t{number % 3}")
        assert (row["extra"], of_run["domain"]) == ([number], row["topic"])
        assert 1 <= of_run["piece"] <= of_run["pieces"]
        assert row["text"] in texts[row["id"]]
        assert (row["text"] == texts[row["id"]]) == (of_run["pieces"] == 1)
        parts.add(of_run["pieces"])
    assert len(parts) > 5


def test_pieces_of_a_document_stand_together_in_their_order(out: Path) -> None:
    rows = [row["outcross"] for row in data(out) if row["topic"] is not None]
    runs = [
        [row["piece"] for row in group]
        for _, group in groupby(rows, lambda row: (row["id"], row["copy"]))
    ]
    assert all(numbers == sorted(numbers) for numbers in runs)
    assert len(runs) == len({(row["id"], row["copy"]) for row in rows})
    assert max(map(len, runs)) > 1


@pytest.mark.parametrize(("workers", "size"), [(1, 64 << 20), (7, 24 << 10)])
def test_bytes_do_not_depend_on_workers_and_units(
    out: Path, corpus: tuple[Path, dict[str, str]], tmp_path: Path, workers: int, size: int
) -> None:
    with units_of(size):
        run(config(corpus[0], tmp_path / "out", workers=workers))
    assert contents(tmp_path / "out") == contents(out)


def test_a_run_with_pieces_has_no_more_pipelines(out: Path, whole: Path) -> None:
    counts = [json.loads((p / "manifest.json").read_text())["pipelines"] for p in (out, whole)]
    assert counts[0] == counts[1] == 6


def test_without_the_key_rows_have_no_piece(whole: Path) -> None:
    assert all("piece" not in row["outcross"] for row in data(whole))
    assert json.loads((whole / "report.json").read_text())["pieces"] == []


def test_weights_count_pieces(corpus: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    run(config(corpus[0], tmp_path / "out", copies="weights", max_copies=3))
    rows = [row for row in data(tmp_path / "out") if row["topic"] is not None]
    pieces = [(row["id"], row["outcross"]["piece"]) for row in rows]
    assert len(set(pieces)) == len(pieces)
    assert lines(tmp_path / "out")["gpt"]["copies"] == 0
    tokens = sum(
        row["outcross"]["weight"] * row["outcross"]["tokens"] for row in data(tmp_path / "out")
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert tokens == report["achieved"]["tokens"]


def test_documents_of_an_earlier_run_are_known_by_their_pieces(
    out: Path, corpus: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    written = {row["id"] for row in data(out) if row["topic"] is not None}
    keys = {"tokens": 2000, "human_share": 0, "best_effort": True}
    run(config(corpus[0], tmp_path / "out", against=[str(out)], **keys))
    removed = pq.read_table(tmp_path / "out" / "removed").to_pylist()
    known = {row["id"] for row in removed if row["kept_source"] == "out/gpt"}
    assert written <= known
    assert not known & {row["id"] for row in data(tmp_path / "out")}


def test_a_lineage_offers_earlier_documents_in_pieces_as_well(
    corpus: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, keys = corpus[0], {"lineage": str(tmp_path / "lineage"), "human_share": 0.2}
    run(config(folder, tmp_path / "first", **keys))
    texts = paragraphs(20)[-60:]
    rows = [{"id": f"n{n}", "text": text, "topic": "new"} for n, text in enumerate(texts)]
    write_jsonl(tmp_path / "new.jsonl", rows)
    files = {"files": [str(tmp_path / "new.jsonl")]}
    run(config(folder, tmp_path / "second", files, archive_source=9, **keys))
    report = json.loads((tmp_path / "second" / "report.json").read_text())
    assert [counts["source"] for counts in report["pieces"]] == ["first.gpt"]
    rows = [row["outcross"] for row in data(tmp_path / "second")]
    assert {row["source"] for row in rows if row["piece"] is not None} == {"first.gpt"}
    assert max(row["pieces"] or 0 for row in rows) > 2


def test_dedup_writes_whole_documents(
    out: Path, whole: Path, corpus: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    dedup(config(corpus[0], tmp_path / "out"))
    texts = corpus[1]
    rows = [row for row in data(tmp_path / "out") if row["topic"] is not None]
    assert all(row["text"] == texts[row["id"]] for row in rows)
    assert len(rows) == lines(whole)["gpt"]["kept"]
    assert all("piece" not in row["outcross"] for row in rows)


def test_explain_tells_the_pieces_of_a_document(
    out: Path, corpus: tuple[Path, dict[str, str]]
) -> None:
    rows = [row["outcross"] for row in data(out) if row["topic"] is not None]
    document = next(row for row in rows if row["pieces"] > 2)
    history = explain_document(str(out), document["id"])
    pieces = sorted((row["piece"], row["copy"]) for row in history.written)
    assert pieces == sorted(
        (row["piece"], row["copy"]) for row in rows if row["id"] == document["id"]
    )
    shown = outcross("explain", out, document["id"]).stdout
    numbers = sorted({piece for piece, _ in pieces})
    assert f"gpt: {len(numbers)} of its {document['pieces']} pieces written" in shown
    assert f"({', '.join(map(str, numbers))})" in shown


def test_explain_shows_the_whole_text_of_a_kept_document(
    out: Path, corpus: tuple[Path, dict[str, str]]
) -> None:
    removals = explain_removals(str(out), 100).figures["least_similar"]
    kept = [row for row in removals if row["kept_source"] == "gpt"]
    assert len(kept) > 5
    assert all(row["kept_text"] == corpus[1][row["kept_id"]] for row in kept)


def test_a_column_that_is_no_plain_text_is_refused(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "text": ["One here. Two there.", "Three."]} for n in range(30)]
    write_jsonl(tmp_path / "gpt.jsonl", rows)
    write_jsonl(tmp_path / "human.jsonl", [{"id": "h", "text": "A human text."}])
    with pytest.raises(ConfigError, match="pieces: the column 'text' of 'gpt' holds list"):
        run(config(tmp_path, tmp_path / "out"))
