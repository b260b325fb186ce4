"""The made documents repeat each other as they say, and a small run finds it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import scale
from scale_corpus import MadeCorpus
from scale_entries import observe, partition_sizes
from scale_projection import SIZES, print_projection, project


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}


def test_repeats_are_as_similar_as_they_say() -> None:
    corpus = MadeCorpus(1200, words=80)
    texts = corpus.texts(np.arange(1200)).to_pylist()
    human = corpus.is_human(np.arange(1200))
    seen: set[int] = set()
    for changed, documents, originals in corpus.repeats():
        assert not human[documents].any()
        assert not human[originals].any()
        assert (corpus.changed(originals) == -1).all()
        assert seen.isdisjoint(originals.tolist())
        seen.update(originals.tolist())
        for document, original in zip(documents.tolist(), originals.tolist(), strict=True):
            left, right = shingles(texts[document]), shingles(texts[original])
            similarity = len(left & right) / len(left | right)
            assert similarity == pytest.approx(corpus.similarity(changed), abs=0.03)
    assert len(seen) == 1200 * 5 // 6 // 100 * 5


def test_a_text_does_not_depend_on_the_others(tmp_path: Path, monkeypatch) -> None:
    corpus = MadeCorpus(600, words=60, seed=3)
    whole = corpus.texts(np.arange(600)).to_pylist()
    chosen = np.array([7, 95, 599])
    assert corpus.texts(chosen).to_pylist() == [whole[d] for d in chosen]
    monkeypatch.setattr("scale_corpus.SHARD", 250)
    patterns = corpus.write(tmp_path)
    assert list(patterns) == ["model-0", "people"]
    rows = [row for path in tmp_path.glob("*/*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {int(row["id"]): row["text"] for row in rows} == dict(enumerate(whole))


def test_a_small_run_is_measured(tmp_path: Path) -> None:
    corpus = MadeCorpus(1200, words=100)
    figures = scale.measure(corpus, tmp_path, 1, "local", Path(".engines"))
    assert json.loads(json.dumps(figures)) == figures
    assert 0 < figures["driver_peak_bytes"] <= figures["peak_bytes"] < 2e9
    assert 0 < figures["pipelines"] <= 19
    assert figures["shuffled_bytes"]["write"] > 1200
    # A stage that ends before a busy machine looks at it has no sample.
    assert set(figures["stage_peak_bytes"]) <= {"start", *figures["stage_seconds"]}
    assert "sketch" in figures["stage_peak_bytes"]
    found = {level["changed_words"]: level["found"] for level in figures["repeats"]}
    planted = {level["changed_words"]: level["planted"] for level in figures["repeats"]}
    assert found[0] == planted[0] == 20
    assert found[1] == planted[1]
    assert figures["other_removals"] == 0
    assert figures["units"] >= 2
    scale.print_figures([figures])


def test_a_projection_is_a_straight_line(capsys: pytest.CaptureFixture[str]) -> None:
    def run(documents: int) -> dict[str, object]:
        return {
            "documents": documents,
            "words": 300,
            "engine": "local",
            "workers": 2,
            "seconds": 10 + documents / 1000,
            "shuffled_bytes": {"deduplicate": 40 * documents, "write": 400 * documents},
            "work_bytes": 2000 * documents,
            "work_files": 100,
            "units": 10,
            "input_bytes": 1000 * documents,
            "output_files": 4,
            "driver_peak_bytes": 5e8,
        }

    rows = project([run(10_000), run(100_000)])
    for documents, row in zip(SIZES, rows, strict=True):
        assert row["core_hours"] == pytest.approx((10 + documents / 1000) * 2 / 3600)
        assert row["shuffled_bytes"] == pytest.approx(440 * documents)
        assert row["partitions"] == pytest.approx(max(1, 400 * documents / 2e9))
        assert row["units"] == max(256, 1000 * documents / (256 << 20))
        assert row["files"] == pytest.approx(10 * row["units"] + 4)
        assert row["driver_bytes"] == 5e8
    print_projection([run(10_000), run(100_000)])
    assert "| 10¹¹ |" in capsys.readouterr().out
    with pytest.raises(ValueError, match="two"):
        project([run(10_000)])


def test_partitions_hold_all_entries_and_a_hot_group_stays_whole() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**63, (2000, 3)).astype(np.uint64)
    values[:100, 1] = 7  # a hot group
    values[200:202] = values[300:302]
    bands = observe(values)
    assert bands.hot == [0.05]
    assert bands.groups == {1: 6000 - 100 - 12, 2: 6}
    assert bands.sharing == (100 + 4) / 2000
    sizes = partition_sizes(bands, 2_000_000, 8)
    assert sizes.sum() == 6_000_000
    assert sizes.max() > 100_000 + 0.9 * 5_900_000 / 8
