"""Sets of documents, accumulated in one pass or written down from their definition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.gates import Gates
from outcross.transforms.base import files
from outcross.transforms.measuring.diversity import Diversity
from outcross.transforms.measuring.grouping import Grouping
from outcross.transforms.reference.sample import sample_key
from outcross.transforms.sketches.store import Sketches
from tests.support.columns import by_unit, save_columns
from tests.support.references import SECOND_TOPICS, TOPICS, Documents

SIZES = (TOPICS, SECOND_TOPICS)
ROLES = ["synthetic", None, "human"]


def accumulate(
    documents: Documents,
    rows: Any,
    copy: Any = None,
    copies: int = 0,
    near: int = 0,
) -> Diversity:
    """Accumulate a set in one pass."""
    rows = np.asarray(rows, np.int64)
    copy = np.ones_like(rows) if copy is None else np.asarray(copy, np.int64)
    diversity = Diversity.empty(*SIZES)
    hi, lo = documents.fingerprints
    key = sample_key(hi[rows], lo[rows], copy)
    diversity.add(documents.at(rows), documents.sketch, key, copies, near)
    return diversity


def assert_same(a: Diversity, b: Diversity) -> None:
    assert a.counts.to_json() == b.counts.to_json()
    assert (a.moments == b.moments).all()
    assert (a.lengths == b.lengths).all()
    assert a.sample.table.equals(b.sample.table)


def columns(rng: np.random.Generator, n: int) -> dict[str, NDArray[Any]]:
    """Draw columns of n documents; those of the domain 1 aren't judged where only some are."""
    domain = rng.integers(-1, 3, n).astype(np.int16)
    return {
        "kept": rng.random(n) < 0.8,
        "copies": rng.choice([0, 0, 1, 1, 1, 2, 3], n).astype(np.int32),
        "domain": domain,
        "judged": domain != 1,
        "shard": rng.integers(0, 3, n),
    }


def with_domains(documents: Documents, domain: NDArray[np.int16]) -> Documents:
    """Return documents that name their domains; the domain -1 has no name."""
    names = pa.array([None if number < 0 else f"d{number}" for number in domain], pa.string())
    place = documents.sketch.schema.get_field_index("domain")
    return replace(documents, sketch=documents.sketch.set_column(place, "domain", names))


def grouping_of(
    folder: Path, sketches: Sketches, unit_columns: dict[str, Any], in_files: bool, **changes: Any
) -> Grouping:
    """Write columns as the stages do, and return the grouping that reads them."""
    verdicts = {"partner": np.where(unit_columns["kept"], -1, 0)}
    save_columns(str(folder / "verdicts"), sketches, verdicts)
    save_columns(str(folder / "selection"), sketches, {"copies": unit_columns["copies"]})
    runs = {
        unit.index: [[number, 1] for number in part.tolist()]
        for unit, part in by_unit(sketches, unit_columns["shard"])
    }
    files.write_json(str(folder / "files.json"), runs)
    settings: dict[str, Any] = {
        "roles": ROLES,
        "verdicts": str(folder / "verdicts"),
        "selection": str(folder / "selection"),
        "domains": ["d0", "d1", "d2"],
        "gates": Gates(domains={"d1": "converge"}),
        "partly_judged": True,
        "shards": 3,
        "seed": 11,
        "file_runs": str(folder / "files.json") if in_files else None,
    }
    return Grouping(**(settings | changes))


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
    for row in range(n):
        stage = "deduplicate" if unit_columns["kept"][row] else "removed"
        sets.setdefault(f"{stage}/{role}", []).append((row, 1))
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
        near = len(rows) if name.startswith("removed/") else further
        out[name] = (rows, further, near)
    return out
