"""Run a stage's pipeline in threads of this process, or on another engine by Beam's options.

Functions import Beam when they run: that takes two to three seconds, and `--help` doesn't need it.
"""

from __future__ import annotations

import atexit
import difflib
import logging
import os
import re
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from outcross.pipeline.engine.hiding import hidden
from outcross.pipeline.engine.prism import LostWorkerError, workers_watched
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.files import WriteError
from outcross.transforms.base.progress import NAMESPACE

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

T = TypeVar("T")

_LOCAL = "fnapi"
# Runners that try to download and start Prism, and may use another runner instead.
_GUESSING = ("direct", "switchingdirect")
# Runners whose options are all declared in Beam's Python; other runners ask a job server.
_KNOWN = (_LOCAL, *_GUESSING, "bundlebaseddirect", "interactive", "prism", "dataflow")
_JOB_SERVERS = ("flink", "spark")

# Bytes of an input for which the local runner gets a thread. Measured: two threads are faster than
# one from 30 MB of JSONL on, and compressed files hold some three times their size.
_WORKER_BYTES = 12 << 20

# Modules that Beam imports if they are there.
_CONNECTORS = ("pandas", "bson", "apache_beam.io.gcp.bigquery")

_log = logging.getLogger(__name__)

_QUIET: set[logging.Logger] = set()
"""Loggers that keep silent after a pipeline failed, until the next one runs."""


class PipelineError(RuntimeError):
    """A stage failed: the message is the worker's error, and `__cause__` is Beam's exception."""


def load_beam(connectors: bool = True) -> ModuleType:
    """Import and return Beam, without its warnings about extras that aren't installed.

    Args:
        connectors: False to leave out the connectors to pandas, MongoDB and BigQuery, which take
            half of the time. The command line uses none; a program that uses Beam itself may.
    """
    with _logging(logging.NullHandler()), hidden(() if connectors else _CONNECTORS):
        import apache_beam
    return cast(ModuleType, apache_beam)


def pipeline_options(workers: int | None, beam_args: Sequence[str]) -> PipelineOptions:
    """Return Beam's options for the stages of a run.

    Args:
        workers: threads of the local runner; if None, as many as the input is worth. Other
            engines have options of their own.
        beam_args: arguments after `--`, passed on unchanged. The local runner is the default, and
            replaces the DirectRunner.

    Raises:
        ConfigError: Beam doesn't know an option or a runner, or refuses a value. Options that only
            the job server of Flink, Spark or another portable engine can know are passed on with
            a warning.
    """
    beam = load_beam()
    from outcross.pipeline.engine.options import ParsedOptions

    with _logging():
        runner = _check_arguments(beam_args)
    # Beam takes the last of repeated options, so the user's options come last.
    args = [f"--job_name=outcross-{uuid.uuid4().hex[:8]}", *beam_args]
    if runner in (None, _LOCAL, *_GUESSING):
        if runner in _GUESSING:
            _log.warning(
                "--runner DirectRunner would try to download and start Prism, or use another "
                "runner: FnApiRunner is used instead; for Prism say --runner PrismRunner"
            )
        # in_memory runs one thread for each worker. multi_threading runs them behind gRPC, with
        # twice the time and 1.7 times the memory of a shuffle.
        args = [
            "--direct_running_mode=in_memory",
            f"--direct_num_workers={workers or 0}",
            *args,
            "--runner=FnApiRunner",
        ]
    elif runner in _JOB_SERVERS:
        args = [*_job_server_options(), *args]
    elif runner == "prism":
        args = ["--prism_log_level=warn", *args]
    # Beam announces a server's start and end as warnings, the end when all else has ended.
    logging.getLogger("apache_beam.utils.subprocess_server").setLevel(logging.ERROR)
    with _logging():
        options = ParsedOptions(args)
        try:
            shutil.rmtree(beam.Pipeline(options=options).local_tempdir)
        except (AttributeError, ImportError, TypeError, ValueError) as error:
            raise ConfigError(f"beam options: {error}") from None
    return options


def runs_in_process(options: PipelineOptions) -> bool:
    """Return whether the stages run in this process, with shuffles in its memory."""
    from apache_beam.options.pipeline_options import StandardOptions

    with _logging():
        return _short(options.view_as(StandardOptions).runner) == _LOCAL


def _starts_processes(options: PipelineOptions) -> bool:
    """Return whether Prism starts a process of this machine for each pipeline's worker."""
    from apache_beam.options.pipeline_options import PortableOptions, StandardOptions

    portable = options.view_as(PortableOptions)
    if portable.job_endpoint is not None:  # a Prism that may run on another machine
        return False
    kind = portable.environment_type
    return kind == "PROCESS" and _short(options.view_as(StandardOptions).runner) == "prism"


