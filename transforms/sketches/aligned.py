"""Row-aligned columns: one small Parquet file a unit, as long as the unit has valid rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.sketches.store import Sketches


def save_aligned(folder: str, sketches: Sketches, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns over all documents, one file for each unit.

    Args:
        folder: folder of the artifact.
        sketches: sketches of all units.
        columns: arrays[n] by name, one value for each document.
    """
    files.make_folder(folder)
    for unit in sketches.units:
        rows = slice(sketches.offsets[unit.index], sketches.offsets[unit.index + 1])
        table = pa.table({name: values[rows] for name, values in columns.items()})
        files.write_table(unit_file(folder, unit.index, "parquet"), table)


def load_aligned(folder: str, sketches: Sketches, columns: Sequence[str]) -> list[NDArray[Any]]:
    """Read columns over all documents: arrays[n], in the order of `columns`."""
    tables = [load_unit(folder, unit.index, columns) for unit in sketches.units]
    return [np.concatenate([table[i] for table in tables]) for i in range(len(columns))]


def load_unit(folder: str, unit: int, columns: Sequence[str]) -> list[NDArray[Any]]:
    """Read columns of one unit, in the order of `columns`."""
    table = files.read_table(unit_file(folder, unit, "parquet"), columns)
    return [table[name].to_numpy() for name in columns]
