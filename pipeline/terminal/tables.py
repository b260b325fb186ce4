"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from outcross.schemas.deduplication import Overlap


def new_table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    """An empty table that takes little room.

    Args:
        title: stands above it.
        words, numbers: headings of the columns with words, on the left, and with numbers.
    """
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in words:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def show_table(console: Console, table: Table) -> None:
    """Prints a table at its full width: on a narrow terminal its lines wrap, and nothing is cut."""
    console.width = max(console.width, Console(width=1 << 16).measure(table).maximum)
    console.print(table)
    console.print()


def found_table(found: Sequence[Overlap]) -> Table:
    """What repeats evaluation sets and earlier runs."""
    table = new_table(
        "found again",
        ["of", "in"],
        ["documents", "found", "only as a whole", "exact", "near", "contained"],
    )
    for line in found:
        own = [f"{line.documents:,}", f"{line.found:,}", f"{line.whole_only:,}"]
        if not line.removed:
            table.add_row(escape(line.name), "–", *own)
        for number, part in enumerate(line.removed):
            counts = [f"{part.exact:,}", f"{part.near:,}", f"{part.contained:,}"]
            name = escape(line.name) if number == 0 else ""
            table.add_row(name, escape(part.source), *(own if number == 0 else [""] * 3), *counts)
    return table
