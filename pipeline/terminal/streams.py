"""Text and JSON on consoles of any encoding."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from pathlib import Path

from outcross.transforms.base.visible import STEERING, visible

_ERRORS = "outcross"
_STEERING = re.compile(f"[{STEERING}]")
_PLAIN = {
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "×": "x",
    "÷": "/",
    "±": "+-",
    "·": "-",
    "α": "alpha",
    "≤": "<=",
    "≥": ">=",
    "│": "|",
    "─": "-",
    "█": "#",
    "▲": "^",
    "▼": "v",
    "●": "o",
    "\u202f": " ",
    **dict.fromkeys("▏▎▍▌", ""),
    **dict.fromkeys("▋▊▉", "#"),
}
"""Stand-ins in ASCII for signs of tables and sentences."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks by similar ones, else by their numbers."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN[c] if c in _PLAIN else _escaped(c) for c in lacking), error.end


def _escaped(text: str) -> str:
    """Return characters as JSON and Python escape them."""
    return json.dumps(text)[1:-1]


def plain_streams() -> None:
    """Let stdout and stderr print any text in any encoding; drop it where they are closed."""
    codecs.register_error(_ERRORS, _replace)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def print_message(text: str) -> None:
    """Print a message on stderr; characters that steer a terminal are escaped."""
    print(visible(text), file=sys.stderr)


def print_json(text: str) -> None:
    """Print JSON; what the console lacks or obeys is escaped, so it stays the same JSON.

    Args:
        text: JSON without a line end.
    """
    text = _STEERING.sub(lambda match: _escaped(match[0]), text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = re.sub(r"[^\x00-\x7f]", lambda match: _escaped(match[0]), text)
    print(text)
