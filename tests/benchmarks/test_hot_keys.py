"""Half of the made documents share one key, and the others are as they were."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import hot_keys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outcross.transforms.dedup.components import connect_groups
from outcross.transforms.text.minhash import agreement, band_values, lsh_parameters, signatures
from outcross.transforms.text.words import split_words


def synthetic(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "corpus").glob("model-*/*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("plain")
    hot_keys.make("no hot key", 600, folder)
    return synthetic(folder)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("one prompt", lambda row: row["prompt"]),
        ("one text", lambda row: row["text"]),
        ("one cell", lambda row: sorted(row["text"].split())),
        ("one component", lambda row: row["text"].split()[: hot_keys.COMMON]),
    ],
)
def test_half_of_the_documents_share_a_key(
    plain: list[dict[str, Any]], tmp_path: Path, kind: str, key: Any
) -> None:
    config = json.loads(hot_keys.make(kind, 600, tmp_path).read_text())
    rows = synthetic(tmp_path)
    assert [row["id"] for row in rows] == [row["id"] for row in plain]
    counts = Counter(str(key(row)) for row in rows)
    ((_, hot),) = counts.most_common(1)
    assert 0 <= hot - len(rows) / 2 <= 5  # repeats of the hot document may be among the others
    assert (
        sum(row["text"] == was["text"] for row, was in zip(rows, plain, strict=True))
        >= len(rows) / 2
    )
    assert (kind == "one prompt") == ("prompt_field" in config["sources"][0])


def test_one_component_has_a_tenth_of_the_documents_and_few_are_removed(
    plain: list[dict[str, Any]], tmp_path: Path
) -> None:
    hot_keys.make("one component", 600, tmp_path)
    largest = []
    for rows in (plain, synthetic(tmp_path)):
        signed = signatures(split_words(pa.array([row["text"] for row in rows])))
        values = band_values(signed, *lsh_parameters(0.8, 128)).ravel()
        order = np.argsort(values)
        document = order // (len(values) // len(rows))
        _, roots = connect_groups(values[order], document)
        largest.append(np.bincount(roots).max())
    assert largest[0] <= 10
    assert largest[1] >= 60
    hot = np.arange(0, len(signed), 2)
    similarity = agreement(signed, hot[:-1], hot[1:]) / 128
    assert (similarity > 0.4).all()
    assert np.quantile(similarity, 0.9) < 0.7


def test_a_source_has_one_document(plain: list[dict[str, Any]], tmp_path: Path) -> None:
    config = json.loads(hot_keys.make("a source of one document", 600, tmp_path).read_text())
    assert synthetic(tmp_path) == plain
    assert Path(config["sources"][-1]["files"][0]).read_text().count("\n") == 1


def test_a_run_is_measured() -> None:
    measured = hot_keys.measure("one text", 600)
    assert measured["whole run"] > measured["select"] > 0
    assert measured["peak memory"] > 1e8
