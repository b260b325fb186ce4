"""Lines of code and tables, in which white space carries meaning.

A line is code within a fence, when it ends in a brace, or when it is indented and holds signs of
code, follows code, or follows a line that opens a block. Tabs make a table where two lines in a row
have as many of them between their words.
"""

from __future__ import annotations

import numpy as np

from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing

_INDENT, _TAB = np.uint64(1 << 40), np.uint64(2 << 40)
_SPACE, _TABULATOR, _LINE, _RETURN = 32, 9, 10, 13
_COLON, _SEMICOLON, _HYPHEN, _PLUS, _STAR = (ord(c) for c in ":;-+*")
_OPEN, _SCORE, _TICK, _TILDE, _BRACE, _CLOSING_BRACE = (ord(c) for c in "(_`~{}")
_SIGNS = tuple(ord(c) for c in "={}<>\\;")


@borrowing()
def shows_lines(text, i, stop, size):  # type: ignore[no-untyped-def]
    """Tell whether a gap has signs of code or tables: fences, indentation, braces at ends, tabs."""
    brace = ticks = False
    while i < stop:
        byte = text[i]
        following = text[i + 1]
        if byte == _TABULATOR or (
            byte == _LINE and i + 2 < size and following == _SPACE and text[i + 2] == _SPACE
        ):
            return True
        ticks |= (byte in (_TICK, _TILDE)) and following == byte and text[i + 2] == byte
        brace |= byte in (_BRACE, _CLOSING_BRACE)
        if brace and (byte == _LINE or i + 1 == size):
            return True
        i += 1
    return ticks


@borrowing()
def _line(text, i, stop):  # type: ignore[no-untyped-def]
    """Describe the line that begins at `i`.

    Returns:
        Where it ends, its indentation in columns, its first and last character that isn't blank (0
        for none), how often the first stands there, tabs after the first, and signs of code.
    """
    indent = 0
    while i < stop and (text[i] == _SPACE or text[i] == _TABULATOR):
        indent += 8 if text[i] == _TABULATOR else 1
        i += 1
    first = last = np.uint8(0)
    repeated = tabs = pending = signs = 0
    before = np.uint8(0)
    while i < stop and text[i] != _LINE:
        byte = text[i]
        if byte == _TABULATOR:
            pending += 1
        elif byte not in (_SPACE, _RETURN):
            if first == 0:
                first = byte
            if byte == first and repeated >= 0:
                repeated += 1
            else:
                repeated = -abs(repeated)
            tabs += pending
            pending = 0
            last = byte
            word = before >= 128 or (before | 32 >= 97 and before | 32 <= 122)
            if byte == _OPEN and (word or before == _SCORE):
                signs += 1
            for sign in _SIGNS:
                signs += byte == sign
        before = byte
        i += 1
    return i, indent, first, last, abs(repeated), tabs, signs


@borrowing()
def code_lines(text, stop, codes):  # type: ignore[no-untyped-def]
    """Mark the lines of code; return how many lines there are, and whether tabs make a table."""
    lines = 0
    fence, fenced = np.uint8(0), False
    table = False
    opened = previous = False  # what the last line with text was: ends in : or {, code
    indent_before = tabs_before = header = 0
    i = 0
    while i <= stop:
        i, indent, first, last, repeated, tabs, signs = _line(text, i, stop)
        codes[lines] = fenced and first != 0
        if (first in (_TICK, _TILDE)) and repeated >= 3 and (not fenced or first == fence):
            codes[lines] = False
            fenced, fence = not fenced, first
            opened = previous = False
        elif first and not fenced:
            deeper = indent > indent_before
            code = last in (_BRACE, _CLOSING_BRACE) or (last == _SEMICOLON and signs > 1)
            if indent >= 2:
                bullet = first in (_HYPHEN, _STAR, _PLUS) or 48 <= first <= 57
                code |= signs > 0 or previous or (opened and deeper and indent >= 4 and not bullet)
            if code and opened and deeper:
                codes[header] = True
            codes[lines] = code
            header = lines
            opened = last in (_COLON, _BRACE)
            previous = code
            indent_before = indent
        table |= tabs > 0 and tabs == tabs_before
        tabs_before = tabs
        lines += 1
        i += 1
    return lines, table


@borrowing()
def white_space(text, i, stop, has_left, line, codes, lines, table, out):  # type: ignore[no-untyped-def]
    """Find white space between words that counts; return how much, and the line's number."""
    filled = 0
    tabs = 0
    while i < stop:
        byte = text[i]
        if byte == _TABULATOR:
            tabs += 1
        if byte == _LINE:
            tabs = 0
            line += 1
            k = i + 1
            columns = 0
            while k < stop and (text[k] == _SPACE or text[k] == _TABULATOR):
                columns += 1 if text[k] == _SPACE else 1 << 10
                k += 1
            if columns and line < lines and codes[line]:
                out[filled] = mix64(_INDENT | np.uint64(columns))
                filled += 1
            i = k - 1
        i += 1
    if table and tabs and has_left:
        out[filled] = mix64(_TAB | np.uint64(tabs))
        filled += 1
    return filled, line
