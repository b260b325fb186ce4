"""Text that is safe to print: characters that could steer a terminal are shown by their numbers.

File names, ids, columns, domains and texts come from corpora, which nobody vouches for. Printed as
they are, they could colour, move or overwrite other lines, or show letters in another order.
"""

from __future__ import annotations

import re

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_LINE_ENDS = r"\u2028\u2029"
_SURROGATES = r"\ud800-\udfff"
STEERING = _CONTROLS + _DIRECTIONS + _LINE_ENDS
"""Characters of a regular expression's set: controls but for newline and tab, directions, ends."""

_HIDDEN = re.compile(f"[{STEERING}{_SURROGATES}]")
_HIDDEN_IN_NAMES = re.compile(rf"[\t\n{STEERING}{_SURROGATES}]")
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: str) -> str:
    """Return a text whose steering characters are escaped; newlines and tabs stay."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_escaped, text)


def visible_name(name: str) -> str:
    """Return a name on one line, with newlines and tabs escaped as well.

    Bytes of a file name that aren't UTF-8 are shown in hexadecimal.
    """
    return name if name.isascii() and name.isprintable() else _HIDDEN_IN_NAMES.sub(_escaped, name)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # Python's stand-in for a byte that isn't UTF-8
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
