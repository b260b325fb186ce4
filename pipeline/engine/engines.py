"""Where a stage runs: threads of this process, or any other engine by Beam's own options.

Beam is imported inside the functions: it takes two to three seconds, and `--help` needs none of it.
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

from outcross.schemas.user_input import ConfigError

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

T = TypeVar("T")

COUNTERS = "outcross"
"""The namespace of the counters that `run_pipeline` returns."""

_LOCAL = "fnapi"
# Both try to download and start Prism, and fall back by the shape of the pipeline.
_GUESSING = ("direct", "switchingdirect")
# The options of these engines are all declared in Beam's Python; others ask a job server for more.
_KNOWN = (_LOCAL, *_GUESSING, "bundlebaseddirect", "interactive", "prism", "dataflow")
_JOB_SERVERS = ("flink", "spark")

_log = logging.getLogger(__name__)


class PipelineError(RuntimeError):
    """A stage failed while it ran: the message is the worker's error, `__cause__` all of Beam's."""


def load_beam() -> ModuleType:
    """Beam, imported without its warnings of extras that aren't installed."""
    with _logging(logging.NullHandler()):
        import apache_beam
    return cast(ModuleType, apache_beam)


def pipeline_options(workers: int | None, beam_args: Sequence[str]) -> PipelineOptions:
    """Beam's options for every stage of a run.

    Args:
        workers: threads of the local runner; all cores that this process may use if None. Other
            engines have their own options for it.
        beam_args: what the user wrote after `--`, passed on as it is. Without a runner the local
            one is used, and so it is in place of the DirectRunner.

    Raises:
        ConfigError: for an option or a runner that Beam doesn't know, and for values that it
            refuses. Options that only the job server of Flink, Spark or another portable engine
            can know are passed on with a warning, as it is asked when the job starts.
    """
    beam = load_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    with _logging():
        named = _checked(beam_args)
    # What is ours goes before what is the user's: of two, Beam takes the later one.
    args = [f"--job_name=outcross-{uuid.uuid4().hex[:8]}", *beam_args]
    if named in (None, _LOCAL, *_GUESSING):
        if named in _GUESSING:
            _log.warning(
                "--runner DirectRunner would try to download and start Prism, and run elsewhere "
                "if it can't: FnApiRunner is used; for Prism say --runner PrismRunner"
            )
        # in_memory with several workers is one thread a worker. multi_threading is the same
        # threads behind gRPC: twice the time and 1.7 times the memory of a shuffle.
        args = [
            "--direct_running_mode=in_memory",
            f"--direct_num_workers={workers or _cores()}",
            *args,
            "--runner=FnApiRunner",
        ]
    elif named in _JOB_SERVERS:
        args = [*_one_job_server(), *args]
    elif named == "prism":
        args = ["--prism_log_level=warn", *args]
    with _logging():
        options = PipelineOptions(args)
        try:
            shutil.rmtree(beam.Pipeline(options=options).local_tempdir)
        except (AttributeError, ImportError, TypeError, ValueError) as error:
            raise ConfigError(f"beam options: {error}") from None
    return options


def is_local(options: PipelineOptions) -> bool:
    """Whether the stages run in this process, where a shuffle is held in memory."""
    from apache_beam.options.pipeline_options import StandardOptions

    with _logging():
        return _short(options.view_as(StandardOptions).runner) == _LOCAL


def lanes(
    units: Sequence[T], cost: Callable[[T], float], options: PipelineOptions
) -> list[list[T]]:
    """Units in the lists that a `Create` is to hold, so that all workers have the same to do.

    The local runner deals the elements of a `Create` (or the keys of a group) to its workers like
    cards and waits for the slowest, so there a lane is what one worker does, one unit after the
    other; the heaviest unit goes first, to the lane that has least. Other engines share out
    single elements, so there a lane is a unit.

    Args:
        units: the pieces of input; their order decides between equal costs.
        cost: what a unit costs, in any measure that adds up (bytes, say).
        options: of the run, from `pipeline_options`.
    """
    if not is_local(options):
        return [[unit] for unit in units]
    from apache_beam.options.pipeline_options import DirectOptions

    with _logging():
        workers = options.view_as(DirectOptions).direct_num_workers or _cores()
    loads = [0.0] * min(workers, len(units))
    dealt: list[list[T]] = [[] for _ in loads]
    for unit in sorted(units, key=cost, reverse=True):
        lightest = loads.index(min(loads))
        loads[lightest] += cost(unit)
        dealt[lightest].append(unit)
    return dealt


