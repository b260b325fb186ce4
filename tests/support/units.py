"""Units and blocks of a chosen size, so that a small corpus has many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from outcross.pipeline.stages import sketch
from outcross.transforms.reading import lookup, read
from outcross.transforms.reading.pieces import plan_units


@contextmanager
def units_of(size: int) -> Iterator[None]:
    """Cut the input of all runs into units of about `size` bytes."""
    with patch.object(sketch, "plan_units", lambda sources, _: plan_units(sources, size)):
        yield


@contextmanager
def batches_of(size: int) -> Iterator[None]:
    """Read all input in blocks of about `size` bytes."""
    with (
        patch.object(read.read_unit, "__defaults__", (size,)),
        patch.object(lookup, "BATCH_BYTES", size),
    ):
        yield
