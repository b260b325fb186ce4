"""How much a command says, and the file that keeps it."""

from __future__ import annotations

import inspect
import logging
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from outcross.schemas.user_input import ConfigError

_LOG = logging.getLogger("outcross.said")
_LOG.propagate = False  # what is said is on the console already
_LOG.addHandler(logging.NullHandler())  # or Python prints errors that no file takes
_FORM = "%(asctime)s %(levelname)s %(message)s"

OPTIONS: dict[str, Any] = {
    "quiet": Annotated[bool, typer.Option("--quiet", help="say nothing but errors and the result")],
    "verbose": Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="say when stages begin, what Beam warns of, and where an error comes from",
        ),
    ],
    "log_file": Annotated[
        str | None,
        typer.Option(
            "--log-file",
            metavar="FILE",
            help="append all that is said to a file, with times, even if --quiet",
            show_default=False,
        ),
    ],
}
"""The options of a voice, by the names of its attributes."""


def voice_options() -> list[inspect.Parameter]:
    """Return the options as parameters of a command."""
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if name == "log_file" else False,
            annotation=annotation,
        )
        for name, annotation in OPTIONS.items()
    ]


class Voice:
    """What a command says to people beside its result: on stderr, and into a file.

    Args:
        quiet: say nothing but errors.
        verbose: say more.
        log_file: path of the file.

    Raises:
        ConfigError: when the file can't be written.
    """

    def __init__(
        self, quiet: bool = False, verbose: bool = False, log_file: str | None = None
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._handlers: list[logging.Handler] = []
        if log_file is not None:
            self._handlers.append(_file(log_file))
            _LOG.addHandler(self._handlers[0])
            _LOG.setLevel(logging.INFO)
        if verbose:
            self._handlers.append(logging.StreamHandler(sys.stderr))
        for handler in self._handlers:
            logging.getLogger().addHandler(handler)
        if self._handlers:  # else Beam's warnings are kept back
            logging.getLogger("apache_beam").setLevel(logging.WARNING)

    def say(self, line: str) -> None:
        """Say a line that is no part of a stage."""
        self.keep(line)
        if not self.quiet:
            print(line, file=sys.stderr)

    def keep(self, line: str) -> None:
        """Put a line that was said elsewhere into the file."""
        _LOG.info(line)

    def fail(self, error: Exception) -> None:
        """Say an error."""
        where = "".join(traceback.format_exception(error)).rstrip()
        _LOG.error("%s\n%s", error, where)
        if self.verbose:
            print(where, file=sys.stderr)
        print(f"outcross: {error}", file=sys.stderr)

    def close(self) -> None:
        """Let go of the file."""
        for handler in self._handlers:
            for logger in (_LOG, logging.getLogger()):
                logger.removeHandler(handler)
            handler.close()
        if self._handlers:
            logging.getLogger("apache_beam").setLevel(logging.NOTSET)


def _file(path: str) -> logging.Handler:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(
            f"log_file: {path} can't be written: {error.strerror}; choose another file"
        ) from None
    handler.setFormatter(logging.Formatter(_FORM))
    return handler
