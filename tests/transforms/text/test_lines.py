"""Lines of code and tables, in which white space counts."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.text.lines import code_lines, describe_line, is_indented, shows_lines
from tests.support.items import INDENTED, TABBED, spelled


def padded(text: str) -> np.ndarray:
    return np.frombuffer(text.encode() + b" " * 72, np.uint8)


def code(text: str) -> str:
    """Return a letter for each line: c for code; and t behind them for a table."""
    size = len(text.encode())
    codes = np.zeros(size + 2, np.bool_)
    lines, table = code_lines(padded(text), size, codes)
    assert lines == text.count("\n") + 1
    return "".join("c" if mark else "." for mark in codes[:lines]) + "t" * table


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("", "."),
        ("plain text\n\nmore of it", "..."),
        # Fences: all that has text between them, whatever it is.
        ("```\nx y\n\n  z\n```\nafter", ".c.c.."),
        ("~~~python\nx\n```\ny\n~~~\nz", ".ccc.."),
        ("````\n```\n````", "..."),
        ("```\nnever closed\nx", ".cc"),
        ("text ```\nx", ".."),
        ("``\nx\n``", "..."),
        ("  ```\n  x\n  ```\n", ".c.."),
        # Braces and semicolons at ends of lines.
        ("int main() {\nreturn 0;\n}", "c.c"),
        ("{\n", "c."),
        ("a set {1, 2} of two", "."),
        ("x = 1; y = 2;\nHello, this is;", "c."),
        # Indentation with signs of code, behind code, or behind what opens a block.
        ("if x:\n    go\n    on\nout", "ccc."),
        ("def f(x):\n    return x\n", "cc."),
        ("a poem\n    indented\n    thus", "..."),
        ("a poem\n  f(x)", ".c"),
        ("  x = 1\n  plain\n  plain\nx", "ccc."),
        ("list:\n    - one\n    - two", "..."),
        ("list:\n    1. one\n    2. two", "..."),
        ("said:\n  so", ".."),
        ("if x:\n\n    go", "c.c"),
        ("if x:\n\tgo", "cc"),
        ("if x:\n    go\n        on\n  and", "cccc"),
        # Tables: as many tabs in two lines in a row.
        ("a\tb\nc\td", "..t"),
        ("a\tb\nc", ".."),
        ("a\tb\nc\td\te", ".."),
        ("\ta\n\tb", ".."),
        ("a\tb\n\nc\td", "..."),
        ("a\t\n b\t", ".."),
        ("one\r\ntwo {\r\nthree\r\n", ".c.."),
    ],
)
def test_which_lines_are_code(text: str, marks: str) -> None:
    assert code(text) == marks


LINE = st.text(st.sampled_from(" \t\r(){};=<>\\`~_aZ9é.\0"), max_size=40)


def described(line: str) -> tuple[int, ...]:
    """Describe a line by reading one character after the other."""
    bare = line.lstrip(" \t")
    indent = sum(8 if c == "\t" else 1 for c in line[: len(line) - len(bare)])
    seen = [(k, byte) for k, byte in enumerate(bare.encode()) if byte not in b" \t\r"]
    first = next((byte for _, byte in seen if byte), 0)
    last = seen[-1][1] if seen else 0
    tabs = bare.encode()[: seen[-1][0]].count(b"\t") if seen else 0
    signs = len(re.findall(rb"[={}<>\\;]|(?<=[A-Za-z_\x80-\xff])\(", bare.encode()))
    visible = re.sub("[ \t\r]", "", line).lstrip("\0")
    fence = re.match("`+|~+", visible)
    return indent, first, last, len(fence[0]) if fence else 0, tabs, signs


@given(st.lists(LINE, max_size=6).map("".join), LINE, LINE)
def test_a_line_is_described_as_by_its_characters(line: str, before: str, after: str) -> None:
    text = f"{before}\n{line}\n{after}"
    size = len(text.encode())
    begin = len(before.encode()) + 1
    stop, *rest = describe_line(padded(text), begin, size)
    assert (stop, *rest) == (begin + len(line.encode()), *described(line))
    assert describe_line(padded(line), 0, len(line.encode()))[1:] == tuple(rest)


PROSE = st.text(
    st.sampled_from("abcé日 .,:!?\"'-*#>=()\r\n\u00a0") | st.sampled_from(" \n"), max_size=90
)


def flattened(text: str) -> str:
    """Return the text with no line that begins with blanks."""
    return "\n".join(line.lstrip(" ") for line in text.split("\n"))


@given(PROSE)
def test_without_fences_braces_tabs_and_indentation_nothing_is_code(text: str) -> None:
    assert set(code(flattened(text))) <= {"."}


@given(PROSE, st.sampled_from(["```", "~~~", "````"]))
def test_all_that_is_fenced_is_code(text: str, fence: str) -> None:
    lines = flattened(text).split("\n")
    marks = code("\n".join([fence, *lines, fence]))
    assert marks == "." + "".join("c" if line.strip(" \r") else "." for line in lines) + "."


SHOWN = st.sampled_from(["\t", "\n  ", "```", "~~~", "{\n", "}  \n"])
GAP = st.text(st.sampled_from(" \n.,:;-*'()"), max_size=20).map(
    lambda gap: gap.replace("\n ", "\n")
)


@given(GAP, SHOWN, GAP)
def test_gaps_show_where_lines_have_to_be_looked_at(before: str, sign: str, after: str) -> None:
    gap = before + sign + after
    assert shows_lines(padded("w" + gap + "w"), 1, 1 + len(gap), len(gap) + 2)
    plain = (before + after).replace("\n ", "\n")
    assert not shows_lines(padded("w" + plain + "w"), 1, 1 + len(plain), len(plain) + 2)


@given(st.integers(0, 70), GAP, SHOWN, st.integers(0, 3))
def test_what_is_indented_shows_lines(before: int, gap: str, sign: str, after: int) -> None:
    text = "w" * before + gap + sign + "w" * after
    size = len(text.encode())
    plain = "w" * before + gap + "w" * after
    assert not is_indented(padded(plain), len(plain))
    if is_indented(padded(text), size):
        assert shows_lines(padded(text), before, size, size)
    if 2 < before < 40 and after == 3:
        assert is_indented(padded(text), size) == ("}" not in sign and "{" not in sign)


def test_a_brace_at_the_end_of_the_text_shows() -> None:
    assert shows_lines(padded("w }"), 1, 3, 3)
    assert not shows_lines(padded("w } w"), 1, 4, 5)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("if so:\n    go\n    on", ["if", "so", INDENTED + "4", ":", "go", INDENTED + "4", "on"]),
        ("if so:\n    go\n  on", ["if", "so", INDENTED + "4", ":", "go", INDENTED + "2", "on"]),
        ("```\nif\n go\n```", ["if", INDENTED + "1", "go"]),
        ("name\tage\nann\tbob", [TABBED + "1", TABBED + "1"]),
        ("name\t\tage\nann\t\tbob", [TABBED + "2", TABBED + "2"]),
        ("name age\nann\tbob", []),
        ("some prose\n   with indents\n  of its own", []),
        ("further  spaces   and\n\n\nlines", []),
    ],
)
def test_white_space_that_counts(text: str, items: list[str]) -> None:
    assert spelled(text) == items