def run_pipeline(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions
) -> dict[str, int]:
    """Runs one stage's pipeline to its end.

    Args:
        build: applies the stage's transforms to the pipeline that it is given. What a worker
            needs must be importable there: name functions of modules, not of a script.
        options: of the run, from `pipeline_options`; one may serve many pipelines.

    Returns:
        The sums of the counters whose namespace is "outcross": committed values where the engine
        has them, else attempted ones, which count a retried bundle again.

    Raises:
        ConfigError: if that is what a worker raised, whatever Beam made of it.
        PipelineError: for any other failure, with the worker's own error as the message.
    """
    import apache_beam as beam
    from apache_beam.metrics.metric import MetricsFilter

    with _logging(), ExitStack() as after:
        pipeline = beam.Pipeline(options=options)
        after.callback(shutil.rmtree, pipeline.local_tempdir, ignore_errors=True)
        build(pipeline)
        try:
            result = pipeline.run()
            try:
                result.wait_until_finish()
            except KeyboardInterrupt:
                with suppress(Exception):  # a job server of ours has stopped by then
                    result.cancel()  # a cluster would go on without its driver
                raise
        except Exception as error:
            _raise_cause(error)
        found = result.metrics().query(MetricsFilter().with_namespace(COUNTERS))["counters"]
    counts: dict[str, int] = {}
    for counter in found:
        name = counter.key.metric.name
        counts[name] = counts.get(name, 0) + int(counter.result or 0)
    return counts


def _checked(beam_args: Sequence[str]) -> str | None:
    """The short name of the runner that Beam's arguments ask for, once Beam knows them all."""
    from apache_beam.options.pipeline_options import PipelineOptions

    parsers: list[Any] = []
    # Beam's own parser with every option that it knows; PipelineOptions drops what is unknown.
    PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    parser = parsers[0]

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"beam options: {message}")

    parser.error = refuse
    known, unknown = parser.parse_known_args(list(beam_args))
    runner = _short(known.runner) if known.runner else None
    if unknown:
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")] or unknown
        every = [flag for action in parser._actions for flag in action.option_strings]
        told = []
        for name in names:
            near = difflib.get_close_matches(name, every, n=1)
            told.append(f"{name} (did you mean {near[0]}?)" if near else name)
        message = f"beam options: Beam has no {', '.join(told)}"
        if runner is None or runner in _KNOWN or not unknown[0].startswith("-"):
            raise ConfigError(message)
        _log.warning("%s; passed on, in case the job server of %s has", message, known.runner)
    return runner


def _one_job_server() -> list[str]:
    """Options by which all pipelines of this process share one Java job server.

    Beam starts one for every pipeline and stops them all when the process ends; but it looks a
    server up by its command line, and the port and the directory are what differs there.
    """
    directory = tempfile.mkdtemp(prefix="outcross-job-server-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    with socket.socket() as free:
        free.bind(("", 0))
        return [f"--job_port={free.getsockname()[1]}", f"--artifacts_dir={directory}"]


def _short(runner: str) -> str:
    """A runner's name as Beam compares it: without module, case and the word `runner`."""
    return runner.rpartition(".")[2].lower().removesuffix("runner")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _logging(handler: logging.Handler | None = None) -> Iterator[None]:
    """Keeps Beam from configuring the root logger, and from telling one error many times.

    Args:
        handler: takes all that is logged meanwhile; if None, what is configured goes on, and
            Python's own last resort (warnings to stderr) stands in where nothing is.
    """
    root = logging.getLogger()
    before = root.handlers[:]
    if handler is not None:
        root.handlers[:] = [handler]
    elif not before and logging.lastResort is not None:
        root.handlers[:] = [logging.lastResort]
    levels = {
        logging.getLogger("apache_beam"): logging.ERROR,
        # What a worker raises is logged by each layer that it passes; it is raised again anyway.
        logging.getLogger("apache_beam.runners"): logging.CRITICAL,
    }
    changed = [(logger, level) for logger, level in levels.items() if not logger.level]
    for logger, level in changed:
        logger.setLevel(level)
    try:
        yield
    finally:
        root.handlers[:] = before
        for logger, _ in changed:
            logger.setLevel(logging.NOTSET)


_STEP = re.compile(r" \[while running '([^'\n]*?)(?:-ptransform-\d+)?'\]")
_KIND = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)\b")
_TRACEBACK = "Traceback (most recent call last):"


def _raise_cause(error: Exception) -> NoReturn:
    """Raises what a worker raised, out of the exception or the text that Beam made of it."""
    if str(error).startswith("KeyboardInterrupt"):  # Ctrl-C came while a worker had the turn
        raise KeyboardInterrupt from None
    _, traceback, text = f"{type(error).__name__}: {error}".rpartition(_TRACEBACK)
    if traceback:  # what is indented says where, and the rest what
        lines = text.splitlines()
        start = next((i for i, line in enumerate(lines) if line and not line[0].isspace()), 0)
        text = "\n".join(lines[start:])
    step = _STEP.search(text)
    text = text[: step.start()] if step else text.partition("\n\tat ")[0].strip()
    kind, _, message = text.partition(": ")
    if kind == "RuntimeError" and _KIND.match(message):
        # What Beam can't construct anew with the step's name, an OSError for one.
        text = message
        kind, _, message = text.partition(": ")
    if kind.rpartition(".")[2] == ConfigError.__name__:
        raise ConfigError(message) from error
    if kind.rpartition(".")[2] == "ChangedError":
        raise PipelineError(message) from error
    raise PipelineError(f"{text} (in step {step[1]!r})" if step else text) from error
