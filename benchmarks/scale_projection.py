"""Project what larger corpora cost, by the slopes between two measured sizes.

A cost is `large + slope × (documents - documents of large)`, where slope is (large - small) /
(documents of large - documents of small). Units are counted as `sketch` cuts them: 256 up to 64 GB
of input, then one for 256 MB. Files of the work folder grow with units. Core hours are those of the
machine that was measured, without what a cluster adds for starts, network and stragglers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIZES = (10**8, 10**9, 10**10, 10**11)
PARTITION = 2 * 10**9
"""Bytes of shuffled rows that one partition holds at a time, at most."""
UNIT, LEAST_UNITS = 256 << 20, 256
"""Bytes of the largest unit, and units of a corpus that is cut into smaller ones."""

Run = dict[str, Any]
Cost = Callable[[Run], float]


def project(runs: list[Run]) -> list[dict[str, float]]:
    """Return the costs of larger corpora.

    Args:
        runs: figures of `scale.py`, at least two sizes, ascending.

    Raises:
        ValueError: there are fewer than two sizes.
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} size was measured; a slope takes two")
    small, large = runs[-2], runs[-1]

    def at(documents: int, cost: Cost) -> float:
        slope = (cost(large) - cost(small)) / (large["documents"] - small["documents"])
        return cost(large) + slope * (documents - large["documents"])

    rows = []
    for documents in SIZES:
        units = max(LEAST_UNITS, at(documents, lambda run: run["input_bytes"]) / UNIT)
        work_files = large["work_files"] / large["units"] * units
        largest = at(documents, lambda run: max(run["shuffled_bytes"].values(), default=0))
        rows.append(
            {
                "documents": documents,
                "core_hours": at(documents, lambda run: run["seconds"] * run["workers"]) / 3600,
                "shuffled_bytes": at(documents, lambda run: sum(run["shuffled_bytes"].values())),
                "partitions": max(1.0, largest / PARTITION),
                "work_bytes": at(documents, lambda run: run["work_bytes"]),
                "units": units,
                "files": work_files + at(documents, lambda run: run["output_files"]),
                "driver_bytes": at(documents, lambda run: run["driver_peak_bytes"]),
            }
        )
    return rows


def print_projection(runs: list[Run]) -> None:
    """Print a table in Markdown of the costs of larger corpora.

    Args:
        runs: figures of `scale.py`.
    """
    last = runs[-1]
    # The local runner's memory is that of driver and workers, with the shards that they map.
    separate = last["engine"] != "local"
    print(
        f"Slopes between {runs[-2]['documents']:,} and {last['documents']:,} documents of "
        f"{last['words']} words, engine {last['engine']}, {last['workers']} workers; a partition "
        f"holds {PARTITION / 1e9:.0f} GB.\n"
    )
    names = ["documents", "core hours", "shuffled", "partitions of the largest shuffle"]
    names += ["work folder", "units", "files", *(["driver's memory"] if separate else [])]
    print("| " + " | ".join(names) + " |\n|" + "---:|" * len(names))
    for row in project(runs):
        cells = [
            f"10{str(len(str(int(row['documents']))) - 1).translate(_RAISED)}",
            f"{row['core_hours']:,.0f}",
            f"{row['shuffled_bytes'] / 1e9:,.0f} GB",
            f"{row['partitions']:,.0f}",
            f"{row['work_bytes'] / 1e9:,.0f} GB",
            f"{row['units']:,.0f}",
            f"{row['files']:,.0f}",
            *([f"{row['driver_bytes'] / 1e6:,.0f} MB"] if separate else []),
        ]
        print("| " + " | ".join(cells) + " |")


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
