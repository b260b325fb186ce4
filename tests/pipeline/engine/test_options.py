"""Views of options are those of Beam, without parsing again."""

from __future__ import annotations

import copy
import pickle
from argparse import ArgumentParser

import pytest
from apache_beam.options import pipeline_options as beam_options
from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)

from outcross.pipeline.engine.options import ParsedOptions

FLAGS = ["--runner=FnApiRunner", "--direct_num_workers=3", "--experiments=a", "--parallelism=2"]
VIEWS = [
    view
    for view in vars(beam_options).values()
    if isinstance(view, type) and issubclass(view, PipelineOptions) and view is not PipelineOptions
]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_the_values_that_beam_parses(view):
    theirs, ours = PipelineOptions(FLAGS).view_as(view), ParsedOptions(FLAGS).view_as(view)
    assert type(ours) is view
    assert str(ours) == str(theirs)
    assert ours.get_all_options(current_only=True) == theirs.get_all_options(current_only=True)


def test_a_value_that_one_view_sets_shows_in_all_views():
    options = ParsedOptions(FLAGS)
    options.view_as(DirectOptions).direct_num_workers = 7
    assert options.view_as(DirectOptions).direct_num_workers == 7
    assert options.view_as(StandardOptions).view_as(DirectOptions).direct_num_workers == 7
    assert options.display_data()["direct_num_workers"] == 7


def test_lists_of_one_object_are_not_those_of_another():
    options, others = ParsedOptions(FLAGS), ParsedOptions(FLAGS)
    options.view_as(DebugOptions).experiments.append("b")
    assert options.view_as(DebugOptions).experiments == ["a", "b"]
    assert others.view_as(DebugOptions).experiments == ["a"]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_have_values_of_their_own(again):
    options = ParsedOptions(FLAGS)
    options.view_as(StandardOptions).runner = "PrismRunner"
    copied = again(options)
    copied.view_as(StandardOptions).runner = "FlinkRunner"
    assert options.view_as(StandardOptions).runner == "PrismRunner"
    assert again(options.view_as(PortableOptions)).view_as(StandardOptions).runner == "PrismRunner"
    assert copied.get_all_options(drop_default=True)["parallelism"] == 2


def test_options_that_only_a_job_server_knows_are_found():
    options = ParsedOptions([*FLAGS, "--their_own=5"])
    assert options.get_all_options(retain_unknown_options=True)["their_own"] == "5"

    def add(parser: ArgumentParser) -> None:
        parser.add_argument("--their_own", type=int)

    assert options.get_all_options(add_extra_args_fn=add)["their_own"] == 5


def test_nothing_is_parsed_where_beam_asks_for_warnings_alone(caplog):
    options = ParsedOptions([*FLAGS, "--their_own=5"])
    assert options.get_all_options(retain_unknown_options=True, display_warnings=True) == {}
    assert caplog.text == ""
