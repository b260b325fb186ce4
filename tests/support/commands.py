"""The command `outcross`, called in this process or as it is installed."""

from __future__ import annotations

import gc
import io
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

COMMAND = Path(sys.executable).with_name("outcross")
TERMINAL = {"COLUMNS": "80", "NO_COLOR": "1"}
"""Environment of every call: an 80-column terminal that says the same everywhere."""


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def outcross(*arguments: Any, code: int | None = 0, encoding: str = "utf-8") -> Done:
    """Call the command line in this process, as if it had just started.

    Importing what a command needs takes 2 s, so only some tests start the installed command.

    Args:
        arguments: of the command line, after `outcross`.
        code: exit code that is expected; None for any.
        encoding: encoding of the console.

    Returns:
        Exit code and output.

    Raises:
        AssertionError: the exit code is another one.
        Exception: the command ended with a traceback.
    """
    from outcross.pipeline.cli.main import main

    streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
    with ExitStack() as process:
        process.enter_context(patch.dict(os.environ, TERMINAL))
        process.enter_context(patch.object(sys, "argv", ["outcross", *map(str, arguments)]))
        process.enter_context(patch.multiple(sys, stdout=streams[0], stderr=streams[1]))
        # The command's name in usage errors: `python -m pytest` would stand before it.
        process.enter_context(patch.object(sys.modules["__main__"], "__package__", None))
        # pytest's handlers would take warnings that the command prints.
        process.enter_context(patch.object(logging.getLogger(), "handlers", []))
        process.enter_context(warnings.catch_warnings())
        _warn_as_python_does()
        process.callback(gc.unfreeze)
        try:
            main()
        except SystemExit as end:
            returncode = 0 if end.code is None else end.code
    for stream in streams:
        stream.flush()
    stdout, stderr = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    assert isinstance(returncode, int)
    assert code is None or returncode == code, stderr
    return Done(returncode, stdout, stderr)


def _warn_as_python_does() -> None:
    """Print Python's warnings to stderr, where pytest would collect them."""
    warnings.resetwarnings()
    hidden = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
    for category in hidden:
        warnings.simplefilter("ignore", category)

    def show(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))

    warnings.showwarning = show


def installed(
    *arguments: Any,
    code: int | None = 0,
    seconds: float = 120,
    stdin: str | None = None,
    **environment: str,
) -> Done:
    """Start the installed command, as users do.

    Args:
        arguments: of the command line, after `outcross`.
        code: exit code that is expected; None for any.
        seconds: longest time that it may take.
        stdin: text that the command reads on standard input.
        environment: further variables.

    Returns:
        Exit code and output.
    """
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env={**os.environ, **TERMINAL, **environment},
    )
    assert code is None or done.returncode == code, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def command_in_process() -> Iterator[None]:
    """Let programs that start the installed command call it in this process."""
    start = subprocess.run

    def run(line: Sequence[object], **options: Any) -> subprocess.CompletedProcess[Any]:
        if str(line[0]) != str(COMMAND):
            return start(line, **options)
        done = outcross(*line[1:], code=None)
        if not options.get("capture_output"):
            sys.stderr.write(done.stderr)
        return subprocess.CompletedProcess(line, done.returncode, done.stdout, done.stderr)

    with patch.object(subprocess, "run", run):
        yield


def call_program(main: Callable[[], Any], name: str, *arguments: Any) -> Done:
    """Call the main function of a program in this process, and the command as well.

    Args:
        main: returns an exit code or None.
        name: of the program, as it stands in usage errors.
        arguments: of its command line.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with ExitStack() as process:
        process.enter_context(patch.object(sys, "argv", [name, *map(str, arguments)]))
        process.enter_context(patch.multiple(sys, stdout=stdout, stderr=stderr))
        process.enter_context(command_in_process())
        try:
            code = main()
        except SystemExit as end:
            code = end.code
    return Done(code or 0, stdout.getvalue(), stderr.getvalue())
