"""Options, lanes, counters and failures; only the local runner is run."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    JobServerOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.engine import engines
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.progress import NAMESPACE
from outcross.transforms.exchange.lanes import Deal

ROOT = Path(__file__).parents[3]
MODES = ["in_memory", "multi_threading"]
FLINK = ["--runner", "FlinkRunner", "--flink_master", "[local]"]
LOCAL = engines.pipeline_options(3, [])
PRISM = engines.pipeline_options(3, ["--runner", "PrismRunner"])

together = threading.Barrier(2)

# Message of embedded Flink's job server for a failure in a worker, shortened.
FLINK_TEXT = """Pipeline job_0 failed in state FAILED: java.lang.RuntimeException: Error received \
from SDK harness for instruction 2: Traceback (most recent call last):
  File "transforms/reading/read.py", line 38, in read
    raise ValueError("a.jsonl: row 3: no text")
ValueError: a.jsonl: row 3: no text

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "sdk_worker.py", line 310, in _execute
    response = task()
               ^^^^^^
{error} [while running 'read/Units-ptransform-21']

\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient(FnApiControlClient.java:180)
"""


def direct(options):
    return options.view_as(DirectOptions)


def runner(options):
    return options.view_as(StandardOptions).runner


def test_the_local_runner_is_named_and_has_the_workers_asked_for():
    assert runner(LOCAL) == "FnApiRunner"
    assert direct(LOCAL).direct_num_workers == 3
    assert engines.runs_in_process(LOCAL)
    assert not engines.runs_in_process(PRISM)


def test_threads_grow_with_the_input_up_to_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    options = engines.pipeline_options(None, [])
    workers = [engines.local_workers(size, options) for size in (0, 1, 1 << 20, 1 << 40)]
    assert workers == [1, 1, 1, 4]
    sizes = range(0, 1 << 30, 1 << 20)
    counts = [engines.local_workers(size, options) for size in sizes]
    assert counts == sorted(counts)


@pytest.mark.parametrize(("workers", "beam_args"), [(3, []), (None, ["--direct_num_workers", "3"])])
def test_a_number_of_threads_that_was_given_holds_for_each_input(workers, beam_args):
    options = engines.pipeline_options(workers, beam_args)
    assert {engines.local_workers(size, options) for size in (0, 1 << 40)} == {3}


def test_the_users_own_options_hold():
    given = ["--direct_running_mode=multi_threading", "--direct_num_workers", "5"]
    options = engines.pipeline_options(2, given)
    assert direct(options).direct_num_workers == 5
    assert direct(options).direct_running_mode == "multi_threading"
    flink = engines.pipeline_options(2, [*FLINK, "--job_port", "8099"])
    assert runner(flink) == "FlinkRunner"
    assert flink.view_as(JobServerOptions).job_port == 8099


def test_all_pipelines_of_a_run_are_sent_to_one_job_server():
    server = engines.pipeline_options(2, FLINK).view_as(JobServerOptions)
    assert server.job_port > 0
    assert Path(server.artifacts_dir).is_dir()


@pytest.mark.parametrize("name", ["DirectRunner", "direct", "SwitchingDirectRunner"])
def test_the_runner_that_guesses_is_replaced_with_one_warning(name, caplog):
    options = engines.pipeline_options(2, ["--runner", name])
    assert runner(options) == "FnApiRunner"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "PrismRunner" in caplog.text


@pytest.mark.parametrize(
    ("beam_args", "named"),
    [
        (["--flink_mastr", "[local]"], r"--flink_mastr \(did you mean --flink_master\?\)"),
        (["--direct_num_worker=2"], r"--direct_num_worker \(did you mean --direct_num_workers\?\)"),
        (["--runner", "PrismRunner", "--prism_locatio=x"], "--prism_locatio "),
        ([*FLINK, "stray"], "stray"),
        (["stray"], "stray"),
        (["--direct_num_workers", "two"], "two"),
        (["--runner"], "--runner"),
        (["--runner", "PrysmRunner"], "PrysmRunner"),
        (["--runner", "no.such.Runner"], "no"),
    ],
)
def test_what_beam_does_not_know_is_an_error_that_names_it(beam_args, named):
    with pytest.raises(ConfigError, match=named):
        engines.pipeline_options(2, beam_args)


def test_a_template_is_refused_as_it_holds_one_job_of_several():
    arguments = ["--runner", "DataflowRunner", "--template_location", "gs://bucket/template"]
    with pytest.raises(ConfigError, match="--template_location makes a template of one job"):
        engines.pipeline_options(2, arguments)


def test_what_only_a_job_server_can_know_is_passed_on_with_a_warning(caplog):
    options = engines.pipeline_options(2, [*FLINK, "--autoWatermarkInterval", "5"])
    assert "--autoWatermarkInterval" in caplog.text
    kept = options.get_all_options(retain_unknown_options=True)
    assert kept["autoWatermarkInterval"] == "5"


@given(st.lists(st.integers(0, 100), max_size=30))
def test_lanes_hold_every_unit_once_and_none_is_long(costs):
    units = list(enumerate(costs))
    lanes = engines.lanes(units, lambda unit: unit[1], 3)
    assert sorted(unit for lane in lanes for unit in lane) == units
    assert len(lanes) == min(3, len(units))
    loads = [sum(cost for _, cost in lane) for lane in lanes]
    # Graham 1966: greedy scheduling exceeds the mean load by less than the last unit.
    assert max(loads, default=0) <= sum(costs) / 3 + max(costs, default=0) * 2 / 3 + 1e-9


def test_one_heavy_unit_gets_a_lane_of_its_own():
    units = [("b", 1), ("a", 4), ("c", 1), ("d", 1), ("e", 1)]
    lanes = engines.lanes(units, lambda unit: unit[1], 2)
    assert [[name for name, _ in lane] for lane in lanes] == [["a"], ["b", "c", "d", "e"]]


def meet(lane):
    together.wait(timeout=20)  # fails unless both lanes wait at the same time
    return lane


@pytest.mark.parametrize("mode", MODES)
def test_two_lanes_run_at_the_same_time(mode):
    options = engines.pipeline_options(2, ["--direct_running_mode", mode])
    lanes = engines.lanes(["a", "b"], len, 2)
    together.reset()
    engines.run_pipeline(lambda p: p | Deal(lanes) | beam.Map(meet), options)


def count(number):
    Metrics.counter(NAMESPACE, "rows").inc(number)
    Metrics.counter("somebody", "else").inc()
    return number % 3, number


def total(pair):
    Metrics.counter(NAMESPACE, "groups").inc()
    Metrics.counter(NAMESPACE, "rows").inc(sum(pair[1]))


@pytest.mark.parametrize("mode", MODES)
def test_counters_are_summed_over_steps_and_workers_and_options_serve_again(mode):
    options = engines.pipeline_options(2, ["--direct_running_mode", mode])

    def build(p):
        counted = p | beam.Create(range(100)) | beam.Map(count)
        _ = counted | beam.GroupByKey() | beam.Map(total)

    for _ in range(2):
        assert engines.run_pipeline(build, options) == {"rows": 2 * 4950, "groups": 3}


def refuse(_):
    raise ConfigError("human_tokens: 5 asked, 3 there are\nask for less")


def read_nothing(unit):
    return Path("/nowhere", unit).read_bytes()


def disagree(_):
    raise RuntimeError("shard 3: rows differ")


@pytest.mark.parametrize(
    ("step", "kind", "message"),
    [
        (refuse, ConfigError, "human_tokens: 5 asked, 3 there are\nask for less"),
        (
            read_nothing,
            engines.PipelineError,
            "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/a' "
            "(in step 'read it')",
        ),
        (disagree, engines.PipelineError, "RuntimeError: shard 3: rows differ (in step 'read it')"),
    ],
)
def test_a_workers_own_error_is_what_is_raised(step, kind, message):
    with pytest.raises(kind) as raised:
        engines.run_pipeline(lambda p: p | beam.Create(["a"]) | "read it" >> beam.Map(step), LOCAL)
    assert str(raised.value) == message
    assert raised.value.__cause__ is not None


class Failing(PipelineRunner):
    """A runner that fails like Flink's job server."""

    error = ""

    def run_pipeline(self, pipeline, options):
        raise RuntimeError(FLINK_TEXT.format(error=self.error))


