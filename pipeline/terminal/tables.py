"""Tables and lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from outcross.schemas.deduplication import Overlap
from outcross.transforms.base.visible import visible


class PlainConsole(Console):
    """A console that prints every text as it is, but for characters that steer a terminal.

    There is no markup: brackets and `:names:` of a corpus mean nothing. Styles are arguments.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text with its steering characters escaped, before its width is measured."""
        return super().render_str(visible(text), **options)


def new_table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    """Return an empty table that takes little room.

    Args:
        title: line above the table.
        words: headings of the columns that are aligned left.
        numbers: headings of the columns that are aligned right, after the others.
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
    """Print a table at its full width: a narrow terminal wraps its lines, and cuts nothing."""
    console.width = max(console.width, PlainConsole(width=1 << 16).measure(table).maximum)
    console.print(table)
    console.print()


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """Print a text without line breaks of its own, in a style such as `bold`."""
    console.print(text, style=style, soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s in the plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def number_or_dash(value: float | None, form: str) -> str:
    """Return a number in a form such as `.2f`, or a dash for None."""
    return "–" if value is None else f"{value:{form}}"


def times_form(value: float) -> str:
    """Return the form of a multiple: two decimals, and none from 100 on."""
    return ",.2f" if value < 100 else ",.0f"


def repeats_table(repeats: Sequence[Overlap]) -> Table:
    """Return how many documents repeat evaluation sets and earlier runs.

    Args:
        repeats: the sets and earlier runs, each with its removals by source.
    """
    semantic = any(removed.semantic for line in repeats for removed in line.removed)
    columns = ["documents", "found", "only as a whole", "exact", "near", "contained"]
    columns += ["semantic"] if semantic else []
    table = new_table("repeats of evaluation sets and earlier runs", ["of", "in"], columns)
    for line in repeats:
        totals = [f"{line.documents:,}", f"{line.found:,}", f"{line.whole_only:,}"]
        if not line.removed:
            table.add_row(line.name, "–", *totals)
        for number, removed in enumerate(line.removed):
            counts = [f"{removed.exact:,}", f"{removed.near:,}", f"{removed.contained:,}"]
            counts += [f"{removed.semantic:,}"] if semantic else []
            name = line.name if number == 0 else ""
            before = totals if number == 0 else [""] * 3
            table.add_row(name, removed.source, *before, *counts)
    return table
