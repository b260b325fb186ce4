"""Lines of `outcross init`: what was guessed, and why."""

from __future__ import annotations

from rich.console import Console

from outcross.pipeline.commands.commented_config import WHY_ABSENT, one_line, shell_word, short
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import PlainConsole, counted, print_line
from outcross.schemas.guess import FieldGuess, InitResult, SourceGuess

_KEYS = ("text_field", "roles", "id_field", "prompt_field", "domain_field")
_SHOWN_ALTERNATIVES = 3


def show_init(result: InitResult, as_json: bool) -> None:
    """Print the guessed keys of each source.

    Args:
        result: the configuration that was written.
        as_json: print JSON instead of lines.
    """
    if as_json:
        print_json(result.model_dump_json(indent=2))
        return
    console = PlainConsole()
    for source in result.sources:
        _show_source(console, source)
    file = one_line(result.file)
    print_line(console, f"{file} written. Look at it, then see what a run would read:")
    print_line(console, f"  outcross run {shell_word(result.file)} --dry-run")


def _show_source(console: Console, source: SourceGuess) -> None:
    rows = f", {counted(source.rows, 'first row')}" if source.rows else ""
    files = short(", ".join(source.files))
    print_line(console, f"{source.name} ({source.role}): {files}{rows}")
    _show_key(console, "format", source.format, source.format_reason)
    for key in _KEYS:
        guess: FieldGuess | None = getattr(source.fields, key)
        if guess is not None:
            value = [guess.value] if isinstance(guess.value, str) else guess.value
            _show_key(console, key, short(", ".join(value)), f"{guess.reason}{_or(guess)}")
        elif key in WHY_ABSENT and not source.format.startswith("text-"):
            _show_key(console, key, "–", WHY_ABSENT[key])
    print_line(console, "")


def _show_key(console: Console, key: str, value: str, reason: str) -> None:
    print_line(console, f"  {key:<13} {value:<20} {reason}")


def _or(guess: FieldGuess) -> str:
    """Return the columns that a key might name as well, if there are any."""
    if not guess.alternatives:
        return ""
    names = ", ".join(short(column) for column in guess.alternatives[:_SHOWN_ALTERNATIVES])
    more = len(guess.alternatives) - _SHOWN_ALTERNATIVES
    return f"; others: {names}" + (f" and {more} more" if more > 0 else "")
