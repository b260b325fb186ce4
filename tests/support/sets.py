"""Sets of documents, accumulated in one pass or written down from their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.measuring.diversity import Diversity
from outcross.transforms.reference.sample import sample_key
from tests.support.references import SECOND_TOPICS, TOPICS, Documents

SIZES = (TOPICS, SECOND_TOPICS)
EVERY_KEY = 2**64 - 1
ROLES = ["synthetic", None, "human"]


def accumulate(
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
    diversity = Diversity.empty(*SIZES)
    hi, lo = documents.fingerprints
    key = sample_key(hi[rows], lo[rows], copy)
    diversity.add(documents.at(rows), documents.sketch, key, limit, copies, near)
    return diversity


def assert_same(a: Diversity, b: Diversity) -> None:
    assert a.counts.to_json() == b.counts.to_json()
    assert (a.moments == b.moments).all()
    assert (a.lengths == b.lengths).all()
    assert a.sample.table.equals(b.sample.table)


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
    unit_columns: dict[str, Any],
    shard: Any,
    partly_judged: bool,
) -> dict[str, tuple[list[tuple[int, int]], int, int]]:
    """List the sets of a unit as `Grouping` defines them: rows, copies and repeats by name.

    Args:
        role: role of the unit.
        unit_columns: columns of the unit.
        shard: function of a row and its appearance.
        partly_judged: whether the judged documents make a set.
    """
    sets: dict[str, list[tuple[int, int]]] = {}
    if role is None:
        return {}
    n = len(unit_columns["kept"])
    sets[f"read/{role}"] = [(row, 1) for row in range(n)]
    sets[f"deduplicate/{role}"] = [(row, 1) for row in range(n) if unit_columns["kept"][row]]
    for row in range(n):
        for copy in range(1, unit_columns["copies"][row] + 1):
            names = [f"shard/{shard(row, copy)}/{role}"]
            if unit_columns["domain"][row] >= 0:
                names.append(f"domain/{unit_columns['domain'][row]}")
            if partly_judged and unit_columns["judged"][row]:
                names.append("judged")
            for name in names:
                sets.setdefault(name, []).append((row, copy))
    out = {}
    for name, rows in sets.items():
        further = sum(copy > 1 for _, copy in rows)
        near = int((~unit_columns["kept"]).sum()) if name.startswith("read/") else further
        out[name] = (rows, further, near)
    return out
