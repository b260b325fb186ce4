"""What is said of a set does not depend on how it was cut: shards add up to the corpus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.documents import Piece, Unit
from outcross.transforms.base import files
from outcross.transforms.estimators.vendi import moments
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.measuring.diversity import Diversity, Grouping, merged, set_file
from outcross.transforms.measuring.measure_diversity import MeasureDiversity
from outcross.transforms.reference.sample import DOCUMENTS, TOKENS, sample_key
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.sketches.store import Sketches
from outcross.transforms.writing.shards import shard_of
from tests.support.corpora import over
from tests.support.references import SECOND_TOPICS, THRESHOLDS, TOPICS, Documents, Population

SIZES = (TOPICS, SECOND_TOPICS)
EVERY_KEY = 2**64 - 1
POPULATION = Population()


def measured(
    documents: Documents,
    rows: Any,
    copy: Any = None,
    limit: int = EVERY_KEY,
    copies: int = 0,
    near: int = 0,
) -> Diversity:
    """Accumulate a set in one pass."""
    rows = np.asarray(rows, np.int64)
    copy = np.ones_like(rows) if copy is None else np.asarray(copy, np.int64)
    found = Diversity.empty(*SIZES)
    hi, lo = documents.fingerprints
    key = sample_key(hi[rows], lo[rows], copy)
    found.add(documents.at(rows), documents.sketch, key, limit, copies, near)
    return found


def assert_same(one: Diversity, other: Diversity) -> None:
    assert one.counts.to_json() == other.counts.to_json()
    assert (one.moments == other.moments).all()
    assert (one.lengths == other.lengths).all()
    assert one.sample.table.equals(other.sample.table)


@pytest.fixture(scope="module")
def large() -> Documents:
    """More documents and words than a sample holds."""
    documents = POPULATION.draw(DOCUMENTS + 1500, 1)
    assert documents.sketch["tokens"].to_numpy().sum() > 3 * TOKENS
    return documents


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(1, 7), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_whole(n: int, parts: int, random: Any) -> None:
    documents = POPULATION.draw(60, 2)
    rows = sorted(random.sample(range(60), n))
    of_part = [random.randrange(parts) for _ in rows]
    copies = Counter(of_part)
    pieces = [
        measured(
            documents,
            [row for row, own in zip(rows, of_part, strict=True) if own == part],
            copies=copies[part] // 2 * 2,
            near=copies[part],
        )
        for part in range(parts)
    ]
    expected = measured(documents, rows, copies=sum(c // 2 * 2 for c in copies.values()), near=n)
    assert_same(merged(pieces, *SIZES), expected)
    while len(pieces) > 1:
        random.shuffle(pieces)
        pieces.append(pieces.pop().merge(pieces.pop()))
    assert_same(pieces[0], expected)


@settings(max_examples=20)
@given(st.integers(0, 60))
def test_bytes_give_back_the_set(n: int) -> None:
    made = measured(POPULATION.draw(60, 3), np.arange(n), copies=n // 2, near=n // 3)
    read = Diversity.from_bytes(made.to_bytes())
    assert_same(read, made)
    assert_same(read.merge(made), made.merge(made))


def test_units_add_up_beyond_the_limits_of_a_sample(large: Documents) -> None:
    """A unit at a time, with a limit of keys or without, however the units are merged."""
    n = len(large)
    whole = measured(large, np.arange(n))
    key = large.key
    order = np.argsort(key)
    assert whole.sample.column("key").tolist() == key[order[:DOCUMENTS]].tolist()
    lengths = large.sketch["tokens"].to_numpy()[order]
    before = np.cumsum(lengths) - lengths
    held = int((before < TOKENS).sum())
    assert whole.sample.words[0][-1] == lengths[:held].sum() >= TOKENS
    assert (whole.moments == moments(embeddings(large))).all()
    limit = int(np.sort(key)[DOCUMENTS - 1])
    parts = np.random.default_rng(0).integers(0, 5, n)
    one_by_one = Diversity.empty(*SIZES)
    pieces = []
    for part in range(5):
        rows = np.flatnonzero(parts == part)
        one_by_one.add(large.at(rows), large.sketch, key[rows], limit)
        pieces.append(measured(large, rows, limit=limit if part % 2 else EVERY_KEY))
    assert_same(one_by_one, whole)
    left = pieces[0].merge(pieces[1]).merge(pieces[2].merge(pieces[3].merge(pieces[4])))
    assert_same(left, whole)
    assert_same(merged(reversed(pieces), *SIZES), whole)


def embeddings(documents: Documents) -> NDArray[np.int8]:
    data = b"".join(documents.sketch["embedding"].to_pylist())
    return np.frombuffer(data, np.int8).reshape(len(documents), -1)


def test_merging_leaves_both_as_they_were() -> None:
    documents = POPULATION.draw(30, 4)
    one, other = measured(documents, range(10)), measured(documents, range(10, 30))
    both = one.merge(other)
    rows = np.arange(5)
    both.add(documents.at(rows), documents.sketch, documents.key[rows], EVERY_KEY)
    assert_same(one, measured(documents, range(10)))
    assert_same(other, measured(documents, range(10, 30)))


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.integers(0, 10**6)), min_size=1, max_size=60),
    st.floats(0, 1, exclude_max=True),
)
def test_a_length_is_within_a_tenth_of_the_order_statistic(
    lengths: list[int], share: float
) -> None:
    n = len(lengths)
    documents = POPULATION.draw(60, 5)
    place = documents.sketch.schema.get_field_index("tokens")
    tokens = pa.array([*lengths, *[0] * (60 - n)], pa.int64())
    sketch = documents.sketch.set_column(place, "tokens", tokens)
    empty = pa.array([b""] * 60, pa.large_binary())
    sketch = sketch.set_column(sketch.schema.get_field_index("words"), "words", empty)
    found = measured(Documents(sketch, documents.cells), range(n)).length_quantile(share)
    exact = sorted(lengths)[int(share * n)]
    if exact < 2:
        assert found == 0
    else:
        assert found <= exact < 1.1 * found


KINDS = ("kept", "copies", "domain", "judged")
ROLES = ["synthetic", None, "human"]


def columns(rng: np.random.Generator, n: int) -> dict[str, NDArray[Any]]:
    return {
        "kept": rng.random(n) < 0.8,
        "copies": rng.choice([0, 0, 1, 1, 1, 2, 3], n).astype(np.int32),
        "domain": rng.integers(-1, 3, n).astype(np.int16),
        "judged": rng.random(n) < 0.6,
        "shard": rng.integers(0, 3, n),
    }


def definition(
    role: str | None,
    beside: dict[str, Any],
    shard: Any,
    apart: bool,
) -> dict[str, tuple[list[tuple[int, int]], int, int]]:
    """The sets of a unit as `Grouping` says them: by name rows with appearance, copies, repeats.

    Args:
        role: of the unit.
        beside: columns of the unit.
        shard: function of a row and its appearance.
        apart: whether those that are judged make a set.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    if role is None:
        return {}
    n = len(beside["kept"])
    found[f"read/{role}"] = [(row, 1) for row in range(n)]
    found[f"deduplicate/{role}"] = [(row, 1) for row in range(n) if beside["kept"][row]]
    for row in range(n):
        for copy in range(1, beside["copies"][row] + 1):
            names = [f"shard/{shard(row, copy)}/{role}"]
            if beside["domain"][row] >= 0:
                names.append(f"domain/{beside['domain'][row]}")
            if apart and beside["judged"][row]:
                names.append("judged")
            for name in names:
                found.setdefault(name, []).append((row, copy))
    out = {}
    for name, rows in found.items():
        further = sum(copy > 1 for _, copy in rows)
        near = int((~beside["kept"]).sum()) if name.startswith("read/") else further
        out[name] = (rows, further, near)
    return out


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 25),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
def test_the_sets_are_those_of_their_definition(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    n: int,
    source: int,
    in_files: bool,
    apart: bool,
    together: bool,
    shards: int,
) -> None:
    rng = np.random.default_rng(seed)
    beside = columns(rng, n)
    hi, lo = rng.integers(0, 2**64, (2, n), dtype=np.uint64)
    folder = str(tmp_path_factory.mktemp("sets"))
    files.write_table(unit_file(folder, 1, "parquet"), pa.table(beside))
    unit = Unit(1, source, (Piece("x.jsonl", "jsonl", 0, -1, 0),))
    grouping = Grouping(ROLES, folder, not in_files, shards, 5, apart, together)

    def shard(row: int, copy: int) -> int:
        if in_files:
            return int(beside["shard"][row])
        own = slice(row, row + 1)
        dealt = np.array([1 if together else copy])
        return int(shard_of(hi[own], lo[own], dealt, 5, shards)[0])

    found = {}
    for name, rows, copy, copies, near in grouping.sets(unit, hi, lo):
        assert name not in found
        assert (np.diff(rows) >= 0).all()
        found[name] = (list(zip(rows.tolist(), copy.tolist(), strict=True)), copies, near)
    assert found == definition(ROLES[source], beside, shard, apart)


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory, large: Documents
) -> tuple[Sketches, dict[str, NDArray[Any]], Path]:
    """Units of three sources; the second one is not measured, and the last unit is empty."""
    folder = tmp_path_factory.mktemp("diversity")
    sketches = large.write(folder / "sketches", 7, sources=[0, 0, 1, 2])
    cells = {name: large.cells[name] for name in ("cluster", "dot", "density", "audit_cluster")}
    save_aligned(str(folder / "cells"), sketches, cells)
    beside = columns(np.random.default_rng(1), len(large))
    save_aligned(str(folder / "columns"), sketches, beside)
    return sketches, beside, folder


