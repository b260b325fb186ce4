"""A pipeline measures the sets of their definition, whatever the lanes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.measuring.diversity import Diversity, Grouping, merged, set_file
from outcross.transforms.measuring.measure_diversity import MeasureDiversity
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.writing.shards import shard_of
from tests.support.corpora import over
from tests.support.references import THRESHOLDS, Documents, Population
from tests.support.sets import EVERY_KEY, ROLES, SIZES, accumulate, assert_same, columns, definition

POPULATION = Population()


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory, large: Documents
) -> tuple[Sketches, dict[str, NDArray[Any]], Path]:
    """Write units of three sources; the second is not measured, and the last unit is empty."""
    folder = tmp_path_factory.mktemp("diversity")
    sketches = large.write(folder / "sketches", 7, sources=[0, 0, 1, 2])
    cells = {name: large.cells[name] for name in ("cluster", "dot", "density", "audit_cluster")}
    save_aligned(str(folder / "cells"), sketches, cells)
    unit_columns = columns(np.random.default_rng(1), len(large))
    save_aligned(str(folder / "columns"), sketches, unit_columns)
    return sketches, unit_columns, folder


def work(
    folder: Path, name: str, grouping: Grouping, units: Sequence[Sequence[Unit]], limits: Any
) -> dict[str, Diversity]:
    """Measure sets by a pipeline, by name."""
    target = folder / name
    target.mkdir()
    (target / "limits.json").write_text(json.dumps(limits))
    transform = MeasureDiversity(
        str(folder / "sketches"),
        str(folder / "cells"),
        THRESHOLDS,
        SIZES,
        grouping,
        str(target / "limits.json"),
        str(target),
    )
    over(units, transform)
    files_found = {path.name for path in target.glob("*.npz")}
    sets = {
        name: Diversity.from_bytes(files.read_bytes(set_file(str(target), name))) for name in limits
    }
    assert files_found == {Path(set_file("", name)).name for name in limits}
    return sets


def expected_sets(
    large: Documents, sketches: Sketches, unit_columns: dict[str, Any], grouping: Grouping
) -> tuple[dict[str, Diversity], dict[str, int]]:
    """Accumulate all sets from their definition; return them and their samples' largest keys."""
    hi, lo = large.fingerprints
    dealt: dict[str, list[tuple[int, int]]] = {}
    further: Counter[str] = Counter()
    near: Counter[str] = Counter()
    every = np.repeat(np.arange(len(large)), 3)
    copy = np.tile([1, 2, 3], len(large))
    hashed = shard_of(hi[every], lo[every], copy, grouping.seed, grouping.shards).tolist()
    for unit in sketches.units:
        start, stop = sketches.offsets[unit.index : unit.index + 2].tolist()
        part = {name: column[start:stop] for name, column in unit_columns.items()}

        def shard(row: int, copy: int, start: int = start) -> int:
            if not grouping.by_hash:
                return int(unit_columns["shard"][start + row])
            return hashed[3 * (start + row) + copy - 1]

        sets = definition(grouping.roles[unit.source], part, shard, grouping.partly_judged)
        for name, (rows, copies, repeats) in sets.items():
            dealt.setdefault(name, []).extend((start + row, copy) for row, copy in rows)
            further[name] += copies
            near[name] += repeats
    expected, limits = {}, {}
    for name, rows in dealt.items():
        row, copies_of = np.array(rows, np.int64).reshape(-1, 2).T
        expected[name] = accumulate(large, row, copies_of, EVERY_KEY, further[name], near[name])
        limits[name] = int(expected[name].sample.column("key").max(initial=0))
    return expected, limits


@pytest.mark.parametrize("in_files", [False, True])
def test_every_set_is_that_of_one_pass_whatever_the_lanes(
    corpus: tuple[Sketches, dict[str, NDArray[Any]], Path], large: Documents, in_files: bool
) -> None:
    sketches, unit_columns, folder = corpus
    by_hash = not in_files
    grouping = Grouping(ROLES, str(folder / "columns"), by_hash, 3, 11, partly_judged=not in_files)
    expected, limits = expected_sets(large, sketches, unit_columns, grouping)
    assert {name.split("/")[0] for name in limits} == {
        *("read", "deduplicate", "shard", "domain"),
        *([] if in_files else ["judged"]),
    }
    units = sketches.units
    lanes_of = [[units], [units[::-1][i::4] for i in range(4)]]
    for number, lanes in enumerate(lanes_of if not in_files else lanes_of[1:]):
        sets = work(folder, f"{in_files}-{number}", grouping, lanes, limits)
        assert sets.keys() == expected.keys()
        for name, diversity in expected.items():
            assert_same(sets[name], diversity)
    # What is written is what the shards hold, and what is judged is a part of it.
    for role, source in (("synthetic", 0), ("human", 2)):
        parts = [expected[n] for n in expected if n.startswith("shard/") and n.endswith(role)]
        of_role = np.repeat([unit.source == source for unit in units], np.diff(sketches.offsets))
        rows = np.repeat(np.arange(len(large)), np.where(of_role, unit_columns["copies"], 0))
        copy = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
        further = int((copy > 1).sum())
        last = accumulate(large, rows, copy, EVERY_KEY, further, further)
        assert_same(merged(parts, *SIZES), last)


def test_shards_that_hold_what_was_kept_add_up_to_the_stage(
    large: Documents, tmp_path: Path
) -> None:
    few = large.take(np.arange(300))
    sketches = few.write(tmp_path / "sketches", 4)
    cells = {name: few.cells[name] for name in ("cluster", "dot", "density", "audit_cluster")}
    save_aligned(str(tmp_path / "cells"), sketches, cells)
    unit_columns = columns(np.random.default_rng(2), 300)
    unit_columns["copies"] = unit_columns["kept"].astype(np.int32)
    save_aligned(str(tmp_path / "columns"), sketches, unit_columns)
    grouping = Grouping(["human"], str(tmp_path / "columns"), True, 2, 0, partly_judged=True)
    names = ["read/human", "deduplicate/human", "shard/0/human", "shard/1/human", "judged"]
    names += [f"domain/{number}" for number in range(3)]
    lanes = [sketches.units[:1], sketches.units[1:]]
    sets = work(tmp_path, "found", grouping, lanes, dict.fromkeys(names, EVERY_KEY))
    shards = [sets[f"shard/{number}/human"] for number in (0, 1)]
    assert all(len(shard.sample) for shard in shards)
    assert_same(merged(shards, *SIZES), sets["deduplicate/human"])
    read = sets["read/human"].counts
    assert read.near_duplicates == 300 - sets["deduplicate/human"].counts.documents.sum()
    assert (
        sets["judged"].counts.documents.sum()
        == (unit_columns["kept"] & unit_columns["judged"]).sum()
    )
