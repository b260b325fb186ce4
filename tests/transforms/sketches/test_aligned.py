"""Columns beside the documents come back as they were, whole and by unit."""

import numpy as np
import pytest

from outcross.transforms.sketches.aligned import load_unit
from tests.support.columns import by_unit, load_columns, save_columns
from tests.support.corpora import sketched, source, write_jsonl


@pytest.fixture(scope="module")
def sketches(tmp_path_factory):
    """Units of which some have no valid row."""
    folder = tmp_path_factory.mktemp("aligned")
    rows = [{"text": f"text {i}"} if i % 5 else {"text": None} for i in range(40)]
    path = write_jsonl(folder / "x.jsonl", rows)
    found = sketched(folder / "s", [source("s", "human", path)], unit_bytes=30)
    assert {report.rows for report in found.reports} >= {0, 1}
    return found


def test_columns_come_back_in_their_types(sketches, tmp_path):
    n = len(sketches)
    columns = {
        "number": np.arange(n) - 5,
        "unsigned": np.arange(n, dtype=np.uint64) + np.uint64(2**63),
        "small": (np.arange(n) % 7).astype(np.int8),
        "truth": np.arange(n) % 3 == 0,
        "share": (np.arange(n) / 7).astype(np.float32),
    }
    folder = str(tmp_path / "a")
    save_columns(folder, sketches, columns)
    names = ["truth", "share", "small", "unsigned", "number"]
    for name, found in zip(names, load_columns(folder, sketches, names), strict=True):
        assert found.dtype == columns[name].dtype
        assert found.tolist() == columns[name].tolist()
    for unit, expected in by_unit(sketches, columns["number"]):
        found, truth = load_unit(folder, unit.index, ["number", "truth"])
        assert found.tolist() == expected.tolist()
        assert truth.dtype == np.bool_
        assert len(truth) == sketches.reports[unit.index].rows