def work(
    folder: Path, name: str, grouping: Grouping, units: Sequence[Sequence[Unit]], limits: Any
) -> dict[str, Diversity]:
    """Measure sets by a pipeline, by name."""
    made = folder / name
    made.mkdir()
    (made / "limits.json").write_text(json.dumps(limits))
    transform = MeasureDiversity(
        str(folder / "sketches"),
        str(folder / "cells"),
        THRESHOLDS,
        SIZES,
        grouping,
        str(made / "limits.json"),
        str(made),
    )
    over(units, transform)
    files_found = {path.name for path in made.glob("*.npz")}
    found = {
        name: Diversity.from_bytes(files.read_bytes(set_file(str(made), name))) for name in limits
    }
    assert files_found == {Path(set_file("", name)).name for name in limits}
    return found


def expected_sets(
    large: Documents, sketches: Sketches, beside: dict[str, Any], grouping: Grouping
) -> tuple[dict[str, Diversity], dict[str, int]]:
    """All sets in one pass each, from their definition, and the largest keys of their samples."""
    hi, lo = large.fingerprints
    dealt: dict[str, list[tuple[int, int]]] = {}
    further: Counter[str] = Counter()
    near: Counter[str] = Counter()
    every = np.repeat(np.arange(len(large)), 3)
    copy = np.tile([1, 2, 3], len(large))
    hashed = shard_of(hi[every], lo[every], copy, grouping.seed, grouping.shards).tolist()
    for unit in sketches.units:
        start, stop = sketches.offsets[unit.index : unit.index + 2].tolist()
        own = {name: column[start:stop] for name, column in beside.items()}

        def shard(row: int, copy: int, start: int = start) -> int:
            if not grouping.by_hash:
                return int(beside["shard"][start + row])
            return hashed[3 * (start + row) + copy - 1]

        sets = definition(grouping.roles[unit.source], own, shard, grouping.partly_judged)
        for name, (rows, copies, repeats) in sets.items():
            dealt.setdefault(name, []).extend((start + row, copy) for row, copy in rows)
            further[name] += copies
            near[name] += repeats
    found, limits = {}, {}
    for name, rows in dealt.items():
        row, copies_of = np.array(rows, np.int64).reshape(-1, 2).T
        found[name] = measured(large, row, copies_of, EVERY_KEY, further[name], near[name])
        limits[name] = int(found[name].sample.column("key").max(initial=0))
    return found, limits


