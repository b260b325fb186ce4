"""Messages beside a command's result: on stderr, and in a log file."""

from __future__ import annotations

import inspect
import logging
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from outcross.pipeline.terminal.streams import print_message
from outcross.transforms.base.visible import visible

_LOG = logging.getLogger("outcross.said")
_LOG.propagate = False  # these messages are on the console already
_LOG.addHandler(logging.NullHandler())  # else Python prints errors that no file takes
_FORM = "%(asctime)s %(levelname)s %(message)s"

OPTIONS: dict[str, Any] = {
    "quiet": Annotated[bool, typer.Option("--quiet", help="print only errors and the result")],
    "verbose": Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="also print when stages begin, Beam's warnings, and tracebacks of errors",
        ),
    ],
    "log_file": Annotated[
        str | None,
        typer.Option(
            "--log-file",
            metavar="FILE",
            help="append all messages to a file, with times, even with --quiet",
            show_default=False,
        ),
    ],
}
"""Options of a voice, by the names of its attributes."""


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


class _Formatter(logging.Formatter):
    """A formatter that escapes what could steer the terminal on which a log is read."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _LogFile(logging.FileHandler):
    """A log file that is given up, with one message, when it can't be written any more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, a name of logging
        """Say once that the log has ended; faults of the program are shown as ever."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(logging.CRITICAL + 1)
        print_message(
            f"outcross: warning: log_file: {self.baseFilename} can't be written any more: "
            f"{error.strerror}; the log ends here, and the command goes on"
        )

    def close(self) -> None:
        """Close the file; what a full disk doesn't take is lost."""
        with suppress(OSError):
            super().close()


class Voice:
    """Printer of messages beside a command's result: on stderr, and into a file.

    Args:
        quiet: print nothing but errors.
        verbose: print more: Beam's warnings, and tracebacks.
        log_file: path of the log.

    Raises:
        ConfigError: when the log can't be written.
    """

    def __init__(
        self, quiet: bool = False, verbose: bool = False, log_file: str | None = None
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._handlers: list[logging.Handler] = []
        if log_file is not None:
            self._handlers.append(_file_handler(log_file))
            _LOG.addHandler(self._handlers[0])
            _LOG.setLevel(logging.INFO)
        if verbose:
            self._handlers.append(logging.StreamHandler(sys.stderr))
            self._handlers[-1].setFormatter(_Formatter())
        for handler in self._handlers:
            logging.getLogger().addHandler(handler)
        if self._handlers:  # else Beam's warnings are kept back
            logging.getLogger("apache_beam").setLevel(logging.WARNING)

    def say(self, line: str) -> None:
        """Print a line on stderr unless the voice is quiet, and log it."""
        self.keep(line)
        if not self.quiet:
            print_message(line)

    def keep(self, line: str) -> None:
        """Log a line that was printed elsewhere."""
        _LOG.info(line)

    def fail(self, error: Exception) -> None:
        """Print and log an error."""
        trace = "".join(traceback.format_exception(error)).rstrip()
        _LOG.error("%s\n%s", error, trace)
        if self.verbose:
            print_message(trace)
        for line in str(error).split("\n"):
            # An indented line belongs to the one above it.
            prefix = "" if line.startswith(" ") else "outcross: "
            print_message(f"{prefix}{line}")

    def close(self) -> None:
        """Close the log, and stop listening to Beam."""
        for handler in self._handlers:
            for logger in (_LOG, logging.getLogger()):
                logger.removeHandler(handler)
            handler.close()
        if self._handlers:
            logging.getLogger("apache_beam").setLevel(logging.NOTSET)


def _file_handler(path: str) -> logging.Handler:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        from outcross.schemas.user_input import ConfigError

        raise ConfigError(
            f"log_file: {path} can't be written: {error.strerror}; choose another file"
        ) from None
    handler.setFormatter(_Formatter(_FORM))
    return handler
