"""Base of the package's DoFns, which Beam inspects quickly."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cache
from typing import Any, cast

import apache_beam as beam
from apache_beam.runners.sdf_utils import NoOpWatermarkEstimatorProvider
from apache_beam.transforms.core import get_function_args_defaults

_LIFE_CYCLE = ("setup", "start_bundle", "process", "finish_bundle", "teardown")

_Arguments = tuple[list[str], list[Any]]


@cache
def _arguments(step: Any, method: str) -> _Arguments:
    """Return names and defaults of a method's arguments without `self`, as Beam reads them."""
    return get_function_args_defaults(getattr(object.__new__(step), method))


@cache
def _type_hints(step: Any) -> Any:
    """Return the type hints of a step's methods, as Beam reads them."""
    return beam.DoFn.default_type_hints(object.__new__(step))


def _inspection(method: str) -> Callable[[Step], _Arguments]:
    """Return the method that Beam calls in place of an inspection of its own."""
    return lambda step: _arguments(cast(Hashable, type(step)), method)


# Beam gives this provider to each step that isn't splittable, and asks for its signature as well.
# The class doesn't declare the hook that Beam looks for.
setattr(  # noqa: B010
    NoOpWatermarkEstimatorProvider,
    "_inspect_create_watermark_estimator",
    _inspection("create_watermark_estimator"),
)


class Step(beam.DoFn):
    """DoFn without state and timers.

    For each step of a pipeline, Beam asks eight times for the signature of every method that
    `dir` names, to find states and timers. Most of these methods belong to `DoFn` itself. These
    signatures are half of the time that a pipeline takes to start. They are read once a class.
    """

    _inspect_setup = _inspection("setup")
    _inspect_start_bundle = _inspection("start_bundle")
    _inspect_process = _inspection("process")
    _inspect_process_batch = _inspection("process_batch")
    _inspect_finish_bundle = _inspection("finish_bundle")
    _inspect_teardown = _inspection("teardown")

    def __dir__(self) -> Iterable[str]:
        """Return the names of the methods that Beam calls."""
        return _LIFE_CYCLE

    def default_type_hints(self) -> Any:
        """Return the type hints of the methods."""
        return _type_hints(cast(Hashable, type(self)))
