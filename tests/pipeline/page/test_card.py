"""The dataset card, as the hub's own libraries read it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from outcross.pipeline.commands.run import RunResult
from outcross.pipeline.page.card import size_category
from outcross.pipeline.page.dataset import markdown


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (10**6, "1M<n<10M"),
        (10**8, "100M<n<1B"),
        (10**12 - 1, "100B<n<1T"),
        (10**13, "n>1T"),
    ],
)
def test_sizes_have_the_names_of_the_hub(rows: int, name: str) -> None:
    assert size_category(rows) == name


def test_datasets_loads_the_output_by_its_card(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    loaded = datasets.load_dataset(result.out, cache_dir=str(tmp_path))
    assert set(loaded) == {"train"}
    assert loaded["train"].num_rows == pq.read_table(Path(result.out, "data")).num_rows


def test_the_front_matter_has_the_metadata_of_the_hub(result: RunResult) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(Path(result.out, "README.md"))
    data = card.data.to_dict()
    assert data["language"] == ["en", "no"]
    assert data["license"] == "psf-2.0"
    assert data["size_categories"] == ["n<1K"]
    assert data["task_categories"] == ["text-generation"]
    assert data["tags"] == ["outcross", "synthetic"]


def test_the_card_has_the_verdict_and_the_diversity_of_human_text(result: RunResult) -> None:
    text = Path(result.out, "README.md").read_text("utf-8")
    assert markdown(result.report.verdict.sentence) in text
    reference = result.report.reference
    assert reference is not None
    assert f"human text has {reference.effective_clusters:.1f} on the same codebook" in text
    assert f"| human reference | {reference.documents:,} |" in text


def test_text_of_a_corpus_is_no_markup_of_the_card() -> None:
    assert markdown("a_b*[x](y)|<script>\n") == r"a\_b\*\[x\](y)\|&lt;script&gt;\\n"
