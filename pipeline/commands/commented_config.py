"""A configuration as YAML with comments, from guesses."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence

import yaml

from outcross.schemas.guess import FieldGuess, SourceGuess

_HEAD = """\
# Configuration of outcross, guessed from the first rows of the files below.
# Look at every line, then see what a run would read:  outcross run {path} --dry-run
# `outcross schema config` describes all keys. An option, such as --seed 1, overrides a key.

out: {out}  # directory of the result

# Budget. Without these keys: two thirds of the synthetic tokens that survive deduplication, and
# one fifth of the result is human text.
# tokens: 1000000
# human_share: 0.2
# near_threshold: 0.8  # similarity from which two documents repeat

# Paths are relative to the folder that outcross is started in.
sources:
"""

_MEANINGS = {
    "text_field": "the text that is judged",
    "roles": "turns of the conversation that are judged",
    "id_field": "id of the document",
    "prompt_field": "prompt that was answered",
    "domain_field": "domain of the document",
}
WHY_ABSENT = {
    "id_field": "no column has a usual name and different values in all rows",
    "prompt_field": "no column of texts has a usual name",
    "domain_field": "no column has a usual name and a few values that repeat",
}
"""Reasons why keys are not guessed."""
_SHOWN_ALTERNATIVES = 5
_SHOWN_CHARACTERS = 60
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./*-]*")


def commented_config(path: str, out: str, sources: Sequence[SourceGuess]) -> str:
    """Return the YAML of a configuration, with comments on what is sure and what is not.

    Args:
        path: path of the configuration, for the comment.
        out: output directory.
        sources: the guessed sources.
    """
    lines = [_HEAD.format(path=shell_word(path), out=scalar(out)).rstrip("\n")]
    for source in sources:
        lines += _source_lines(source)
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """Return a string as YAML on one line, in quotes unless YAML reads it as it is."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    quoted = yaml.safe_dump(text, default_style='"', width=sys.maxsize, allow_unicode=True)
    return quoted.rstrip("\n")


def one_line(text: str) -> str:
    """Return a text on one line; what can't be printed is escaped."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def shell_word(text: str) -> str:
    """Return a text as one word of a shell command; what can't be printed is escaped for bash."""
    if text.isprintable():
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + "".join(c if c.isprintable() else _hexadecimal(c) for c in escaped) + "'"


def _hexadecimal(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def short(text: str) -> str:
    """Return a text for a comment or a terminal: short, and on one line."""
    line = one_line(text)
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1] + "…"


def _source_lines(source: SourceGuess) -> list[str]:
    files = ", ".join(map(scalar, source.files))
    lines = [
        f"  - name: {scalar(source.name)}",
        f"    role: {source.role}",
        f"    files: [{files}]",
    ]
    key = f"format: {source.format}"
    lines.append(f"    {key if source.format_needed else f'# {key}'}  # {source.format_reason}")
    for name, meaning in _MEANINGS.items():
        guess: FieldGuess | None = getattr(source.fields, name)
        if guess is not None:
            lines += _field_lines(name, guess)
        elif name in WHY_ABSENT and not source.format.startswith("text-"):
            lines.append(f"    # {name}:  # {meaning}: {WHY_ABSENT[name]}")
    return lines


def _field_lines(name: str, guess: FieldGuess) -> list[str]:
    value = (
        scalar(guess.value)
        if isinstance(guess.value, str)
        else f"[{', '.join(map(scalar, guess.value))}]"
    )
    lines = [f"    {name}: {value}  # {_MEANINGS[name]}: {guess.reason}"]
    if guess.alternatives:
        names = ", ".join(
            repr(short(column)) for column in guess.alternatives[:_SHOWN_ALTERNATIVES]
        )
        more = len(guess.alternatives) - _SHOWN_ALTERNATIVES
        lines.append(
            f"    # or {name}: {names}" + (f" and {more} more columns" if more > 0 else "")
        )
    return lines
