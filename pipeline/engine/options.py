"""Beam's options, with views that are parsed once."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Hashable
from copy import copy
from functools import cache
from typing import Any, TypeVar, cast

from apache_beam.options.pipeline_options import PipelineOptions

ViewT = TypeVar("ViewT", bound=PipelineOptions)


class ParsedOptions(PipelineOptions):
    """Options that aren't parsed again, once `pipeline_options` has checked them.

    Beam asks for some 70 views a pipeline. For each, `PipelineOptions` makes an argument parser
    and reads all arguments again, though these never change. That is a millisecond each time.
    """

    def get_all_options(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return all options, or none where Beam only wants warnings of unknown arguments.

        Args:
            args: arguments of Beam's method.
            kwargs: arguments of Beam's method; `display_warnings` asks for warnings.
        """
        if kwargs.get("display_warnings"):
            return {}
        return super().get_all_options(*args, **kwargs)

    def view_as(self, cls: type[ViewT]) -> ViewT:
        """Return a view of these options; all views share their values.

        Args:
            cls: class of the view.
        """
        view, values = object.__new__(cls), self._all_options
        parsed = _parse(cast(Hashable, cls), tuple(self._flags))
        view._flags, view._visible_options, view._all_options = self._flags, parsed, values
        for name, value in vars(parsed).items():
            if name not in values:
                values[name] = copy(value)  # Beam appends to lists, such as `experiments`
        return view


@cache
def _parse(cls: type[PipelineOptions], flags: tuple[str, ...]) -> Namespace:
    """Return the values of a class's options; nobody changes them."""
    parsed: Any = cls(flags)._visible_options
    return parsed if isinstance(parsed, Namespace) else Namespace(**vars(parsed))
