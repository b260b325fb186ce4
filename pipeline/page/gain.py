"""Gain of the selection, and the sampling error that stays after many generations."""

from __future__ import annotations

from outcross.pipeline.page.markup import Cell, Column, Html, el, figure, number, table, term
from outcross.pipeline.terminal.tables import times_form
from outcross.schemas.report import Report


def gain(report: Report) -> Html | None:
    """Return the table of the gap to human text before and after the selection."""
    if report.gain is None:
        return None
    columns = [
        Column("as much text", numeric=False, heading=True),
        Column("words, nats a human token", "gap-words"),
        Column("pairs, nats a human token", "gap-pairs"),
    ]
    gaps = {
        "drawn blindly": report.gain.before,
        "written": report.gain.after,
        "human text": report.gain.human,
    }
    rows: list[list[Cell | str]] = [
        [name, figure(gap.words, ".4f"), figure(gap.pairs, ".4f")]
        for name, gap in gaps.items()
        if gap is not None
    ]
    return table("Gap to human text, before and after the selection", columns, rows)


def lasting_error(report: Report) -> Html | None:
    """Return the sentence on the sampling error that remains after many generations."""
    achieved = report.achieved
    if achieved is None or achieved.lasting_error is None or not achieved.human_share:
        return None
    error = number(achieved.lasting_error, times_form(achieved.lasting_error))
    return el(
        "p",
        f"With {number(achieved.human_share, '.1%')} fresh human text in every generation, the ",
        term("achieved-lasting_error", "sampling error"),
        f" ends at {error} times that of all human text.",
        class_="note",
    )
