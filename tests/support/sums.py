"""Sums over units without an engine, and units with the columns that decide about documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.schemas.documents import Unit
from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.selection.unit_columns import UnitColumns
from tests.support.references import Documents


def add_up(work: Any, lanes: Sequence[Sequence[Unit]], folder: str) -> None:
    """Add up lanes of units, and write each sum to a file."""
    parts: dict[str, list[bytes]] = {}
    work.setup()
    for lane in lanes:
        sums = work.start()
        for unit in lane:
            work.add(unit, sums)
        for name, data in work.pack(sums):
            parts.setdefault(name, []).append(data)
    for name, packed in parts.items():
        files.write_bytes(files.join(folder, name), work.merge(name, packed))


@dataclass(frozen=True)
class DecidedUnits:
    """Units with the results of the stages before `rank`.

    Attributes:
        columns: columns of the units.
        units: the units.
        offsets: int64[units + 1], number of the first document of each unit.
    """

    columns: UnitColumns
    units: list[Unit]
    offsets: NDArray[np.int64]


def decided_units(
    folder: Path,
    documents: Documents,
    kept: NDArray[np.bool_],
    cuts: Sequence[tuple[int, int, int]],
    roles: Sequence[Any],
    ledger: frozenset[int] = frozenset(),
    domains: Sequence[str] = ("*",),
) -> DecidedUnits:
    """Write documents as units, with verdicts, clusters and classes.

    Args:
        folder: folder of the files.
        documents: the n documents.
        kept: bool[n], documents that are kept.
        cuts: source, first row and the row after the last of each unit.
        roles: roles of the sources.
        ledger: numbers of the sources that hold a ledger.
        domains: names of the domains, with '*'.
    """
    cells = documents.cells
    tables = {
        "sketches": documents.sketch,
        "verdicts": pa.table({"partner": np.where(kept, -1, 0), "stage": (~kept).astype(np.int8)}),
        "assignments": pa.table({"cluster": cells["cluster"]}),
        "classes": pa.table({"class": cells["class"]}),
    }
    for name, table in tables.items():
        files.make_folder(str(folder / name))
        for index, (_, start, stop) in enumerate(cuts):
            path = unit_file(str(folder / name), index, "parquet")
            files.write_table(path, table.slice(start, stop - start))
    paths = {name: str(folder / name) for name in tables}
    return DecidedUnits(
        UnitColumns(**paths, roles=roles, ledger=ledger, domains=domains),
        [Unit(index, source, ()) for index, (source, _, _) in enumerate(cuts)],
        np.cumsum([0, *(stop - start for _, start, stop in cuts)]),
    )