class Named(PipelineRunner):
    """A runner that keeps the job's name and its number of threads."""

    job, threads = "", 0

    def run_pipeline(self, pipeline, options):
        Named.job = options.view_as(GoogleCloudOptions).job_name
        Named.threads = direct(options).direct_num_workers
        raise RuntimeError("nothing is run")


class Waiting(PipelineRunner):
    """A runner that is interrupted while a cluster works."""

    cancelled = False

    def run_pipeline(self, pipeline, options):
        return Interrupted(PipelineState.RUNNING)


class Interrupted(PipelineResult):
    def wait_until_finish(self, duration=None):
        raise KeyboardInterrupt

    def cancel(self):
        Waiting.cancelled = True


@pytest.mark.parametrize(
    ("stage", "name"),
    [("sketch", "mine-sketch"), ("rank-2", "mine-rank-2"), ("Data & more", "mine-data-more")],
)
def test_a_jobs_name_is_that_of_the_run_and_the_stage(stage, name):
    options = engines.pipeline_options(2, ["--job_name", "mine", "--runner", f"{__name__}.Named"])
    for _ in range(2):  # all stages share the options
        with pytest.raises(engines.PipelineError):
            engines.run_pipeline(lambda p: p | beam.Create([1]), options, stage)
        assert Named.job == name


