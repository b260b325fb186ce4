"""Steps look to Beam as other DoFns do."""

import apache_beam as beam
import pytest
from apache_beam.transforms.core import get_function_args_defaults, get_function_arguments
from apache_beam.transforms.userstate import get_dofn_specs

from outcross.transforms.exchange.step import Step

METHODS = ("setup", "start_bundle", "process", "finish_bundle", "teardown")


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


def test_a_step_has_neither_states_nor_timers():
    assert get_dofn_specs(Waiting()) == (set(), set())
