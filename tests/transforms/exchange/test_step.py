"""Steps look to Beam as other DoFns do."""

from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.runners.sdf_utils import NoOpWatermarkEstimatorProvider
from apache_beam.transforms.core import get_function_args_defaults, get_function_arguments
from apache_beam.transforms.userstate import get_dofn_specs

from outcross.transforms.exchange.step import Step

METHODS = ("setup", "start_bundle", "process", "finish_bundle", "teardown", "process_batch")


class Plain(Step):
    def process(self, element):
        yield element


class Waiting(Step):
    def process(self, element, after=None, *others, key=beam.DoFn.KeyParam):
        yield element


class Inherited(Waiting):
    def start_bundle(self):
        self.count = 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", [Plain, Waiting, Inherited])
def test_arguments_are_those_that_beam_reads(step, method):
    read = get_function_args_defaults(getattr(step(), method))
    for _ in range(2):
        assert get_function_arguments(step(), method) == read


def test_the_watermark_of_a_step_has_the_arguments_that_beam_reads():
    provider, method = NoOpWatermarkEstimatorProvider(), "create_watermark_estimator"
    read = get_function_args_defaults(getattr(provider, method))
    assert hasattr(provider, f"_inspect_{method}")
    assert get_function_arguments(provider, method) == read


class Hinted(Step):
    def process(self, element: int) -> Iterator[str]:
        yield str(element)


@pytest.mark.parametrize("step", [Plain, Hinted])
def test_type_hints_are_those_that_beam_reads(step):
    for _ in range(2):
        read = beam.DoFn.default_type_hints(step())
        hints = step().default_type_hints()
        assert (hints.input_types, hints.output_types) == (read.input_types, read.output_types)


def test_a_step_has_neither_states_nor_timers():
    assert get_dofn_specs(Waiting()) == (set(), set())
