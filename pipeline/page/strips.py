"""Small drawings: the corpus against human text, and measures over generations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from outcross.pipeline.page.markup import Html, el, number
from outcross.schemas.figures import Measure
from outcross.schemas.measures import CONFIDENCE, MEASURES

_HEIGHT = 36
_SHAPES = {
    "read": "M-4.5,0a4.5,4.5 0 1 0 9,0a4.5,4.5 0 1 0 -9,0z",
    "deduplicate": "M0,-5.5L5.5,0L0,5.5L-5.5,0z",
    "judged": "M-4.5,-4.5h9v9h-9z",
    "write": "M-4.5,-4.5h9v9h-9z",
}


def band(measure: Measure) -> tuple[float, float] | None:
    """Return the ends of the human-human band on the scale of `against`; None if there is none."""
    if measure.low is None or measure.high is None or measure.human is None:
        return None
    if MEASURES[measure.name].kind == "difference":
        return measure.low - measure.human, measure.high - measure.human
    if measure.human <= 0:
        return None
    return measure.low / measure.human, measure.high / measure.human


def extent(measures: Sequence[Measure], kind: str) -> tuple[float, float]:
    """Return the ends of a scale that holds all marks, whiskers and bands, and the human value."""
    middle = 1.0 if kind == "ratio" else 0.0
    values = [middle]
    for measure in measures:
        if measure.against is not None and math.isfinite(measure.against):
            whisker = CONFIDENCE * (measure.error or 0.0)
            values += [measure.against - whisker, measure.against + whisker]
        values += band(measure) or ()
    low, high = min(values), max(values)
    if kind == "ratio":
        return max(min(0.6, low), 0.0), min(max(1.2, high), 2.0)
    reach = max(abs(low), abs(high)) or 1e-3
    return -reach * 1.1, reach * 1.1


def strip(series: Sequence[tuple[str, Measure]], scale: tuple[float, float], label: str) -> Html:
    """Draw the human-human band, the human value, and a mark with a whisker for each stage.

    Args:
        series: pairs of a stage's name and its measure; the same measure at each stage.
        scale: lowest and highest value of the axis, in units of `against`.
        label: description for readers who can't see the drawing.
    """
    kind = MEASURES[series[0][1].name].kind

    def x(value: float) -> str:
        share = (value - scale[0]) / (scale[1] - scale[0])
        return f"{2 + 96 * min(max(share, 0.0), 1.0):.2f}%"

    parts = []
    shaded = band(series[-1][1])
    if shaded:
        left, right = (float(x(value)[:-1]) for value in shaded)
        width = f"{max(right - left, 0.4):.2f}%"
        parts.append(el("rect", x=f"{left:.2f}%", y=0, width=width, height=_HEIGHT, class_="band"))
    for tick in _ticks(scale) if kind == "ratio" else ():
        parts.append(el("line", x1=x(tick), x2=x(tick), y1=0, y2=_HEIGHT, class_="tick"))
    middle = x(1.0 if kind == "ratio" else 0.0)
    parts.append(el("line", x1=middle, x2=middle, y1=0, y2=_HEIGHT, class_="human"))
    step = _HEIGHT / (len(series) + 1)
    for place, (stage, measure) in enumerate(series, 1):
        if measure.against is None or not math.isfinite(measure.against):
            continue
        y, at = round(place * step, 1), measure.against
        whisker = CONFIDENCE * (measure.error or 0.0)
        if whisker:
            ends = x(at - whisker), x(at + whisker)
            parts.append(el("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_=f"whisker {stage}"))
        shape = _SHAPES[stage]
        if not scale[0] <= at <= scale[1]:
            shape = "M6,0L-4,-6V6z" if at > scale[1] else "M-6,0L4,-6V6z"
        mark = el("path", d=shape, class_=f"mark {stage}")
        parts.append(el("svg", mark, x=x(at), y=y, overflow="visible", width=1, height=1))
    return el(
        "svg", *parts, class_="strip", height=_HEIGHT, width="100%", role="img", aria_label=label
    )


def key_of_marks(stages: Sequence[str], words: Sequence[str]) -> Html:
    """Return a legend of the marks in a strip."""
    items = []
    for stage, word in zip(stages, words, strict=True):
        mark = el("path", d=_SHAPES[stage], class_=f"mark {stage}", transform="translate(7 7)")
        items.append(el("span", el("svg", mark, width=14, height=14, aria_hidden="true"), word))
    items.append(el("span", el("i", class_="band"), "human against human, 95 %"))
    return el("p", *items, class_="legend")


def _ticks(scale: tuple[float, float]) -> list[float]:
    step = 0.2 if scale[1] - scale[0] <= 1.2 else 0.5
    first, last = math.ceil(scale[0] / step - 1e-9), math.floor(scale[1] / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def axis(scale: tuple[float, float]) -> Html:
    """Draw the ticks of an axis of ratios."""
    parts = []
    for tick in _ticks(scale):
        share = (tick - scale[0]) / (scale[1] - scale[0])
        x = f"{2 + 96 * share:.2f}%"
        parts.append(el("text", f"{tick:.1f}", x=x, y=10, text_anchor="middle"))
    return el("svg", *parts, class_="axis", height=14, width="100%", aria_hidden="true")


def trend(measures: Sequence[Measure | None], label: str) -> Html:
    """Draw a measure over generations, with whiskers and the human-human band."""
    present = [(place, m) for place, m in enumerate(measures) if m and m.against is not None]
    kind = MEASURES[present[0][1].name].kind
    values = [1.0 if kind == "ratio" else 0.0]
    for _, measure in present:
        whisker = CONFIDENCE * (measure.error or 0.0)
        values += [(measure.against or 0.0) - whisker, (measure.against or 0.0) + whisker]
        values += band(measure) or ()
    low, high = min(values), max(values)
    room = (high - low or 1.0) * 0.08
    low, high = low - room, high + room
    width, height, left = 260.0, 110.0, 48.0

    def x(place: int) -> float:
        steps = max(len(measures) - 1, 1)
        return round(left + 10 + (width - left - 20) * place / steps, 1)

    def y(value: float) -> float:
        return round(height - 18 - (height - 26) * (value - low) / (high - low), 1)

    parts = []
    shaded = band(present[-1][1])
    if shaded:
        top, bottom = y(shaded[1]), y(shaded[0])
        parts.append(
            el("rect", x=left, y=top, width=width - left, height=bottom - top, class_="band")
        )
    middle = y(1.0 if kind == "ratio" else 0.0)
    parts.append(el("line", x1=left, x2=width, y1=middle, y2=middle, class_="human"))
    form = ".2f" if kind == "ratio" else "+.2g"
    for value in (low + room, high - room):
        parts.append(el("text", number(value, form), x=left - 4, y=y(value) + 3, class_="end"))
    points = " ".join(f"{x(place)},{y(m.against or 0.0)}" for place, m in present)
    parts.append(el("polyline", points=points, class_="trend"))
    for place, measure in present:
        at, whisker = measure.against or 0.0, CONFIDENCE * (measure.error or 0.0)
        ends = (y(at - whisker), y(at + whisker))
        parts.append(
            el("line", x1=x(place), x2=x(place), y1=ends[0], y2=ends[1], class_="whisker write")
        )
        where = f"translate({x(place)} {y(at)})"
        parts.append(el("path", d=_SHAPES["read"], class_="mark write", transform=where))
    for place in {0, len(measures) - 1}:
        parts.append(el("text", str(place + 1), x=x(place), y=height - 4, text_anchor="middle"))
    return el(
        "svg",
        *parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        class_="trends",
        role="img",
        aria_label=label,
    )
