"""Uses and sums of the supply equal the plain definition, for any split into units."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from outcross.schemas.config import parse
from outcross.schemas.plan import LengthLimits
from outcross.transforms.base import files
from outcross.transforms.base.hashing import seeded_hash
from outcross.transforms.estimators import richness
from outcross.transforms.selection.length_limits import Limits
from outcross.transforms.selection.supply import (
    ARCHIVE,
    NAMED,
    SUPPLY,
    SumSupply,
    SupplySums,
    longest_first,
)
from outcross.transforms.selection.uses import (
    BEYOND,
    FRESH,
    HUMAN,
    LEDGER,
    NONE,
    OFF_SUPPORT,
    SYNTHETIC,
    TOO_LONG,
    USES,
    WRITABLE,
)
from tests.support.references import TOPICS, Documents, Population
from tests.support.sums import add_up, decided_units

ROLES = ("synthetic", "human", "human", "reference", "synthetic", "exclude")
BOUNDS = (0, 150, 300, 380, 450, 560, 600)
DOMAINS = ["*", "d0", "d1"]
LIMITS = LengthLimits(synthetic=70, human=60)
CUT = 1 << 63
CONFIG = parse({"out": "out", "sources": [{"name": "gpt", "role": "synthetic", "files": ["a"]}]})


@pytest.fixture(scope="module")
def documents() -> Documents:
    """Draw documents, a tenth of them off-support."""
    drawn = Population().draw(BOUNDS[-1], 1)
    strange = np.arange(len(drawn)) % 10 == 0
    classes = np.where(strange, richness.OFF_SUPPORT, drawn.cells["class"]).astype(np.int8)
    return Documents(drawn.sketch, {**drawn.cells, "class": classes})


@pytest.fixture(scope="module")
def kept() -> NDArray[np.bool_]:
    return np.random.default_rng(1).random(BOUNDS[-1]) < 0.8


def cut(pieces: int) -> list[tuple[int, int, int]]:
    """Cut each source into some units."""
    cuts = []
    for source, (start, stop) in enumerate(pairwise(BOUNDS)):
        places = np.linspace(start, stop, pieces + 1).astype(int).tolist()
        cuts += [(source, a, b) for a, b in pairwise(places)]
    return cuts


def sums(
    folder: Path, documents: Documents, kept: NDArray[np.bool_], pieces: int, lanes: int
) -> tuple[SupplySums, NDArray[np.int8], NDArray[np.int16]]:
    """Return the sums, and the use and domain of each document."""
    units = decided_units(folder, documents, kept, cut(pieces), ROLES, frozenset({2}), DOMAINS)
    files.write_json(str(folder / "cuts.json"), [CUT])
    files.make_folder(str(folder / "uses"))
    work = SumSupply(
        units.columns,
        Limits(CONFIG, fixed=LIMITS),
        units.offsets,
        TOPICS,
        frozenset({1, 3}),
        str(folder / "uses"),
        7,
        str(folder / "cuts.json"),
        {4: 0},
    )
    dealt = [units.units[lane::lanes] for lane in range(lanes)]
    add_up(work, dealt, str(folder))
    tables = [
        files.read_table(str(folder / "uses" / f"unit-{unit.index:06d}.parquet"))
        for unit in units.units
    ]
    use, domain = (
        np.concatenate([t[name].to_numpy() for t in tables]) for name in ("use", "domain")
    )
    return SupplySums.from_bytes((folder / SUPPLY).read_bytes()), use, domain


def plain_use(row: dict[str, Any], source: int, kept: bool, off_support: bool, hashed: int) -> int:
    role = ROLES[source]
    if not kept or role not in ("synthetic", "human"):
        return NONE
    if row["tokens"] > getattr(LIMITS, role):
        return TOO_LONG
    if role == "human":
        return LEDGER if source == 2 else FRESH
    if source == 4 and hashed > CUT:
        return BEYOND
    return OFF_SUPPORT if off_support else SYNTHETIC


def test_uses_and_sums_are_those_of_the_documents_one_by_one(
    tmp_path: Path, documents: Documents, kept: NDArray[np.bool_]
) -> None:
    total, use, domain = sums(tmp_path, documents, kept, 2, 3)
    rows, cells = documents.sketch.to_pylist(), documents.cells
    hashed = seeded_hash(*documents.fingerprints, 7, ARCHIVE).tolist()
    source = np.repeat(np.arange(len(ROLES)), np.diff(BOUNDS)).tolist()
    expected = SupplySums.empty(ROLES, len(DOMAINS), TOPICS)
    long = []
    for n, row in enumerate(rows):
        off = cells["class"][n] == richness.OFF_SUPPORT
        u = plain_use(row, source[n], bool(kept[n]), bool(off), hashed[n])
        d, c = (
            DOMAINS.index(row["domain"] if row["domain"] in DOMAINS else "*"),
            cells["cluster"][n],
        )
        assert (use[n], domain[n]) == (u, d)
        expected.amounts[source[n], u] += 1, row["tokens"], row["size"]
        expected.longest[u] = max(expected.longest[u], row["tokens"])
        member = source[n] in (1, 3) and kept[n] and u != TOO_LONG
        if u in WRITABLE:
            expected.cells[WRITABLE.index(u), d, c] += row["tokens"]
        if u in HUMAN:
            off_support = int(cells["class"][n] == richness.OFF_SUPPORT)
            expected.human[source[n] - 1, off_support, :, c] += 1, row["tokens"]
        if member:
            expected.reference[d, c] += row["tokens"]
        expected.domains[d] += u in WRITABLE or member
        if u == TOO_LONG:
            long.append((-row["tokens"], row["fingerprint_hi"], row["fingerprint_lo"], n))
    assert set(use.tolist()) == set(range(USES))
    for name in ("amounts", "cells", "reference", "human", "domains", "longest"):
        np.testing.assert_array_equal(getattr(total, name), getattr(expected, name))
    assert total.long[:, 3].tolist() == [number for *_, number in sorted(long)[:NAMED]]
    assert len(total.long) == NAMED


@pytest.mark.parametrize(("pieces", "lanes"), [(1, 1), (1, 6), (3, 2), (7, 42)])
def test_nothing_depends_on_units_and_lanes(
    tmp_path: Path, documents: Documents, kept: NDArray[np.bool_], pieces: int, lanes: int
) -> None:
    first = sums(tmp_path / "a", documents, kept, 2, 3)
    other = sums(tmp_path / "b", documents, kept, pieces, lanes)
    for field in fields(SupplySums):
        np.testing.assert_array_equal(getattr(first[0], field.name), getattr(other[0], field.name))
    assert first[0].key(SYNTHETIC, OFF_SUPPORT) == other[0].key(SYNTHETIC, OFF_SUPPORT)
    for columns in zip(first[1:], other[1:], strict=True):
        np.testing.assert_array_equal(*columns)


def test_the_key_is_that_of_a_multiset(
    tmp_path: Path, documents: Documents, kept: NDArray[np.bool_]
) -> None:
    total = sums(tmp_path / "a", documents, kept, 1, 1)[0]
    keys = [total.key(use) for use in range(USES)]
    assert len({*keys, total.key(FRESH, LEDGER)}) == USES + 1
    within = kept.copy()
    within[np.flatnonzero(kept)[0]] = False
    fewer = sums(tmp_path / "b", documents, within, 1, 1)[0]
    changed = [fewer.key(use) != key for use, key in enumerate(keys)]
    assert sum(changed) >= 2  # the removed document's use, and none
    rows = np.concatenate([shuffled(a, b) for a, b in pairwise(BOUNDS)])
    turned = sums(tmp_path / "c", documents.take(rows), kept[rows], 1, 1)[0]
    assert [turned.key(use) for use in range(USES)] == keys


def shuffled(start: int, stop: int) -> NDArray[np.int64]:
    return start + np.random.default_rng(start).permutation(stop - start)


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=40), st.integers(0, 40))
def test_the_longest_of_parts_are_the_longest_of_all(
    rows: list[tuple[int, int, int]], place: int
) -> None:
    every = np.array([(*row, n) for n, row in enumerate(rows)], np.uint64).reshape(-1, 4)
    parts = np.concatenate([longest_first(every[:place]), longest_first(every[place:])])
    np.testing.assert_array_equal(longest_first(parts), longest_first(every))
