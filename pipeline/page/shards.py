"""A table of shards, or audited files, in which figures far from the median are marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from outcross.pipeline.page.diversity import Property, properties
from outcross.pipeline.page.markup import (
    Cell,
    Column,
    Html,
    el,
    figure,
    join,
    many,
    more,
    name,
    section,
    size,
    table,
)
from outcross.schemas.figures import Shard
from outcross.schemas.report import Report

SHOWN = 1500
_OUTLIER = 3.5  # robust standard deviations; Iglewicz and Hoaglin (1993)
_FEWEST = 8  # shards from which an outlier can be told
_NORMAL_MAD = 1.4826  # standard deviations of a normal distribution in a median deviation
_NORMAL_MEAN = 1.2533  # and in a mean absolute one
_STEPS = 4  # of heat, on each side
_LEFT_OUT = frozenset({"copies", "sample_coverage", "token_entropy"})


def deviations(values: Sequence[float | None]) -> list[float | None]:
    """Return the distance of each value from the median, in robust standard deviations.

    The unit is the median absolute deviation, scaled to a normal distribution (Iglewicz and
    Hoaglin, 1993). If at least half of the values are equal, it is the mean absolute deviation.

    Args:
        values: one value per shard; None where a shard has none.

    Returns:
        one number per shard; None for a shard without a value, and for all if fewer than 8 have
        one.
    """
    known = [value for value in values if value is not None]
    if len(known) < _FEWEST:
        return [None] * len(values)
    middle = median(known)
    distances = [abs(value - middle) for value in known]
    scale = _NORMAL_MAD * median(distances) or _NORMAL_MEAN * fmean(distances) or 1.0
    return [None if value is None else (value - middle) / scale for value in values]


def shards(report: Report) -> Html | None:
    """Return the section with one row per shard, shaded by the distance from the median shard."""
    parts = report.shards
    if not parts:
        return None
    noun = "file" if report.kind == "audit" else "shard"
    known = properties([shard.figures for shard in parts])
    shown = [prop for prop in known if _differs(prop, parts)]
    enough = len(parts) >= _FEWEST
    values = [[_finite(prop.of(shard.figures)) for shard in parts] for prop in shown]
    values.append([shard.human_share for shard in parts])
    far = [deviations(column) for column in values]
    out = [
        sum(abs(z) > _OUTLIER for z in (column[place] for column in far) if z is not None)
        for place in range(len(parts))
    ]
    read = any(shard.read is not None for shard in parts)
    order: Sequence[int] = range(len(parts))
    if len(parts) > SHOWN:
        order = sorted(sorted(order, key=lambda place: -out[place])[:SHOWN])
    columns = [
        Column(noun, numeric=False, heading=True),
        *([Column("outlying columns", "outliers")] if enough else []),
        Column("human share", "shard-human_share"),
        *(Column(prop.title, prop.term) for prop in shown),
        *([Column("read", "shard-read")] if read else []),
        Column("measured" if read else "rows", "shard-rows"),
        Column("size", "shard-bytes"),
    ]
    rows: list[list[Cell | str]] = []
    for place in order:
        shard = parts[place]
        row: list[Cell | str] = [
            name(shard.file),
            *([figure(out[place], classes="out" if out[place] else "")] if enough else []),
            _heat(shard.human_share, ".1%", far[-1][place]),
        ]
        row += [_heat(values[i][place], prop.form, far[i][place]) for i, prop in enumerate(shown)]
        row += [figure(shard.read)] if read else []
        rows.append([*row, figure(shard.rows), Cell(size(shard.bytes), shard.bytes)])
    marked = sum(count > 0 for count in out)
    if not enough:
        lead = f"{many(len(parts), noun)}: too few to find outliers."
    elif marked:
        are = "is an outlier" if marked == 1 else "are outliers"
        lead = f"{marked:,} of {many(len(parts), noun)} {are} in at least one column."
    else:
        lead = f"None of {many(len(parts), noun)} is an outlier."
    return section(
        "shards",
        "Files" if report.kind == "audit" else "Shards",
        el("p", lead, class_="lead"),
        _controls(marked > 0) if enough else None,
        table(f"Every {noun} on the same clusters", columns, rows, "by-shard", sortable=True),
        more(len(parts), SHOWN, f"{noun}s", "report.json"),
        brief=many(len(parts), noun) + (f", {many(marked, 'outlier')}" if marked else ""),
    )


def _differs(prop: Property, shards: Sequence[Shard]) -> bool:
    """Return whether a property can differ between shards.

    The number of documents counts only if it differs from the number of rows.
    """
    if prop.key == "documents":
        return any(shard.figures.documents != shard.rows for shard in shards)
    return prop.key not in _LEFT_OUT


def _controls(marked: bool) -> Html:
    box = el("input", type="checkbox", id="only-outliers")
    legend = join(
        [
            el("span", el("i", class_="h-4"), "below the median"),
            el("span", el("i", class_="h4"), "above it"),
            "▼ ▲ outlier",
        ]
    )
    return el(
        "p",
        el("label", box, " only outliers", class_="scripted") if marked else None,
        el("span", legend, class_="legend"),
        class_="controls",
    )


def _heat(value: float | None, form: str, z: float | None) -> Cell:
    cell = figure(value, form)
    if z is None:
        return cell
    step = max(-_STEPS, min(_STEPS, round(z)))
    classes = f"h{step}" if step else ""
    if abs(z) <= _OUTLIER:
        return Cell(cell.content, cell.value, classes)
    mark = "▲" if z > 0 else "▼"
    return Cell(f"{mark} {cell.content}", cell.value, f"{classes} out")


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
