"""A pipeline measures the sets of their definition, whatever the lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.schemas.gates import Gates
from outcross.transforms.base import files
from outcross.transforms.measuring.diversity import Diversity, merged
from outcross.transforms.measuring.grouping import Grouping, set_file
from outcross.transforms.measuring.measure_diversity import DiversityWork, MeasureDiversity
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.writing.shards import shard_of
from tests.support.columns import save_columns
from tests.support.corpora import over
from tests.support.references import Documents
from tests.support.sets import (
    SIZES,
    accumulate,
    assert_same,
    columns,
    definition,
    grouping_of,
    with_domains,
)

Corpus = tuple[Sketches, dict[str, NDArray[Any]], Path]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, large: Documents) -> Corpus:
    """Write units of three sources; the second is not measured, and the last unit is empty."""
    folder = tmp_path_factory.mktemp("diversity")
    unit_columns = columns(np.random.default_rng(1), len(large))
    documents = with_domains(large, unit_columns["domain"])
    sketches = documents.write(folder / "sketches", 7, sources=[0, 0, 1, 2])
    names = ("cluster", "audit_cluster", "class")
    save_columns(str(folder / "cells"), sketches, {name: large.cells[name] for name in names})
    return sketches, unit_columns, folder


def work(
    folder: Path,
    name: str,
    grouping: Grouping,
    units: Sequence[Sequence[Unit]],
    spilled: bool = False,
) -> dict[str, Diversity]:
    """Measure sets by a pipeline, by the names of their files."""
    target, spill = folder / name, folder / f"{name}-spill"
    target.mkdir()
    spill.mkdir()
    cells = str(folder / "cells")
    doing = DiversityWork(str(folder / "sketches"), cells, cells, SIZES, grouping, str(target))
    over(units, MeasureDiversity(doing, str(spill) if spilled else None))
    return {
        path.name: Diversity.from_bytes(files.read_bytes(str(path)))
        for path in target.glob("*.npz")
    }


def expected_sets(
    large: Documents, sketches: Sketches, unit_columns: dict[str, Any], grouping: Grouping
) -> dict[str, Diversity]:
    """Accumulate all sets from their definition, by name."""
    hi, lo = large.fingerprints
    dealt: dict[str, list[tuple[int, int]]] = {}
    further: Counter[str] = Counter()
    near: Counter[str] = Counter()
    every = np.repeat(np.arange(len(large)), 3)
    copy = np.tile([1, 2, 3], len(large))
    hashed_copy = np.ones_like(copy) if grouping.copies_together else copy
    hashed = shard_of(hi[every], lo[every], hashed_copy, grouping.seed, grouping.shards).tolist()
    for unit in sketches.units:
        start, stop = sketches.offsets[unit.index : unit.index + 2].tolist()
        part = {name: column[start:stop] for name, column in unit_columns.items()}

        def shard(row: int, copy: int, start: int = start) -> int:
            if grouping.file_runs is not None:
                return int(unit_columns["shard"][start + row])
            return hashed[3 * (start + row) + copy - 1]

        sets = definition(grouping.roles[unit.source], part, shard, grouping.partly_judged)
        for name, (rows, copies, repeats) in sets.items():
            dealt.setdefault(name, []).extend((start + row, copy) for row, copy in rows)
            further[name] += copies
            near[name] += repeats
    expected = {}
    for name, rows in dealt.items():
        row, copies_of = np.array(rows, np.int64).reshape(-1, 2).T
        expected[name] = accumulate(large, row, copies_of, further[name], near[name])
    return expected


@pytest.mark.parametrize("spilled", [False, True])
@pytest.mark.parametrize(("in_files", "together"), [(False, False), (False, True), (True, False)])
def test_every_set_is_that_of_one_pass_whatever_the_lanes(
    corpus: Corpus, large: Documents, in_files: bool, together: bool, spilled: bool
) -> None:
    sketches, unit_columns, folder = corpus
    changes = {"gates": Gates(), "partly_judged": False} if in_files else {}
    grouping = grouping_of(
        folder, sketches, unit_columns, in_files, copies_together=together, **changes
    )
    expected = expected_sets(large, sketches, unit_columns, grouping)
    assert {name.split("/")[0] for name in expected} == {
        *("removed", "deduplicate", "shard", "domain"),
        *([] if in_files else ["judged"]),
    }
    units = sketches.units
    lanes = [units] if spilled else [units[::-1][i::4] for i in range(4)]
    sets = work(folder, f"{in_files}-{together}-{spilled}", grouping, lanes, spilled)
    assert sets.keys() == {set_file(name) for name in expected}
    for name, diversity in expected.items():
        assert_same(sets[set_file(name)], diversity)
    # What is written is what the shards hold, and what is judged is a part of it.
    for role, source in (("synthetic", 0), ("human", 2)):
        parts = [expected[n] for n in expected if n.startswith("shard/") and n.endswith(role)]
        of_role = np.repeat([unit.source == source for unit in units], np.diff(sketches.offsets))
        rows = np.repeat(np.arange(len(large)), np.where(of_role, unit_columns["copies"], 0))
        copy = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
        further = int((copy > 1).sum())
        last = accumulate(large, rows, copy, further, further)
        assert_same(merged(parts, *SIZES), last)


def test_shards_that_hold_what_was_kept_add_up_to_the_stage(
    large: Documents, tmp_path: Path
) -> None:
    unit_columns = columns(np.random.default_rng(2), 300)
    unit_columns["copies"] = unit_columns["kept"].astype(np.int32)
    few = large.take(np.arange(300))
    sketches = with_domains(few, unit_columns["domain"]).write(tmp_path / "sketches", 4)
    names = ("cluster", "audit_cluster", "class")
    save_columns(str(tmp_path / "cells"), sketches, {name: few.cells[name] for name in names})
    grouping = grouping_of(tmp_path, sketches, unit_columns, False, roles=["human"], shards=2)
    sets = work(tmp_path, "found", grouping, [sketches.units[:1], sketches.units[1:]])
    shards = [sets[set_file(f"shard/{number}/human")] for number in (0, 1)]
    assert all(len(shard.sample) for shard in shards)
    assert_same(merged(shards, *SIZES), sets[set_file("deduplicate/human")])
    removed = sets[set_file("removed/human")].counts
    assert removed.near_duplicates == removed.documents.sum() == (~unit_columns["kept"]).sum()
    judged = sets[set_file("judged")].counts.documents.sum()
    assert judged == (unit_columns["kept"] & unit_columns["judged"]).sum()


@pytest.mark.parametrize("judged", [True, False])
def test_without_named_domains_all_or_none_are_judged(
    large: Documents, tmp_path: Path, judged: bool
) -> None:
    few = large.take(np.arange(60))
    sketches = few.write(tmp_path / "sketches", 3)
    unit_columns = columns(np.random.default_rng(3), 60)
    names = ("cluster", "audit_cluster", "class")
    save_columns(str(tmp_path / "cells"), sketches, {name: few.cells[name] for name in names})
    gates = Gates() if judged else Gates(domains={"*": "converge"})
    changes: dict[str, Any] = {"domains": [], "gates": gates, "partly_judged": not judged}
    grouping = grouping_of(tmp_path, sketches, unit_columns, False, roles=["human"], **changes)
    sets = work(tmp_path, "found", grouping, [sketches.units])
    assert {name.split("-")[0] for name in sets} == {"removed", "deduplicate", "shard"}
