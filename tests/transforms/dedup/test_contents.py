"""Contents are in memory only until their files are made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from outcross.transforms.dedup import bins
from outcross.transforms.dedup.contents import Contents
from outcross.transforms.dedup.rules import Party
from tests.support.corpora import (
    SETTINGS,
    HeldSketches,
    contents_of,
    corpus_of,
    deduplicate,
    source,
    verdicts_in,
)

WORDS, DOCUMENTS = 2000, 80
EXACT = replace(SETTINGS, exact=True)


@pytest.fixture(scope="module")
def sketches() -> HeldSketches:
    rng = np.random.default_rng(0)
    common = [f"common{number}" for number in range(WORDS)]
    rows = []
    for number in range(DOCUMENTS):
        rare = [f"rare{word}" for word in rng.integers(0, 1 << 30, WORDS // 4)]
        rows.append({"id": str(number), "text": " ".join([*common, *rare])})
    return HeldSketches([(0, rows[:50]), (0, rows[50:])])


def test_measures_keep_nothing_of_the_table(sketches: HeldSketches) -> None:
    before = pa.total_allocated_bytes()
    table = contents_of(sketches, np.arange(DOCUMENTS))
    taken = pa.total_allocated_bytes() - before
    assert taken > 4 * WORDS * DOCUMENTS
    with Contents(EXACT) as contents:
        shingles, _ = contents.measures(table)
        del table
        assert pa.total_allocated_bytes() - before < taken / 10
        similarity = shingles(np.array([0, 1]), np.array([2, 2]))
    assert ((similarity > 0.5) & (similarity < 0.8)).all()


def test_a_bin_without_its_words_decides(
    sketches: HeldSketches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketches.save(tmp_path)
    decide, taken = bins.decide, []

    def watched(*arguments: Any) -> Any:
        taken.append(pa.total_allocated_bytes() - before)
        return decide(*arguments)

    monkeypatch.setattr(bins, "decide", watched)
    corpus = corpus_of(sketches, [Party(source("all", "human", "x", id_field="id"))])
    before = pa.total_allocated_bytes()
    deduplicate(tmp_path / "out", sketches, corpus, EXACT)
    assert len(taken) == 1
    assert taken[0] < WORDS * DOCUMENTS
    assert verdicts_in(tmp_path / "out", sketches).kept.all()
