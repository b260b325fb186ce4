"""Execute a staged pipeline as Dataflow's workers would: a program for an environment of its own.

    python dataflow_worker.py PIPELINE OPTIONS RESULT

PIPELINE is the pipeline's message, OPTIONS a JSON object of Beam's options, RESULT the file for the
counters, and for the bytes of the side inputs. Nothing of this repository is imported but what the
pipeline itself names.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from apache_beam.internal import pickler
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2 as messages
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import StateServicer


def measure_side_inputs() -> Counter[str]:
    """Return the bytes of each side input, by step, which grow while a pipeline is executed."""
    sizes: Counter[str] = Counter()
    append = StateServicer.append_raw

    def measured(servicer: StateServicer, key: Any, data: bytes) -> Any:
        kind = key.WhichOneof("type")
        if kind.endswith("side_input"):
            sizes[getattr(key, kind).transform_id] += len(data)
        return append(servicer, key, data)

    StateServicer.append_raw = measured
    return sizes


def main(pipeline_file: str, options_file: str, result_file: str) -> None:
    """Run the pipeline to its end and write its counters and sizes."""
    import outcross

    assert Path(outcross.__file__).is_relative_to(sys.prefix), outcross.__file__
    pipeline = messages.Pipeline.FromString(Path(pipeline_file).read_bytes())
    for environment in pipeline.components.environments.values():
        assert environment.urn == common_urns.environments.DOCKER.urn, environment.urn
        environment.urn, environment.payload = python_urns.EMBEDDED_PYTHON, b""
        del environment.dependencies[:]
    # The request's message has no integers.
    given = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in json.loads(Path(options_file).read_text()).items()
    }
    options = PipelineOptions.from_dictionary(given)
    pickler.set_library(options.view_as(SetupOptions).pickle_library)
    FileSystems.set_options(options)
    sizes = measure_side_inputs()
    result = FnApiRunner().run_via_runner_api(pipeline, options)
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter())["counters"]
    lines = [
        {
            "name": counter.key.metric.name,
            "namespace": counter.key.metric.namespace,
            "step": counter.key.step,
            "value": counter.result,
        }
        for counter in counters
    ]
    Path(result_file).write_text(json.dumps({"counters": lines, "side_inputs": sizes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