def test_a_pipeline_gets_its_own_number_of_threads():
    options = engines.pipeline_options(None, ["--runner", f"{__name__}.Named"])
    before = direct(options).direct_num_workers
    for workers in (2, 5):
        with pytest.raises(engines.PipelineError):
            engines.run_pipeline(lambda p: p | beam.Create([1]), options, "sketch", workers)
        assert Named.threads == workers
    assert direct(options).direct_num_workers == before


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            "ValueError: a.jsonl: row 3: no text",
            engines.PipelineError,
            "ValueError: a.jsonl: row 3: no text (in step 'read/Units')",
        ),
        ("outcross.schemas.user_input.ConfigError: seed: is 'x'", ConfigError, "seed: is 'x'"),
    ],
)
def test_the_error_is_found_in_a_job_servers_text(error, kind, message, monkeypatch):
    monkeypatch.setattr(Failing, "error", error)
    options = engines.pipeline_options(2, ["--runner", f"{__name__}.Failing"])
    with pytest.raises(kind) as raised:
        engines.run_pipeline(lambda p: p | beam.Create([1]), options)
    assert str(raised.value) == message


def test_a_worker_without_memory_says_what_to_do():
    for text in (
        "MemoryError",
        "MemoryError:",
        "RuntimeError: can't start new thread",
        "ImportError: libopenblas.so: failed to map segment from shared object",
        "AttributeError: partially initialized module 'faiss' has no attribute 'Kmeans'",
    ):
        with pytest.raises(engines.PipelineError, match="out of memory: give fewer `workers`"):
            engines.raise_cause(RuntimeError(f"{text} [while running 'Sketch/ParDo']"))


def test_an_interrupt_cancels_what_runs_elsewhere():
    options = engines.pipeline_options(2, ["--runner", f"{__name__}.Waiting"])
    with pytest.raises(KeyboardInterrupt):
        engines.run_pipeline(lambda p: p | beam.Create([1]), options)
    assert Waiting.cancelled


def test_an_interrupt_in_a_workers_turn_is_an_interrupt_and_the_word_alone_is_not():
    with pytest.raises(KeyboardInterrupt):
        engines.raise_cause(RuntimeError("KeyboardInterrupt [while running 'Sketch/ParDo']"))
    with pytest.raises(engines.PipelineError, match="column KeyboardInterrupt"):
        engines.raise_cause(ValueError("no column KeyboardInterrupt [while running 'a']"))


def test_an_error_of_the_wiring_is_raised_as_it_is():
    with pytest.raises(TypeError, match="Refusing to treat string"):
        engines.run_pipeline(lambda p: p | beam.Create("abc"), LOCAL)


def test_beam_is_imported_late_and_leaves_the_log_alone():
    script = """
import logging, sys
from outcross.pipeline.engine import engines
assert "apache_beam" not in sys.modules
options = engines.pipeline_options(2, [])
import apache_beam as beam
engines.run_pipeline(lambda p: p | beam.Create([1, 2]), options)
assert engines.runs_in_process(options) and engines.lanes([1, 2], int, 2)
assert logging.getLogger().handlers == []
assert logging.getLogger("apache_beam").level == logging.NOTSET
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_workers_that_go_on_after_a_failure_are_not_heard_until_the_next_pipeline():
    log = logging.getLogger("apache_beam.runners.common")
    with pytest.raises(engines.PipelineError):
        engines.run_pipeline(lambda p: p | beam.Create([1]) | beam.Map(disagree), LOCAL)
    assert not log.isEnabledFor(logging.ERROR)
    engines.run_pipeline(lambda p: p | beam.Create([1]), LOCAL)
    assert log.isEnabledFor(logging.ERROR)


def test_a_failure_is_not_logged_again(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(engines.PipelineError):
        engines.run_pipeline(lambda p: p | beam.Create([1]) | beam.Map(disagree), LOCAL)
    assert caplog.text == ""
