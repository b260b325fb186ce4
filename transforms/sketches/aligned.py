"""Row-aligned columns: one small Parquet file a unit, as long as the unit has valid rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.exchange.units import unit_file


def load_unit(folder: str, unit: int, columns: Sequence[str]) -> list[NDArray[Any]]:
    """Read columns of one unit, in the order of `columns`."""
    table = files.read_table(unit_file(folder, unit, "parquet"), columns)
    return [table[name].to_numpy() for name in columns]
