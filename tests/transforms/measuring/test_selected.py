"""The totals are those of plain loops over all documents, however units and lanes are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from outcross.pipeline.engine.engines import pipeline_options, run_pipeline
from outcross.schemas.documents import Unit
from outcross.transforms.estimators.compression import BLOCK, BLOCKS
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.measuring.selected import SelectedSums
from outcross.transforms.measuring.totals import NO_DOCUMENT, ROLES, USES, SourceSums, Totals
from outcross.transforms.selection.uses import BEYOND, OFF_SUPPORT, TOO_LONG
from outcross.transforms.sketches.passages import PassageRows
from outcross.transforms.sketches.store import Sketches
from tests.support.columns import save_columns
from tests.support.references import TOPICS, Documents

SOURCES = ["synthetic", "human", "exclude", "synthetic"]
Columns = dict[str, NDArray[Any]]


def sample(large: Documents, rng: np.random.Generator, n: int) -> tuple[Documents, Columns]:
    """Draw documents, some of them equal, and their columns."""
    documents = large.take(rng.integers(0, n, n))
    sketch = documents.sketch
    names = [None if number == 0 else f"d{number}" for number in rng.integers(0, 4, n).tolist()]
    changes = {
        "domain": pa.array(names, pa.string()),
        "size": pa.array(rng.integers(1, 1000, n), pa.int64()),
        "length": pa.array(rng.integers(1, 3 * BLOCK, n), pa.int64()),
        "prompt": pa.array(rng.integers(0, 3, n).astype(np.uint64)),
    }
    for name, column in changes.items():
        sketch = sketch.set_column(sketch.schema.get_field_index(name), name, column)
    kept = rng.random(n) < 0.8
    columns = {
        "partner": np.where(kept, -1, 0),
        "copies": np.where(kept, rng.choice([0, 1, 1, 2, 3], n), 0).astype(np.int32),
        "use": rng.integers(0, USES, n).astype(np.int8),
        "domain": rng.integers(0, 3, n).astype(np.int16),
        "cluster": rng.integers(0, TOPICS - 1, n).astype(np.int32),
    }
    return Documents(sketch, documents.cells), columns


def add_up(
    folder: Path,
    sketches: Sketches,
    columns: Columns,
    lanes: Sequence[Sequence[Unit]],
    planned: bool = True,
) -> Totals:
    """Add up by a pipeline."""
    source = np.repeat([unit.source for unit in sketches.units], np.diff(sketches.offsets))
    columns["copies"][source == SOURCES.index("exclude")] = 0
    save_columns(str(folder / "columns"), sketches, columns)
    sums = folder / "sums"
    sums.mkdir()
    where = str(folder / "columns")
    work = SelectedSums(
        roles=SOURCES,
        offsets=sketches.offsets,
        sketches=sketches.folder,
        verdicts=where,
        selection=where,
        assignments=where if planned else None,
        uses=where if planned else None,
        clusters=TOPICS if planned else 0,
        named=planned,
    )
    run_pipeline(
        lambda root: root | beam.Create(lanes) | SumUnits(work, str(sums)),
        pipeline_options(2, ()),
    )
    return Totals.load(str(sums), len(SOURCES), work.clusters)


@pytest.mark.parametrize("units", [2, 3, 8, 65])
def test_totals_are_those_of_plain_loops(large: Documents, tmp_path: Path, units: int) -> None:
    rng = np.random.default_rng(units)
    documents, columns = sample(large, rng, 400)
    sketches = documents.write(tmp_path / "sketches", units, sources=[0, 1, 2, 3])
    lanes = [sketches.units[::-2], sketches.units[::-1][1::2]]
    totals = add_up(tmp_path, sketches, columns, lanes)
    rows = documents.sketch.to_pylist()
    source = np.repeat([unit.source for unit in sketches.units], np.diff(sketches.offsets)).tolist()
    copies, use = columns["copies"].tolist(), columns["use"].tolist()
    kept = (columns["partner"] < 0).tolist()
    for number in range(len(SOURCES)):
        members = [row for row in range(400) if source[row] == number]
        chosen = [row for row in members if copies[row]]
        weight = {row: copies[row] * rows[row]["tokens"] for row in members}
        most = max(weight.values(), default=0)
        answers = [row for row in members if rows[row]["prompt"]]
        expected = {
            "kept": sum(kept[row] for row in members),
            "removed": sum(not kept[row] for row in members),
            "selected": len(chosen),
            "rows": sum(copies[row] for row in members),
            "tokens": sum(weight.values()),
            "worded": sum(amount > 0 for amount in weight.values()),
            "selected_size": sum(rows[row]["size"] for row in chosen),
            "removed_size": sum(rows[row]["size"] for row in members if not kept[row]),
            "answers": len(answers),
            "kept_answers": sum(kept[row] for row in answers),
            "longest": max((rows[row]["tokens"] for row in chosen), default=0),
            "copies": max((copies[row] for row in members), default=0),
            "heaviest": most,
            "document": min(row for row in members if weight[row] == most)
            if members
            else NO_DOCUMENT,
        }
        assert {name: getattr(totals.sources, name)[number] for name in expected} == expected
        unselected = Counter(use[row] for row in members if kept[row] and not copies[row])
        assert totals.sources.unselected[number].tolist() == [unselected[u] for u in range(USES)]
    cells: Counter[tuple[int, int, int]] = Counter()
    often: Counter[tuple[int, int, int]] = Counter()
    most_copies: Counter[tuple[int, int]] = Counter()
    named: Counter[str] = Counter()
    for row in range(400):
        named[rows[row]["domain"] or ""] += copies[row]
        if copies[row]:
            domain, role = int(columns["domain"][row]), ROLES.index(SOURCES[source[row]])
            cell = domain, role, int(columns["cluster"][row])
            cells[cell] += copies[row] * rows[row]["tokens"]
            often[cell] += copies[row]
            most_copies[domain, role] = max(most_copies[domain, role], copies[row])
    for domain, sums in totals.cells.items():
        for role in range(2):
            assert sums.copies[role] == most_copies[domain, role]
            for cluster in range(TOPICS):
                assert sums.tokens[role, cluster] == cells[domain, role, cluster]
                assert sums.rows[role, cluster] == often[domain, role, cluster]
    assert sum(int(sums.rows.sum()) for sums in totals.cells.values()) == sum(copies)
    assert totals.domains.copies == named
    key = documents.key.tolist()
    order = sorted((row for row in range(400) if copies[row]), key=lambda row: (key[row], row))
    for cluster in range(TOPICS):
        first = [row for row in order if columns["cluster"][row] == cluster][:1]
        assert totals.examples.document[cluster] == (first or [NO_DOCUMENT])[0]
    wanted, size = [], 0
    for row in order:
        if size >= BLOCK * BLOCKS:
            break
        wanted.append(row)
        size += min(rows[row]["length"], BLOCK)
    assert totals.texts.document.tolist() == wanted


def test_without_plan_and_clusters_the_rest_is_counted(large: Documents, tmp_path: Path) -> None:
    documents, columns = sample(large, np.random.default_rng(0), 90)
    sketches = documents.write(tmp_path / "sketches", 3, sources=[0])
    totals = add_up(tmp_path, sketches, columns, [sketches.units], planned=False)
    assert totals.sources.rows.sum() == columns["copies"].sum()
    assert len(totals.texts.document)
    assert (len(totals.examples.document), totals.cells, totals.domains.copies) == (0, {}, {})


def test_documents_are_counted_by_their_passages() -> None:
    passages = PassageRows(
        document=np.array([0, 0, 1, 2, 2, 2, 3, 3, 4]),
        number=np.array([1, 2, 1, 1, 2, 3, 1, 2, 1], np.int32),
        of=np.array([2, 2, 1, 3, 3, 3, 2, 2, 1], np.int32),
    )
    kept = np.array([True, True, False, True, True, True, True, True, True])
    copies = np.array([0, 2, 0, 1, 0, 1, 0, 0, 0], np.int64)
    use = np.array([4, 3, 0, 3, 3, 3, TOO_LONG, OFF_SUPPORT, BEYOND], np.int8)
    sketch = pa.table(
        {
            "tokens": np.arange(1, 10),
            "size": np.full(9, 10),
            "prompt": np.zeros(9, np.uint64),
        }
    )
    sums = SourceSums.of(2, 1, 100, kept, copies, use, sketch, passages)
    assert (sums.kept[1], sums.removed[1], sums.selected[1]) == (4, 1, 2)
    assert (sums.pieces[1], sums.selected_pieces[1], sums.rows[1]) == (8, 3, 4)
    assert sums.tokens[1] == 2 * 2 + 4 + 6
    expected = np.zeros(USES, int)
    expected[[OFF_SUPPORT, BEYOND]] = 1
    assert sums.unselected[1].tolist() == expected.tolist()
    whole = SourceSums.of(2, 1, 100, kept, copies, use, sketch)
    assert (whole.kept[1], whole.pieces[1]) == (8, 8)