@pytest.mark.parametrize("in_files", [False, True])
def test_every_set_is_that_of_one_pass_whatever_the_lanes(
    corpus: tuple[Sketches, dict[str, NDArray[Any]], Path], large: Documents, in_files: bool
) -> None:
    sketches, beside, folder = corpus
    dealt = not in_files
    grouping = Grouping(ROLES, str(folder / "columns"), dealt, 3, 11, partly_judged=not in_files)
    expected, limits = expected_sets(large, sketches, beside, grouping)
    assert {name.split("/")[0] for name in limits} == {
        *("read", "deduplicate", "shard", "domain"),
        *([] if in_files else ["judged"]),
    }
    units = sketches.units
    lanes_of = [[units], [units[::-1][i::4] for i in range(4)]]
    for number, lanes in enumerate(lanes_of if not in_files else lanes_of[1:]):
        found = work(folder, f"{in_files}-{number}", grouping, lanes, limits)
        assert found.keys() == expected.keys()
        for name, one in expected.items():
            assert_same(found[name], one)
    # What is written is what the shards hold, and what is judged is a part of it.
    for role, source in (("synthetic", 0), ("human", 2)):
        parts = [expected[n] for n in expected if n.startswith("shard/") and n.endswith(role)]
        own = np.repeat([unit.source == source for unit in units], np.diff(sketches.offsets))
        rows = np.repeat(np.arange(len(large)), np.where(own, beside["copies"], 0))
        copy = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
        further = int((copy > 1).sum())
        last = measured(large, rows, copy, EVERY_KEY, further, further)
        assert_same(merged(parts, *SIZES), last)


def test_shards_that_hold_what_was_kept_add_up_to_the_stage(
    large: Documents, tmp_path: Path
) -> None:
    few = large.take(np.arange(300))
    sketches = few.write(tmp_path / "sketches", 4)
    cells = {name: few.cells[name] for name in ("cluster", "dot", "density", "audit_cluster")}
    save_aligned(str(tmp_path / "cells"), sketches, cells)
    beside = columns(np.random.default_rng(2), 300)
    beside["copies"] = beside["kept"].astype(np.int32)
    save_aligned(str(tmp_path / "columns"), sketches, beside)
    grouping = Grouping(["human"], str(tmp_path / "columns"), True, 2, 0, partly_judged=True)
    names = ["read/human", "deduplicate/human", "shard/0/human", "shard/1/human", "judged"]
    names += [f"domain/{number}" for number in range(3)]
    lanes = [sketches.units[:1], sketches.units[1:]]
    found = work(tmp_path, "found", grouping, lanes, dict.fromkeys(names, EVERY_KEY))
    shards = [found[f"shard/{number}/human"] for number in (0, 1)]
    assert all(len(one.sample) for one in shards)
    assert_same(merged(shards, *SIZES), found["deduplicate/human"])
    read = found["read/human"].counts
    assert read.near_duplicates == 300 - found["deduplicate/human"].counts.documents.sum()
    assert found["judged"].counts.documents.sum() == (beside["kept"] & beside["judged"]).sum()
