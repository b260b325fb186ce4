"""Tables and lines print what they are given: no markup, no emoji, no control characters."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.terminal.tables import PlainConsole, new_table, print_line, show_table
from outcross.transforms.base.visible import visible_name

HOSTILE = [
    "[red]not red[/red]",
    "[/]",
    "[link=https://example.org]x[/link]",
    ":smile:",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "a\rb\x08\x7f",
    "\u202eabc\u2066",
]


def shown(*lines: str, columns: int = 200) -> str:
    """Return what a line, a cell, a heading and a title show on a terminal of many colours."""
    sink = io.StringIO()
    console = PlainConsole(file=sink, width=columns, force_terminal=True, color_system=None)
    for line in lines:
        print_line(console, line)
        console.print(line)
        table = new_table(line, [line], [line])
        table.add_row(line, line)
        show_table(console, table)
    return sink.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_printed_as_they_are(text: str) -> None:
    output = shown(text)
    assert output.count(visible_name(text)) == 7
    assert output.replace("\n", "").isprintable()


@given(st.text(max_size=30))
def test_nothing_that_is_printed_steers_the_terminal(text: str) -> None:
    output = shown(text, columns=80)
    assert visible_name(output.replace("\n", "").replace("\t", "")) == output.replace(
        "\n", ""
    ).replace("\t", "")


def test_columns_stay_aligned_beside_escaped_cells() -> None:
    sink = io.StringIO()
    table = new_table("rows", ["name"], ["count"])
    table.add_row("\x1b[31m", "1")
    table.add_row("plain", "2")
    show_table(PlainConsole(file=sink, width=80), table)
    first, second = (line for line in sink.getvalue().splitlines() if line.endswith(("1", "2")))
    assert len(first) == len(second)