def default_workers(size: int) -> int:
    """Return the number of threads of the local runner for an input.

    Beam's own work grows with the number of workers. For a small input it is more than theirs.

    Args:
        size: size of the input in bytes.
    """
    return max(1, min(_cores(), size // _WORKER_BYTES))


def local_workers(size: int, options: PipelineOptions) -> int:
    """Return the number of threads in the options of a run, or that for an input.

    Args:
        size: size of the input in bytes.
        options: options of the run, from `pipeline_options`.
    """
    from apache_beam.options.pipeline_options import DirectOptions

    with _logging():
        return options.view_as(DirectOptions).direct_num_workers or default_workers(size)


def lanes(
    units: Sequence[T],
    cost: Callable[[T], float],
    workers: int,
    ahead: Callable[[T], bool] = bool,
) -> list[list[T]]:
    """Group units into lanes, so that the workers of this process have equal work.

    The local runner assigns elements to workers in turn, and waits for the slowest. So a lane is
    the work of one worker. The heaviest unit is placed first, each in the lightest lane. Units of
    a kind that some steps work on alone are placed ahead, so that these steps have equal lanes too.

    Args:
        units: units of the input; their order decides between equal costs.
        cost: function that gives the cost of a unit, such as its bytes.
        workers: number of workers.
        ahead: function that tells the units that are placed ahead.
    """
    loads = [0.0] * min(workers, len(units))
    dealt: list[list[T]] = [[] for _ in loads]
    for unit in sorted(units, key=lambda unit: (ahead(unit), cost(unit)), reverse=True):
        lightest = loads.index(min(loads))
        loads[lightest] += cost(unit)
        dealt[lightest].append(unit)
    return dealt


def run_pipeline(
    build: Callable[[beam.Pipeline], None],
    options: PipelineOptions,
    stage: str = "",
    workers: int = 0,
) -> dict[str, int]:
    """Run a stage's pipeline to its end.

    Args:
        build: function that applies the stage's transforms to a pipeline. Workers import its
            functions, so they must belong to modules, not to a script.
        options: options of the run, from `pipeline_options`; many pipelines may share them.
        stage: end of the job's name on the engine, after that of the run.
        workers: threads of the local runner; 0 for those of the options. Other engines ignore it.

    Returns:
        Sums of the counters with this package's namespace: committed values if the engine has
        them, else attempted values, which count retried bundles twice.

    Raises:
        ConfigError: a worker raised one.
        WriteError: a worker could not write a file.
        PipelineError: any other failure, with the worker's error as the message.
    """
    import apache_beam as beam
    from apache_beam.metrics.metric import MetricsFilter

    with _logging(), ExitStack() as after:
        after.enter_context(_job(options, stage, workers))
        pipeline = beam.Pipeline(options=options)
        after.callback(shutil.rmtree, pipeline.local_tempdir, ignore_errors=True)
        build(pipeline)
        try:
            with workers_watched(_starts_processes(options)) as watch:
                result = pipeline.run()
                watch.follow(result)
                try:
                    result.wait_until_finish()
                except KeyboardInterrupt:
                    with suppress(Exception):  # our own job server has stopped already
                        result.cancel()  # else a cluster goes on without its driver
                    raise
        except LostWorkerError as error:
            raise PipelineError(str(error)) from error
        except Exception as error:
            raise_cause(error)
        counters = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    counts: dict[str, int] = {}
    for counter in counters:
        name = counter.key.metric.name
        counts[name] = counts.get(name, 0) + int(counter.result or 0)
    return counts


@contextmanager
def _job(options: PipelineOptions, stage: str, workers: int) -> Iterator[None]:
    """Give a pipeline its name and its number of threads.

    The stage is added to the run's name in letters that Dataflow allows:
    `outcross-1a2b3c4d-sketch`.
    """
    from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions

    cloud, direct = options.view_as(GoogleCloudOptions), options.view_as(DirectOptions)
    before = cloud.job_name, direct.direct_num_workers
    cloud.job_name = "-".join([cloud.job_name, *re.findall("[a-z0-9]+", stage.lower())])
    direct.direct_num_workers = workers or direct.direct_num_workers
    try:
        yield
    finally:
        cloud.job_name, direct.direct_num_workers = before


def _check_arguments(beam_args: Sequence[str]) -> str | None:
    """Check Beam's arguments, and return the short name of the runner that they ask for."""
    from apache_beam.options.pipeline_options import PipelineOptions

    parsers: list[Any] = []
    # Get Beam's parser with all its options; PipelineOptions ignores unknown arguments.
    PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    parser = parsers[0]

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"beam options: {message}")

    parser.error = refuse
    known, unknown = parser.parse_known_args(list(beam_args))
    runner = _short(known.runner) if known.runner else None
    if known.template_location:
        refuse(
            "--template_location makes a template of one job and starts none, but a command posts "
            "several jobs one after another: leave it out"
        )
    if unknown:
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")] or unknown
        every = [flag for action in parser._actions for flag in action.option_strings]
        hints = []
        for name in names:
            near = difflib.get_close_matches(name, every, n=1)
            hints.append(f"{name} (did you mean {near[0]}?)" if near else name)
        message = f"beam options: Beam has no {', '.join(hints)}"
        if runner is None or runner in _KNOWN or not unknown[0].startswith("-"):
            raise ConfigError(message)
        _log.warning("%s; passed on, in case the job server of %s has", message, known.runner)
    return runner


def _job_server_options() -> list[str]:
    """Return options that make all pipelines of this process share one Java job server.

    Beam finds a running server by its command line, which holds the port and the directory. By
    default these differ, so each pipeline starts a server that lives until the process ends.
    """
    directory = tempfile.mkdtemp(prefix="outcross-job-server-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    with socket.socket() as free:
        free.bind(("", 0))
        return [f"--job_port={free.getsockname()[1]}", f"--artifacts_dir={directory}"]


def _short(runner: str) -> str:
    """Return a runner's name as Beam compares it: without module, case and the word `runner`."""
    return runner.rpartition(".")[2].lower().removesuffix("runner")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _logging(handler: logging.Handler | None = None) -> Iterator[None]:
    """Keep Beam from configuring the root logger, and from logging an error many times.

    Args:
        handler: handler for all messages meanwhile. If None, the configured handlers stay, or
            Python's last resort (warnings to stderr) if there are none.
    """
    root = logging.getLogger()
    before = root.handlers[:]
    if handler is not None:
        root.handlers[:] = [handler]
    elif not before and logging.lastResort is not None:
        root.handlers[:] = [logging.lastResort]
    levels = {
        logging.getLogger("apache_beam"): logging.ERROR,
        # Each layer logs a worker's exception; it is raised in this process anyway.
        logging.getLogger("apache_beam.runners"): logging.CRITICAL,
    }
    for logger in _QUIET:
        logger.setLevel(logging.NOTSET)
    _QUIET.clear()
    changed = [(logger, level) for logger, level in levels.items() if not logger.level]
    for logger, level in changed:
        logger.setLevel(level)
    try:
        yield
    except BaseException:
        # Threads of a failed pipeline go on for a while, and fail where its folders are gone.
        _QUIET.update(logger for logger, level in changed if level == logging.CRITICAL)
        raise
    finally:
        root.handlers[:] = before
        for logger, _ in changed:
            if logger not in _QUIET:
                logger.setLevel(logging.NOTSET)


_STEP = re.compile(r" \[while running '([^'\n]*?)(?:-ptransform-\d+)?'\]")
_KIND = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)\b")
_NO_MEMORY = re.compile(
    "can't start new thread|[Cc]annot allocate memory|failed to map segment from shared object|"
    # FAISS is loaded in part then.
    "std::bad_alloc|^AttributeError: .*faiss"
)
_TRACEBACK = "Traceback (most recent call last):"


def memory_advice() -> str:
    """Return what to do where the memory is used up."""
    return (
        "out of memory: give fewer `workers` (each needs memory of its own), or run on a machine "
        "or on workers with more; the same command goes on from here"
    )


def lacks_memory(error: str) -> bool:
    """Return whether an error, its kind and its message, says that memory ran out."""
    kind = error.partition(":")[0].strip()
    return kind.endswith("MemoryError") or _NO_MEMORY.search(error) is not None


def raise_cause(error: Exception) -> NoReturn:
    """Raise a worker's error, found in Beam's exception or in its text.

    Args:
        error: exception of Beam.

    Raises:
        KeyboardInterrupt: a worker was interrupted.
        ConfigError: a worker raised one.
        WriteError: a worker could not write a file.
        PipelineError: any other failure.
    """
    if str(error).startswith("KeyboardInterrupt"):  # Ctrl-C reached a worker
        raise KeyboardInterrupt from None
    _, traceback, text = f"{type(error).__name__}: {error}".rpartition(_TRACEBACK)
    if traceback:  # indented lines name places, the rest is the error
        lines = text.splitlines()
        start = next((i for i, line in enumerate(lines) if line and not line[0].isspace()), 0)
        text = "\n".join(lines[start:])
    step = _STEP.search(text)
    text = text[: step.start()] if step else text.partition("\n\tat ")[0].strip()
    kind, _, message = text.partition(": ")
    if kind == "RuntimeError" and _KIND.match(message):
        # Beam wraps errors, such as OSError, that it can't construct with the step's name.
        text = message
        kind, _, message = text.partition(": ")
    if kind.rpartition(".")[2] == ConfigError.__name__:
        raise ConfigError(message) from error
    if kind.rpartition(".")[2] == WriteError.__name__:
        raise WriteError(message) from error
    if kind.rpartition(".")[2] in ("ChangedError", "DamagedError", "MissingError", "StoreError"):
        raise PipelineError(message) from error
    if lacks_memory(text):
        text = f"{memory_advice()} ({text.rstrip().removesuffix(':')})"
    raise PipelineError(f"{text} (in step {step[1]!r})" if step else text) from error
