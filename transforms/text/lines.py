"""Lines of code and tables, in which white space carries meaning.

A line is code within a fence, when it ends in a brace, or when it is indented and holds signs of
code, follows code, or follows a line that opens a block. Tabs make a table where two lines in a row
have as many of them between their words.
"""

from __future__ import annotations

import numpy as np

from outcross.transforms.base.eight_bytes import count_ones, leading_zeros, trailing_zeros
from outcross.transforms.base.hashing import mix64
from outcross.transforms.base.kernels import borrowing
from outcross.transforms.base.sixty_four_bytes import mark_bytes

_INDENT, _TAB = np.uint64(1 << 40), np.uint64(2 << 40)
_SPACE, _TABULATOR, _LINE, _RETURN = 32, 9, 10, 13
_COLON, _SEMICOLON, _GREATER, _HYPHEN, _PLUS, _STAR = (ord(c) for c in ":;>-+*")
_OPEN, _SCORE, _TICK, _TILDE, _BRACE, _CLOSING_BRACE, _SLASH = (ord(c) for c in "(_`~{}\\")
_A, _Z, _SMALL_A, _SMALL_Z = (ord(c) for c in "AZaz")
_ONE, _TWO, _TOP, _ALL = np.uint64(1), np.uint64(2), np.uint64(63), ~np.uint64(0)


@borrowing()
def is_indented(text, size):  # type: ignore[no-untyped-def]
    """Tell whether a text has a tab, a line that begins with two spaces, or a fence.

    Each of them shows lines, so `shows_lines` need not come upon it between two words.
    """
    for base in range(0, size, 64):
        at = np.uint64(base)
        spaces = mark_bytes(text, at, _SPACE, _SPACE)
        lines = mark_bytes(text, at, _LINE, _LINE)
        ticks, tildes = mark_bytes(text, at, _TICK, _TICK), mark_bytes(text, at, _TILDE, _TILDE)
        shown = mark_bytes(text, at, _TABULATOR, _TABULATOR)
        # What stands at the end of the 64 bytes is left to `shows_lines`.
        shown |= lines & spaces >> _ONE & spaces >> _TWO
        shown |= ticks & ticks >> _ONE & ticks >> _TWO
        shown |= tildes & tildes >> _ONE & tildes >> _TWO
        if size - base < 66:
            # Spaces behind the text are no indentation.
            shown &= (_ONE << np.uint64(max(size - base - 2, 0))) - _ONE
        if shown:
            return True
    return False


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
def describe_line(text, i, stop):  # type: ignore[no-untyped-def]
    """Describe the line that begins at `i`.

    Returns:
        Where it ends, its indentation in columns, its first and last character that isn't blank (0
        for none), how often the first stands there if it is of a fence, tabs after the first, and
        signs of code.
    """
    indent = 0
    while i < stop and (text[i] == _SPACE or text[i] == _TABULATOR):
        indent += 8 if text[i] == _TABULATOR else 1
        i += 1
    begin = i  # where the first character stands
    first = last = np.uint8(0)
    tabs = pending = signs = np.uint64(0)
    before = np.uint64(0)  # whether the last byte belongs to a name
    ends = np.uint64(0)
    while not ends:
        at = np.uint64(i)
        ends = mark_bytes(text, at, _LINE, _LINE)
        if stop - i < 64:
            ends |= _ALL << np.uint64(stop - i)
        within = (ends & (~ends + _ONE)) - _ONE
        tabulators = mark_bytes(text, at, _TABULATOR, _TABULATOR) & within
        blanks = mark_bytes(text, at, _SPACE, _SPACE) | mark_bytes(text, at, _RETURN, _RETURN)
        characters = within & ~(blanks | tabulators)
        if characters:
            visible = characters & ~mark_bytes(text, at, 0, 0)
            if first == 0 and visible:
                begin = i + np.int64(trailing_zeros(visible))
                first = text[begin]
            top = _TOP - leading_zeros(characters)
            last = text[at + top]
            tabs += pending + count_ones(tabulators & ((_ONE << top) - _ONE))
            pending = count_ones(tabulators >> top)
        else:
            pending += count_ones(tabulators)
        names = mark_bytes(text, at, _SMALL_A, _SMALL_Z) | mark_bytes(text, at, _A, _Z)
        names |= mark_bytes(text, at, _SCORE, _SCORE) | mark_bytes(text, at, 128, 255)
        marks = mark_bytes(text, at, _OPEN, _OPEN) & (names << _ONE | before)
        before = names >> _TOP
        marks |= mark_bytes(text, at, _SEMICOLON, _GREATER) | mark_bytes(text, at, _SLASH, _SLASH)
        marks |= mark_bytes(text, at, _BRACE, _BRACE)
        marks |= mark_bytes(text, at, _CLOSING_BRACE, _CLOSING_BRACE)
        signs += count_ones(marks & within)
        i += np.int64(trailing_zeros(ends)) if ends else 64
    repeated = 0
    if first in (_TICK, _TILDE):
        for k in range(begin, i):
            if text[k] == first:
                repeated += 1
            elif text[k] not in (_SPACE, _TABULATOR, _RETURN):
                break
    return i, indent, first, last, repeated, tabs, signs


@borrowing()
def code_lines(text, stop, codes):  # type: ignore[no-untyped-def]
    """Mark the lines of code; return how many lines there are, and whether tabs make a table."""
    lines = 0
    fence, fenced = np.uint8(0), False
    table = False
    opened = previous = False  # what the last line with text was: ends in : or {, code
    indent_before = header = 0
    tabs_before = np.uint64(0)
    i = np.int64(0)  # a constant 0 would be a type of its own
    while i <= stop:
        i, indent, first, last, repeated, tabs, signs = describe_line(text, i, stop)
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
