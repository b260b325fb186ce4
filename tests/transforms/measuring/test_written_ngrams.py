"""The n-grams that are written are those of plain loops over all copies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.measuring.written_ngrams import CountWritten, written_counts
from outcross.transforms.selection.distance import DISTANCE_BUCKETS
from outcross.transforms.sketches.store import NGRAM_COLUMNS, ngram_runs
from outcross.transforms.text.ngrams import bigram
from tests.support.columns import save_columns
from tests.support.references import Population
from tests.support.sums import add_up


@pytest.mark.parametrize(("lanes", "share"), [(1, 1.0), (2, 1.0), (5, 0.4)])
def test_all_copies_of_sampled_documents_count(tmp_path: Path, lanes: int, share: float) -> None:
    documents = Population().draw(120, 5)
    copies = np.random.default_rng(6).choice([0, 0, 1, 2], 120).astype(np.int32)
    sketches = documents.write(tmp_path / "sketches", 4)
    save_columns(str(tmp_path / "copies"), sketches, {"copies": copies})
    work = CountWritten(sketches.folder, str(tmp_path / "copies"), share, 3)
    add_up(work, [sketches.units[lane::lanes] for lane in range(lanes)], str(tmp_path))
    offsets, ids = ngram_runs(documents.sketch.select(NGRAM_COLUMNS))
    hashes = seeded_hash(*documents.fingerprints, 3, "written")
    sampled = np.where(hashes < share * 2.0**64, copies, 0)
    assert (sampled.sum() < copies.sum()) == (share < 1)
    words, pairs = Counter[int](), Counter[int]()
    mask = DISTANCE_BUCKETS - 1
    for start, stop, times in zip(offsets[:-1], offsets[1:], sampled.tolist(), strict=True):
        for place in range(start, stop):
            words[int(ids[place]) & mask] += times
            if place > start:
                pairs[int(bigram(ids[place - 1], ids[place], mask))] += times
    counted = written_counts(str(tmp_path))
    for counts, expected in ((counted.words, words), (counted.pairs, pairs)):
        assert {b: n for b, n in enumerate(counts.tolist()) if n} == {
            b: n for b, n in expected.items() if n
        }
