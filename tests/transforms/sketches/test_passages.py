"""Rows that are passages: aligned with their sketches, at the places of their documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.schemas.sources import Source
from outcross.transforms.reading.pieces import plan_units
from outcross.transforms.reading.read import read_unit
from outcross.transforms.sketches.passages import (
    PassageRows,
    of_documents,
    passage_units,
    read_rows,
    texts_of,
)
from outcross.transforms.sketches.sketch_documents import SketchDocuments
from outcross.transforms.sketches.store import Sketches
from tests.support.corpora import NUM_PERM, over, source, write_jsonl

TEXTS = [
    "One is here. Two is there. Three is far away.",
    "Short.",
    "",
    "A first. A second. A third. A fourth. A fifth. A sixth.",
    "No marks in all of these words at all",
]


def rows() -> list[dict[str, object]]:
    return [{"id": f"d{n}", "text": text, "n": n} for n, text in enumerate(TEXTS * 3)]


def corpus(folder: Path, format_: str, **keys: object) -> list[Source]:
    path = folder / f"x.{format_}"
    folder.mkdir(exist_ok=True)
    if format_ == "jsonl":
        write_jsonl(path, rows())
    else:
        pq.write_table(pa.Table.from_pylist(rows()), path, row_group_size=4)
    options = {"pieces": "sentence", "piece_tokens": 5, "id_field": "id"}
    return [
        source("people", "human", write_jsonl(folder / "people.jsonl", [{"text": "A human."}])),
        source("gpt", "synthetic", path, **(options | keys)),
    ]


def sketched(folder: Path, sources: list[Source], size: int = 1 << 20) -> Sketches:
    folder.mkdir()
    units = plan_units(sources, size)
    units += passage_units(units, sources)
    over([units], SketchDocuments(sources, str(folder), 5, NUM_PERM))
    return Sketches(str(folder), units)


def test_passages_have_units_of_their_own_after_those_of_documents(tmp_path: Path) -> None:
    sources = corpus(tmp_path / "in", "jsonl")
    units = plan_units(sources, 200)
    cut = passage_units(units, sources)
    assert [unit.index for unit in cut] == list(range(len(units), len(units) + len(cut)))
    assert [unit.passages_of for unit in cut] == [u.index for u in units if u.source == 1]
    assert all(unit.pieces == units[unit.passages_of or 0].pieces for unit in cut)
    assert passage_units(units, [s.model_copy(update={"pieces": None}) for s in sources]) == []


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
@pytest.mark.parametrize("batch_bytes", [1, 150, 8 << 20])
def test_passages_stand_at_the_places_of_their_documents(
    tmp_path: Path, format_: str, batch_bytes: int
) -> None:
    sources = corpus(tmp_path / "in", format_)
    for unit in passage_units(plan_units(sources, 1 << 20), sources):
        documents = list(read_unit(replace(unit, passages_of=None), sources[1], batch_bytes))
        passages = list(read_rows(unit, sources[1], batch_bytes))
        whole = {
            int(row): values
            for block in documents
            for row, values in zip(block.rows, block.batch.to_pylist(), strict=True)
        }
        found: dict[int, list[str]] = {}
        for block in passages:
            assert block.batch.column("text").equals(block.text)
            assert block.rejects == []
            for row, values in zip(block.rows.tolist(), block.batch.to_pylist(), strict=True):
                assert values | {"text": ""} == whole[row] | {"text": ""}
                found.setdefault(row, []).append(values["text"])
        assert {row: " ".join(texts) for row, texts in found.items()} == {
            row: values["text"] for row, values in whole.items()
        }
        assert max(map(len, found.values())) == 3
        for name in ("lines", "bytes"):
            assert sum(getattr(block, name) for block in passages) == sum(
                getattr(block, name) for block in documents
            )


def test_sketches_of_passages_are_aligned_with_their_documents(tmp_path: Path) -> None:
    sources = corpus(tmp_path / "in", "jsonl")
    for size in (1 << 20, 200):
        sketches = sketched(tmp_path / str(size), sources, size)
        assert sketches.document_count == 13
        assert [u.passages_of is None for u in sketches.documents] == [True] * len(
            sketches.documents
        )
        offered = {unit.index for unit in sketches.offered}
        assert offered == {0, *(unit.index for unit in sketches.replaced.values())}
        counts, texts = [], []
        for unit in sketches.replaced.values():
            places = PassageRows.load(sketches.folder, unit)
            report = sketches.reports[unit.index]
            assert (report.rows, report.rejected) == (len(places.document), 0)
            assert places.documents == sketches.reports[unit.passages_of or 0].rows
            counts += places.of[places.number == 1].tolist()
            every = np.arange(len(places.document))
            texts += texts_of(sketches.folder, unit, sources[1], every, ["text"])["text"]
            some = every[::-2][::-1]
            chosen = texts_of(sketches.folder, unit, sources[1], some, ["text"])["text"]
            assert chosen == texts[len(texts) - len(every) :][(len(every) - 1) % 2 :: 2]
            own = sketches.table(unit.passages_of or 0, ["id"])["id"].to_numpy()
            assert of_documents(sketches.folder, unit, ["id"])[0].tolist() == (
                own[places.document].tolist()
            )
        assert counts == [3, 1, 3, 1] * 3
        assert texts[:3] == ["One is here.", "Two is there.", "Three is far away."]
        assert texts[4:7] == ["A first. A second.", "A third. A fourth.", "A fifth. A sixth."]


def test_the_first_chosen_passage_and_the_most_of_a_document() -> None:
    document = np.array([0, 0, 0, 1, 2, 2])
    places = PassageRows(document, np.array([1, 2, 3, 1, 1, 2], np.int32), np.zeros(6, np.int32))
    chosen = np.array([False, True, True, False, True, True])
    assert places.first_of(chosen).tolist() == [False, True, False, False, True, False]
    assert places.most(np.array([0, 1, 2, 0, 1, 1], np.int32)).tolist() == [2, 0, 1]
