"""The command line: its commands, its exit codes, and how errors are printed."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from outcross.pipeline.cli.audit_commands import add_audit_commands
from outcross.pipeline.cli.corpus_commands import add_corpus_commands
from outcross.pipeline.cli.options import TRAINING_ROLES, how_to_name_files
from outcross.pipeline.cli.result_commands import add_result_commands
from outcross.pipeline.cli.session import Session
from outcross.pipeline.cli.setup_commands import add_setup_commands
from outcross.pipeline.engine.hiding import hide
from outcross.pipeline.terminal.streams import plain_streams
from outcross.pipeline.terminal.voice import Voice

_UNUSED = ("pandas", "scipy")
"""Packages that pyarrow and numba import if they are there, .2 s, for nothing that is used here."""

_INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT."""

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed while running, 2 the request is wrong or can't be met, "
    "3 a gate says stop, 130 stopped by Ctrl-C, 143 by SIGTERM; the same command goes on then.",
)


def _version(is_given: bool) -> None:
    if is_given:
        from importlib.metadata import version

        print(version("outcross"))
        raise typer.Exit


@app.callback()
def _common(
    show: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Keep a training loop that feeds on its own output from narrowing."""


add_corpus_commands(app)
add_audit_commands(app)
add_result_commands(app)
add_setup_commands(app)


def command() -> None:
    """Run the console script `outcross`: `main`, and an end without taking Python down.

    A thread of Arrow's may still be reading a broken file through Python. Where Python is taken
    down meanwhile, that thread ends the process with a signal in place of the exit code.
    """
    hide(_UNUSED)
    # Workers multiply matrices in threads of their own, which would wait for BLAS's threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        main()
    except SystemExit as end:
        code = 0 if end.code is None else end.code
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # the reader has gone
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Run the command that `sys.argv` names.

    Raises:
        SystemExit: always, with the exit code.
    """
    plain_streams()
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    if arguments[:1] == ["explain"]:  # it runs no pipeline; an id may begin with a dash
        cut = len(arguments)
    session = Session(beam_args=arguments[cut + 1 :])
    with _stopping() as signals:
        try:
            # 130 after Ctrl-C
            code = app(arguments[:cut], prog_name="outcross", standalone_mode=False, obj=session)
        except (typer.Abort, KeyboardInterrupt):  # the same of older releases
            code = _INTERRUPTED
        except Exception as error:  # the last place where an error can be made readable
            code = _print_error(error, session.voice)
    if code == _INTERRUPTED:
        code = 128 + signals[0] if signals else code
        print("outcross: stopped; the same command goes on from here", file=sys.stderr)
    if (fault := _output_fault()) is not None and not code:
        session.voice.fail(fault)
        code = 1
    session.voice.close()
    sys.exit(code)


def _output_fault() -> OSError | None:
    """Return an error that says why stdout takes no more, as on a full disk; None if it does."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone
        return None
    except OSError as error:
        return _named_stdout(error)
    return None


def _named_stdout(error: OSError) -> OSError:
    return OSError(
        f"stdout: the result can't be written: {error.strerror or error}; free space on that disk, "
        "or send the output elsewhere"
    )


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """Treat SIGTERM like Ctrl-C while the body of the `with` statement runs.

    Yields:
        The signals that came, none after Ctrl-C.
    """
    signals: list[int] = []

    def stop(number: int, frame: object) -> None:
        signals.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield signals  # only the main thread may set handlers
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_error(error: Exception, voice: Voice) -> int:
    """Print an error for people, and return the exit code; raise what is a fault of the program."""
    if hasattr(error, "show"):  # a usage error; typer brings its own click along
        error.show()
        if "unexpected extra argument" in str(error):
            _print_how_to_name_files(error)
        return 2
    from outcross.pipeline.engine.engines import PipelineError, lacks_memory, memory_advice
    from outcross.schemas.user_input import ConfigError
    from outcross.transforms.base.files import WriteError

    if isinstance(error, OSError) and not isinstance(error, WriteError):
        # Files of the product are named by a WriteError.
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        error = _named_stdout(error) if is_full and error.filename is None else error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError):
        error = PipelineError(f"{memory_advice()} ({error})" if str(error) else memory_advice())
    elif type(error) in (ImportError, RuntimeError, AttributeError) and lacks_memory(text):
        error = PipelineError(f"{memory_advice()} ({text})")
    voice.fail(error)
    if isinstance(error, ConfigError):
        return 2
    from outcross.pipeline.stages.context import RunError
    from outcross.transforms.base.damage import DamagedError
    from outcross.transforms.base.store_errors import StoreError
    from outcross.transforms.inputs.seals import ChangedError

    known = (RunError, PipelineError, ChangedError, DamagedError, StoreError, OSError)
    if not isinstance(error, known):
        raise error
    return 1


def _print_how_to_name_files(error: Any) -> None:
    """Print the options that name files, if the command of a usage error has some."""
    context = error.ctx
    names = [] if context is None else [parameter.name for parameter in context.command.params]
    roles = [role for role in TRAINING_ROLES if role in names]
    if roles:
        print(f"outcross: {how_to_name_files(roles)}", file=sys.stderr)
