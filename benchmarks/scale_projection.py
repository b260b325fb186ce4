"""What larger corpora cost, by the slopes of measured runs: a straight line through two sizes.

A cost is `fixed + slope × documents`, where slope = (large - small) / (documents of large - of
small). Machine hours are core seconds per document on the machine that was measured, without what
a cluster adds for starts, network and stragglers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SIZES = (10**8, 10**9, 10**10, 10**11)
PARTITION = 2 * 10**9
"""Bytes of shuffled rows that one partition holds at a time, at most."""


def slope(small: float, large: float, documents: tuple[int, int]) -> float:
    """Return the growth of a cost per document between two sizes."""
    return (large - small) / (documents[1] - documents[0])


def project(runs: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the costs of larger corpora.

    Args:
        runs: figures of `scale.py`, at least two sizes, ascending.

    Raises:
        ValueError: there are fewer than two sizes.
    """
    if len(runs) < 2:
        raise ValueError(f"{len(runs)} size was measured; a slope takes two")
    small, large = runs[-2], runs[-1]
    measured = small["documents"], large["documents"]

    def cost(of: Callable[[dict[str, Any]], float], documents: int) -> float:
        growth = slope(of(small), of(large), measured)
        return of(large) + growth * (documents - measured[1])

    def stage_of_largest(run: dict[str, Any]) -> float:
        return float(max(run["shuffled_bytes"].values(), default=0))

    return [
        {
            "documents": documents,
            "core_hours": cost(lambda run: run["seconds"] * run["workers"], documents) / 3600,
            "shuffled_bytes": cost(lambda run: sum(run["shuffled_bytes"].values()), documents),
            "partitions": max(1.0, cost(stage_of_largest, documents) / PARTITION),
            "work_bytes": cost(lambda run: run["work_bytes"], documents),
            "files": cost(lambda run: run["work_files"] + run["output_files"], documents),
            "driver_bytes": cost(lambda run: run["driver_peak_bytes"], documents),
        }
        for documents in SIZES
    ]


def print_projection(runs: list[dict[str, Any]]) -> None:
    """Print a table in Markdown of the costs of larger corpora.

    Args:
        runs: figures of `scale.py`.
    """
    rows = project(runs)
    print(
        f"Slopes between {runs[-2]['documents']:,} and {runs[-1]['documents']:,} documents of "
        f"{runs[-1]['words']} words, {runs[-1]['engine']} engine, {runs[-1]['workers']} workers.\n"
    )
    print(
        "| documents | core hours | shuffled | partitions | work folder | files "
        "| driver's memory |\n|---:|---:|---:|---:|---:|---:|---:|"
    )
    for row in rows:
        print(
            f"| 10^{len(str(int(row['documents']))) - 1} | {row['core_hours']:,.1f} "
            f"| {row['shuffled_bytes'] / 1e9:,.1f} GB | {row['partitions']:,.0f} "
            f"| {row['work_bytes'] / 1e9:,.0f} GB | {row['files']:,.0f} "
            f"| {row['driver_bytes'] / 1e6:,.0f} MB |"
        )
