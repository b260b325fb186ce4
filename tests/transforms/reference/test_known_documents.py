"""Known documents are found in any number of parts, and counted by the files that hold them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from outcross.pipeline.engine.engines import run_pipeline
from outcross.transforms.base import files
from outcross.transforms.exchange.exchange import Collect, Regroup, Send
from outcross.transforms.exchange.sums import SumUnits
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.reference.audited_files import CountFiles, PieceFiles, read_counts
from outcross.transforms.reference.known_documents import (
    FindMembers,
    SendFingerprints,
    WriteKnown,
)
from outcross.transforms.reference.members import Members, part_of, write_part
from tests.support.columns import by_unit, load_columns, numbers
from tests.support.corpora import OPTIONS
from tests.support.references import Population

POPULATION = Population()


@pytest.mark.parametrize("bits", [0, 1, 3, 6])
@pytest.mark.parametrize("lanes", [1, 3])
def test_known_documents_are_those_whose_fingerprint_a_member_has(
    tmp_path: Path, bits: int, lanes: int
) -> None:
    rng = np.random.default_rng(bits)
    sketches = POPULATION.draw(300, 1).write(tmp_path / "sketches", 5, sources=(0, 1, 1))
    n, file_count = len(sketches), 4
    hi, lo = (numbers(sketches, f"fingerprint_{half}") for half in ("hi", "lo"))
    kept, member = rng.random((2, n)) < 0.7
    strangers = rng.integers(0, 2**64, (50, 2), dtype=np.uint64)
    rows = np.concatenate([np.stack([hi, lo], axis=1)[member], strangers])
    reference, part = str(tmp_path / "reference"), part_of(rows[:, 0], bits)
    parts = [write_part(reference, number, rows[part == number]) for number in range(1 << bits)]
    verdicts, known, folder, sums = (str(tmp_path / name) for name in ("v", "known", "f", "sums"))
    for path in (verdicts, known, folder, sums):
        files.make_folder(path)
    synthetic = np.repeat([unit.source == 1 for unit in sketches.units], np.diff(sketches.offsets))
    is_known = kept & member & synthetic
    starts, piece_files, file = [0], [], []
    for unit, keeps in by_unit(sketches, kept):
        table = pa.table({"partner": np.where(keeps, -1, 0)})
        files.write_table(unit_file(verdicts, unit.index, "parquet"), table)
        cut = len(keeps) // 3
        pieces = rng.integers(0, file_count, 3)
        piece_rows = [cut, 0, len(keeps) - cut]
        starts.append(starts[-1] + 3)
        piece_files += pieces.tolist()
        file += np.repeat(pieces, piece_rows).tolist()
        path = unit_file(sketches.folder, unit.index, "json")
        files.write_json(path, {**files.read_json(path), "piece_rows": piece_rows})
    pieces_path = str(tmp_path / "pieces.npz")
    PieceFiles(np.array(starts), np.array(piece_files)).save(pieces_path)
    members = Members(tuple(parts))

    def wire(root: Any) -> None:
        dealt = [sketches.units[i::lanes] for i in range(lanes)]
        units = root | beam.Create([[replace(u, pieces=()) for u in lane] for lane in dealt])
        sent = units | Send(SendFingerprints(sketches.folder, verdicts, [False, True], bits))
        marked = sent | Regroup(FindMembers(reference, members)) | Collect(WriteKnown(known))
        count = CountFiles(sketches.folder, verdicts, known, pieces_path, folder)
        units | SumUnits(count, sums, marked)

    run_pipeline(wire, OPTIONS)
    columns = load_columns(folder, sketches, ["known", "copies", "file"])
    for column, wanted in zip(columns, (is_known, kept & ~is_known, file), strict=True):
        np.testing.assert_array_equal(column, wanted)
    masks = {"read": np.ones(n, bool), "kept": kept, "known": is_known}
    expected = {
        name: np.bincount(np.array(file)[mask], minlength=file_count).tolist()
        for name, mask in masks.items()
    }
    counts = read_counts(sums, file_count)
    assert {name: column.tolist() for name, column in counts.items()} == expected
    assert is_known.any()
