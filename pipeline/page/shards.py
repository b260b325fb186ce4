"""Shards as a heat table: those that differ from the others are marked."""

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
from outcross.schemas.report import Report, Shard

SHOWN = 1500
_OUTLIER = 3.5  # robust standard deviations; Iglewicz and Hoaglin (1993)
_FEWEST = 8  # shards from which an outlier can be told
_NORMAL_MAD = 1.4826  # standard deviations of a normal distribution in a median deviation
_NORMAL_MEAN = 1.2533  # and in a mean absolute one
_STEPS = 4  # of heat, on each side
_LEFT_OUT = frozenset({"copies", "sample_coverage", "token_entropy"})


def deviations(values: Sequence[float | None]) -> list[float | None]:
    """How far each value is from the median one, in robust standard deviations.

    Where half of the values are the same, by the mean absolute deviation; 0 where all are.
    """
    known = [value for value in values if value is not None]
    if len(known) < _FEWEST:
        return [None] * len(values)
    middle = median(known)
    apart = [abs(value - middle) for value in known]
    scale = _NORMAL_MAD * median(apart) or _NORMAL_MEAN * fmean(apart) or 1.0
    return [None if value is None else (value - middle) / scale for value in values]


def shards(report: Report) -> Html | None:
    """One row a shard, each figure shaded by how far it is from the median shard's."""
    found = report.shards
    if not found:
        return None
    what = "file" if report.kind == "audit" else "shard"
    shown = [one for one in properties([shard.figures for shard in found]) if _differs(one, found)]
    told = len(found) >= _FEWEST
    own = [[_finite(one.of(shard.figures)) for shard in found] for one in shown]
    own.append([shard.human_share for shard in found])
    far = [deviations(column) for column in own]
    out = [
        sum(abs(z) > _OUTLIER for z in (column[place] for column in far) if z is not None)
        for place in range(len(found))
    ]
    read = any(shard.read is not None for shard in found)
    order: Sequence[int] = range(len(found))
    if len(found) > SHOWN:
        order = sorted(sorted(order, key=lambda place: -out[place])[:SHOWN])
    columns = [
        Column(what, numeric=False, heading=True),
        *([Column("out of line", "outliers")] if told else []),
        Column("human share", "shard-human_share"),
        *(Column(one.title, one.term) for one in shown),
        *([Column("read", "shard-read")] if read else []),
        Column("measured" if read else "rows", "shard-rows"),
        Column("size", "shard-bytes"),
    ]
    rows: list[list[Cell | str]] = []
    for place in order:
        shard = found[place]
        row: list[Cell | str] = [
            name(shard.file),
            *([figure(out[place], classes="out" if out[place] else "")] if told else []),
            _heat(shard.human_share, ".1%", far[-1][place]),
        ]
        row += [_heat(own[at][place], one.form, far[at][place]) for at, one in enumerate(shown)]
        row += [figure(shard.read)] if read else []
        rows.append([*row, figure(shard.rows), Cell(size(shard.bytes), shard.bytes)])
    marked = sum(count > 0 for count in out)
    if not told:
        lead = f"{many(len(found), what)}: too few to say which are out of line."
    elif marked:
        are = "is" if marked == 1 else "are"
        lead = f"{marked:,} of {many(len(found), what)} {are} out of line in at least one column."
    else:
        lead = f"None of {many(len(found), what)} is out of line."
    return section(
        "shards",
        "Files" if report.kind == "audit" else "Shards",
        el("p", lead, class_="lead"),
        _controls(marked > 0) if told else None,
        table(f"Every {what} on the yardstick", columns, rows, "by-shard", sortable=True),
        more(len(found), SHOWN, f"{what}s", "report.json"),
        brief=many(len(found), what) + (f", {marked:,} out of line" if marked else ""),
    )


def _differs(one: Property, found: Sequence[Shard]) -> bool:
    """Whether a column tells shards apart; the documents of one mostly are its rows."""
    if one.key == "documents":
        return any(shard.figures.documents != shard.rows for shard in found)
    return one.key not in _LEFT_OUT


def _controls(marked: bool) -> Html:
    box = el("input", type="checkbox", id="only-outliers")
    legend = join(
        [
            el("span", el("i", class_="h-4"), "below the median"),
            el("span", el("i", class_="h4"), "above it"),
            "▼ ▲ out of line",
        ]
    )
    return el(
        "p",
        el("label", box, " only those out of line", class_="scripted") if marked else None,
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
